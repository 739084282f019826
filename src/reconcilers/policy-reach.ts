// Where policies meet: calls to a Service port, pods where they are called, rules of routes. Subjects that the same
// attachments reach are one meeting, so that a merge is looked at once. Knows nothing of what a merge says.

import { idOf, keyOf, type ObjectKey } from '../api/meta.js';
import type { World } from '../kinds/world.js';
import { memoised } from '../lib/memo.js';
import type { PolicyIndex } from './policies.js';
import type { CompiledPolicy, PolicyAttachment } from './policy.js';
import { servicesCalling } from './proxies.js';
import type { CompiledRoute } from './traffic-route.js';

/** What a merge is for: how a Service is called, a pod that is called, a rule that says nothing itself. */
export type Use = 'call' | 'pod' | 'rule';

/** Subjects that the same attachments reach. */
export interface Meeting {
  readonly use: Use;
  readonly reaching: readonly PolicyAttachment[];
  /** Where `use` is `call`. */
  readonly services: ReadonlySet<ObjectKey>;
  /** Where `use` is `pod`: `Deployment/shop/web`. */
  readonly workloads: ReadonlySet<string>;
}

/** The meetings that each policy is part of. */
type Reach = ReadonlyMap<CompiledPolicy, readonly Meeting[]>;

/** Who calls a Service decides by `upstream`; all else is decided where a pod is called. */
export const holdsFor = (use: Use, path: string): boolean =>
  use === 'rule' || (use === 'call') === path.startsWith('upstream.');

interface Draft {
  readonly use: Use;
  readonly reaching: readonly PolicyAttachment[];
  readonly services: Set<ObjectKey>;
  readonly workloads: Set<string>;
}

type Drafts = Map<readonly PolicyAttachment[], Draft>;

function meet(drafts: Drafts, use: Use, reaching: readonly PolicyAttachment[]): Draft {
  const known = drafts.get(reaching);
  if (known !== undefined) return known;
  const draft = { use, reaching, services: new Set<ObjectKey>(), workloads: new Set<string>() };
  drafts.set(reaching, draft);
  return draft;
}

function meetingsOfCalls(services: World['services'], policies: PolicyIndex): Iterable<Meeting> {
  const drafts: Drafts = new Map();
  for (const [key, service] of services) {
    for (const port of service.ports.filter(({ protocol }) => protocol === 'TCP'))
      meet(drafts, 'call', policies.reachingService(key, port.name)).services.add(key);
  }
  return drafts.values();
}

function meetingsOfPods(world: Pick<World, 'pods' | 'endpointSlices'>, policies: PolicyIndex): Iterable<Meeting> {
  const drafts: Drafts = new Map();
  const calling = servicesCalling(world.endpointSlices);
  for (const pod of world.pods.values()) {
    if (pod.hostNetwork) continue;
    const ofPorts = [...calling(pod).values()].map((by) => policies.reachingPod(pod, by));
    for (const reaching of ofPorts.length === 0 ? [policies.reachingPod(pod)] : ofPorts)
      meet(drafts, 'pod', reaching).workloads.add(`${pod.workload.kind}/${keyOf(pod.workload)}`);
  }
  return drafts.values();
}

function meetingsOfRules(routes: readonly CompiledRoute[], policies: PolicyIndex): Iterable<Meeting> {
  const drafts: Drafts = new Map();
  const attached = policies.policies
    .flatMap(({ attachments }) => attachments)
    .flatMap(({ target }) => (target.level === 'route' ? [idOf(target.ref)] : []));
  const named = new Set(attached);
  for (const route of routes.filter(({ ref }) => named.has(idOf(ref))))
    for (const { rule } of route.rules) meet(drafts, 'rule', policies.onRoute(route.ref, rule.name));
  return drafts.values();
}

function byPolicy(meetings: Iterable<Meeting>): Reach {
  const reach = new Map<CompiledPolicy, Meeting[]>();
  for (const meeting of meetings) {
    for (const policy of new Set(meeting.reaching.map((one) => one.policy))) {
      const list = reach.get(policy) ?? [];
      reach.set(policy, list);
      list.push(meeting);
    }
  }
  return reach;
}

const calls = memoised((services: World['services'], policies: PolicyIndex): readonly Meeting[] => [
  ...meetingsOfCalls(services, policies),
]);

const pods = memoised(
  (table: World['pods'], endpointSlices: World['endpointSlices'], policies: PolicyIndex): readonly Meeting[] => [
    ...meetingsOfPods({ pods: table, endpointSlices }, policies),
  ],
);

const rules = memoised((routes: readonly CompiledRoute[], policies: PolicyIndex): readonly Meeting[] => [
  ...meetingsOfRules(routes, policies),
]);

type Meetings = readonly Meeting[];

const joined = memoised((ofCalls: Meetings, ofPods: Meetings, ofRules: Meetings): Reach =>
  byPolicy([...ofCalls, ...ofPods, ...ofRules]),
);

const noReach: Reach = new Map();
const noMeetings: readonly Meeting[] = [];

/** What is reached by policies: everything that is needed to judge them. */
export interface PolicyContext {
  readonly world: World;
  readonly policies: PolicyIndex;
  readonly routes: readonly CompiledRoute[];
}

/** The meetings that a policy is part of. */
export const meetingsOf = (policy: CompiledPolicy, context: PolicyContext): readonly Meeting[] =>
  reachOf(context).get(policy) ?? noMeetings;

function reachOf({ world, policies, routes }: PolicyContext): Reach {
  if (policies.policies.length === 0) return noReach;
  return joined(
    calls(world.services, policies),
    pods(world.pods, world.endpointSlices, policies),
    rules(routes, policies),
  );
}
