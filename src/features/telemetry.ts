// Access logs, traces, metrics and events. Each child is taken whole from one policy. Knows no kind.

import { label, pct } from '../api/fields.js';
import { bool, integer, list, object, oneOf, stringMap, text, type Static } from '../api/schema.js';

const accessLogSchema = object(
  {
    level: oneOf(['Off', 'Errors', 'All'], {
      doc: 'Errors: status 500 and above, or any response flag.',
      effective: 'Errors',
      change: 'RTDS',
      envoy: 'runtime keys mesh.al.*',
    }),
    samplingPercent: pct({
      doc: 'Share of lines that is written.',
      default: 100,
      change: 'RTDS',
      envoy: 'runtime key mesh.al.sample',
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

const tracingSchema = object(
  {
    provider: label({
      doc: 'Mesh default only: provider that gets spans.',
      effective: 'none',
      change: 'L',
      envoy: 'Tracing.provider',
    }),
    samplingPercent: pct({
      doc: 'Share of requests that is traced.',
      default: 0,
      envoy: 'Route.tracing.random_sampling',
    }),
    tags: list(
      object(
        {
          name: text(
            { min: 1, max: 128 },
            { doc: 'Name of the tag.', required: true, envoy: 'Route.tracing.custom_tags[].tag' },
          ),
          from: oneOf(['Literal', 'Header', 'Environment'], {
            doc: 'Where the value comes from.',
            required: true,
            envoy: 'Route.tracing.custom_tags[]',
          }),
          value: text(
            { min: 1, max: 256 },
            {
              doc: 'The value, or the name of header or variable.',
              required: true,
              envoy: 'Route.tracing.custom_tags[]',
            },
          ),
        },
        { doc: 'A tag.' },
      ),
      { keys: ['name'] },
      { doc: 'Further tags of spans.' },
    ),
  },
  { doc: 'Traces.', change: 'R' },
);

const metricsSchema = object(
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
        envoy: 'stats access logger rules',
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

/** `telemetry`. */
export const telemetrySchema = object(
  {
    accessLog: accessLogSchema,
    tracing: tracingSchema,
    metrics: metricsSchema,
    eventLog: bool({
      doc: 'Whether outlier and health events are written to stdout.',
      effective: 'true',
      change: 'C',
      envoy: 'event_logger of outlier detection and health checks',
    }),
  },
  { doc: 'What the proxies of the selected workloads report.' },
);

/** Telemetry after defaults. */
export type Telemetry = Static<typeof telemetrySchema>;
