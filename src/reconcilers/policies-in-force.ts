// Merged policies to what the model carries: compiled features, each with the policy that it comes from.

import type { CompiledFeature } from '../features/feature.js';
import { inboundFeatures, upstreamFeatures } from '../features/index.js';
import { hashes } from '../features/load-balancer.js';
import { localityOf } from '../features/locality.js';
import { builtInDefaults, routeDefaultsOf, type RouteDefaults } from '../features/route-defaults.js';
import type { Upstream } from '../features/upstream.js';
import { memoised } from '../lib/memo.js';
import type { Result } from '../lib/result.js';
import type { PolicyInForce, ServicePolicies } from '../model/mesh.js';
import { mergePolicies, originOf, type EffectivePolicy } from './policy-merge.js';
import type { CompiledPolicy, PolicyAttachment } from './policy.js';

type Listed = Result<CompiledFeature> | undefined;

/** Who says most of a block: the nearest policy that has a part of it. */
const originUnder = ({ sources }: EffectivePolicy, path: string) => {
  const found = [...sources].find(
    ([name]) => name === path || name.startsWith(`${path}.`) || name.startsWith(`${path}[`),
  );
  return found === undefined ? undefined : originOf(found[1], path);
};

/** Each policy was compiled on its own before: what comes out of a merge compiles, too. */
function inForce(effective: EffectivePolicy, path: string, compiled: Listed): readonly PolicyInForce[] {
  const origin = originUnder(effective, path);
  return compiled?.ok === true && origin !== undefined ? [{ origin, feature: compiled.value }] : [];
}

/** Hashes see all endpoints alike, so that every proxy makes the same choice. */
function localityIn({ locality: written, loadBalancer }: Upstream): ServicePolicies['locality'] {
  if (hashes(loadBalancer)) return 'none';
  return written?.mode === undefined ? undefined : (localityOf(written) ?? 'none');
}

/** Members of `upstream` are taken whole from one policy: each is compiled once, wherever it is in force. */
const membersOf = memoised((policy: CompiledPolicy): ReadonlyMap<string, PolicyInForce> => {
  const found = upstreamFeatures.map((feature) => [feature.key, feature.from(policy.blocks.upstream ?? {})] as const);
  return new Map(
    found.flatMap(([key, compiled]): [string, PolicyInForce][] =>
      compiled?.ok === true ? [[key, { origin: originOf(policy, `upstream.${key}`), feature: compiled.value }]] : [],
    ),
  );
});

/** What policies say of calls to a port of a Service. */
export const servicePoliciesOf = memoised((reaching: readonly PolicyAttachment[]): ServicePolicies => {
  const effective = mergePolicies(reaching);
  const upstream = effective.blocks.upstream ?? {};
  const nearness = localityIn(upstream);
  return {
    ...(nearness === undefined ? {} : { locality: nearness }),
    inForce: upstreamFeatures.flatMap(({ key }) => {
      const policy = effective.sources.get(`upstream.${key}`);
      return policy === undefined ? [] : (membersOf(policy).get(key) ?? []);
    }),
    defaults: { ...builtInDefaults, ...routeDefaultsOf(upstream) },
  };
});

/** What policies on a route say to one of its rules; undefined where they say nothing. */
export const ruleDefaultsOf = memoised((reaching: readonly PolicyAttachment[]): Partial<RouteDefaults> | undefined => {
  const { upstream } = mergePolicies(reaching).blocks;
  return upstream === undefined ? undefined : routeDefaultsOf(upstream);
});

/** What policies say of calls to a port of a pod. */
export const inboundPoliciesOf = memoised((reaching: readonly PolicyAttachment[]): readonly PolicyInForce[] => {
  const effective = mergePolicies(reaching);
  return inboundFeatures.flatMap((feature) => inForce(effective, feature.key, feature.from(effective.blocks)));
});
