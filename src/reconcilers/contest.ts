// Whose routes count at a port. A route of the Service's own namespace says what is spoken there, one kind and one protocol
// has the say in each role, and who wants something else is told.

import { describeRef, idOf, keyOf } from '../api/meta.js';
import { isForConnections } from '../kinds/connection-rules.js';
import type { ServicePort } from '../kinds/world.js';
import { memoised } from '../lib/memo.js';
import type { Protocol } from '../model/mesh.js';
import type { RouteTree } from './delegation.js';
import { compareText } from './precedence.js';
import { effectiveProtocol, suits } from './protocol.js';
import type { RouteParent } from './route-source.js';
import type { CompiledRoute } from './traffic-route.js';

/** A route at one of its parents. */
export interface Attachment {
  readonly route: CompiledRoute;
  readonly parent: RouteParent;
  /** The route with those below its rules. */
  readonly tree: RouteTree;
}

/** A route that has no say at a port. */
export interface Displacement extends Attachment {
  readonly port: number;
  readonly reason: 'OverriddenByTrafficRoute' | 'ProtocolMismatch' | 'Conflicted';
  /** The route that owns the port; absent: the port speaks something else, and the route may not change that. */
  readonly by?: CompiledRoute;
}

/** The attachment of a route to a parent; one object for each pair. */
export const attachment = memoised((tree: RouteTree, parent: RouteParent): Attachment => ({
  route: tree.route,
  parent,
  tree,
}));

/** Oldest first, whatever order the objects came in. */
export const byAge = (left: Attachment, right: Attachment): number =>
  compareText(left.route.created, right.route.created) ||
  compareText(keyOf(left.route.ref), keyOf(right.route.ref)) ||
  compareText(idOf(left.route.ref), idOf(right.route.ref)) ||
  left.parent.index - right.parent.index;

const isOurs = ({ ref }: CompiledRoute): boolean => ref.kind === 'TrafficRoute';

/** The first TrafficRoute, or else the first GRPCRoute, as Gateway API orders its kinds for meshes, or the first of all. */
function ownerOf(attachments: readonly Attachment[]): CompiledRoute | undefined {
  const routes = attachments.map(({ route }) => route);
  return routes.find(isOurs) ?? routes.find(({ protocol }) => protocol === 'GRPC') ?? routes[0];
}

function reasonOver(owner: CompiledRoute, loser: CompiledRoute): Displacement['reason'] {
  if (!isOurs(owner)) return 'Conflicted';
  return isOurs(loser) ? 'ProtocolMismatch' : 'OverriddenByTrafficRoute';
}

/** Routes of one role at a port, oldest first, with those that lost. */
interface Contest {
  readonly kept: readonly RouteTree[];
  readonly displaced: readonly Displacement[];
}

/** TrafficRoutes displace what is not one, GRPCRoutes displace HTTPRoutes, and of two protocols the older stays. */
function contest(attachments: readonly Attachment[], port: number): Contest {
  const owner = ownerOf(attachments);
  if (owner === undefined) return { kept: [], displaced: [] };
  const isKept = ({ route }: Attachment): boolean =>
    isOurs(route) === isOurs(owner) && route.protocol === owner.protocol;
  return {
    kept: attachments.filter(isKept).map(({ tree }) => tree),
    displaced: attachments
      .filter((one) => !isKept(one))
      .map((one) => ({ ...one, port, reason: reasonOver(owner, one.route), by: owner })),
  };
}

/** The routes that count at a port. */
export interface Contested {
  readonly protocol: Protocol;
  readonly producers: readonly RouteTree[];
  /** By namespace, sorted. */
  readonly consumers: ReadonlyMap<string, readonly RouteTree[]>;
  readonly displaced: readonly Displacement[];
}

/** Sorts out who counts at a port of a Service of this namespace; `attachments` are oldest first. */
export function contestPort(namespace: string, port: ServicePort, attachments: readonly Attachment[]): Contested {
  const own = attachments.filter(({ route }) => route.ref.namespace === namespace);
  const foreign = attachments.filter(({ route }) => route.ref.namespace !== namespace);
  const protocol = effectiveProtocol(port, { route: ownerOf(own)?.protocol });
  const suited = foreign.filter(({ route }) => suits(route.protocol, protocol));
  const unsuited = foreign.filter(({ route }) => !suits(route.protocol, protocol));
  const namespaces = [...new Set(suited.map(({ route }) => route.ref.namespace))].sort();
  const produced = contest(own, port.port);
  const consumed = namespaces.map((name) => {
    const ofNamespace = suited.filter(({ route }) => route.ref.namespace === name);
    return { name, ...contest(ofNamespace, port.port) };
  });
  return {
    protocol,
    producers: produced.kept,
    consumers: new Map(consumed.map(({ name, kept }) => [name, kept])),
    displaced: [
      ...unsuited.map((one): Displacement => ({ ...one, port: port.port, reason: 'ProtocolMismatch' })),
      ...produced.displaced,
      ...consumed.flatMap(({ displaced }) => displaced),
    ],
  };
}

/** Why a route has no say at a port. */
export function describeDisplacement({ by, parent, port, reason, route }: Displacement): string {
  const service = describeRef(parent.ref);
  const place = `Port ${String(port)} of ${service}`;
  if (by === undefined) {
    const wanted = isForConnections(route) ? route.protocol : 'HTTP';
    return `${place} is not ${wanted}; only its own namespace '${parent.ref.namespace}' can make it ${wanted}`;
  }
  const owner = describeRef(by.ref);
  if (reason === 'OverriddenByTrafficRoute') return `${owner} owns ${service} port ${String(port)}`;
  if (reason === 'Conflicted')
    return `${owner} owns ${service} port ${String(port)}; a GRPCRoute comes before an ${route.ref.kind}`;
  const rank = compareText(by.created, route.created) < 0 ? 'older' : 'first by name';
  return `${place} is ${by.protocol} by ${owner} (${rank})`;
}
