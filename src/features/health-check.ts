// Active health checks, for endpoints that Kubernetes does not probe. Knows no kind.

import { HealthCheckEventFileSink } from '../gen/envoy/extensions/health_check/event_sinks/file/v3/file.js';
import { CodecClientType } from '../gen/envoy/type/v3/http.js';
import { dur } from '../api/fields.js';
import { integer, list, object, oneOf, text, type Static } from '../api/schema.js';
import { err, ok, type Result } from '../lib/result.js';
import { packAny } from './any.js';
import { durationOf, holdsControls } from './envoy-values.js';
import { httpOptions, onlyHttp2 } from './http-options.js';
import { defineFeature, type ClusterContext, type Patch } from './feature.js';
import type { EnvoyHealthCheck } from './envoy-types.js';

/** `upstream.healthCheck`. */
export const healthCheckSchema = object(
  {
    protocol: oneOf(['HTTP', 'GRPC', 'TCP'], {
      doc: 'How endpoints are asked.',
      required: true,
      envoy: 'HealthCheck.health_checker',
    }),
    path: text(
      { max: 1024 },
      {
        doc: 'Path of HTTP checks, service name of GRPC checks.',
        effective: "'/'; GRPC none",
        envoy: 'HttpHealthCheck.path, GrpcHealthCheck.service_name',
      },
    ),
    statuses: list(
      integer({ min: 100, max: 599 }, { doc: 'A status code.' }),
      { max: 8 },
      {
        doc: 'Status codes of healthy endpoints.',
        default: [200],
        envoy: 'HttpHealthCheck.expected_statuses',
      },
    ),
    interval: dur({ min: '1s' }, { doc: 'Time between checks.', default: '10s', envoy: 'HealthCheck.interval' }),
    timeout: dur({ min: '1ms' }, { doc: 'Time for an answer.', default: '1s', envoy: 'HealthCheck.timeout' }),
    healthyThreshold: integer(
      {},
      {
        doc: 'Good answers in a row that make an endpoint healthy.',
        default: 1,
        envoy: 'HealthCheck.healthy_threshold',
      },
    ),
    unhealthyThreshold: integer(
      {},
      {
        doc: 'Bad answers in a row that make an endpoint unhealthy.',
        default: 3,
        envoy: 'HealthCheck.unhealthy_threshold',
      },
    ),
  },
  { doc: 'Active health checks; Kubernetes readiness always counts.' },
);

/** Health checks after defaults. */
export type HealthCheck = Static<typeof healthCheckSchema>;

/** As a file: Envoy has no other sink. Where another user owns stdout, it cannot be opened, and the cluster is refused. */
const toStdout = {
  name: 'envoy.health_check.event_sinks.file',
  typedConfig: packAny(HealthCheckEventFileSink, { eventLogPath: '/dev/stdout' }),
};

/** Envoy refuses paths of HTTP that no request line may hold. */
function checked(config: HealthCheck): Result<HealthCheck> {
  if (config.protocol !== 'HTTP' || !holdsControls(config.path ?? '')) return ok(config);
  const message = '`healthCheck.path` must not hold control characters, such as line breaks';
  return err([{ path: 'healthCheck.path', reason: 'Invalid', message }]);
}

/** Without a name Envoy would write that of the cluster, which is none that HTTP allows. */
function checkerOf(
  config: HealthCheck,
  { host, wantsHttp2 }: ClusterContext,
): Patch<EnvoyHealthCheck['healthChecker']> {
  const { protocol, path } = config;
  // Without bytes to send, a connection that opens is healthy.
  if (protocol === 'TCP') return { $case: 'tcpHealthCheck', value: {} };
  if (protocol === 'GRPC') return { $case: 'grpcHealthCheck', value: { authority: host, serviceName: path ?? '' } };
  return {
    $case: 'httpHealthCheck',
    value: {
      host,
      // An empty path is the root's (RFC 9110, 4.2.3).
      path: path === undefined || path === '' ? '/' : path,
      expectedStatuses: config.statuses.map((status) => ({ start: BigInt(status), end: BigInt(status + 1) })),
      codecClientType: wantsHttp2 ? CodecClientType.HTTP2 : CodecClientType.HTTP1,
    },
  };
}

/** gRPC checks are HTTP/2, also of endpoints that are sent bytes only. */
const http2ForChecks = httpOptions({ upstreamProtocolOptions: onlyHttp2({}) });

/** `upstream.healthCheck`. An endpoint that Kubernetes takes away is gone, whatever its checks say. */
export const healthCheck = defineFeature<'healthCheck', HealthCheck, HealthCheck>({
  key: 'healthCheck',
  summary: 'Ask endpoints whether they are well.',
  compile: checked,
  onCluster: (config, context) => ({
    cluster: {
      healthChecks: [
        {
          timeout: durationOf(config.timeout),
          interval: durationOf(config.interval),
          // Endpoints that nobody calls are asked as often.
          noTrafficInterval: durationOf(config.interval),
          healthyThreshold: config.healthyThreshold,
          unhealthyThreshold: config.unhealthyThreshold,
          healthChecker: checkerOf(config, context),
          ...(context.eventLog ? { eventLogger: [toStdout] } : {}),
        },
      ],
      ...(config.protocol === 'GRPC' && !context.http ? { typedExtensionProtocolOptions: http2ForChecks } : {}),
    },
  }),
});
