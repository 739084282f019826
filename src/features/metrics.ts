// Metrics of requests and connections by who calls whom: names and labels are a contract, see docs/reference/metrics.md.
// Knows no kind.

import { label } from '../api/fields.js';
import { integer, list, object, oneOf, text, type Static } from '../api/schema.js';
import {
  Config as StatsLogger,
  Config_Histogram_Unit as Unit,
  type Config_Tag as Tag,
} from '../gen/envoy/extensions/access_loggers/stats/v3/stats.js';
import type { AccessLogFilter } from '../gen/envoy/config/accesslog/v3/accesslog.js';
import { AccessLogType } from '../gen/envoy/data/accesslog/v3/accesslog.js';
import { err, ok, type Problem } from '../lib/result.js';
import { serviceOperator, workloadOperator } from './access-log-format.js';
import { packAny } from './any.js';
import { defineFeature, type ChainContext, type ChainPatch, type Patch } from './feature.js';

/** `telemetry.metrics`. */
export const metricsSchema = object(
  {
    profile: oneOf(['Minimal', 'Standard', 'PerRoute', 'Full'], {
      doc: 'How much is measured.',
      default: 'Standard',
      envoy: 'stats access logger, inclusion list',
    }),
    maxSeries: integer(
      { min: 500, max: 100_000 },
      {
        doc: 'Mesh default only: series of one proxy.',
        effective: '5000',
        envoy: 'StatsScope.max_counters',
      },
    ),
    dropTags: list(
      text({ min: 1 }, { doc: 'A tag.' }),
      { max: 8 },
      {
        doc: 'Tags that are left out.',
        effective: 'none',
        envoy: 'stats access logger tags',
      },
    ),
    provider: label({
      doc: 'Mesh default only: provider that metrics are pushed to.',
      effective: 'none',
      change: 'A',
      envoy: 'stats_sinks open_telemetry',
    }),
  },
  { doc: 'Metrics.', change: 'L' },
);

/** Metrics after defaults. */
export type Metrics = Static<typeof metricsSchema>;

type Labels = Readonly<Record<string, string>>;

const who = ({ direction, workload }: ChainContext): Labels =>
  direction === 'outbound'
    ? { reporter: 'client', source: workloadOperator(workload), destination: serviceOperator }
    : { reporter: 'server', source: 'unknown', destination: workloadOperator(workload) };

const rule = { rule: '%ROUTE_NAME%' };
const outcome = { code: '%RESPONSE_CODE%', flags: '%RESPONSE_FLAGS%' };
const details = { cluster: '%UPSTREAM_CLUSTER%', grpc_code: '%GRPC_STATUS_NUMBER%', protocol: '%PROTOCOL%' };

interface Profile {
  /** Labels of counters of requests, besides who calls whom. */
  readonly counters: Labels;
  /** Of histograms: each is some twenty series, so these are fewer. */
  readonly histograms: Labels;
}

const profiles: Readonly<Record<Metrics['profile'], Profile>> = {
  Minimal: { counters: { code: outcome.code }, histograms: {} },
  Standard: { counters: outcome, histograms: {} },
  PerRoute: { counters: { ...outcome, ...rule }, histograms: rule },
  Full: { counters: { ...outcome, ...rule, ...details }, histograms: rule },
};

/** Labels that `dropTags` may name. */
const droppable: readonly string[] = ['source', 'destination', ...Object.keys(profiles.Full.counters)];

const tagsOf = (labels: Labels, dropped: readonly string[] = []): readonly Tag[] =>
  Object.entries(labels)
    .filter(([name]) => !dropped.includes(name))
    .map(([name, valueFormat]) => ({ name, valueFormat }));

const count = (name: string, tags: readonly Tag[]) => ({ stat: { name, tags }, valueFixed: 1n });

function ofRequests({ profile, dropTags }: Metrics, chain: ChainContext): Patch<StatsLogger> {
  const { counters, histograms } = profiles[profile];
  const tags = tagsOf({ ...who(chain), ...histograms }, dropTags);
  return {
    counters: [count('requests_total', tagsOf({ ...who(chain), ...counters }, dropTags))],
    histograms: [{ stat: { name: 'request_duration_ms', tags }, unit: Unit.Milliseconds, valueFormat: '%DURATION%' }],
  };
}

function ofConnections({ dropTags }: Metrics, chain: ChainContext): Patch<StatsLogger> {
  const tags = tagsOf({ ...who(chain), flags: outcome.flags }, dropTags);
  return {
    counters: [
      count('connections_total', tags),
      { stat: { name: 'connection_sent_bytes_total', tags }, valueFormat: '%BYTES_SENT%' },
      { stat: { name: 'connection_received_bytes_total', tags }, valueFormat: '%BYTES_RECEIVED%' },
    ],
  };
}

const builtInSeries = 5000;

/** One scope for all listeners of a proxy, so that the bound is that of the proxy. What is idle is forgotten. */
const scopeOf = (maxSeries: number) => ({
  prefix: 'mesh',
  sharingName: 'mesh',
  maxCounters: maxSeries,
  maxHistograms: Math.ceil(maxSeries / 10),
  enableEviction: true,
});

/** Once for each connection: what is logged in between would count twice. */
const atEnd: Patch<AccessLogFilter> = {
  filterSpecifier: { $case: 'logTypeFilter', value: { types: [AccessLogType.TcpConnectionEnd] } },
};

/** `telemetry.metrics`. An Envoy without the logger has its own statistics of clusters and routes, without a source. */
export const metrics = defineFeature<'metrics', Metrics, Metrics>({
  key: 'metrics',
  summary: 'Metrics of requests and connections.',
  byDefault: { profile: 'Standard' },
  compile: (config) => {
    const problems = (config.dropTags ?? []).flatMap((tag, index): Problem[] => {
      if (droppable.includes(tag)) return [];
      const path = `metrics.dropTags[${String(index)}]`;
      const message = `\`${path}\` is '${tag}', allowed: ${droppable.join(', ')}`;
      return [{ path, reason: 'Invalid', message }];
    });
    return problems.length === 0 ? ok(config) : err(problems);
  },
  onChain: (config, chain): ChainPatch => {
    if (!chain.can.statsLogger) return {};
    const message = StatsLogger.fromPartial({
      ...(chain.http ? ofRequests(config, chain) : ofConnections(config, chain)),
      ...(chain.can.statsScope ? { statsScope: scopeOf(config.maxSeries ?? builtInSeries) } : { statPrefix: 'mesh' }),
    });
    const configType = { $case: 'typedConfig', value: packAny(StatsLogger, message) } as const;
    const logger = { name: 'mesh.metrics', configType };
    return chain.http ? { manager: { accessLog: [logger] } } : { tcp: { accessLog: [{ ...logger, filter: atEnd }] } };
  },
});
