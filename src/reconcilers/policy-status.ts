// What status shows of policies beside conditions: on a policy what it is attached to, what became of its blocks and whom
// it reaches; on a route who touches it.

import { group, keyOf } from '../api/meta.js';
import type { Service } from '../kinds/world.js';
import { blockLines, blockOf } from './policy-outcome.js';
import { meetingsOf, type Meeting, type PolicyContext } from './policy-reach.js';
import { mergePolicies } from './policy-merge.js';
import type { CompiledPolicy, PolicyAttachment } from './policy.js';
import type { RouteParent } from './route-source.js';
import { namesPort } from './services.js';
import type { CompiledRoute } from './traffic-route.js';

/** A parent or an ancestor as it is repeated in status. */
export type ParentReference = Readonly<Record<string, string | number>>;

/** What a policy is attached to, as status shows it. */
export interface PolicySummary {
  /** `index` in `targetRefs`; undefined where the policy names no target. */
  readonly ancestors: readonly { readonly index: number | undefined; readonly reference: ParentReference }[];
  readonly blocks: readonly string[];
  /** Undefined where the policy is about routes alone. */
  readonly selected: { readonly workloads: number; readonly services: number } | undefined;
}

const gatewayGroup = 'gateway.networking.k8s.io';

/** What an attachment names; where nothing is named, the namespace of the policy. */
function ancestorRef({ policy, target }: PolicyAttachment): ParentReference {
  const { namespace } = policy.ref;
  switch (target.level) {
    case 'route': {
      const { kind, name } = target.ref;
      const section = target.rule === undefined ? {} : { sectionName: target.rule };
      return { group: kind === 'TrafficRoute' ? group : gatewayGroup, kind, namespace, name, ...section };
    }
    case 'service': {
      const name = target.key.slice(target.key.indexOf('/') + 1);
      const section = target.portName === undefined ? {} : { sectionName: target.portName };
      return { group: '', kind: 'Service', namespace, name, ...section };
    }
    case 'workload':
      if (target.serviceAccount !== undefined)
        return { group: '', kind: 'ServiceAccount', namespace, name: target.serviceAccount };
      break;
    case 'namespace':
    case 'mesh':
  }
  return { group: '', kind: 'Namespace', name: namespace };
}

function selectedBy({ attachments }: CompiledPolicy, meetings: readonly Meeting[]): PolicySummary['selected'] {
  if (attachments.every(({ target }) => target.level === 'route')) return undefined;
  const sizeOf = (sets: readonly ReadonlySet<string>[]): number => new Set(sets.flatMap((one) => [...one])).size;
  return {
    workloads: sizeOf(meetings.map(({ workloads }) => workloads)),
    services: sizeOf(meetings.map(({ services }) => services)),
  };
}

const mostAncestors = 16;

/** What status shows of a policy. */
export function summaryOfPolicy(policy: CompiledPolicy, context: PolicyContext): PolicySummary {
  const meetings = meetingsOf(policy, context);
  return {
    ancestors: policy.attachments
      .slice(0, mostAncestors)
      .map((one) => ({ index: one.index, reference: ancestorRef(one) })),
    blocks: blockLines(policy, meetings),
    selected: selectedBy(policy, meetings),
  };
}

type Lists = readonly (readonly PolicyAttachment[])[];

/** What reaches the ports of a Service that a route is attached to, or sends to. */
function reachingPorts(
  service: Service | undefined,
  isMeant: (port: Service['ports'][number]) => boolean,
  { policies }: PolicyContext,
): Lists {
  if (service === undefined) return [];
  return service.ports.filter(isMeant).map((port) => policies.reachingService(keyOf(service.meta), port.name));
}

function reachingRoute(route: CompiledRoute, context: PolicyContext): Lists {
  const { services } = context.world;
  const ofParent = (parent: RouteParent): Lists =>
    parent.ref.kind === 'Service'
      ? reachingPorts(services.get(keyOf(parent.ref)), (port) => namesPort(parent, port), context)
      : [];
  const ofBackends = route.rules.flatMap(({ rule }) =>
    rule.backends.flatMap((backend): Lists => {
      if (backend.kind !== 'service') return [];
      const { target } = backend;
      return reachingPorts(services.get(keyOf(target)), ({ port }) => port === target.port, context);
    }),
  );
  return [
    ...route.rules.map(({ rule }) => context.policies.onRoute(route.ref, rule.name)),
    ...route.parents.flatMap(ofParent),
    ...ofBackends,
  ];
}

const mostPolicies = 16;

/** Policies that have a say in a route, with the blocks in which they win: `shop/retry-budget (upstream)`. */
export function policiesTouching(route: CompiledRoute, context: PolicyContext): readonly string[] {
  if (context.policies.policies.length === 0) return [];
  const blocks = new Map<string, Set<string>>();
  for (const list of new Set(reachingRoute(route, context))) {
    const { parts, tried } = mergePolicies(list);
    for (const { path, by } of [...parts.values(), ...tried.parts.values()]) {
      const key = keyOf(by.policy.ref);
      const own = blocks.get(key) ?? new Set<string>();
      blocks.set(key, own.add(blockOf(path)));
    }
  }
  const lines = [...blocks].map(([key, own]) => `${key} (${[...own].join(', ')})`);
  if (lines.length <= mostPolicies) return lines;
  return [...lines.slice(0, mostPolicies - 1), `and ${String(lines.length - mostPolicies + 1)} more`];
}
