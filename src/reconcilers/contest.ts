// Whose routes count at a port. The oldest route of the Service's own namespace says what is spoken there, a TrafficRoute
// displaces routes of the Gateway API, and who wants something else is told.

import { idOf, keyOf, type ObjectRef } from '../api/meta.js';
import type { ServicePort } from '../kinds/world.js';
import { memoised } from '../lib/memo.js';
import type { Protocol } from '../model/mesh.js';
import { compareText } from './precedence.js';
import { effectiveProtocol, suits } from './protocol.js';
import type { CompiledRoute, RouteParent } from './traffic-route.js';

/** A route at one of its parents. */
export interface Attachment {
  readonly route: CompiledRoute;
  readonly parent: RouteParent;
}

/** Why a route has no say. */
export type Cause =
  /** A TrafficRoute counts more. */
  | { readonly kind: 'owned'; readonly by: ObjectRef }
  /** A route that comes first made the port speak something else. */
  | { readonly kind: 'spoken'; readonly by: ObjectRef; readonly isOlder: boolean; readonly protocol: Protocol }
  /** The port speaks something else, and another namespace cannot change that. */
  | { readonly kind: 'foreign' };

/** A route that has no say at a port. */
export interface Displacement extends Attachment {
  readonly port: number;
  readonly cause: Cause;
}

/** The attachment of a route to a parent; one object for each pair. */
export const attachment = memoised((route: CompiledRoute, parent: RouteParent): Attachment => ({ route, parent }));

/** Oldest first, whatever order the objects came in. */
export const byAge = (left: Attachment, right: Attachment): number =>
  compareText(left.route.created, right.route.created) ||
  compareText(keyOf(left.route.ref), keyOf(right.route.ref)) ||
  compareText(idOf(left.route.ref), idOf(right.route.ref)) ||
  left.parent.index - right.parent.index;

const isOurs = ({ route }: Attachment): boolean => route.ref.kind === 'TrafficRoute';

/** Routes of one role at a port, oldest first, with those that lost. */
interface Contest {
  readonly kept: readonly CompiledRoute[];
  readonly displaced: readonly Displacement[];
}

/** The first TrafficRoute, or else the first of all. */
const firstOf = (attachments: readonly Attachment[]): Attachment | undefined =>
  attachments.find(isOurs) ?? attachments[0];

/** TrafficRoutes displace HTTPRoutes of the same role, and among them all hold to the protocol of the first. */
function contest(attachments: readonly Attachment[], port: number, protocol: Protocol): Contest {
  const first = firstOf(attachments);
  if (first === undefined) return { kept: [], displaced: [] };
  const { ref: by, created, protocol: wanted } = first.route;
  const causeFor = ({ route }: Attachment): Cause | undefined => {
    if (isOurs(first) && route.ref.kind !== 'TrafficRoute') return { kind: 'owned', by };
    if (route.protocol === wanted) return undefined;
    return { kind: 'spoken', by, isOlder: compareText(created, route.created) < 0, protocol };
  };
  const judged = attachments.map((one) => ({ ...one, cause: causeFor(one) }));
  return {
    kept: judged.flatMap(({ route, cause }) => (cause === undefined ? [route] : [])),
    displaced: judged.flatMap(({ cause, ...one }) => (cause === undefined ? [] : [{ ...one, port, cause }])),
  };
}

/** The routes that count at a port. */
export interface Contested {
  readonly protocol: Protocol;
  readonly producers: readonly CompiledRoute[];
  /** By namespace, sorted. */
  readonly consumers: ReadonlyMap<string, readonly CompiledRoute[]>;
  readonly displaced: readonly Displacement[];
}

/** Sorts out who counts at a port of a Service of this namespace; `attachments` are oldest first. */
export function contestPort(namespace: string, port: ServicePort, attachments: readonly Attachment[]): Contested {
  const own = attachments.filter(({ route }) => route.ref.namespace === namespace);
  const foreign = attachments.filter(({ route }) => route.ref.namespace !== namespace);
  const protocol = effectiveProtocol(port, { route: firstOf(own)?.route.protocol });
  const suited = foreign.filter(({ route }) => suits(route.protocol, protocol));
  const unsuited = foreign.filter(({ route }) => !suits(route.protocol, protocol));
  const namespaces = [...new Set(suited.map(({ route }) => route.ref.namespace))].sort();
  const produced = contest(own, port.port, protocol);
  const consumed = namespaces.map((name) => {
    const ofNamespace = suited.filter(({ route }) => route.ref.namespace === name);
    return { name, ...contest(ofNamespace, port.port, protocol) };
  });
  return {
    protocol,
    producers: produced.kept,
    consumers: new Map(consumed.map(({ name, kept }) => [name, kept])),
    displaced: [
      ...unsuited.map((one): Displacement => ({ ...one, port: port.port, cause: { kind: 'foreign' } })),
      ...produced.displaced,
      ...consumed.flatMap(({ displaced }) => displaced),
    ],
  };
}
