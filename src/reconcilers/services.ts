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
import { claimsIn, refusalOfHost } from './claims.js';
import { preferenceOf } from './places.js';
import type { PolicyIndex } from './policies.js';
import { servicePoliciesOf } from './policies-in-force.js';
import type { PolicyAttachment } from './policy.js';
import { pool, type Overlap } from './pool.js';
import { compareText } from './precedence.js';
import type { RouteParent } from './route-source.js';
import type { CompiledRule } from './rule.js';
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

/** Attachments by Service, and by host as `/host`; routes that nothing attaches to are not there. */
export function attachmentsOf(
  routes: readonly CompiledRoute[],
  delegation: Delegation,
): ReadonlyMap<ObjectKey, readonly Attachment[]> {
  const byService = new Map<ObjectKey, Attachment[]>();
  for (const route of routes) {
    for (const parent of route.parents) {
      if (parent.ref.kind === 'TrafficRoute') continue;
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
      subsets: inputs.uses.subsets,
      keepsEndpoints: inputs.uses.keepsEndpoints,
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
  readonly uses: ServiceUses;
  readonly policies: (port: ServicePort) => readonly PolicyAttachment[];
}

/** Policies on the ports of a Service, in their order. */
type PoliciesOfPorts = readonly (readonly PolicyAttachment[])[];

/** What one Service is pooled from. */
type PoolInput = Attachment | ServiceUses | InstanceList | PoliciesOfPorts[number];

const isPolicies = (input: PoolInput): input is PoliciesOfPorts[number] => Array.isArray(input);
const isAttachment = (input: PoolInput): input is Attachment => 'route' in input;
const isUses = (input: PoolInput): input is ServiceUses => 'subsets' in input;

const poolService = memoisedList((service: Service, inputs: readonly PoolInput[]): PooledService => {
  // A route without a rule in force is not there: what it would have displaced stays.
  const attachments = inputs.filter(isAttachment).filter(({ route }) => route.rules.length > 0);
  const uses = inputs.find(isUses) ?? noUses;
  const instances = inputs.flatMap((input) => ('instances' in input ? input.instances : []));
  const ofPorts = inputs.filter(isPolicies);
  const policies = (port: ServicePort) => ofPorts[service.ports.indexOf(port)] ?? none;
  const ref: ObjectRef = { kind: 'Service', namespace: service.meta.namespace, name: service.meta.name };
  const ports = service.ports
    .filter((port) => port.protocol === 'TCP')
    .map((port) => poolPort(service, port, { attachments, uses, policies }));
  const origin = { ref, generation: service.meta.generation };
  return {
    model: {
      ...{ ref, origin, addresses: service.clusterIPs, externalName: service.externalName },
      ports: ports.map(({ model }) => model),
      instances,
    },
    displacements: ports.flatMap(({ displacements }) => displacements),
    overlaps: ports.flatMap(({ overlaps }) => overlaps),
    live: new Set(ports.flatMap(({ live }) => [...live])),
  };
});

/** What the rules of the mesh want of one Service. */
export interface ServiceUses {
  readonly subsets: readonly Subset[];
  readonly keepsEndpoints: boolean;
}

/** What a rule wants of a Service that it sends to. */
interface Use {
  readonly service: ObjectKey;
  readonly subset: Subset | undefined;
  readonly keepsEndpoints: boolean;
}

export const noUses: ServiceUses = { subsets: [], keepsEndpoints: false };

const internUses = createInterner<ServiceUses>(10_000);

/** What the rules of the mesh want of Services; equal uses are one object, and plain ones are not there. */
export function usesOf(routes: readonly CompiledRoute[], delegation: Delegation): ReadonlyMap<ObjectKey, ServiceUses> {
  const found = new Map<ObjectKey, Use[]>();
  for (const use of routes.flatMap((route) => usesOfRoute(route, rulesAbove(route, delegation)))) {
    const list = found.get(use.service) ?? [];
    list.push(use);
    found.set(use.service, list);
  }
  return new Map([...found].map(([key, uses]) => [key, joinedUses(uses)]));
}

function joinedUses(uses: readonly Use[]): ServiceUses {
  const subsets = new Map(uses.flatMap(({ subset }) => (subset === undefined ? [] : [[subsetKey(subset), subset]])));
  const sorted = [...subsets].sort(([left], [right]) => compareText(left, right));
  const keepsEndpoints = uses.some((use) => use.keepsEndpoints);
  const key = [String(keepsEndpoints), ...sorted.map(([text]) => text)].join('\n');
  return internUses(key, () => ({ subsets: sorted.map(([, subset]) => subset), keepsEndpoints }));
}

/** A text that is equal for equal labels. */
export const subsetKey = (subset: Subset): string =>
  JSON.stringify(Object.entries(subset).sort(([left], [right]) => compareText(left, right)));

/** Rules whose requests the rules of a route may take, with what those set. */
const rulesAbove = (route: CompiledRoute, delegation: Delegation): readonly CompiledRule[] =>
  delegation.descentOf(route).above.flatMap(({ to, rule }) => [rule, ...rulesAbove(to, delegation)]);

const keepsEndpoint = ({ rule }: CompiledRule): boolean => rule.features.some((feature) => feature.keepsEndpoint);

/** What the rules above keep, those of the route may inherit. */
const usesOfRoute = memoisedList((route: CompiledRoute, above: readonly CompiledRule[]): readonly Use[] =>
  route.rules.flatMap((compiled) => {
    const { rule } = compiled;
    const keepsEndpoints = [compiled, ...above].some(keepsEndpoint);
    return rule.backends.flatMap((backend) => {
      if (backend.kind !== 'service') return [];
      const { subset } = backend.target;
      return subset === undefined && !keepsEndpoints
        ? []
        : [{ service: keyOf(backend.target), subset, keepsEndpoints }];
    });
  }),
);

/** What Services are pooled from. */
export interface PoolInputs {
  readonly attachments: ReadonlyMap<ObjectKey, readonly Attachment[]>;
  readonly uses: ReadonlyMap<ObjectKey, ServiceUses>;
  readonly policies: PolicyIndex;
  readonly instances: ReadonlyMap<Service, InstanceList>;
}

/** Whether a Service stands for a host that its namespace may not use. */
const isKept = ({ externalName = '', meta }: Service, policies: PolicyIndex): boolean =>
  externalName === '' ||
  refusalOfHost(claimsIn(policies), { host: externalName, namespace: meta.namespace, path: '' }) !== undefined;

/** All Services of a World with their rules. */
export function poolServices(table: Table<Service>, inputs: PoolInputs): ReadonlyMap<ObjectKey, PooledService> {
  const services = new Map<ObjectKey, PooledService>();
  for (const [key, service] of table) {
    if (service.type === 'ExternalName' && isKept(service, inputs.policies)) continue;
    const lists = [inputs.uses.get(key), inputs.instances.get(service)].filter((list) => list !== undefined);
    const attachments = inputs.attachments.get(key) ?? none;
    const policies = service.ports.map((port) => inputs.policies.reachingService(key, port.name));
    services.set(key, poolService(service, [...attachments, ...lists, ...policies]));
  }
  return services;
}
