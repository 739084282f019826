// Rate limits that a service counts for all proxies. The proxy asks it for every request that has a key of such a limit;
// what the numbers are is the service's business.

import { ApiVersion } from '../gen/envoy/config/core/v3/config_source.js';
import type { RateLimit as KeyOfRequest } from '../gen/envoy/config/route/v3/route_components.js';
import {
  RateLimit,
  RateLimit_XRateLimitHeadersRFCVersion as Headers,
} from '../gen/envoy/extensions/filters/http/ratelimit/v3/rate_limit.js';
import { FractionalPercent_DenominatorType as Denominator } from '../gen/envoy/type/v3/percent.js';
import { packAny } from './any.js';
import type { HttpFilter } from './envoy-types.js';
import { durationOf } from './envoy-values.js';
import type { Patch, ProviderConfig } from './feature.js';
import type { LimitRule } from './local-rate-limit.js';
import { actionsFor } from './rate-limit-keys.js';

/** Who is asked, as policies name it. */
export interface LimitService {
  readonly provider: string;
  readonly domain: string;
}

/** What is asked for in mode Audit is another question, which another filter asks. */
const stageOf = (audit: boolean): number => (audit ? 1 : 0);

/** How a proxy makes the keys that it asks about. */
export const keysToAsk = (rules: readonly LimitRule[]): readonly Patch<KeyOfRequest>[] =>
  rules.map((rule) => ({ stage: stageOf(rule.triedBy !== undefined), actions: actionsFor(rule) }));

interface Question {
  readonly provider: ProviderConfig;
  readonly domain: string;
  readonly audit: boolean;
  readonly responseHeaders: boolean;
}

/** The filter that asks; in mode Audit it does not obey. */
export function askingFilter({ provider, domain, audit, responseHeaders }: Question): HttpFilter {
  const config = RateLimit.fromPartial({
    domain,
    stage: stageOf(audit),
    timeout: durationOf(provider.timeout),
    failureModeDeny: !audit && provider.onError === 'Deny',
    rateLimitedAsResourceExhausted: true,
    rateLimitService: {
      transportApiVersion: ApiVersion.V3,
      grpcService: { targetSpecifier: { $case: 'envoyGrpc', value: { clusterName: provider.cluster } } },
    },
    ...(responseHeaders && !audit ? { enableXRatelimitHeaders: Headers.DRAFT_VERSION_03 } : {}),
    ...(audit ? { statPrefix: 'audit', filterEnforced: never } : {}),
  });
  return {
    name: audit ? 'mesh.ratelimit.audit' : 'mesh.ratelimit',
    configType: { $case: 'typedConfig', value: packAny(RateLimit, config) },
    isOptional: false,
    disabled: false,
  };
}

const never = { defaultValue: { numerator: 0, denominator: Denominator.HUNDRED } };
