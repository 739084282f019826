// Access logs: which requests and connections are written, and where to. Knows no kind.

import { celSyntaxProblem } from '../api/cel.js';
import { pct } from '../api/fields.js';
import { list, object, oneOf, stringMap, text, type Static } from '../api/schema.js';
import {
  ComparisonFilter_Op as Comparison,
  type AccessLog,
  type AccessLogFilter,
} from '../gen/envoy/config/accesslog/v3/accesslog.js';
import { ApiVersion } from '../gen/envoy/config/core/v3/config_source.js';
import { HttpGrpcAccessLogConfig, TcpGrpcAccessLogConfig } from '../gen/envoy/extensions/access_loggers/grpc/v3/als.js';
import { OpenTelemetryAccessLogConfig } from '../gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service.js';
import { StdoutAccessLog } from '../gen/envoy/extensions/access_loggers/stream/v3/stream.js';
import { err, ok, type Problem } from '../lib/result.js';
import { formatOf, lineOf, matching, unknownOperator, type LineOptions } from './access-log-format.js';
import { packAny } from './any.js';
import { shareOf } from './envoy-values.js';
import { defineFeature, type ChainContext, type ChainPatch, type Patch, type ProviderConfig } from './feature.js';
import { grpcServiceOf } from './grpc-service.js';

/** `telemetry.accessLog`. */
export const accessLogSchema = object(
  {
    level: oneOf(['Off', 'Errors', 'All'], {
      doc: 'Errors: status 500 and above, or any response flag.',
      effective: 'Errors',
      envoy: 'AccessLogFilter',
    }),
    samplingPercent: pct({
      doc: 'Share of lines that is written.',
      default: 100,
      envoy: 'RuntimeFilter.percent_sampled',
    }),
    filter: text({ max: 1024 }, { doc: 'CEL that a line must meet.', effective: 'none', envoy: 'AccessLogFilter CEL' }),
    format: oneOf(['JSON', 'Text'], {
      doc: 'Mesh default only: form of lines.',
      effective: 'JSON',
      envoy: 'SubstitutionFormatString',
    }),
    fields: stringMap(
      {},
      {
        doc: 'Mesh default only: further names and their Envoy command operators.',
        effective: 'none',
        envoy: 'SubstitutionFormatString.json_format',
      },
    ),
    sinks: list(
      text({ min: 1 }, { doc: 'A sink.' }),
      { max: 4 },
      {
        doc: 'stdout, or names of providers.',
        default: ['stdout'],
        envoy: 'StdoutAccessLog, OpenTelemetryAccessLog, HttpGrpcAccessLog',
      },
    ),
  },
  { doc: 'Access logs.', change: 'L' },
);

/** Access logs after defaults. */
export type AccessLogConfig = Static<typeof accessLogSchema>;

type Filter = Patch<AccessLogFilter>;
type FilterKind = NonNullable<Filter['filterSpecifier']>;

const filter = (filterSpecifier: FilterKind): Filter => ({ filterSpecifier });

const failed = filter({ $case: 'responseFlagFilter', value: {} });

/** Status 500 and above. The comparison wants a runtime key; nothing is ever set there. */
const serverError = filter({
  $case: 'statusCodeFilter',
  value: { comparison: { op: Comparison.GE, value: { defaultValue: 500, runtimeKey: 'mesh.al.min_status' } } },
});

/** Hops of one request agree: the choice hangs on its id. */
const sampled = (percent: number): Filter =>
  filter({ $case: 'runtimeFilter', value: { runtimeKey: 'mesh.al.sample', percentSampled: shareOf(percent) } });

/** All conditions that a line must meet; undefined: none. */
function filterOf(config: AccessLogConfig, http: boolean): Filter | undefined {
  const errors = http ? filter({ $case: 'orFilter', value: { filters: [serverError, failed] } }) : failed;
  const filters = [
    ...(config.samplingPercent < 100 ? [sampled(config.samplingPercent)] : []),
    ...(config.level === 'All' ? [] : [errors]),
    ...(config.filter === undefined ? [] : [matching(config.filter)]),
  ];
  return filters.length > 1 ? filter({ $case: 'andFilter', value: { filters } }) : filters[0];
}

const logName = 'mesh';

function otelLogger(provider: ProviderConfig, { can }: ChainContext, options: LineOptions): AccessLog['configType'] {
  const service = grpcServiceOf(provider);
  const attributes = Object.entries(lineOf(options)).map(([key, operator]) => ({
    key,
    value: { value: { $case: 'stringValue', value: operator } as const },
  }));
  const config = OpenTelemetryAccessLogConfig.fromPartial({
    ...(can.otelService
      ? { grpcService: service, logName }
      : { commonConfig: { logName, grpcService: service, transportApiVersion: ApiVersion.V3 } }),
    attributes: { values: attributes },
  });
  return { $case: 'typedConfig', value: packAny(OpenTelemetryAccessLogConfig, config) };
}

function grpcLogger(provider: ProviderConfig, http: boolean): AccessLog['configType'] {
  const commonConfig = { logName, grpcService: grpcServiceOf(provider), transportApiVersion: ApiVersion.V3 };
  const any = http
    ? packAny(HttpGrpcAccessLogConfig, HttpGrpcAccessLogConfig.fromPartial({ commonConfig }))
    : packAny(TcpGrpcAccessLogConfig, TcpGrpcAccessLogConfig.fromPartial({ commonConfig }));
  return { $case: 'typedConfig', value: any };
}

function stdoutLogger(config: AccessLogConfig, options: LineOptions): AccessLog['configType'] {
  const logFormat = formatOf(config.format ?? 'JSON', options);
  const message = StdoutAccessLog.fromPartial({ accessLogFormat: { $case: 'logFormat', value: logFormat } });
  return { $case: 'typedConfig', value: packAny(StdoutAccessLog, message) };
}

interface Sink {
  readonly name: string;
  readonly configType: AccessLog['configType'];
}

/** Sinks that are there; of others status tells. */
function sinksOf(config: AccessLogConfig, chain: ChainContext): readonly Sink[] {
  const options: LineOptions = { ...chain, fields: config.fields ?? {} };
  return config.sinks.flatMap((sink): readonly Sink[] => {
    if (sink === 'stdout') return [{ name: 'mesh.stdout', configType: stdoutLogger(config, options) }];
    const provider = chain.providerOf(sink);
    const name = `mesh.log.${sink}`;
    if (provider?.type === 'AccessLog') return [{ name, configType: grpcLogger(provider, chain.http) }];
    if (provider?.type === 'OpenTelemetry') return [{ name, configType: otelLogger(provider, chain, options) }];
    return [];
  });
}

const invalid = (path: string, message: string): Problem => ({
  path,
  reason: 'Invalid',
  message: `\`${path}\` ${message}`,
});

/** What Envoy would refuse, and the whole listener with it. */
function problemsOf({ fields = {}, filter: expression }: AccessLogConfig): readonly Problem[] {
  const wrong = expression === undefined ? undefined : celSyntaxProblem(expression);
  const ofFilter = wrong === undefined ? [] : [invalid('accessLog.filter', `is no CEL expression: ${wrong}`)];
  const ofFields = Object.entries(fields).flatMap(([name, value]) => {
    const unknown = unknownOperator(value);
    return unknown === undefined
      ? []
      : [invalid(`accessLog.fields.${name}`, `holds '${unknown}', which is no command operator of Envoy`)];
  });
  return [...ofFilter, ...ofFields];
}

/** `telemetry.accessLog`. Lines go to stdout as a stream: as a file it could not be opened by another user. */
export const accessLog = defineFeature<'accessLog', AccessLogConfig, AccessLogConfig>({
  key: 'accessLog',
  summary: 'Lines about requests and connections.',
  byDefault: { samplingPercent: 100, sinks: ['stdout'] },
  compile: (config) => {
    const problems = problemsOf(config);
    return problems.length === 0 ? ok(config) : err(problems);
  },
  onChain: (config, chain): ChainPatch => {
    if (config.level === 'Off' || config.samplingPercent === 0) return {};
    const condition = filterOf(config, chain.http);
    const accessLog = sinksOf(config, chain).map((sink) => ({
      ...sink,
      ...(condition === undefined ? {} : { filter: condition }),
    }));
    return chain.http ? { manager: { accessLog } } : { tcp: { accessLog } };
  },
});
