// The parts of `upstream` that are about single connections: their pools and active health checks.
// Knows no kind.

import { dur } from '../api/fields.js';
import { integer, list, object, oneOf, text } from '../api/schema.js';

/** `upstream.connection`. */
export const connectionSchema = object(
  {
    connectTimeout: dur({ min: '10ms' }, { doc: 'Time to connect.', default: '5s', envoy: 'Cluster.connect_timeout' }),
    idleTimeout: dur(
      {},
      {
        doc: 'How long an unused connection stays open.',
        default: '300s',
        envoy: 'HttpProtocolOptions.idle_timeout',
      },
    ),
    maxDuration: dur(
      {},
      {
        doc: 'How long a connection stays open at most.',
        effective: 'a third of the life of certificates',
        envoy: 'HttpProtocolOptions.max_connection_duration',
      },
    ),
    maxRequestsPerConnection: integer(
      {},
      {
        doc: 'Requests on one connection; 0 for any number.',
        default: 0,
        envoy: 'HttpProtocolOptions.max_requests_per_connection',
      },
    ),
    tcpKeepalive: dur(
      {},
      {
        doc: "Idle time before a keep-alive probe; '0s' switches probes off.",
        default: '0s',
        envoy: 'UpstreamConnectionOptions.tcp_keepalive',
      },
    ),
    httpVersion: oneOf(['Auto', 'HTTP1', 'HTTP2'], {
      doc: 'Auto follows the caller and appProtocol.',
      default: 'Auto',
      envoy: 'HttpProtocolOptions',
    }),
    maxConcurrentStreams: integer(
      { min: 1 },
      {
        doc: 'Requests at once on one HTTP/2 connection.',
        default: 1024,
        envoy: 'Http2ProtocolOptions.max_concurrent_streams',
      },
    ),
    streamWindowBytes: integer(
      { min: 65_535 },
      {
        doc: 'Window of an HTTP/2 stream; that of the connection is eight times as large.',
        default: 1_048_576,
        envoy: 'Http2ProtocolOptions.initial_stream_window_size, initial_connection_window_size',
      },
    ),
    proxyProtocol: oneOf(['None', 'V1', 'V2'], {
      doc: 'PROXY protocol header on plaintext and external connections.',
      default: 'None',
      envoy: 'ProxyProtocolUpstreamTransport',
    }),
  },
  { doc: 'Connections to endpoints.' },
);

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
    timeout: dur({}, { doc: 'Time for an answer.', default: '1s', envoy: 'HealthCheck.timeout' }),
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
