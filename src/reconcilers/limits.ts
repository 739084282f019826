// Rate limits of policies with what the rest of the World says of them: how many replicas share a number, and which
// addresses the pods of a namespace have. Equal answers are one object, so that other changes of pods touch no proxy.

import { keyOf } from '../api/meta.js';
import type { Limits } from '../features/limits.js';
import type { LimitRule } from '../features/local-rate-limit.js';
import type { Pod, World } from '../kinds/world.js';
import { createInterner } from '../lib/intern.js';
import { listInterner, memoised } from '../lib/memo.js';
import type { Rule, RuleMark } from '../model/mesh.js';
import { hasProxy } from './held-rules.js';
import { originsUnder, type LimitsInForce } from './policies-in-force.js';
import { mergePolicies, type EffectivePolicy } from './policy-merge.js';
import type { PolicyAttachment } from './policy.js';
import { compareText } from './precedence.js';

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

/** A pod, among all pods. */
interface Place {
  readonly pod: Pod;
  readonly pods: Pods;
}

/** Policies on a rule of a route, with the mark of its requests. */
export interface LimitedRule {
  readonly mark: RuleMark;
  readonly onRule: readonly PolicyAttachment[];
  readonly effective: EffectivePolicy;
}

/** How limits know requests of a rule, and what policies on it say. */
export const limitedRule = memoised((rule: Rule, onRule: readonly PolicyAttachment[]): LimitedRule => {
  const effective = mergePolicies(onRule);
  const { namespace, name } = rule.origin.ref;
  const replaces = (effective.blocks.rateLimit?.rules ?? []).map((limit) => limit.name);
  return { mark: { at: `${namespace}/${name}/${rule.name}`, replaces }, onRule, effective };
});

const internReach = listInterner<PolicyAttachment>();

/** Who declares the provider that a port asks: policies that reach it, or else those on the first rule that names one. */
export function providerReach(
  reaching: readonly PolicyAttachment[],
  ofRules: readonly LimitedRule[],
): readonly PolicyAttachment[] {
  if (mergePolicies(reaching).blocks.rateLimit?.provider !== undefined) return reaching;
  const first = ofRules.find(({ effective }) => effective.blocks.rateLimit?.provider !== undefined);
  return first === undefined ? reaching : internReach([...first.onRule, ...reaching]);
}

type Named = Pick<LimitRule, 'at' | 'replaced'>;

/** Limits with what was looked up for them. */
function resolved({ blocks, parts }: EffectivePolicy, { pod, pods }: Place): readonly Omit<LimitRule, keyof Named>[] {
  return (blocks.rateLimit?.rules ?? []).map((rule) => {
    const namespaces = (rule.per ?? []).flatMap(({ type, values }) => (type === 'Namespace' ? (values ?? []) : []));
    return {
      ...rule,
      audit: parts.get(`rateLimit.rules[${rule.name}]`)?.by.policy.mode === 'Audit',
      shares: rule.scope === 'Workload' ? readyReplicas(pod, pods) : 1,
      addresses: Object.fromEntries(namespaces.map((namespace) => [namespace, addressesIn(namespace, pods)])),
    };
  });
}

/** The nearest that says which service is asked says in which domain, too. */
function serviceAt(all: readonly EffectivePolicy[]): Limits['service'] {
  const asking = all.find(({ blocks }) => blocks.rateLimit?.provider !== undefined);
  const { provider, domain } = asking?.blocks.rateLimit ?? {};
  if (provider === undefined) return undefined;
  return { provider, domain: domain ?? asking?.parts.get('rateLimit.provider')?.by.policy.ref.namespace ?? '' };
}

const internLimits = createInterner<LimitsInForce>(10_000);
const nothing: LimitsInForce = {};

/** The rate limits where a pod is called: those that reach it, and those of rules that its requests belong to. */
export function limitsAt(
  reaching: readonly PolicyAttachment[],
  ofRules: readonly LimitedRule[],
  place: Place,
): LimitsInForce {
  const own = mergePolicies(reaching);
  const all = [own, ...ofRules.map(({ effective }) => effective)];
  if (all.every(({ blocks }) => blocks.rateLimit === undefined)) return nothing;
  const replaced = new Set(ofRules.flatMap(({ mark }) => mark.replaces));
  const rateLimit: Limits = {
    rules: [
      ...resolved(own, place).map((rule) => ({ ...rule, replaced: replaced.has(rule.name) })),
      ...ofRules.flatMap(({ mark, effective }) =>
        resolved(effective, place).map((rule) => ({ ...rule, at: mark.at, replaced: false })),
      ),
    ],
    responseHeaders: all.some(({ blocks }) => blocks.rateLimit?.responseHeaders === true),
    connectionsPerSecond: own.blocks.rateLimit?.connectionsPerSecond,
    service: serviceAt(all),
  };
  const origins = all.flatMap((one) => originsUnder(one, 'rateLimit'));
  const by = [...new Map(origins.map((origin) => [keyOf(origin.ref), origin])).values()];
  const limits = { rateLimit, by };
  return internLimits(JSON.stringify(limits), () => ({ limits }));
}
