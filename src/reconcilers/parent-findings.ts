// What is said of a route at each of its parents: attached, and as what, or why not. Knows no rule.

import { didYouMean } from '../api/did-you-mean.js';
import { describeRef, keyOf } from '../api/meta.js';
import type { Service, World } from '../kinds/world.js';
import type { Capture, PortModel } from '../model/mesh.js';
import { describeDisplacement, type Displacement } from './contest.js';
import type { Delegation } from './delegation.js';
import type { ServiceEndpoints } from './endpoints.js';
import { more, refusal, type Judgement } from './judgement.js';
import type { RouteParent } from './route-source.js';
import { namesPort, type PooledService } from './services.js';
import type { CompiledRoute } from './traffic-route.js';

/** What routes are judged by. */
export interface RouteContext {
  readonly world: World;
  readonly pooled: ReadonlyMap<string, PooledService>;
  readonly endpoints: ReadonlyMap<string, ServiceEndpoints>;
  readonly delegation: Delegation;
  readonly capture: Capture;
}

const noParent = (parent: RouteParent, field: string, message: string): Judgement => ({
  parent: parent.index,
  condition: 'Accepted',
  status: 'False',
  reason: 'NoMatchingParent',
  message,
  path: `spec.parentRefs[${String(parent.index)}].${field}`,
});

function missingParent(parent: RouteParent, world: World): Judgement {
  const service = world.services.get(keyOf(parent.ref));
  if (service !== undefined) {
    const message = `${describeRef(parent.ref)} is of type ${service.type}, which no route can be attached to`;
    return noParent(parent, 'name', message);
  }
  const isNear = (one: Service): boolean => one.meta.namespace === parent.ref.namespace;
  const names = [...world.services.values()]
    .filter(isNear)
    .map((one) => one.meta.name)
    .sort();
  return noParent(parent, 'name', `${describeRef(parent.ref)} does not exist${didYouMean(parent.ref.name, names)}`);
}

function missingPort(parent: RouteParent, ports: readonly PortModel[]): Judgement {
  const { port, sectionName } = parent;
  const byName = `port named '${sectionName ?? ''}'`;
  const wanted =
    port === undefined ? byName : `port ${String(port)}${sectionName === undefined ? '' : ` named '${sectionName}'`}`;
  const known = ports.map((one) => (one.name === '' ? String(one.port) : `${String(one.port)} '${one.name}'`));
  const message = `${describeRef(parent.ref)} has no TCP ${wanted} (ports: ${known.join(', ')})`;
  return noParent(parent, port === undefined ? 'sectionName' : 'port', message);
}

/** Where the route has no say, of the ports that a parent names. */
const displacementsAt = (route: CompiledRoute, parent: RouteParent, pooled: PooledService): readonly Displacement[] =>
  pooled.displacements.filter((one) => one.route === route && one.parent === parent);

/** Services that a route is attached to itself, or through the routes whose rules it attaches to. */
export function servicesOf(route: CompiledRoute, context: RouteContext): readonly PooledService[] {
  const own = route.parents.flatMap(({ ref }) =>
    ref.kind === 'Service' ? (context.pooled.get(keyOf(ref)) ?? []) : [],
  );
  const above = context.delegation.descentOf(route).above.flatMap(({ to }) => servicesOf(to, context));
  return [...new Set([...own, ...above])];
}

function delegatedFinding(route: CompiledRoute, parent: RouteParent, context: RouteContext): Judgement {
  const problem = context.delegation.refusalOf(route, parent);
  if (problem !== undefined) return { ...refusal(problem), parent: parent.index };
  const above = context.delegation.descentOf(route).above.filter((one) => one.parent === parent);
  const name = describeRef(parent.ref);
  if (above.every(({ to }) => servicesOf(to, context).length === 0))
    return noParent(parent, 'name', `${name} is not attached to any Service itself`);
  const message = `Attached to rule '${parent.sectionName ?? ''}' of ${name}`;
  return { parent: parent.index, condition: 'Accepted', status: 'True', reason: 'Accepted', message };
}

/** What is said of a route at one of its parents. */
export const parentFinding = (route: CompiledRoute, parent: RouteParent, context: RouteContext): Judgement =>
  parent.ref.kind === 'Service' ? serviceFinding(route, parent, context) : delegatedFinding(route, parent, context);

function serviceFinding(route: CompiledRoute, parent: RouteParent, context: RouteContext): Judgement {
  const pooled = context.pooled.get(keyOf(parent.ref));
  if (pooled === undefined) return missingParent(parent, context.world);
  const ports = pooled.model.ports.filter((port) => namesPort(parent, port));
  if (ports.length === 0) return missingPort(parent, pooled.model.ports);
  const displaced = displacementsAt(route, parent, pooled);
  const [first] = displaced;
  const common = { parent: parent.index, condition: 'Accepted' } as const;
  if (first !== undefined && displaced.length === ports.length) {
    return {
      ...common,
      status: 'False',
      reason: first.reason,
      message: `${describeDisplacement(first)}${more(displaced.length)}`,
    };
  }
  const role = route.ref.namespace === parent.ref.namespace ? 'producer' : 'consumer';
  const message = `Attached to ${describeRef(parent.ref)} as ${role} route`;
  return { ...common, status: 'True', reason: 'Accepted', message };
}

/** Ports of a parent where the route has no say, while it has at others. */
export function lostInPart(route: CompiledRoute, parent: RouteParent, context: RouteContext): readonly Displacement[] {
  const pooled = context.pooled.get(keyOf(parent.ref));
  if (pooled === undefined) return [];
  const displaced = displacementsAt(route, parent, pooled);
  const ports = pooled.model.ports.filter((port) => namesPort(parent, port));
  return displaced.length < ports.length ? displaced : [];
}
