// Whether one object may refer to another, and what it finds there. Every reference kind goes through here.

import { describeRef, group, keyOf, type ObjectRef } from '../api/meta.js';
import { err, ok, type Problem, type Result } from '../lib/result.js';
import type { ReferenceGrant } from '../kinds/reference-grant.js';
import type { Service, World } from '../kinds/world.js';
import { memoised } from '../lib/memo.js';
import type { PolicyInForce, Target } from '../model/mesh.js';

/** A reference to a port of a Service, as written. */
export interface ServiceReference {
  readonly namespace: string;
  readonly name: string;
  readonly port: number | undefined;
  readonly path: string;
}

/** The part of the World that decides a reference. */
export interface ServiceReferents {
  readonly service: (key: string) => Service | undefined;
  readonly grants: readonly ReferenceGrant[];
}

/** The same for a rule, which also asks what policies say of calls to a port of a Service. */
export interface Referents extends ServiceReferents {
  readonly policiesOf: (target: Target) => readonly PolicyInForce[];
  /** By path: references that are wrong as they are written. */
  readonly wrong: ReadonlyMap<string, Problem>;
}

/** All of a World that decides references. */
export const referentsOf = memoised(
  (services: World['services'], grants: World['referenceGrants']): ServiceReferents => ({
    service: (key) => services.get(key),
    grants: [...grants.values()],
  }),
);

const groupOf = (ref: ObjectRef): string =>
  ref.kind === 'HTTPRoute' || ref.kind === 'GRPCRoute' ? 'gateway.networking.k8s.io' : group;

/** Whether a grant in the target's namespace lets `from` refer to a Service there. */
export function isPermitted(
  from: ObjectRef,
  to: { namespace: string; name: string },
  grants: readonly ReferenceGrant[],
): boolean {
  if (from.namespace === to.namespace) return true;
  return grants.some(
    ({ meta, spec }) =>
      meta.namespace === to.namespace &&
      spec.from.some(
        (one) => one.group === groupOf(from) && one.kind === from.kind && one.namespace === from.namespace,
      ) &&
      spec.to.some(
        (one) => one.group === '' && one.kind === 'Service' && (one.name === undefined || one.name === to.name),
      ),
  );
}

/** Whether a rule that hands on to these namespaces admits a route; its own namespace always may. */
export const isAdmitted = (from: ObjectRef, to: { namespace: string }, namespaces: readonly string[]): boolean =>
  from.namespace === to.namespace || namespaces.includes('*') || namespaces.includes(from.namespace);

const refuse = (path: string, reason: string, message: string): Result<never, Problem> =>
  err({ path, reason, message });

/** What a reference names, or why it names nothing. Existence in other namespaces shows only to those permitted. */
export function resolveService(
  from: ObjectRef,
  to: ServiceReference,
  referents: ServiceReferents,
): Result<Target, Problem> {
  const ref: ObjectRef = { kind: 'Service', namespace: to.namespace, name: to.name };
  if (!isPermitted(from, to, referents.grants)) {
    const message = `${describeRef(ref)} is in another namespace and no ReferenceGrant there allows ${from.kind} from '${from.namespace}'`;
    return refuse(to.path, 'RefNotPermitted', message);
  }
  const service = referents.service(keyOf(ref));
  if (service === undefined) return refuse(to.path, 'BackendNotFound', `${describeRef(ref)} does not exist`);
  if (service.type === 'ExternalName') {
    return refuse(
      to.path,
      'InvalidKind',
      `${describeRef(ref)} is of type ExternalName, which has no endpoints to send to`,
    );
  }
  const usable = service.ports.filter((port) => port.protocol === 'TCP');
  const ports = usable.map((port) => String(port.port)).join(', ');
  if (to.port === undefined)
    return refuse(to.path, 'PortNotFound', `\`port\` must be set for ${describeRef(ref)} (ports: ${ports})`);
  if (!usable.some((port) => port.port === to.port)) {
    return refuse(to.path, 'PortNotFound', `${describeRef(ref)} has no port ${String(to.port)} (ports: ${ports})`);
  }
  return ok({ namespace: to.namespace, name: to.name, port: to.port });
}

/** The same for a reference of a rule, which may be wrong as it is written. */
export function resolveReference(from: ObjectRef, to: ServiceReference, referents: Referents): Result<Target, Problem> {
  const wrong = referents.wrong.get(to.path);
  return wrong === undefined ? resolveService(from, to, referents) : err(wrong);
}
