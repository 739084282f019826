// What holds for rules that say nothing of timeouts and retries. Policies may change it, each member as a whole.

import { durationMs } from '../api/duration.js';
import type { RetryCondition } from './retry.js';
import type { Upstream } from './upstream.js';

/** Defaults of rules; durations in milliseconds, 0 is off. */
export interface RouteDefaults {
  /** `idleMs` undefined: off for requests, an hour for connections. */
  readonly timeouts: { readonly requestMs: number; readonly idleMs: number | undefined };
  readonly retry: { readonly attempts: number; readonly retryOn: readonly RetryCondition[] };
}

/** Where no policy says anything. */
export const builtInDefaults: RouteDefaults = {
  timeouts: { requestMs: 0, idleMs: undefined },
  retry: { attempts: 2, retryOn: ['ConnectFailure', 'RefusedStream', 'ResetBeforeRequest'] },
};

/** What `upstream` of a policy says to rules. */
export const routeDefaultsOf = ({ timeouts, retry }: Pick<Upstream, 'timeouts' | 'retry'>): Partial<RouteDefaults> => ({
  ...(timeouts === undefined
    ? {}
    : {
        timeouts: {
          requestMs: durationMs(timeouts.request),
          idleMs: timeouts.idle === undefined ? undefined : durationMs(timeouts.idle),
        },
      }),
  ...(retry === undefined ? {} : { retry: { attempts: retry.attempts, retryOn: retry.retryOn } }),
});
