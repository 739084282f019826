// Rate limits that each proxy counts by itself. All rules of a port share one filter: each has buckets of its own, and
// a request takes a token from every bucket whose key it has.

import { RateLimit as KeyOfRequest } from '../gen/envoy/config/route/v3/route_components.js';
import { XRateLimitHeadersRFCVersion as Headers } from '../gen/envoy/extensions/common/ratelimit/v3/ratelimit.js';
import { LocalRateLimit } from '../gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.js';
import { LocalRateLimit as ConnectionRate } from '../gen/envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit.js';
import type { Any } from '../gen/google/protobuf/any.js';
import { FractionalPercent_DenominatorType as Denominator } from '../gen/envoy/type/v3/percent.js';
import { durationMs } from '../api/duration.js';
import { packAny } from './any.js';
import type { HttpFilter, NetworkFilter } from './envoy-types.js';
import { durationOfMs } from './envoy-values.js';
import { actionsFor, keysOf, type KeyedRule } from './rate-limit-keys.js';

/** A rule with all that a proxy has to know to hold it. */
export interface LimitRule extends KeyedRule {
  /** The policy `shop/tried` that has it counted in mode Audit, where nothing is refused. */
  readonly triedBy: string | undefined;
  /** Proxies that share its number. */
  readonly shares: number;
}

/** Of requests that no rule is about. Envoy wants one on every route. */
const unlimited = { maxTokens: 4_294_967_295, tokensPerFill: 4_294_967_295, fillInterval: durationOfMs(1000) };

/** The number is divided by a longer interval: tokens are whole, and trickle in. */
function bucketOf({ requests = 1, burst, interval, shares }: LimitRule) {
  return {
    maxTokens: Math.ceil((burst ?? requests) / shares),
    tokensPerFill: requests,
    fillInterval: durationOfMs(durationMs(interval) * shares),
  };
}

/** Distinct values that a rule counts at a time; the one that was not seen longest gives way. */
const maxDynamicDescriptors = 1024;

const share = (numerator: number) => ({ defaultValue: { numerator, denominator: Denominator.HUNDRED } });

/** What all rules that share a filter have in common. */
const common = (rules: readonly LimitRule[]) => ({
  tokenBucket: unlimited,
  alwaysConsumeDefaultTokenBucket: false,
  filterEnabled: share(100),
  rateLimits: rules.map((rule) => KeyOfRequest.fromPartial({ actions: actionsFor(rule) })),
  descriptors: rules.flatMap((rule) => keysOf(rule).map((entries) => ({ entries, tokenBucket: bucketOf(rule) }))),
  maxDynamicDescriptors,
});

/** What the routes of a port say to the filter, all together: a bucket counts across them. */
export function localLimits(rules: readonly LimitRule[], responseHeaders: boolean): Any {
  const names = rules.map(({ name }) => name).join(', ');
  const config = LocalRateLimit.fromPartial({
    ...common(rules),
    statPrefix: 'lrl',
    filterEnforced: share(100),
    rateLimitedAsResourceExhausted: true,
    responseHeadersToAdd: [{ header: { key: 'x-ratelimit-rule', value: names } }],
    ...(responseHeaders ? { enableXRatelimitHeaders: Headers.DRAFT_VERSION_03 } : {}),
  });
  return packAny(LocalRateLimit, config);
}

/** A filter that counts for one rule in mode Audit, with statistics of its own. It waits for what routes say. */
export interface TriedLimit {
  readonly filter: HttpFilter;
  readonly ofRoutes: Any;
}

function triedLimit(of: string, rules: readonly LimitRule[]): TriedLimit {
  const statPrefix = `audit/${of}`;
  const atRest = LocalRateLimit.fromPartial({ statPrefix });
  const counting = LocalRateLimit.fromPartial({ ...common(rules), statPrefix, filterEnforced: share(0) });
  return {
    filter: {
      name: `mesh.local_ratelimit.audit/${of}`,
      configType: { $case: 'typedConfig', value: packAny(LocalRateLimit, atRest) },
      isOptional: false,
      disabled: true,
    },
    ofRoutes: packAny(LocalRateLimit, counting),
  };
}

/** Filters for rules in mode Audit: of one rule of a policy there is one, wherever it holds. */
export const triedLimits = (rules: readonly LimitRule[]): readonly TriedLimit[] =>
  [...Map.groupBy(rules, ({ triedBy, name }) => `${triedBy ?? ''}/${name}`)].map(([of, own]) => triedLimit(of, own));

/** Closes new connections beyond so many a second. */
export function connectionRate(perSecond: number): NetworkFilter {
  const config = ConnectionRate.fromPartial({
    statPrefix: 'connections',
    tokenBucket: { maxTokens: perSecond, tokensPerFill: perSecond, fillInterval: durationOfMs(1000) },
  });
  return {
    name: 'envoy.filters.network.local_ratelimit',
    configType: { $case: 'typedConfig', value: packAny(ConnectionRate, config) },
  };
}
