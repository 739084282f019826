// What is said of a route at each of its parents: attached, and as what, or why not. Knows no rule.

import { didYouMean } from '../api/did-you-mean.js';
import { describeRef, keyOf, systemNamespace, type ObjectRef } from '../api/meta.js';
import type { Service, World } from '../kinds/world.js';
import type { Capture, PortModel } from '../model/mesh.js';
import { claimsIn, refusalOfHost } from './claims.js';
import { describeDisplacement, type Displacement } from './contest.js';
import type { Delegation } from './delegation.js';
import type { ServiceEndpoints } from './endpoints.js';
import { more, refusal, type Judgement } from './judgement.js';
import type { PolicyIndex } from './policies.js';
import type { RouteParent } from './route-source.js';
import { namesPort, type PooledService } from './services.js';
import type { CompiledRoute } from './traffic-route.js';

/** What routes are judged by. */
export interface RouteContext {
  readonly world: World;
  readonly pooled: ReadonlyMap<string, PooledService>;
  /** Hosts that routes are attached to, under the keys of parents. */
  readonly hosts: ReadonlyMap<string, PooledService>;
  readonly endpoints: ReadonlyMap<string, ServiceEndpoints>;
  readonly delegation: Delegation;
  readonly capture: Capture;
  readonly policies: PolicyIndex;
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

const pooledAt = (
  ref: ObjectRef,
  { pooled, hosts }: Pick<RouteContext, 'pooled' | 'hosts'>,
): PooledService | undefined => (ref.kind === 'Host' ? hosts : pooled).get(keyOf(ref));

/** Services that a route is attached to itself, or through the routes whose rules it attaches to. */
export function servicesOf(route: CompiledRoute, context: RouteContext): readonly PooledService[] {
  const own = route.parents.flatMap(({ ref }) => (ref.kind === 'TrafficRoute' ? [] : (pooledAt(ref, context) ?? [])));
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
export function parentFinding(route: CompiledRoute, parent: RouteParent, context: RouteContext): Judgement {
  if (parent.ref.kind === 'TrafficRoute') return delegatedFinding(route, parent, context);
  return parent.ref.kind === 'Host' ? hostFinding(route, parent, context) : serviceFinding(route, parent, context);
}

/** Whether a route may be attached to a host. */
const isPermitted = ({ ref }: CompiledRoute, parent: RouteParent, { policies }: RouteContext): boolean =>
  refusalOfHost(claimsIn(policies), { host: parent.ref.name, namespace: ref.namespace, path: '' }) === undefined;

/** Why a route has no host at a parent: it may not, or nobody says on which port the host is called. */
function missingHost(route: CompiledRoute, parent: RouteParent, { policies }: RouteContext): Judgement {
  if (parent.problem !== undefined) return { ...refusal(parent.problem), parent: parent.index };
  const path = `spec.parentRefs[${String(parent.index)}].name`;
  const use = { host: parent.ref.name, namespace: route.ref.namespace, path };
  const refused = refusalOfHost(claimsIn(policies), use);
  if (refused !== undefined) return { ...refusal(refused), parent: parent.index };
  return noParent(parent, 'port', `No policy lists ${describeRef(parent.ref)} with \`protocol: HTTP\`; set \`port\``);
}

const rolesOnHosts = { own: 'callers of its namespace', mesh: 'all callers' } as const;

/** How messages say that a route counts at a parent. */
function attachedAs({ ref }: CompiledRoute, { ref: to }: RouteParent): string {
  if (to.kind === 'Host') {
    const role = ref.namespace === systemNamespace ? rolesOnHosts.mesh : rolesOnHosts.own;
    return `Attached to ${describeRef(to)} for ${role}`;
  }
  return `Attached to ${describeRef(to)} as ${ref.namespace === to.namespace ? 'producer' : 'consumer'} route`;
}

function hostFinding(route: CompiledRoute, parent: RouteParent, context: RouteContext): Judgement {
  const isThere = (pooledAt(parent.ref, context)?.model.ports.length ?? 0) > 0 && parent.problem === undefined;
  return isThere && isPermitted(route, parent, context)
    ? serviceFinding(route, parent, context)
    : missingHost(route, parent, context);
}

function serviceFinding(route: CompiledRoute, parent: RouteParent, context: RouteContext): Judgement {
  const pooled = pooledAt(parent.ref, context);
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
  return { ...common, status: 'True', reason: 'Accepted', message: attachedAs(route, parent) };
}

/** Ports of a parent where the route has no say, while it has at others. */
export function lostInPart(route: CompiledRoute, parent: RouteParent, context: RouteContext): readonly Displacement[] {
  const pooled = pooledAt(parent.ref, context);
  if (pooled === undefined) return [];
  const displaced = displacementsAt(route, parent, pooled);
  const ports = pooled.model.ports.filter((port) => namesPort(parent, port));
  return displaced.length < ports.length ? displaced : [];
}
