// Services with the rules of all routes that attach to them: who counts at which port, and for which callers.

import { keyOf, type ObjectKey, type ObjectRef } from '../api/meta.js';
import type { Service, ServicePort, Table } from '../kinds/world.js';
import { createInterner } from '../lib/intern.js';
import { memoised, memoisedList } from '../lib/memo.js';
import type { Origin } from '../model/delivery.js';
import type { HostRules, PortModel, ServiceModel, ServicePolicies, Subset } from '../model/mesh.js';
import { attachment, byAge, contestPort, type Attachment, type Displacement } from './contest.js';
import type { Delegation } from './delegation.js';
import type { InstanceList } from './instances.js';
import { preferenceOf } from './places.js';
import type { PolicyIndex } from './policies.js';
import { servicePoliciesOf } from './policies-in-force.js';
import type { PolicyAttachment } from './policy.js';
import { pool, type Overlap } from './pool.js';
import { compareText } from './precedence.js';
import type { RouteParent } from './route-source.js';
import type { CompiledRoute } from './traffic-route.js';

/** A Service with what was found out about the routes on it. */
export interface PooledService {
  readonly model: ServiceModel;
  readonly displacements: readonly Displacement[];
  readonly overlaps: readonly Overlap[];
  /** Origins of rules that can match at some port, for some callers. */
  readonly live: ReadonlySet<Origin>;
}

const none: readonly never[] = [];

/** Attachments by Service; routes that nothing attaches to are not there. */
export function attachmentsOf(
  routes: readonly CompiledRoute[],
  delegation: Delegation,
): ReadonlyMap<ObjectKey, readonly Attachment[]> {
  const byService = new Map<ObjectKey, Attachment[]>();
  for (const route of routes) {
    for (const parent of route.parents) {
      if (parent.ref.kind !== 'Service') continue;
      const key = keyOf(parent.ref);
      const list = byService.get(key) ?? [];
      list.push(attachment(delegation.treeOf(route), parent));
      byService.set(key, list);
    }
  }
  for (const list of byService.values()) list.sort(byAge);
  return byService;
}

/** Whether a parent names this port. */
export const namesPort = (parent: RouteParent, port: { readonly port: number; readonly name: string }): boolean =>
  (parent.port === undefined || parent.port === port.port) &&
  (parent.sectionName === undefined || parent.sectionName === port.name);

interface PooledPort extends Omit<PooledService, 'model'> {
  readonly model: PortModel;
}

/** Callers of a namespace with routes of its own get those instead of the producer's, as a whole. */
function poolPort(service: Service, port: ServicePort, inputs: PortInputs): PooledPort {
  const here = inputs.attachments.filter(({ parent }) => namesPort(parent, port));
  const { protocol, producers, consumers, displaced } = contestPort(service.meta.namespace, port, here);
  const produced = pool(producers);
  const consumed = [...consumers].map(([name, routes]) => ({ name, ...pool(routes) }));
  const pools = [produced, ...consumed];
  const policies = policiesAt(port, servicePoliciesOf(inputs.policies(port)));
  const preference = preferenceOf(service, policies);
  return {
    model: {
      port: port.port,
      name: port.name,
      protocol,
      hosts: produced.hosts,
      consumers: new Map<string, readonly HostRules[]>(consumed.map(({ name, hosts }) => [name, hosts])),
      subsets: inputs.subsets,
      policies,
      ...(preference === undefined ? {} : { preference }),
    },
    displacements: displaced,
    overlaps: pools.flatMap(({ overlaps }) => overlaps),
    live: new Set(pools.flatMap(({ live }) => [...live])),
  };
}

/** What Envoy refuses on one port may be good on another: each has parts of its own. */
const policiesAt = memoised((_: ServicePort, policies: ServicePolicies): ServicePolicies => ({
  ...policies,
  inForce: policies.inForce.map((part) => ({ ...part })),
}));

interface PortInputs {
  readonly attachments: readonly Attachment[];
  readonly subsets: readonly Subset[];
  readonly policies: (port: ServicePort) => readonly PolicyAttachment[];
}

/** Policies on the ports of a Service, in their order. */
type PoliciesOfPorts = readonly (readonly PolicyAttachment[])[];

/** What one Service is pooled from. */
type PoolInput = Attachment | SubsetList | InstanceList | PoliciesOfPorts[number];

const isPolicies = (input: PoolInput): input is PoliciesOfPorts[number] => Array.isArray(input);
const isAttachment = (input: PoolInput): input is Attachment => 'route' in input;

const poolService = memoisedList((service: Service, inputs: readonly PoolInput[]): PooledService => {
  // A route without a rule in force is not there: what it would have displaced stays.
  const attachments = inputs.filter(isAttachment).filter(({ route }) => route.rules.length > 0);
  const subsets = inputs.flatMap((input) => ('subsets' in input ? input.subsets : []));
  const instances = inputs.flatMap((input) => ('instances' in input ? input.instances : []));
  const ofPorts = inputs.filter(isPolicies);
  const policies = (port: ServicePort) => ofPorts[service.ports.indexOf(port)] ?? none;
  const ref: ObjectRef = { kind: 'Service', namespace: service.meta.namespace, name: service.meta.name };
  const ports = service.ports
    .filter((port) => port.protocol === 'TCP')
    .map((port) => poolPort(service, port, { attachments, subsets, policies }));
  const origin = { ref, generation: service.meta.generation };
  return {
    model: { ref, origin, addresses: service.clusterIPs, ports: ports.map(({ model }) => model), instances },
    displacements: ports.flatMap(({ displacements }) => displacements),
    overlaps: ports.flatMap(({ overlaps }) => overlaps),
    live: new Set(ports.flatMap(({ live }) => [...live])),
  };
});

/** Subsets of one Service. */
export interface SubsetList {
  readonly subsets: readonly Subset[];
}

const internSubsets = createInterner<SubsetList>(10_000);

/** Subsets that the rules of the mesh name, by Service; equal sets are one object. */
export function subsetsOf(routes: readonly CompiledRoute[]): ReadonlyMap<ObjectKey, SubsetList> {
  const found = new Map<ObjectKey, Map<string, Subset>>();
  for (const { service, subset } of routes.flatMap(subsetTargets)) {
    const ofService = found.get(service) ?? new Map<string, Subset>();
    found.set(service, ofService.set(subsetKey(subset), subset));
  }
  return new Map([...found].map(([key, ofService]) => [key, internedList(ofService)]));
}

function internedList(subsets: ReadonlyMap<string, Subset>): SubsetList {
  const sorted = [...subsets].sort(([left], [right]) => compareText(left, right));
  const key = sorted.map(([text]) => text).join('\n');
  return internSubsets(key, () => ({ subsets: sorted.map(([, subset]) => subset) }));
}

/** A text that is equal for equal labels. */
export const subsetKey = (subset: Subset): string =>
  JSON.stringify(Object.entries(subset).sort(([left], [right]) => compareText(left, right)));

const subsetTargets = memoised((route: CompiledRoute) =>
  route.rules.flatMap(({ rule }) =>
    rule.backends.flatMap((backend) =>
      backend.kind === 'service' && backend.target.subset !== undefined
        ? [{ service: keyOf(backend.target), subset: backend.target.subset }]
        : [],
    ),
  ),
);

/** What Services are pooled from. */
export interface PoolInputs {
  readonly attachments: ReadonlyMap<ObjectKey, readonly Attachment[]>;
  readonly subsets: ReadonlyMap<ObjectKey, SubsetList>;
  readonly policies: PolicyIndex;
  readonly instances: ReadonlyMap<Service, InstanceList>;
}

/** All Services of a World with their rules. */
export function poolServices(table: Table<Service>, inputs: PoolInputs): ReadonlyMap<ObjectKey, PooledService> {
  const services = new Map<ObjectKey, PooledService>();
  for (const [key, service] of table) {
    if (service.type === 'ExternalName') continue;
    const lists = [inputs.subsets.get(key), inputs.instances.get(service)].filter((list) => list !== undefined);
    const attachments = inputs.attachments.get(key) ?? none;
    const policies = service.ports.map((port) => inputs.policies.reachingService(key, port.name));
    services.set(key, poolService(service, [...attachments, ...lists, ...policies]));
  }
  return services;
}
