// Services with the rules of all routes that attach to them: who counts at which port, and for which callers.

import { idOf, keyOf, type ObjectKey, type ObjectRef } from '../api/meta.js';
import type { Service, ServicePort, Table } from '../kinds/world.js';
import { createInterner } from '../lib/intern.js';
import { memoised, memoisedList } from '../lib/memo.js';
import { isHttp, type HostRules, type PortModel, type Rule, type ServiceModel, type Subset } from '../model/mesh.js';
import type { PolicyIndex } from './policies.js';
import { servicePoliciesOf } from './policies-in-force.js';
import type { PolicyAttachment } from './policy.js';
import { pool, type Overlap } from './pool.js';
import { compareText } from './precedence.js';
import { protocolOf } from './protocol.js';
import type { CompiledRoute, RouteParent } from './traffic-route.js';

/** A route at one of its parents. */
export interface Attachment {
  readonly route: CompiledRoute;
  readonly parent: RouteParent;
}

/** A route that has no say at a port. */
export interface Displacement extends Attachment {
  readonly port: number;
  /** The TrafficRoute that owns the port; absent: the port is not HTTP, and the route may not change that. */
  readonly by?: ObjectRef;
}

/** A Service with what was found out about the routes on it. */
export interface PooledService {
  readonly model: ServiceModel;
  readonly displacements: readonly Displacement[];
  readonly overlaps: readonly Overlap[];
  /** Rules that can match at some port, for some callers. */
  readonly live: ReadonlySet<Rule>;
}

const none: readonly never[] = [];

/** Attachments by Service; routes that nothing attaches to are not there. */
export function attachmentsOf(routes: readonly CompiledRoute[]): ReadonlyMap<ObjectKey, readonly Attachment[]> {
  const byService = new Map<ObjectKey, Attachment[]>();
  for (const route of routes) {
    for (const parent of route.parents) {
      const key = keyOf(parent.ref);
      const list = byService.get(key) ?? [];
      list.push(attachment(route, parent));
      byService.set(key, list);
    }
  }
  for (const list of byService.values()) list.sort(byAge);
  return byService;
}

const attachment = memoised((route: CompiledRoute, parent: RouteParent): Attachment => ({ route, parent }));

/** Oldest first, whatever order the objects came in. */
const byAge = (left: Attachment, right: Attachment): number =>
  compareText(left.route.created, right.route.created) ||
  compareText(keyOf(left.route.ref), keyOf(right.route.ref)) ||
  compareText(idOf(left.route.ref), idOf(right.route.ref)) ||
  left.parent.index - right.parent.index;

/** Whether a parent names this port. */
export const namesPort = (parent: RouteParent, port: { readonly port: number; readonly name: string }): boolean =>
  (parent.port === undefined || parent.port === port.port) &&
  (parent.sectionName === undefined || parent.sectionName === port.name);

interface Contest {
  readonly kept: readonly Attachment[];
  readonly displaced: readonly Displacement[];
}

const isOurs = ({ route }: Attachment): boolean => route.ref.kind === 'TrafficRoute';

/** TrafficRoutes on a port displace HTTPRoutes of the same role there. */
function preferOurs(attachments: readonly Attachment[], port: number): Contest {
  const owner = attachments.find(isOurs);
  if (owner === undefined) return { kept: attachments, displaced: none };
  const { ref } = owner.route;
  return {
    kept: attachments.filter(isOurs),
    displaced: attachments.filter((one) => !isOurs(one)).map((one) => ({ ...one, port, by: ref })),
  };
}

/** A route of the Service's own namespace says what is spoken, unless the port itself says more. */
const httpOr = (protocol: PortModel['protocol']): PortModel['protocol'] =>
  isHttp(protocol) && protocol !== 'auto' ? protocol : 'http';

interface PooledPort extends Omit<PooledService, 'model'> {
  readonly model: PortModel;
}

/** Callers of a namespace with routes of its own get those instead of the producer's, as a whole. */
function poolPort(service: Service, port: ServicePort, inputs: PortInputs): PooledPort {
  const { namespace } = service.meta;
  const here = inputs.attachments.filter(({ parent }) => namesPort(parent, port));
  const producers = here.filter(({ route }) => route.ref.namespace === namespace);
  const consumers = here.filter(({ route }) => route.ref.namespace !== namespace);
  const declared = protocolOf(port);
  const protocol = producers.length > 0 ? httpOr(declared) : declared;
  const displaced: Displacement[] = isHttp(protocol) ? [] : consumers.map((one) => ({ ...one, port: port.port }));
  const namespaces = isHttp(protocol) ? [...new Set(consumers.map(({ route }) => route.ref.namespace))].sort() : [];
  const role = (own: readonly Attachment[]) => {
    const contest = preferOurs(own, port.port);
    displaced.push(...contest.displaced);
    return pool(contest.kept.map(({ route }) => route));
  };
  const produced = role(producers);
  const consumed = namespaces.map((name) => ({
    name,
    ...role(consumers.filter(({ route }) => route.ref.namespace === name)),
  }));
  const pools = [produced, ...consumed];
  return {
    model: {
      port: port.port,
      name: port.name,
      protocol,
      hosts: produced.hosts,
      consumers: new Map<string, readonly HostRules[]>(consumed.map(({ name, hosts }) => [name, hosts])),
      subsets: inputs.uses.subsets,
      keepsEndpoints: inputs.uses.keepsEndpoints,
      policies: servicePoliciesOf(inputs.policies(port)),
    },
    displacements: displaced,
    overlaps: pools.flatMap(({ overlaps }) => overlaps),
    live: new Set(pools.flatMap(({ live }) => [...live])),
  };
}

interface PortInputs {
  readonly attachments: readonly Attachment[];
  readonly uses: ServiceUses;
  readonly policies: (port: ServicePort) => readonly PolicyAttachment[];
}

/** Policies on the ports of a Service, in their order. */
type PoliciesOfPorts = readonly (readonly PolicyAttachment[])[];

type PoolInput = Attachment | ServiceUses | PoliciesOfPorts[number];

const isPolicies = (input: PoolInput): input is PoliciesOfPorts[number] => Array.isArray(input);
const isAttachment = (input: PoolInput): input is Attachment => 'route' in input;
const isUses = (input: PoolInput): input is ServiceUses => 'subsets' in input;

const poolService = memoisedList((service: Service, inputs: readonly PoolInput[]): PooledService => {
  // A route without a rule in force is not there: what it would have displaced stays.
  const attachments = inputs.filter(isAttachment).filter(({ route }) => route.rules.length > 0);
  const uses = inputs.find(isUses) ?? noUses;
  const ofPorts = inputs.filter(isPolicies);
  const policies = (port: ServicePort) => ofPorts[service.ports.indexOf(port)] ?? none;
  const ref: ObjectRef = { kind: 'Service', namespace: service.meta.namespace, name: service.meta.name };
  const ports = service.ports
    .filter((port) => port.protocol === 'TCP')
    .map((port) => poolPort(service, port, { attachments, uses, policies }));
  const origin = { ref, generation: service.meta.generation };
  return {
    model: { ref, origin, addresses: service.clusterIPs, ports: ports.map(({ model }) => model) },
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
export function usesOf(routes: readonly CompiledRoute[]): ReadonlyMap<ObjectKey, ServiceUses> {
  const found = new Map<ObjectKey, Use[]>();
  for (const use of routes.flatMap(usesOfRoute)) {
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

const usesOfRoute = memoised((route: CompiledRoute): readonly Use[] =>
  route.rules.flatMap(({ rule }) => {
    const keepsEndpoints = rule.features.some((feature) => feature.keepsEndpoint);
    return rule.backends.flatMap((backend) => {
      if (backend.kind === 'invalid') return [];
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
}

/** All Services of a World with their rules. */
export function poolServices(table: Table<Service>, inputs: PoolInputs): ReadonlyMap<ObjectKey, PooledService> {
  const services = new Map<ObjectKey, PooledService>();
  for (const [key, service] of table) {
    if (service.type === 'ExternalName') continue;
    const uses = inputs.uses.get(key);
    const attachments = inputs.attachments.get(key) ?? none;
    const policies = service.ports.map((port) => inputs.policies.reachingService(key, port.name));
    services.set(key, poolService(service, [...attachments, ...(uses === undefined ? none : [uses]), ...policies]));
  }
  return services;
}
