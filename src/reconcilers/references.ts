// Whether one object may refer to another, and what it finds there. Every reference kind goes through here.

import { describeRef, group, keyOf, type ObjectRef } from '../api/meta.js';
import { err, ok, type Problem, type Result } from '../lib/result.js';
import type { ReferenceGrant } from '../kinds/reference-grant.js';
import type { Service, World } from '../kinds/world.js';
import { memoised } from '../lib/memo.js';
import type { HostBackend } from '../model/egress.js';
import { claimsIn, refusalOfHost } from './claims.js';
import type { PolicyIndex } from './policies.js';
import type { PolicyInForce, Target } from '../model/mesh.js';
import type { DeliveryLookup } from './live-weights.js';

/** A reference to a port of a Service, as written. */
export interface ServiceReference {
  readonly namespace: string;
  readonly name: string;
  readonly port: number | undefined;
  readonly path: string;
}

/** A reference to a port of a host outside of the cluster, as written. */
export interface HostReference {
  readonly host: string;
  readonly namespace: string;
  readonly port: number | undefined;
  readonly path: string;
}

/** The part of the World that decides a reference. */
export interface ServiceReferents {
  readonly service: (key: string) => Service | undefined;
  readonly grants: readonly ReferenceGrant[];
  /** Why a namespace may not use a host outside of the cluster. */
  readonly refusalOf: (use: Service | HostReference) => Problem | undefined;
}

/** The same for a rule, which also asks what policies say of calls to a port of a Service. */
export interface Referents extends ServiceReferents {
  readonly policiesOf: (target: Target) => readonly PolicyInForce[];
  readonly deliveryOf: DeliveryLookup;
  /** By path: references that are wrong as they are written. */
  readonly wrong: ReadonlyMap<string, Problem>;
}

/** The host that a Service of type ExternalName stands for. */
const hostOfService = ({ meta, externalName = '' }: Service) => ({
  host: externalName,
  namespace: meta.namespace,
  path: '',
});

/** All of a World that decides references. */
export const referentsOf = memoised(
  (services: World['services'], grants: World['referenceGrants'], policies: PolicyIndex): ServiceReferents => ({
    service: (key) => services.get(key),
    grants: [...grants.values()],
    refusalOf: (use) => refusalOfHost(claimsIn(policies), 'host' in use ? use : hostOfService(use)),
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
  const kept = service.externalName === undefined ? undefined : referents.refusalOf(service);
  if (kept !== undefined) return refuse(to.path, kept.reason, `${describeRef(ref)} leads outside: ${kept.message}`);
  const usable = service.ports.filter((port) => port.protocol === 'TCP');
  const ports = usable.map((port) => String(port.port)).join(', ');
  if (to.port === undefined)
    return refuse(to.path, 'PortNotFound', `\`port\` must be set for ${describeRef(ref)} (ports: ${ports})`);
  if (!usable.some((port) => port.port === to.port)) {
    return refuse(to.path, 'PortNotFound', `${describeRef(ref)} has no port ${String(to.port)} (ports: ${ports})`);
  }
  return ok({ namespace: to.namespace, name: to.name, port: to.port });
}

/** What a reference to a host means, or why it means nothing. */
export function resolveHost(to: HostReference, referents: Referents): Result<HostBackend, Problem> {
  const { host, namespace, port, path } = to;
  if (port === undefined) return refuse(path, 'PortNotFound', `\`port\` must be set for Host '${host}'`);
  const refused = referents.refusalOf(to);
  return refused === undefined ? ok({ host, namespace, port }) : err(refused);
}

/** The same for a reference of a rule, which may be wrong as it is written. */
export function resolveReference(from: ObjectRef, to: ServiceReference, referents: Referents): Result<Target, Problem> {
  const wrong = referents.wrong.get(to.path);
  return wrong === undefined ? resolveService(from, to, referents) : err(wrong);
}
