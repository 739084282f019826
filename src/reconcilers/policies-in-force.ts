// Merged policies to what the model carries: compiled features, each with the policy that it comes from.

import { systemNamespace } from '../api/meta.js';
import type { CompiledFeature } from '../features/feature.js';
import { inboundFeatures, outboundFeatures, telemetryFeatures, upstreamFeatures } from '../features/index.js';
import { hashes } from '../features/load-balancer.js';
import { localityOf } from '../features/locality.js';
import { builtInDefaults, routeDefaultsOf, type RouteDefaults } from '../features/route-defaults.js';
import { withMeshFields } from '../features/telemetry.js';
import type { Upstream } from '../features/upstream.js';
import { memoised } from '../lib/memo.js';
import type { Result } from '../lib/result.js';
import type { Origin } from '../model/delivery.js';
import type { PolicyInForce, ProviderTable, ServicePolicies } from '../model/mesh.js';
import { mergePolicies, originOf, type EffectivePolicy } from './policy-merge.js';
import type { CompiledPolicy, PolicyAttachment, PolicyBlocks } from './policy.js';

type Listed = Result<CompiledFeature> | undefined;

/** Who says most of a block: the nearest policy that has a part of it. */
const originUnder = ({ parts }: EffectivePolicy, path: string) => {
  const found = [...parts].find(
    ([name]) => name === path || name.startsWith(`${path}.`) || name.startsWith(`${path}[`),
  );
  return found === undefined ? undefined : originOf(found[1].by.policy, path);
};

interface Subject {
  readonly effective: EffectivePolicy;
  readonly providers: ProviderTable;
}

/** Each policy was compiled on its own before: what comes out of a merge compiles, too. */
function inForce({ effective, providers }: Subject, path: string, compiled: Listed): readonly PolicyInForce[] {
  const origin = originUnder(effective, path);
  return compiled?.ok === true && origin !== undefined ? [{ origin, feature: compiled.value, providers }] : [];
}

/** What is built in is what a mesh default would say. */
const builtIn: Origin = { ref: { kind: 'MeshPolicy', namespace: systemNamespace, name: 'default' }, generation: 0 };

/** The same for a feature that also holds where no policy says anything. */
function always({ effective, providers }: Subject, path: string, compiled: Listed): readonly PolicyInForce[] {
  if (compiled?.ok !== true) return [];
  return [{ origin: originUnder(effective, path) ?? builtIn, feature: compiled.value, providers }];
}

/** What the mesh default says of telemetry. */
const meshTelemetry = (reaching: readonly PolicyAttachment[]): PolicyBlocks['telemetry'] =>
  reaching.find(({ policy: { ref } }) => ref.namespace === systemNamespace && ref.name === 'default')?.policy.blocks
    .telemetry;

const noProviders: ProviderTable = new Map();

/** Hashes see all endpoints alike, so that every proxy makes the same choice. */
function localityIn({ locality: written, loadBalancer }: Upstream): ServicePolicies['locality'] {
  if (hashes(loadBalancer)) return 'none';
  return written?.mode === undefined ? undefined : (localityOf(written) ?? 'none');
}

/** Members of `upstream` are taken whole from one policy: each is compiled once, wherever it is in force. */
const membersOf = memoised((policy: CompiledPolicy): ReadonlyMap<string, PolicyInForce> => {
  const found = upstreamFeatures.map((feature) => [feature.key, feature.from(policy.blocks.upstream ?? {})] as const);
  return new Map(
    found.flatMap(([key, compiled]): [string, PolicyInForce][] => {
      const origin = originOf(policy, `upstream.${key}`);
      return compiled?.ok === true ? [[key, { origin, feature: compiled.value, providers: noProviders }]] : [];
    }),
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
      const winner = effective.parts.get(`upstream.${key}`);
      return winner === undefined ? [] : (membersOf(winner.by.policy).get(key) ?? []);
    }),
    defaults: { ...builtInDefaults, ...routeDefaultsOf(upstream) },
    eventLog: effective.blocks.telemetry?.eventLog ?? false,
  };
});

/** What policies on a route say to one of its rules; undefined where they say nothing. */
export const ruleDefaultsOf = memoised((reaching: readonly PolicyAttachment[]): Partial<RouteDefaults> | undefined => {
  const { upstream } = mergePolicies(reaching).blocks;
  return upstream === undefined ? undefined : routeDefaultsOf(upstream);
});

type SideFeature = (typeof inboundFeatures | typeof outboundFeatures)[number];

const onSide = (features: readonly SideFeature[]) =>
  memoised((reaching: readonly PolicyAttachment[], providers: ProviderTable): readonly PolicyInForce[] => {
    const effective = mergePolicies(reaching);
    const telemetry = withMeshFields(effective.blocks.telemetry ?? {}, meshTelemetry(reaching));
    return [
      ...features.flatMap((feature) => inForce({ effective, providers }, feature.key, feature.from(effective.blocks))),
      ...telemetryFeatures.flatMap((feature) =>
        always({ effective, providers }, `telemetry.${feature.key}`, feature.from(telemetry)),
      ),
    ];
  });

/** What policies say of calls to a port of a pod. */
export const inboundPoliciesOf = onSide(inboundFeatures);

/** What policies say of the calls that a pod makes. */
export const outboundPoliciesOf = onSide(outboundFeatures);
