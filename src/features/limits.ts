// `rateLimit` where it is in force: rules of all policies together, with what was looked up for them. Knows no kind.

import type { Any } from '../gen/google/protobuf/any.js';
import { XffConfig } from '../gen/envoy/extensions/http/original_ip_detection/xff/v3/xff.js';
import { ok } from '../lib/result.js';
import { packAny } from './any.js';
import { defineFeature, type ChainContext, type ChainPatch, type RoutesPatch } from './feature.js';
import { auditFilter, connectionRate, localLimits, type LimitRule } from './local-rate-limit.js';

/** Rate limits of a port: those of all its requests, and those of rules of routes. */
export interface Limits {
  readonly rules: readonly LimitRule[];
  readonly responseHeaders: boolean;
  readonly connectionsPerSecond?: number | undefined;
}

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

function routesPatch({ rules, responseHeaders }: Limits): RoutesPatch {
  const enforced = rules.filter(({ audit }) => !audit);
  const audited = rules.filter(({ audit }) => audit);
  const typedPerFilterConfig: Readonly<Record<string, Any>> = {
    ...(enforced.length === 0
      ? {}
      : { 'mesh.local_ratelimit': localLimits(enforced, { audit: false, responseHeaders }) }),
    ...(audited.length === 0 ? {} : { [auditFilter.name]: localLimits(audited, { audit: true, responseHeaders }) }),
  };
  return { typedPerFilterConfig };
}

function chainPatch({ rules, connectionsPerSecond }: Limits, { http }: ChainContext): ChainPatch {
  const audits = rules.some(({ audit }) => audit);
  return {
    ...(connectionsPerSecond === undefined ? {} : { before: [connectionRate(connectionsPerSecond)] }),
    ...(http && audits ? { slots: { [auditFilter.name]: auditFilter } } : {}),
    ...(http && rules.some(isByAddress) ? { manager: { originalIpDetectionExtensions: [addressOfPeer] } } : {}),
  };
}

/** `rateLimit`: requests are judged by the proxy of the pod that is called. */
export const limits = defineFeature<'rateLimit', Limits, Limits>({
  key: 'rateLimit',
  summary: 'How many requests the selected workloads take.',
  compile: (config) => ok(config),
  onRoutes: routesPatch,
  onChain: chainPatch,
});
