// Access logs, traces, metrics and events: what proxies report. Each child is taken whole from one policy, but for
// fields that only the mesh default may set, which hold everywhere. Knows no kind.

import { bool, object, type Static } from '../api/schema.js';
import { accessLogSchema } from './access-log.js';
import { metricsSchema } from './metrics.js';
import { tracingSchema } from './tracing.js';

/** `telemetry`. */
export const telemetrySchema = object(
  {
    accessLog: accessLogSchema,
    tracing: tracingSchema,
    metrics: metricsSchema,
    eventLog: bool({
      doc: 'Whether events of health checks are written to stdout; those of outlier detection go where the bootstrap says.',
      effective: 'false',
      change: 'C',
      envoy: 'HealthCheck.event_logger',
    }),
  },
  { doc: 'What the proxies of the selected workloads report.' },
);

/** Telemetry after defaults. */
export type Telemetry = Static<typeof telemetrySchema>;

/** Fields that only the mesh default may set. */
const meshFields = {
  accessLog: ['format', 'fields'],
  tracing: ['provider'],
  metrics: ['maxSeries'],
} as const;

/** A child with those fields of another. */
function withFields<Child extends object>(
  child: Child,
  from: Child | undefined,
  fields: readonly (keyof Child)[],
): Child {
  const taken = fields.filter((field) => from?.[field] !== undefined).map((field) => [field, from?.[field]] as const);
  return { ...child, ...Object.fromEntries(taken) };
}

/** `nearest` with the fields that only the mesh default may set. */
export function withMeshFields(nearest: Telemetry, mesh: Telemetry = {}): Telemetry {
  const { accessLog, tracing, metrics } = nearest;
  return {
    ...nearest,
    ...(accessLog && { accessLog: withFields(accessLog, mesh.accessLog, meshFields.accessLog) }),
    ...(tracing && { tracing: withFields(tracing, mesh.tracing, meshFields.tracing) }),
    ...(metrics && { metrics: withFields(metrics, mesh.metrics, meshFields.metrics) }),
  };
}
