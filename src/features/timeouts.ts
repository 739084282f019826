// Timeouts of a route rule. Knows no kind and no other feature.

import type { RouteAction_MaxStreamDuration } from '../gen/envoy/config/route/v3/route_components.js';
import { durationMs } from '../api/duration.js';
import { ok } from '../lib/result.js';
import { durationOf, durationOfMs } from './envoy-values.js';
import { defineFeature, type Patch } from './feature.js';
import { dur } from '../api/fields.js';
import { object, type Static } from '../api/schema.js';

/** `rules[].timeouts`. */
export const timeoutsSchema = object(
  {
    request: dur(
      {},
      {
        doc: "Time for the whole request with all retries; '0s' switches it off. Not for TCP and TLS.",
        effective: 'upstream.timeouts.request',
        envoy: 'RouteAction.timeout, always written',
      },
    ),
    backendRequest: dur(
      {},
      {
        doc: 'Time for one try; not for TCP and TLS.',
        effective: 'none',
        envoy: 'RetryPolicy.per_try_timeout',
      },
    ),
    idle: dur(
      {},
      {
        doc: 'Time without a byte in either direction.',
        effective: 'upstream.timeouts.idle',
        change: 'R; TCP: L',
        envoy: 'RouteAction.idle_timeout, TcpProxy.idle_timeout',
      },
    ),
    maxStream: dur(
      {},
      {
        doc: "Time for the whole stream including bodies; '0s' switches it off.",
        default: '0s',
        envoy: 'RouteAction.max_stream_duration, TcpProxy.max_downstream_connection_duration',
      },
    ),
  },
  {
    doc: 'How long a request of this rule may take.',
    rules: [
      {
        id: 'TR9',
        rule: "!has(self.backendRequest) || !has(self.request) || duration(self.request) == duration('0s') || duration(self.backendRequest) <= duration(self.request)",
        messageExpression: `"\`backendRequest\` '%s' must not exceed \`request\` '%s'".format([self.backendRequest, self.request])`,
      },
    ],
  },
);

/** Timeouts after defaults. */
export type Timeouts = Static<typeof timeoutsSchema>;

/** A connection whose other end vanished is given up at some time: Envoy's own default. */
const connectionIdle = durationOfMs(3_600_000);

/** Envoy's own default for a request is 15 s: what is not set is written as off. */
export const timeouts = defineFeature<'timeouts', Timeouts, Timeouts>({
  key: 'timeouts',
  summary: 'How long a request may take, in all and for one try.',
  attachesTo: 'route',
  compile: (config) => ok(config),
  onRoute: (config) => ({
    forward: {
      timeout: config.request === undefined ? durationOfMs(0) : durationOf(config.request),
      idleTimeout: config.idle === undefined ? durationOfMs(0) : durationOf(config.idle),
      ...streamLimits(config),
      ...(config.backendRequest === undefined
        ? {}
        : { retryPolicy: { perTryTimeout: durationOf(config.backendRequest) } }),
    },
  }),
  onConnection: (config) => ({
    idleTimeout: config.idle === undefined ? connectionIdle : durationOf(config.idle),
    ...(durationMs(config.maxStream) === 0 ? {} : { maxDownstreamConnectionDuration: durationOf(config.maxStream) }),
  }),
});

/**
 * Envoy ignores `timeout` on a route that has a `max_stream_duration`: there the shorter of the two has to stand for
 * both. Without either, callers of gRPC methods bring their own deadline.
 */
function streamLimits(config: Timeouts): { readonly maxStreamDuration?: Patch<RouteAction_MaxStreamDuration> } {
  const request = durationMs(config.request ?? '0s');
  const stream = durationMs(config.maxStream);
  if (stream === 0) return request === 0 ? { maxStreamDuration: { grpcTimeoutHeaderMax: durationOfMs(0) } } : {};
  const shorter = request === 0 ? stream : Math.min(request, stream);
  return {
    maxStreamDuration: { maxStreamDuration: durationOfMs(shorter), grpcTimeoutHeaderMax: durationOfMs(shorter) },
  };
}

/** What holds where a rule says nothing. */
export const timeoutsDefaults: Timeouts = { maxStream: '0s' };
