// Rate limits of policies with what the rest of the World says of them: how many replicas share a number, and which
// addresses the pods of a namespace have. Equal answers are one object, so that other changes of pods touch no proxy.

import { keyOf } from '../api/meta.js';
import type { LimitService } from '../features/global-rate-limit.js';
import type { Limits } from '../features/limits.js';
import type { LimitRule } from '../features/local-rate-limit.js';
import type { RateLimitRule } from '../features/rate-limit.js';
import type { Pod, World } from '../kinds/world.js';
import { createInterner } from '../lib/intern.js';
import { listInterner, memoised } from '../lib/memo.js';
import type { Origin } from '../model/delivery.js';
import type { ProviderTable, Rule, RuleMark } from '../model/mesh.js';
import { hasProxy } from './held-rules.js';
import { originsUnder, type LimitsInForce } from './policies-in-force.js';
import { mergePolicies, type EffectivePolicy, type Merged } from './policy-merge.js';
import type { PolicyAttachment } from './policy.js';
import { compareText } from './precedence.js';
import { providersInReach } from './providers.js';
import type { ServiceReferents } from './references.js';

type Pods = World['pods'];

function grouped(pods: Pods, keyOf: (pod: Pod) => string): ReadonlyMap<string, readonly Pod[]> {
  const groups = new Map<string, Pod[]>();
  for (const pod of pods.values()) {
    const group = groups.get(keyOf(pod)) ?? [];
    groups.set(keyOf(pod), group);
    group.push(pod);
  }
  return groups;
}

const workloadKey = ({ workload }: Pod): string => `${workload.kind}/${workload.namespace}/${workload.name}`;

const byWorkload = memoised((pods: Pods) => grouped(pods, workloadKey));
const byNamespace = memoised((pods: Pods) => grouped(pods, ({ meta }) => meta.namespace));

/** At least one: a proxy that asks is there, whatever is known of its readiness. */
const readyReplicas = (pod: Pod, pods: Pods): number =>
  Math.max(1, (byWorkload(pods).get(workloadKey(pod)) ?? []).filter((one) => one.ready && !one.terminating).length);

/** Pods in the network of their node call from its address, which is not theirs alone. */
const addressesIn = (namespace: string, pods: Pods): readonly string[] =>
  (byNamespace(pods).get(namespace) ?? [])
    .filter(hasProxy)
    .flatMap(({ ips }) => ips)
    .sort(compareText);

/** Policies on a rule of a route, with the mark of its requests. */
export interface LimitedRule {
  readonly mark: RuleMark;
  readonly onRule: readonly PolicyAttachment[];
  readonly effective: EffectivePolicy;
}

const limitsIn = ({ blocks }: Merged): readonly RateLimitRule[] => blocks.rateLimit?.rules ?? [];

/** A limit that is tried takes the place of none that holds, nor the other way round. */
const markOf = ({ name }: RateLimitRule, isTried: boolean): string => (isTried ? `${name} (Audit)` : name);

/** How limits know requests of a rule, and what policies on it say. */
export const limitedRule = memoised((rule: Rule, onRule: readonly PolicyAttachment[]): LimitedRule => {
  const effective = mergePolicies(onRule);
  const { namespace, name } = rule.origin.ref;
  const replaces = [
    ...limitsIn(effective).map((limit) => markOf(limit, false)),
    ...limitsIn(effective.tried).map((limit) => markOf(limit, true)),
  ];
  return { mark: { at: `${namespace}/${name}/${rule.name}`, replaces }, onRule, effective };
});

const internReach = listInterner<PolicyAttachment>();

const asks = ({ effective }: Pick<LimitedRule, 'effective'>): boolean =>
  [effective, effective.tried].some(({ blocks }) => blocks.rateLimit?.provider !== undefined);

/** Who declares the provider that a port asks: policies that reach it, or else those on the first rule that names one. */
function providerReach(
  reaching: readonly PolicyAttachment[],
  ofRules: readonly LimitedRule[],
): readonly PolicyAttachment[] {
  const first = asks({ effective: mergePolicies(reaching) }) ? undefined : ofRules.find(asks);
  return first === undefined ? reaching : internReach([...first.onRule, ...reaching]);
}

/** A pod that is called, among all pods, and who may be asked. */
interface Place {
  readonly pod: Pod;
  readonly pods: Pods;
  readonly referents: ServiceReferents;
}

/** What policies say where a pod is called: of all its requests, and of those of rules. */
interface Said {
  readonly own: Merged;
  readonly ofRules: readonly { readonly mark: RuleMark; readonly merged: Merged }[];
  readonly isTried: boolean;
}

/** A limit with what was looked up for it. */
function resolved(limit: RateLimitRule, { parts }: Merged, { pod, pods }: Place): Omit<LimitRule, 'at' | 'replacedAs'> {
  const namespaces = (limit.per ?? []).flatMap(({ type, values }) => (type === 'Namespace' ? (values ?? []) : []));
  const policy = parts.get(`rateLimit.rules[${limit.name}]`)?.by.policy;
  return {
    ...limit,
    triedBy: policy?.mode === 'Audit' ? keyOf(policy.ref) : undefined,
    shares: limit.scope === 'Workload' ? readyReplicas(pod, pods) : 1,
    addresses: Object.fromEntries(namespaces.map((namespace) => [namespace, addressesIn(namespace, pods)])),
  };
}

function rulesOf({ own, ofRules, isTried }: Said, place: Place): readonly LimitRule[] {
  const replaced = new Set(ofRules.flatMap(({ mark }) => mark.replaces));
  const ofPort = limitsIn(own).map((limit) => {
    const mark = markOf(limit, isTried);
    return { ...resolved(limit, own, place), replacedAs: replaced.has(mark) ? mark : undefined };
  });
  const others = ofRules.flatMap(({ mark, merged }) =>
    limitsIn(merged).map((limit) => ({ ...resolved(limit, merged, place), at: mark.at, replacedAs: undefined })),
  );
  return [...ofPort, ...others];
}

/** The nearest that says which service is asked says in which domain, too. */
function serviceOf({ own, ofRules }: Said): LimitService | undefined {
  const all = [own, ...ofRules.map(({ merged }) => merged)];
  const asking = all.find(({ blocks }) => blocks.rateLimit?.provider !== undefined);
  const { provider, domain } = asking?.blocks.rateLimit ?? {};
  if (provider === undefined) return undefined;
  return { provider, domain: domain ?? asking?.parts.get('rateLimit.provider')?.by.policy.ref.namespace ?? '' };
}

const originsOf = ({ own, ofRules }: Said): readonly Origin[] =>
  [own, ...ofRules.map(({ merged }) => merged)].flatMap((one) => originsUnder(one, 'rateLimit'));

interface Interned {
  readonly rateLimit: Limits;
  readonly by: readonly Origin[];
}

const internLimits = createInterner<Interned>(10_000);

/** Where there are none. */
export const noLimits: LimitsInForce = {};

/** Whether policies limit something. */
export const limitSomething = memoised((reaching: readonly PolicyAttachment[]): { readonly yes: boolean } => {
  const { blocks, tried } = mergePolicies(reaching);
  return { yes: blocks.rateLimit !== undefined || tried.blocks.rateLimit !== undefined };
});

const withProviders = memoised((limits: Interned, providers: ProviderTable): LimitsInForce => ({
  limits: { ...limits, providers },
}));

/** The rate limits where a pod is called: those that reach it, and those of rules that its requests belong to. */
export function limitsAt(
  reaching: readonly PolicyAttachment[],
  ofRules: readonly LimitedRule[],
  place: Place,
): LimitsInForce {
  const own = mergePolicies(reaching);
  const enforced: Said = {
    own,
    ofRules: ofRules.map(({ mark, effective }) => ({ mark, merged: effective })),
    isTried: false,
  };
  const tried: Said = {
    own: own.tried,
    ofRules: ofRules.map(({ mark, effective }) => ({ mark, merged: effective.tried })),
    isTried: true,
  };
  const origins = [...originsOf(enforced), ...originsOf(tried)];
  const rateLimit: Limits = {
    rules: [...rulesOf(enforced, place), ...rulesOf(tried, place)],
    responseHeaders: [own, ...enforced.ofRules.map(({ merged }) => merged)].some(
      ({ blocks }) => blocks.rateLimit?.responseHeaders === true,
    ),
    connectionsPerSecond: own.blocks.rateLimit?.connectionsPerSecond,
    service: serviceOf(enforced),
    triedService: serviceOf(tried),
  };
  const by = [...new Map(origins.map((origin) => [keyOf(origin.ref), origin])).values()];
  const interned = internLimits(JSON.stringify({ rateLimit, by }), () => ({ rateLimit, by }));
  return withProviders(interned, providersInReach(providerReach(reaching, ofRules), place.referents));
}
