// The largest body of a request. Bodies are buffered to know their size before the application sees them, so that
// streams would never begin: gRPC ports are left alone. Where it is only tried nothing is buffered: the log tells of
// requests that were larger, and so does a counter. Knows no kind.

import type { AccessLog } from '../gen/envoy/config/accesslog/v3/accesslog.js';
import { Config as StatsLogger } from '../gen/envoy/extensions/access_loggers/stats/v3/stats.js';
import { StdoutAccessLog } from '../gen/envoy/extensions/access_loggers/stream/v3/stream.js';
import { BufferPerRoute } from '../gen/envoy/extensions/filters/http/buffer/v3/buffer.js';
import type { Any } from '../gen/google/protobuf/any.js';
import { ok } from '../lib/result.js';
import { lineOf, matching } from './access-log-format.js';
import { packAny } from './any.js';
import { literal } from './envoy-values.js';
import { defineFeature, type ChainContext, type ChainPatch, type Patch } from './feature.js';

/** A bound of a policy in mode Audit. */
interface TriedBytes {
  readonly bytes: number;
  /** `shop/tried`. */
  readonly triedBy: string;
}

type Bound = number | TriedBytes;

const typed = (value: Any) => ({ $case: 'typedConfig', value }) as const;

/** Envoys without the counter leave it at the lines. */
function loggersOf({ bytes, triedBy }: TriedBytes, chain: ChainContext): readonly Patch<AccessLog>[] {
  const filter = matching(`request.size > ${String(bytes)}`);
  const policy = literal(triedBy);
  const line = { audit: policy, would: '413', ...lineOf({ ...chain, fields: {} }) };
  const logFormat = { omitEmptyValues: true, format: { $case: 'jsonFormat', value: line } } as const;
  const stdout = StdoutAccessLog.fromPartial({ accessLogFormat: { $case: 'logFormat', value: logFormat } });
  const stat = { name: 'audit_large_requests_total', tags: [{ name: 'policy', valueFormat: policy }] };
  const counter = StatsLogger.fromPartial({ statPrefix: 'mesh', counters: [{ stat, valueFixed: 1n }] });
  return [
    { name: 'mesh.audit.stdout', filter, configType: typed(packAny(StdoutAccessLog, stdout)) },
    ...(chain.can.statsLogger
      ? [{ name: 'mesh.audit.count', filter, configType: typed(packAny(StatsLogger, counter)) }]
      : []),
  ];
}

const isTried = (bound: Bound): bound is TriedBytes => typeof bound !== 'number';

/** `inbound.maxRequestBytes`; 0 switches it off. */
export const maxRequestBytes = defineFeature<'maxRequestBytes', Bound, Bound>({
  key: 'maxRequestBytes',
  summary: 'The largest body of a request.',
  compile: ok,
  onRoute: (bound) => {
    if (isTried(bound) || bound === 0) return {};
    const config = BufferPerRoute.fromPartial({ override: { $case: 'buffer', value: { maxRequestBytes: bound } } });
    return { route: { typedPerFilterConfig: { 'mesh.buffer': packAny(BufferPerRoute, config) } } };
  },
  onChain: (bound, chain): ChainPatch =>
    isTried(bound) && bound.bytes > 0 && chain.http ? { manager: { accessLog: loggersOf(bound, chain) } } : {},
});
