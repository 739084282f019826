// Merged policies to what the model carries: compiled features, each with the policy that it comes from.

import { keyOf, systemNamespace } from '../api/meta.js';
import { silent, type CompiledFeature } from '../features/feature.js';
import { inboundFeatures, inboundMembers, telemetryFeatures, upstreamFeatures } from '../features/index.js';
import type { Limits } from '../features/limits.js';
import { hashes } from '../features/load-balancer.js';
import { localityOf } from '../features/locality.js';
import { maxRequestBytes } from '../features/max-request-bytes.js';
import { builtInDefaults, routeDefaultsOf, type RouteDefaults } from '../features/route-defaults.js';
import { withMeshFields } from '../features/telemetry.js';
import type { Upstream } from '../features/upstream.js';
import { listInterner, memoised } from '../lib/memo.js';
import type { Result } from '../lib/result.js';
import type { Origin } from '../model/delivery.js';
import type { PolicyInForce, ProviderTable, ServicePolicies } from '../model/mesh.js';
import { mergePolicies, originOf, type Merged } from './policy-merge.js';
import type { CompiledPolicy, PolicyAttachment, PolicyBlocks } from './policy.js';

type Listed = Result<CompiledFeature> | undefined;

/** Who says something of a block: policies that have a part of it, the nearest first. */
export const originsUnder = ({ parts }: Merged, path: string): readonly Origin[] => {
  const found = [...parts.values()].filter(
    (part) => part.path === path || part.path.startsWith(`${path}.`) || part.path.startsWith(`${path}[`),
  );
  return [...new Set(found.map(({ by }) => by.policy))].map((policy) => originOf(policy, path));
};

interface Subject {
  readonly effective: Merged;
  readonly providers: ProviderTable;
}

/** Those that had a part in something hear of its delivery; the first brings it. */
function broughtBy(origins: readonly Origin[], compiled: Listed, providers: ProviderTable): readonly PolicyInForce[] {
  if (compiled?.ok !== true) return [];
  return origins.map((origin, index) => ({ origin, feature: index === 0 ? compiled.value : silent, providers }));
}

/** Each policy was compiled on its own before: what comes out of a merge compiles, too. */
const inForce = ({ effective, providers }: Subject, path: string, compiled: Listed): readonly PolicyInForce[] =>
  broughtBy(originsUnder(effective, path), compiled, providers);

/** What is built in is what a mesh default would say. */
const builtIn: Origin = { ref: { kind: 'MeshPolicy', namespace: systemNamespace, name: 'default' }, generation: 0 };

/** The same for a feature that also holds where no policy says anything. */
function always({ effective, providers }: Subject, path: string, compiled: Listed): readonly PolicyInForce[] {
  const origins = originsUnder(effective, path);
  return broughtBy(origins.length === 0 ? [builtIn] : origins, compiled, providers);
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

/** Whether a policy on a route says something that holds where requests arrive. */
export const holdsOnArrival = (reaching: readonly PolicyAttachment[]): boolean =>
  reaching.some(({ policy }) => policy.blocks.rateLimit !== undefined);

/** Rate limits of policies, with what was looked up for them. */
export interface LimitsInForce {
  readonly limits?: { readonly rateLimit: Limits; readonly by: readonly Origin[]; readonly providers: ProviderTable };
}

/** What policies say of telemetry, on either side. */
function telemetryInForce(subject: Subject, reaching: readonly PolicyAttachment[]): readonly PolicyInForce[] {
  const telemetry = withMeshFields(subject.effective.blocks.telemetry ?? {}, meshTelemetry(reaching));
  return telemetryFeatures.flatMap((feature) => always(subject, `telemetry.${feature.key}`, feature.from(telemetry)));
}

/** A bound that is tried stands beside the one that holds. */
function triedSizes(effective: Merged): readonly PolicyInForce[] {
  const path = 'inbound.maxRequestBytes';
  const policy = effective.parts.get(path)?.by.policy;
  if (policy === undefined) return [];
  const bytes = effective.blocks.inbound?.maxRequestBytes ?? 0;
  const compiled = maxRequestBytes.from({ maxRequestBytes: { bytes, triedBy: keyOf(policy.ref) } });
  return inForce({ effective, providers: noProviders }, path, compiled);
}

/** What policies say of calls to a port of a pod. */
export const inboundPoliciesOf = memoised(
  (
    reaching: readonly PolicyAttachment[],
    { limits }: LimitsInForce,
    providers: ProviderTable,
  ): readonly PolicyInForce[] => {
    const effective = mergePolicies(reaching);
    const blocks = { inbound: effective.blocks.inbound, rateLimit: limits?.rateLimit };
    const ofBlocks = inboundFeatures.flatMap((feature) =>
      feature.key === 'rateLimit'
        ? broughtBy(limits?.by ?? [], feature.from(blocks), limits?.providers ?? noProviders)
        : inForce({ effective, providers }, feature.key, feature.from(blocks)),
    );
    const members = inboundMembers.flatMap((feature) =>
      inForce({ effective, providers }, `inbound.${feature.key}`, feature.from(blocks.inbound ?? {})),
    );
    return [
      ...ofBlocks,
      ...members,
      ...triedSizes(effective.tried),
      ...telemetryInForce({ effective, providers }, reaching),
    ];
  },
);

const saysOfCalls = ({ policy }: PolicyAttachment): boolean => policy.blocks.telemetry !== undefined;

const internAttachments = listInterner<PolicyAttachment>();

const outboundOf = memoised(
  (reaching: readonly PolicyAttachment[], providers: ProviderTable): readonly PolicyInForce[] =>
    telemetryInForce({ effective: mergePolicies(reaching), providers }, reaching),
);

/** What policies say of the calls that a pod makes; one list, whatever else they say. */
export const outboundPoliciesOf = (
  reaching: readonly PolicyAttachment[],
  providers: ProviderTable,
): readonly PolicyInForce[] => outboundOf(internAttachments(reaching.filter(saysOfCalls)), providers);
