// Retries of a route rule. Knows no kind and no other feature.

import { PreviousHostsPredicate } from '../gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.js';
import {
  RetryPolicy_ResetHeaderFormat as ResetHeaderFormat,
  type RetryPolicy,
} from '../gen/envoy/config/route/v3/route_components.js';
import { durationMs } from '../api/duration.js';
import { ok } from '../lib/result.js';
import { durationOfMs } from './envoy-values.js';
import { packAny } from './any.js';
import { defineFeature, type Patch, type RouteContext } from './feature.js';
import type { RouteDefaults } from './route-defaults.js';
import { dur } from '../api/fields.js';
import { bool, integer, list, object, oneOf, type Static } from '../api/schema.js';

/** What a request may be repeated for. */
export const retryConditions = [
  'ConnectFailure',
  'RefusedStream',
  'ResetBeforeRequest',
  'Reset',
  'GatewayError',
  'ServerError',
  'Retriable4xx',
  'EnvoyRateLimited',
  'Cancelled',
  'DeadlineExceeded',
  'ResourceExhausted',
  'Unavailable',
  'Internal',
] as const;

/** A failure that a request may be repeated for. */
export type RetryCondition = (typeof retryConditions)[number];

/** `rules[].retry`. */
export const retrySchema = object(
  {
    attempts: integer(
      { max: 10 },
      {
        doc: 'Retries after the first try; 0 switches retries off.',
        effective: '2',
        envoy: 'RetryPolicy.num_retries; TCP and TLS: TcpProxy.max_connect_attempts (class L)',
      },
    ),
    codes: list(
      integer({ min: 400, max: 599 }, { doc: 'A status code.' }),
      {},
      {
        doc: 'Status codes that are retried.',
        envoy: 'RetryPolicy.retriable_status_codes',
      },
    ),
    backoff: dur(
      { min: '1ms' },
      {
        doc: 'Base of the exponential back-off between tries; its maximum is ten times as long.',
        default: '25ms',
        envoy: 'RetryPolicy.retry_back_off.base_interval',
      },
    ),
    retryOn: list(
      oneOf(retryConditions, { doc: 'A failure.' }),
      {},
      {
        doc: 'Failures that are retried.',
        effective: 'ConnectFailure, RefusedStream, ResetBeforeRequest',
        envoy: 'RetryPolicy.retry_on',
      },
    ),
    idempotent: bool({
      doc: 'Promise that unsafe methods may repeat; without it POST, PATCH and gRPC are retried only before the request was sent.',
      default: false,
      envoy: 'a separate route with the safe set',
    }),
    honorRetryAfter: bool({
      doc: 'Wait as long as the Retry-After header of the response says.',
      default: false,
      envoy: 'RetryPolicy.rate_limited_retry_back_off',
    }),
    hedgeOnTimeout: bool({
      doc: 'Experimental: send a second request when the first try times out, without cancelling it.',
      default: false,
      envoy: 'RouteAction.hedge_policy.hedge_on_per_try_timeout',
    }),
  },
  { doc: 'Whether and when a failed request is sent again.' },
);

/** Retries after defaults. */
export type Retry = Static<typeof retrySchema>;

/** The conditions under which nothing was done yet: safe for every method. */
const safeConditions = ['ConnectFailure', 'RefusedStream', 'ResetBeforeRequest'] as const;

const envoyNames: Readonly<Record<RetryCondition, string>> = {
  ConnectFailure: 'connect-failure',
  RefusedStream: 'refused-stream',
  ResetBeforeRequest: 'reset-before-request',
  Reset: 'reset',
  GatewayError: 'gateway-error',
  ServerError: '5xx',
  Retriable4xx: 'retriable-4xx',
  EnvoyRateLimited: 'envoy-ratelimited',
  Cancelled: 'cancelled',
  DeadlineExceeded: 'deadline-exceeded',
  ResourceExhausted: 'resource-exhausted',
  Unavailable: 'unavailable',
  Internal: 'internal',
};

const isSafe = (condition: RetryCondition): boolean => safeConditions.some((safe) => safe === condition);

/** A retry as a rule writes it; what it leaves open comes from policies. */
interface Written {
  readonly attempts: number | undefined;
  readonly retryOn: readonly RetryCondition[] | undefined;
  readonly rest: Retry;
}

/** Whether something is repeated that may have been done already. */
const goesFurther = ({ attempts, retryOn, rest }: Written, { retry: byDefault }: RouteDefaults): boolean =>
  (attempts ?? byDefault.attempts) !== 0 &&
  ((rest.codes?.length ?? 0) > 0 || (retryOn ?? byDefault.retryOn).some((one) => !isSafe(one)));

function policyOf(written: Written, { methods, defaults }: RouteContext): Patch<RetryPolicy> {
  const { rest } = written;
  const all = methods === 'safe' || rest.idempotent;
  const wanted = all ? (written.retryOn ?? defaults.retry.retryOn) : safeConditions;
  const conditions = wanted.map((one) => envoyNames[one]);
  const codes = all ? (rest.codes ?? []) : [];
  const base = durationMs(rest.backoff);
  return {
    retryOn: [...conditions, ...(codes.length > 0 ? ['retriable-status-codes'] : [])].join(','),
    numRetries: written.attempts ?? defaults.retry.attempts,
    retriableStatusCodes: codes,
    retryBackOff: { baseInterval: durationOfMs(base), maxInterval: durationOfMs(base * 10) },
    ...(rest.honorRetryAfter
      ? { rateLimitedRetryBackOff: { resetHeaders: [{ name: 'Retry-After', format: ResetHeaderFormat.SECONDS }] } }
      : {}),
    hostSelectionRetryMaxAttempts: 5n,
    retryHostPredicate: [previousHosts],
  };
}

/** Hosts that were tried are not tried again. */
const previousHosts: Patch<RetryPolicy['retryHostPredicate'][number]> = {
  name: 'envoy.retry_host_predicates.previous_hosts',
  configType: {
    $case: 'typedConfig',
    value: packAny(PreviousHostsPredicate, PreviousHostsPredicate.fromPartial({})),
  },
};

/** Without a promise of the author, methods that may not repeat are retried only before anything was done. */
export const retry = defineFeature<'retry', Retry, Written>({
  key: 'retry',
  summary: 'Whether and when a failed request is sent again.',
  byDefault: { backoff: '25ms', idempotent: false, honorRetryAfter: false, hedgeOnTimeout: false },
  compile: (config) => ok({ attempts: config.attempts, retryOn: config.retryOn, rest: config }),
  splitsMethods: (written, defaults) => goesFurther(written, defaults) && !written.rest.idempotent,
  onConnection: ({ attempts }, defaults) => ({ maxConnectAttempts: (attempts ?? defaults.retry.attempts) + 1 }),
  onRoute: (written, route) => ({
    forward: {
      retryPolicy: policyOf(written, route),
      ...(written.rest.hedgeOnTimeout ? { hedgePolicy: { hedgeOnPerTryTimeout: true } } : {}),
    },
  }),
});
