// Timeouts of a route rule. Knows no kind and no other feature.

import type { RouteAction_MaxStreamDuration } from '../gen/envoy/config/route/v3/route_components.js';
import { durationMs } from '../api/duration.js';
import { ok } from '../lib/result.js';
import { durationOfMs } from './envoy-values.js';
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

/** Timeouts in milliseconds; what a rule leaves open comes from policies. */
interface Limits {
  readonly requestMs: number | undefined;
  readonly idleMs: number | undefined;
  readonly streamMs: number;
  readonly tryMs: number | undefined;
}

const optionalMs = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : durationMs(text);

/** A connection whose other end vanished is given up at some time: Envoy's own default. */
const connectionIdleMs = 3_600_000;

/** Envoy's own default for a request is 15 s: what is not set is written as off. */
export const timeouts = defineFeature<'timeouts', Timeouts, Limits>({
  key: 'timeouts',
  summary: 'How long a request may take, in all and for one try.',
  byDefault: { maxStream: '0s' },
  compile: ({ request, idle, maxStream, backendRequest }) =>
    ok({
      requestMs: optionalMs(request),
      idleMs: optionalMs(idle),
      streamMs: durationMs(maxStream),
      tryMs: optionalMs(backendRequest),
    }),
  onRoute: ({ requestMs, idleMs, streamMs, tryMs }, { defaults }) => {
    const request = requestMs ?? defaults.timeouts.requestMs;
    return {
      forward: {
        timeout: durationOfMs(request),
        idleTimeout: durationOfMs(idleMs ?? defaults.timeouts.idleMs ?? 0),
        ...streamLimits(request, streamMs),
        ...(tryMs === undefined ? {} : { retryPolicy: { perTryTimeout: durationOfMs(tryMs) } }),
      },
    };
  },
  onConnection: ({ idleMs, streamMs }, { timeouts: byDefault }) => ({
    idleTimeout: durationOfMs(idleMs ?? byDefault.idleMs ?? connectionIdleMs),
    ...(streamMs === 0 ? {} : { maxDownstreamConnectionDuration: durationOfMs(streamMs) }),
  }),
});

/**
 * Envoy ignores `timeout` on a route that has a `max_stream_duration`: there the shorter of the two has to stand for
 * both. Without either, callers of gRPC methods bring their own deadline.
 */
function streamLimits(
  request: number,
  stream: number,
): { readonly maxStreamDuration?: Patch<RouteAction_MaxStreamDuration> } {
  if (stream === 0) return request === 0 ? { maxStreamDuration: { grpcTimeoutHeaderMax: durationOfMs(0) } } : {};
  const shorter = request === 0 ? stream : Math.min(request, stream);
  return {
    maxStreamDuration: { maxStreamDuration: durationOfMs(shorter), grpcTimeoutHeaderMax: durationOfMs(shorter) },
  };
}
