// `rateLimit` where it is in force: rules of all policies together, with what was looked up for them. Knows no kind.

import type { Any } from '../gen/google/protobuf/any.js';
import { XffConfig } from '../gen/envoy/extensions/http/original_ip_detection/xff/v3/xff.js';
import { ok } from '../lib/result.js';
import { packAny } from './any.js';
import { defineFeature, type ChainContext, type ChainPatch, type ProviderOf, type RoutesPatch } from './feature.js';
import type { HttpFilter } from './envoy-types.js';
import { askingFilter, keysToAsk, type LimitService } from './global-rate-limit.js';
import { connectionRate, localLimits, triedLimits, type LimitRule } from './local-rate-limit.js';

/** Rate limits of a port: those of all its requests, and those of rules of routes. */
export interface Limits {
  readonly rules: readonly LimitRule[];
  readonly responseHeaders: boolean;
  readonly connectionsPerSecond?: number | undefined;
  /** Who counts for limits of scope Global. */
  readonly service?: LimitService | undefined;
  /** The same for those in mode Audit. */
  readonly triedService?: LimitService | undefined;
}

const isGlobal = ({ scope }: LimitRule): boolean => scope === 'Global';

/** Whatever a caller writes into `x-forwarded-for`, its address is that of its connection. */
const addressOfPeer = {
  name: 'envoy.http.original_ip_detection.xff',
  typedConfig: packAny(
    XffConfig,
    XffConfig.fromPartial({
      xffTrustedCidrs: { cidrs: [{ addressPrefix: '255.255.255.255', prefixLen: 32 }] },
      skipXffAppend: true,
    }),
  ),
};

const isByAddress = ({ per = [] }: LimitRule): boolean =>
  per.some(({ type }) => type === 'RemoteIP' || type === 'Namespace');

const isTried = ({ triedBy }: LimitRule): boolean => triedBy !== undefined;

function routesPatch({ rules, responseHeaders }: Limits): RoutesPatch {
  const local = rules.filter((rule) => !isGlobal(rule));
  const enforced = local.filter((rule) => !isTried(rule));
  const tried = triedLimits(local.filter(isTried)).map(({ filter, ofRoutes }) => [filter.name, ofRoutes] as const);
  const typedPerFilterConfig: Readonly<Record<string, Any>> = {
    ...(enforced.length === 0 ? {} : { 'mesh.local_ratelimit': localLimits(enforced, responseHeaders) }),
    ...Object.fromEntries(tried),
  };
  return { typedPerFilterConfig };
}

/** A service that does not resolve is not asked, which status says. */
function askingFilters(limits: Limits, providerOf: ProviderOf): readonly HttpFilter[] {
  const { rules, service, triedService, responseHeaders } = limits;
  const asked = new Set(rules.filter(isGlobal).map(isTried));
  return [...asked].flatMap((audit): readonly HttpFilter[] => {
    const who = audit ? triedService : service;
    const provider = who === undefined ? undefined : providerOf(who.provider);
    if (who === undefined || provider?.type !== 'RateLimit') return [];
    return [askingFilter({ provider, domain: who.domain, audit, responseHeaders })];
  });
}

function slotsOf(limits: Limits, providerOf: ProviderOf): Readonly<Record<string, HttpFilter>> {
  const counting = triedLimits(limits.rules.filter((rule) => isTried(rule) && !isGlobal(rule)));
  const filters = [...counting.map(({ filter }) => filter), ...askingFilters(limits, providerOf)];
  return Object.fromEntries(filters.map((filter) => [filter.name, filter]));
}

function chainPatch(config: Limits, { http, providerOf }: ChainContext): ChainPatch {
  const { rules, connectionsPerSecond } = config;
  return {
    ...(connectionsPerSecond === undefined ? {} : { before: [connectionRate(connectionsPerSecond)] }),
    ...(http ? { slots: slotsOf(config, providerOf) } : {}),
    ...(http && rules.some(isByAddress) ? { manager: { originalIpDetectionExtensions: [addressOfPeer] } } : {}),
  };
}

/** `rateLimit`: requests are judged by the proxy of the pod that is called. */
export const limits = defineFeature<'rateLimit', Limits, Limits>({
  key: 'rateLimit',
  summary: 'How many requests the selected workloads take.',
  compile: (config) => ok(config),
  onRoute: ({ rules }) => {
    const rateLimits = keysToAsk(rules.filter(isGlobal));
    return rateLimits.length === 0 ? {} : { forward: { rateLimits } };
  },
  onRoutes: routesPatch,
  onChain: chainPatch,
});
