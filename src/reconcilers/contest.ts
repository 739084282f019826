// Which routes have a say where several of one role attach to a port: one kind and one protocol has it.

import { describeRef, type ObjectRef } from '../api/meta.js';
import type { RouteTree } from './delegation.js';
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
  /** The route that owns the port; absent: the port is not HTTP, and the route may not change that. */
  readonly by?: ObjectRef;
}

/** Who has a say at a port, and who has not. */
export interface Contest {
  readonly kept: readonly Attachment[];
  readonly displaced: readonly Displacement[];
}

const isOurs = ({ route }: Attachment): boolean => route.ref.kind === 'TrafficRoute';

function reasonOver(owner: Attachment, loser: Attachment): Displacement['reason'] {
  if (!isOurs(owner)) return 'Conflicted';
  return isOurs(loser) ? 'ProtocolMismatch' : 'OverriddenByTrafficRoute';
}

/**
 * Routes of one role on one port, oldest first. A TrafficRoute displaces what is not one, and of two protocols the older
 * stays; a GRPCRoute displaces HTTPRoutes, as Gateway API orders its kinds for meshes.
 */
export function settle(attachments: readonly Attachment[], port: number): Contest {
  const isGrpc = ({ route }: Attachment): boolean => route.protocol === 'GRPC';
  const owner = attachments.find(isOurs) ?? attachments.find(isGrpc) ?? attachments[0];
  if (owner === undefined) return { kept: [], displaced: [] };
  const isKept = (one: Attachment): boolean =>
    isOurs(one) === isOurs(owner) && one.route.protocol === owner.route.protocol;
  return {
    kept: attachments.filter(isKept),
    displaced: attachments
      .filter((one) => !isKept(one))
      .map((one) => ({ ...one, port, reason: reasonOver(owner, one), by: owner.route.ref })),
  };
}

/** Why a route has no say at a port. */
export function describeDisplacement({ by, parent, port, reason, route }: Displacement): string {
  const service = describeRef(parent.ref);
  if (by === undefined)
    return `Port ${String(port)} of ${service} is not HTTP; only its own namespace '${parent.ref.namespace}' can make it HTTP`;
  if (reason === 'OverriddenByTrafficRoute') return `${describeRef(by)} owns ${service} port ${String(port)}`;
  if (reason === 'Conflicted')
    return `${describeRef(by)} owns ${service} port ${String(port)}; a GRPCRoute comes before an ${route.ref.kind}`;
  const spoken = route.protocol === 'GRPC' ? 'HTTP' : 'GRPC';
  return `Port ${String(port)} of ${service} is ${spoken} by ${describeRef(by)} (older)`;
}
