// What is said of a policy in mode Audit: that it refuses nothing, and where what it would refuse is counted.

import { keyOf } from '../api/meta.js';
import type { Judgement } from './judgement.js';
import type { CompiledPolicy } from './policy.js';

/** Metrics of the proxies that are called, see docs/reference/metrics.md. */
function metricsOf({ ref, blocks }: CompiledPolicy): readonly string[] {
  const rules = blocks.rateLimit?.rules ?? [];
  const own = `{policy="${keyOf(ref)}"}`;
  return [
    ...(rules.some(({ scope }) => scope !== 'Global') ? [`envoy_http_local_rate_limit_rate_limited${own}`] : []),
    ...(rules.some(({ scope }) => scope === 'Global') ? ['envoy_cluster_ratelimit_audit_over_limit'] : []),
    ...(blocks.inbound?.maxRequestBytes === undefined ? [] : [`envoy_mesh_audit_large_requests_total${own}`]),
  ];
}

/** Said as long as the policy is tried. */
export function auditFindings(policy: CompiledPolicy): readonly Judgement[] {
  const metrics = metricsOf(policy);
  if (policy.mode !== 'Audit' || metrics.length === 0) return [];
  const message = `Nothing is refused; proxies of the pods that are called count what would be: ${metrics.join(', ')}`;
  return [{ condition: 'Auditing', status: 'True', reason: 'NotEnforced', message }];
}
