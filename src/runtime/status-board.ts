// The present status of every object: joins what reconcilers found with what proxies acknowledged. Computed
// when asked for, never on the way of a change; remembers only when conditions flipped.

import { hash } from 'node:crypto';
import { apiVersion, idOf, keyOf, refOf, type KubeObject, type ObjectRef } from '../api/meta.js';
import type { GatewayParentRef } from '../kinds/gateway.js';
import type { ParentRef } from '../kinds/traffic-route.js';
import type { World } from '../kinds/world.js';
import type { Clock } from '../lib/clock.js';
import { memoised } from '../lib/memo.js';
import type { Rejection } from '../model/delivery.js';
import type { Finding } from '../model/finding.js';
import type { Delegation, Descent } from '../reconcilers/delegation.js';
import { effectiveOf } from '../reconcilers/effective.js';
import type { Reconciled } from '../reconcilers/index.js';
import { byObject, statusOf, type ObjectStatus } from '../reconcilers/status.js';
import type { PolicyIndex } from '../reconcilers/policies.js';
import type { CompiledPolicy } from '../reconcilers/policy.js';
import { policiesTouching, summaryOfPolicy, type ParentReference } from '../reconcilers/policy-status.js';
import type { RouteParent } from '../reconcilers/route-source.js';
import type { CompiledRoute } from '../reconcilers/traffic-route.js';
import { gateFindings, versionFindings } from './gates.js';
import type { Delivered, DeliveryTracker } from './delivery-tracker.js';

/** An object with its status, as Kubernetes shows it. */
export interface StatusObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string; readonly generation: number };
  readonly status: ObjectStatus;
}

/** Statuses of all objects that have one. */
export interface StatusBoard {
  update(world: World, reconciled: Reconciled, rejections: readonly Rejection[]): void;
  /** Something else that status shows has changed. */
  touch(): void;
  /** Takes note of when conditions flipped, if anything changed since the last time. */
  observe(): void;
  statuses(): readonly StatusObject[];
}

const gatewayVersion = 'gateway.networking.k8s.io/v1';

const apiVersionOf = (ref: ObjectRef): string =>
  ref.kind === 'HTTPRoute' || ref.kind === 'GRPCRoute' ? gatewayVersion : apiVersion;

/** What of routes and policies is delivered, and to whom. */
export const deliveredOf = (routes: readonly CompiledRoute[], by: Deliverers): readonly Delivered[] =>
  deliveredBy(routes, by.delegation, by.policies);

interface Deliverers {
  readonly delegation: Delegation;
  readonly policies: PolicyIndex;
}

const deliveredBy = memoised(
  (routes: readonly CompiledRoute[], delegation: Delegation, policies: PolicyIndex): readonly Delivered[] => [
    ...routes.filter((route) => route.rules.length > 0).map((route) => deliveredRoute(delegation.descentOf(route))),
    ...policies.policies.filter(isInForce).map(deliveredPolicy),
  ],
);

const isInForce = (policy: CompiledPolicy): boolean =>
  policy.attachments.length > 0 && Object.keys(policy.blocks).length > 0;

const deliveredPolicy = memoised((policy: CompiledPolicy): Delivered => ({
  id: idOf(policy.ref),
  token: policy,
  reach: undefined,
}));

/** A route that is admitted or no longer admitted somewhere is delivered anew. */
const deliveredRoute = memoised((descent: Descent): Delivered => {
  const { route } = descent;
  const isConsumer = ({ ref }: RouteParent): boolean => ref.kind === 'Service' && ref.namespace !== route.ref.namespace;
  const consumer = route.parents.length > 0 && route.parents.every(isConsumer);
  return { id: idOf(route.ref), token: descent, reach: consumer ? route.ref.namespace : undefined };
});

const revisionOf = memoised((object: { readonly spec: unknown }): string =>
  hash('sha256', JSON.stringify(object.spec), 'hex').slice(0, 6),
);

const referenceOf = (parent: ParentRef | GatewayParentRef): ParentReference => ({
  group: parent.group,
  kind: parent.kind,
  name: parent.name,
  ...(parent.namespace === undefined ? {} : { namespace: parent.namespace }),
  ...(parent.port === undefined ? {} : { port: parent.port }),
  ...(parent.sectionName === undefined ? {} : { sectionName: parent.sectionName }),
});

/** The field in which a rule, or a part of a policy, was written. */
function pathOfPart(ref: ObjectRef, route: CompiledRoute | undefined, name: string): string | undefined {
  if (ref.kind === 'MeshPolicy') return `spec.${name}`;
  const index = route?.rules.find(({ rule }) => rule.name === name)?.index;
  return index === undefined ? undefined : `spec.rules[${String(index)}]`;
}

type Subject = KubeObject & { readonly spec: unknown };

/** Objects of the World that have a status of ours. */
function subjectsOf(
  world: World,
): readonly { readonly object: Subject; readonly parents: readonly (ParentRef | GatewayParentRef)[] }[] {
  const gatewayRoutes = [...world.httpRoutes.values(), ...world.grpcRoutes.values()].filter((route) =>
    route.spec.parentRefs.some((parent) => parent.ours),
  );
  return [
    ...[...world.trafficRoutes.values()].map((object) => ({ object, parents: object.spec.parentRefs })),
    ...[...world.meshPolicies.values()].map((object) => ({ object, parents: [] })),
    ...[...world.meshIdentities.values()].map((object) => ({ object, parents: [] })),
    ...gatewayRoutes.map((object) => ({ object, parents: object.spec.parentRefs })),
  ];
}

/** An empty board. */
export function createStatusBoard(deps: { readonly clock: Clock; readonly tracker: DeliveryTracker }): StatusBoard {
  let current:
    { readonly world: World; readonly reconciled: Reconciled; readonly rejections: readonly Rejection[] } | undefined;
  let previous = new Map<string, ObjectStatus>();
  let changed = false;

  const gatesFor = (world: World, ref: ObjectRef, generation: number): readonly Finding[] => {
    const policy = ref.kind === 'MeshPolicy' ? world.meshPolicies.get(keyOf(ref)) : undefined;
    return policy === undefined ? [] : gateFindings({ ref, generation }, policy.spec, deps.tracker.proxies());
  };

  const compute = (): readonly StatusObject[] => {
    if (current === undefined) return [];
    const { world, reconciled } = current;
    const tooOld = versionFindings(reconciled.model, deps.tracker.proxies());
    const findings = byObject([...reconciled.findings, ...tooOld]);
    const routes = new Map(reconciled.routes.map((route) => [idOf(route.ref), route]));
    const policies = new Map(reconciled.policies.policies.map((policy) => [idOf(policy.ref), policy]));
    const context = { world, policies: reconciled.policies, routes: reconciled.routes };
    const now = new Date(deps.clock.now()).toISOString();
    const next = new Map<string, ObjectStatus>();
    const objects: StatusObject[] = [];
    const add = (
      ref: ObjectRef,
      generation: number,
      from: { object?: Subject; parents: readonly (ParentRef | GatewayParentRef)[] },
    ): void => {
      const id = idOf(ref);
      const route = routes.get(id);
      const policy = policies.get(id);
      const inputs = {
        ref,
        generation,
        findings: [...(findings.get(id) ?? []), ...gatesFor(world, ref, generation)],
        parents: from.parents.flatMap((parent, index) =>
          'ours' in parent && !parent.ours ? [] : [{ index, reference: referenceOf(parent) }],
        ),
        delivery: deps.tracker.progressOf(id),
        pathOf: (part: string) => pathOfPart(ref, route, part),
        rejections: current?.rejections.filter((one) => idOf(one.origin.ref) === id) ?? [],
        revision: from.object === undefined ? '' : revisionOf(from.object),
        effective: route === undefined ? undefined : effectiveOf(reconciled.delegation.treeOf(route)),
        policies: route?.ref.kind === 'TrafficRoute' ? policiesTouching(route, context) : [],
        summary: policy === undefined ? undefined : summaryOfPolicy(policy, context),
      };
      const status = statusOf(inputs, previous.get(id), now);
      next.set(id, status);
      objects.push({
        apiVersion: apiVersionOf(ref),
        kind: ref.kind,
        metadata: { name: ref.name, namespace: ref.namespace, generation },
        status,
      });
    };
    for (const { object, parents } of subjectsOf(world))
      add(refOf(object), generationOf(world, object), { object, parents });
    for (const { ref, generation, lastGood } of world.malformed.values()) {
      if (!lastGood && hasStatus(ref)) add(ref, generation, { parents: [] });
    }
    previous = next;
    changed = false;
    return objects.sort((left, right) => (sortKey(left) < sortKey(right) ? -1 : 1));
  };

  return {
    update: (world, reconciled, rejections) => {
      current = { world, reconciled, rejections };
      changed = true;
    },
    touch: () => {
      changed = true;
    },
    observe: () => {
      if (changed) compute();
    },
    statuses: compute,
  };
}

const sortKey = ({ kind, metadata }: StatusObject): string => `${kind}/${keyOf(metadata)}`;

const hasStatus = (ref: ObjectRef): boolean =>
  ref.kind === 'TrafficRoute' ||
  ref.kind === 'MeshPolicy' ||
  ref.kind === 'MeshIdentity' ||
  ref.kind === 'HTTPRoute' ||
  ref.kind === 'GRPCRoute';

/** A newer version that failed its schema is the one that is observed. */
const generationOf = (world: World, object: KubeObject): number =>
  world.malformed.get(idOf(refOf(object)))?.generation ?? object.meta.generation;
