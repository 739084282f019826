// Connections to the endpoints of a Service: their pools, and what is spoken on them. Knows no kind.

import { ProxyProtocolConfig_Version as ProxyVersion } from '../gen/envoy/config/core/v3/proxy_protocol.js';
import { ProxyProtocolUpstreamTransport } from '../gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.js';
import { RawBuffer } from '../gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.js';
import { durationMs } from '../api/duration.js';
import { dur } from '../api/fields.js';
import { integer, object, oneOf, type Static } from '../api/schema.js';
import { ok } from '../lib/result.js';
import { packAny } from './any.js';
import { durationOf } from './envoy-values.js';
import type { HttpProtocolOptions } from './envoy-types.js';
import { defineFeature, type ClusterPatch, type Patch } from './feature.js';

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

/** Connection settings after defaults. */
export type Connection = Static<typeof connectionSchema>;

type Protocols = HttpProtocolOptions['upstreamProtocolOptions'];

const http2Of = ({ maxConcurrentStreams, streamWindowBytes }: Connection) => ({
  maxConcurrentStreams,
  initialStreamWindowSize: streamWindowBytes,
  initialConnectionWindowSize: Math.min(streamWindowBytes * 8, 2_147_483_647),
  allowConnect: true,
});

/** Auto leaves the choice to what callers speak, unless the port of the Service says that it wants HTTP/2. */
function protocolsOf(config: Connection, wantsHttp2: boolean): Patch<Protocols> {
  const http2ProtocolOptions = http2Of(config);
  if (config.httpVersion === 'Auto' && !wantsHttp2)
    return { $case: 'useDownstreamProtocolConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions } };
  return {
    $case: 'explicitHttpConfig',
    value: {
      protocolConfig:
        config.httpVersion === 'HTTP1'
          ? { $case: 'httpProtocolOptions', value: {} }
          : { $case: 'http2ProtocolOptions', value: http2ProtocolOptions },
    },
  };
}

/** Nine probes, a fifth of the idle time apart, in whole seconds as the kernel counts. */
function keepaliveOf(text: string): ClusterPatch['cluster'] {
  const seconds = Math.ceil(durationMs(text) / 1000);
  if (seconds === 0) return {};
  const tcpKeepalive = { keepaliveTime: seconds, keepaliveInterval: Math.max(1, Math.round(seconds / 5)) };
  return { upstreamConnectionOptions: { tcpKeepalive } };
}

/** The header goes ahead of everything else on a connection, which so belongs to one caller's address. */
function proxyProtocolOf(version: Connection['proxyProtocol']): ClusterPatch['cluster'] {
  if (version === 'None') return {};
  const transport = ProxyProtocolUpstreamTransport.fromPartial({
    config: { version: version === 'V1' ? ProxyVersion.V1 : ProxyVersion.V2 },
    transportSocket: {
      name: 'envoy.transport_sockets.raw_buffer',
      configType: { $case: 'typedConfig', value: packAny(RawBuffer, RawBuffer.fromPartial({})) },
    },
  });
  return {
    transportSocket: {
      name: 'envoy.transport_sockets.upstream_proxy_protocol',
      configType: { $case: 'typedConfig', value: packAny(ProxyProtocolUpstreamTransport, transport) },
    },
  };
}

/** `upstream.connection`. */
export const connection = defineFeature<'connection', Connection, Connection>({
  key: 'connection',
  summary: 'Connections to endpoints.',
  compile: (config) => ok(config),
  onCluster: (config, { wantsHttp2 }) => ({
    cluster: {
      connectTimeout: durationOf(config.connectTimeout),
      ...keepaliveOf(config.tcpKeepalive),
      ...proxyProtocolOf(config.proxyProtocol),
    },
    http: {
      commonHttpProtocolOptions: {
        idleTimeout: durationOf(config.idleTimeout),
        ...(config.maxDuration === undefined ? {} : { maxConnectionDuration: durationOf(config.maxDuration) }),
        ...(config.maxRequestsPerConnection === 0 ? {} : { maxRequestsPerConnection: config.maxRequestsPerConnection }),
      },
      upstreamProtocolOptions: protocolsOf(config, wantsHttp2),
    },
  }),
});
