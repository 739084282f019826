// All policies of a mesh, found by what they are about. What reaches a Service port, a pod or a route is a list,
// nearest first; equal lists are one object, so that what is made from them is made once.

import { idOf, keyOf, type ObjectKey, type ObjectRef } from '../api/meta.js';
import type { Gates } from '../kinds/gates.js';
import type { MeshPolicy } from '../kinds/mesh-policy.js';
import type { Pod, Table } from '../kinds/world.js';
import { listInterner, memoised } from '../lib/memo.js';
import { compilePolicy, type PolicyAttachment, type CompiledPolicy } from './policy.js';
import { compareText } from './precedence.js';

/** Policies by what they are about. */
export interface PolicyIndex {
  readonly policies: readonly CompiledPolicy[];
  /** What reaches a port of a Service, and calls to it. */
  reachingService(service: ObjectKey, portName: string): readonly PolicyAttachment[];
  /** What reaches a pod whatever is called on it; `services` are those that it is behind. */
  reachingPod(pod: Pod, services?: readonly ServicePortOfPod[]): readonly PolicyAttachment[];
  /** What is attached to a route, or to one of its rules. */
  onRoute(route: ObjectRef, rule: string): readonly PolicyAttachment[];
}

/** A port of a Service that leads to a pod. */
export interface ServicePortOfPod {
  readonly service: ObjectKey;
  readonly portName: string;
}

/** The older first, then by name. */
const byAge = (left: CompiledPolicy, right: CompiledPolicy): number =>
  compareText(left.created, right.created) || compareText(keyOf(left.ref), keyOf(right.ref));

/** Of several Services: the port before the whole, then the older first. */
const byPartAndAge = (left: PolicyAttachment, right: PolicyAttachment): number =>
  Number(portNameOf(left) === undefined) - Number(portNameOf(right) === undefined) || byAge(left.policy, right.policy);

type Groups = ReadonlyMap<string, readonly PolicyAttachment[]>;

/** By level and object: `service shop/reviews`, `namespace shop`, `mesh`. */
function groupKey({ target }: PolicyAttachment): string {
  switch (target.level) {
    case 'route':
      return `route ${idOf(target.ref)}`;
    case 'service':
      return `service ${target.key}`;
    case 'workload':
    case 'namespace':
      return `${target.level} ${target.namespace}`;
    case 'mesh':
      return 'mesh';
  }
}

function grouped(policies: readonly CompiledPolicy[]): Groups {
  const groups = new Map<string, PolicyAttachment[]>();
  for (const attachment of policies.flatMap((policy) => policy.attachments)) {
    const key = groupKey(attachment);
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    group.push(attachment);
  }
  return groups;
}

const intern = listInterner<PolicyAttachment>();

/** Those of one part come before those of the whole. */
function partFirst(
  attachments: readonly PolicyAttachment[],
  partOf: (one: PolicyAttachment) => string | undefined,
  part: string,
) {
  const own = attachments.filter((one) => partOf(one) === part);
  return [...own, ...attachments.filter((one) => partOf(one) === undefined)];
}

const portNameOf = ({ target }: PolicyAttachment): string | undefined =>
  target.level === 'service' ? target.portName : undefined;

const ruleOf = ({ target }: PolicyAttachment): string | undefined =>
  target.level === 'route' ? target.rule : undefined;

/** Whether a policy is attached to the pod by a selector or by its account. */
export const selects = ({ target }: PolicyAttachment, pod: Pod): boolean =>
  target.level === 'workload' &&
  (target.serviceAccount === undefined || target.serviceAccount === pod.serviceAccount) &&
  Object.entries(target.labels).every(([key, value]) => pod.meta.labels[key] === value);

/** Indexes the policies of a World. */
export const indexPolicies = memoised((table: Table<MeshPolicy>, gates: Gates): PolicyIndex => {
  const policies = [...table.values()].map((policy) => compilePolicy(policy, gates)).sort(byAge);
  const groups = grouped(policies);
  const group = (key: string): readonly PolicyAttachment[] => groups.get(key) ?? [];
  const onService = (service: ObjectKey, portName: string) =>
    partFirst(group(`service ${service}`), portNameOf, portName);
  const general = (namespace: string) => [...group(`namespace ${namespace}`), ...group('mesh')];
  return {
    policies,
    reachingService: (service, portName) =>
      intern([...onService(service, portName), ...general(service.slice(0, service.indexOf('/')))]),
    reachingPod: (pod, services = []) => {
      const ofServices = services.flatMap(({ service, portName }) => onService(service, portName)).sort(byPartAndAge);
      const { namespace } = pod.meta;
      const workload = group(`workload ${namespace}`).filter((one) => selects(one, pod));
      return intern([...new Set([...ofServices, ...workload, ...general(namespace)])]);
    },
    onRoute: (route, rule) => intern(partFirst(group(`route ${idOf(route)}`), ruleOf, rule)),
  };
});
