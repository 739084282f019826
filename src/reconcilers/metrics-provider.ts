// Whom the proxies of a mesh push their metrics to. It stands in their bootstraps, so that whoever writes one asks here;
// what runs already keeps what it was started with.

import { shutGates } from '../kinds/gates.js';
import type { World } from '../kinds/world.js';
import type { Provider } from '../model/mesh.js';
import { indexPolicies } from './policies.js';
import { mergePolicies } from './policy-merge.js';
import { metricsProviderNamed, resolveProvider } from './providers.js';
import { referentsOf } from './references.js';

/** The provider that the mesh default names; undefined where it names none, or one that does not resolve. */
export function metricsProviderIn({ meshPolicies, services, referenceGrants }: World): Provider | undefined {
  const policies = indexPolicies(meshPolicies, shutGates);
  const effective = mergePolicies(policies.reachingService('/', ''));
  const [named] = metricsProviderNamed(effective.blocks);
  if (named === undefined) return undefined;
  const resolved = resolveProvider(named, effective, referentsOf(services, referenceGrants, policies));
  return resolved.ok ? resolved.value : undefined;
}
