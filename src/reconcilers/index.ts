// World in, mesh and findings out. Pure. Every step is memoised by the tables that it reads, and within them
// by the objects: a change costs the steps that its table feeds, and in them the objects that it touches.

import { shutGates, type Gates } from '../kinds/gates.js';
import type { GRPCRoute, HTTPRoute } from '../kinds/gateway.js';
import type { TrafficRoute } from '../kinds/traffic-route.js';
import type { Service, Table, World } from '../kinds/world.js';
import { memoised } from '../lib/memo.js';
import type { Finding } from '../model/finding.js';
import type { Capture, MeshModel } from '../model/mesh.js';
import { arrivalsOf, type Arrivals } from './arrivals.js';
import { delegationOf, type Delegation } from './delegation.js';
import { egressIn, routedIn, type EgressOf } from './egress.js';
import { reconcileEndpoints, type ServiceEndpoints } from './endpoints.js';
import { findingsOf } from './findings.js';
import { hostModels, poolHosts } from './hosts.js';
import { placeRoutes } from './held-rules.js';
import { instancesIn, type InstanceList } from './instances.js';
import { indexPolicies, type PolicyIndex } from './policies.js';
import { modeOf, reconcileProxies, spokenIn, type Mode, type SpokenTable } from './proxies.js';
import { referentsOf, type ServiceReferents } from './references.js';
import { placingOf, preferencesIn, type PreferenceTable } from './places.js';
import { attachmentsOf, poolServices, usesOf, type PooledService, type ServiceUses } from './services.js';
import { sourcesOf } from './source.js';
import { compileRoute, type CompiledRoute, type Surroundings } from './traffic-route.js';

/** What a World means. */
export interface Reconciled {
  readonly model: MeshModel;
  readonly routes: readonly CompiledRoute[];
  readonly policies: PolicyIndex;
  readonly delegation: Delegation;
  /** Made when first asked for: nothing that is served depends on them. */
  readonly findings: readonly Finding[];
}

const targetsOf = memoised((services: World['services'], referenceGrants: World['referenceGrants']) => ({
  services,
  referenceGrants,
}));

const deliveriesOf = memoised((rollouts: World['rollouts'], canaries: World['canaries']) => ({ rollouts, canaries }));

const surroundingsOf = memoised(
  (
    targets: ReturnType<typeof targetsOf>,
    deliveries: ReturnType<typeof deliveriesOf>,
    policies: PolicyIndex,
  ): Surroundings => ({ ...targets, ...deliveries, policies }),
);

type RouteTables = Pick<World, 'trafficRoutes' | 'httpRoutes' | 'grpcRoutes'>;

const routeTables = memoised(
  (trafficRoutes: Table<TrafficRoute>, httpRoutes: Table<HTTPRoute>, grpcRoutes: Table<GRPCRoute>): RouteTables => ({
    trafficRoutes,
    httpRoutes,
    grpcRoutes,
  }),
);

const compileRoutes = memoised((tables: RouteTables, surroundings: Surroundings): readonly CompiledRoute[] =>
  [tables.trafficRoutes, tables.httpRoutes, tables.grpcRoutes].flatMap((table) =>
    [...table.values()].map((route) => compileRoute(route, surroundings)),
  ),
);

const sourcesIn = memoised((routes: readonly CompiledRoute[]) => sourcesOf(routes));

const usesIn = memoised((routes: readonly CompiledRoute[]) => usesOf(routes, delegationOf(routes)));

const attachmentsIn = memoised((routes: readonly CompiledRoute[]) => attachmentsOf(routes, delegationOf(routes)));

/** What Services are pooled with, besides routes. */
interface ServiceContext {
  readonly policies: PolicyIndex;
  readonly instances: ReadonlyMap<Service, InstanceList>;
}

const contextOf = memoised((policies: PolicyIndex, instances: ReadonlyMap<Service, InstanceList>): ServiceContext => ({
  policies,
  instances,
}));

const pooledServices = memoised((services: Table<Service>, routes: readonly CompiledRoute[], context: ServiceContext) =>
  poolServices(services, { attachments: attachmentsIn(routes), uses: usesIn(routes), ...context }),
);

const modelsOf = memoised(
  (pooled: ReadonlyMap<string, PooledService>): MeshModel['services'] =>
    new Map([...pooled].map(([key, one]) => [key, one.model])),
);

/** The tables that endpoints are made from. */
type EndpointTables = Pick<World, 'services' | 'endpointSlices' | 'pods' | 'nodes'>;

const podTables = memoised((pods: World['pods'], nodes: World['nodes']) => ({ pods, nodes }));

const endpointTables = memoised(
  (
    services: World['services'],
    endpointSlices: World['endpointSlices'],
    behind: Pick<World, 'pods' | 'nodes'>,
  ): EndpointTables => ({ services, endpointSlices, ...behind }),
);

const endpointsOf = memoised(
  (tables: EndpointTables, uses: ReadonlyMap<string, ServiceUses>, preferences: PreferenceTable) =>
    reconcileEndpoints(tables, uses, preferences),
);

const setsOf = memoised(
  (endpoints: ReadonlyMap<string, ServiceEndpoints>): MeshModel['endpoints'] =>
    new Map([...endpoints].map(([key, one]) => [key, one.sets])),
);

/** What is said of calls to pods, and by them. */
interface Said {
  readonly policies: PolicyIndex;
  readonly arrivals: Arrivals;
  readonly referents: ServiceReferents;
  readonly egressOf: EgressOf;
}

/** What pods may reach by name: providers, and hosts outside of the cluster. */
type Reach = Pick<Said, 'referents' | 'egressOf'>;

const reachOf = memoised((referents: ServiceReferents, egressOf: EgressOf): Reach => ({ referents, egressOf }));

const saidOf = memoised((policies: PolicyIndex, arrivals: Arrivals, reach: Reach): Said => ({
  policies,
  arrivals,
  ...reach,
}));

const nowhere: ServiceReferents = { service: () => undefined, grants: [], refusalOf: () => undefined };

/** Without providers, proxies do not depend on what Services there are. */
const providersIn = (policies: PolicyIndex, { services, referenceGrants }: World): ServiceReferents =>
  policies.policies.some(({ blocks }) => blocks.providers !== undefined)
    ? referentsOf(services, referenceGrants, policies)
    : nowhere;

/** What says on which ports pods are called, and how, with what is said of it. */
const callsOf = memoised((endpointSlices: World['endpointSlices'], spoken: SpokenTable, said: Said) => ({
  endpointSlices,
  spoken,
  ...said,
}));

const proxiesOf = memoised((behind: ReturnType<typeof podTables>, calls: ReturnType<typeof callsOf>, mode: Mode) =>
  reconcileProxies({ ...behind, ...calls }, mode),
);

/** Nodes are of no concern to proxies where no place counts. */
const noNodes: World['nodes'] = new Map();

/** What a mesh is compiled for. */
export interface ReconcileOptions {
  readonly capture: Capture;
  /** All are shut unless told otherwise. */
  readonly gates?: Gates;
}

/** Runs the whole compiler front end. */
export function reconcile(world: World, { capture, gates = shutGates }: ReconcileOptions): Reconciled {
  const { trafficRoutes, httpRoutes, grpcRoutes, services, referenceGrants } = world;
  const policies = indexPolicies(world.meshPolicies, gates);
  const tables = routeTables(trafficRoutes, httpRoutes, grpcRoutes);
  const deliveries = deliveriesOf(world.rollouts, world.canaries);
  const surroundings = surroundingsOf(targetsOf(services, referenceGrants), deliveries, policies);
  const routes = placeRoutes(compileRoutes(tables, surroundings), world);
  const delegation = delegationOf(routes);
  const context = contextOf(policies, instancesIn(services, world.endpointSlices));
  const pooled = pooledServices(services, routes, context);
  const behind = endpointTables(services, world.endpointSlices, podTables(world.pods, world.nodes));
  const models = modelsOf(pooled);
  const hosts = poolHosts(routes, policies);
  const preferences = preferencesIn(models);
  const endpoints = endpointsOf(behind, usesIn(routes), preferences);
  const placing = placingOf(preferences);
  const mode = modeOf(capture, sourcesIn(routes), placing);
  const egressOf = egressIn(policies, routedIn(routes), world.configMaps);
  const said = saidOf(policies, arrivalsOf(models), reachOf(providersIn(policies, world), egressOf));
  const calls = callsOf(world.endpointSlices, spokenIn(models), said);
  const model: MeshModel = {
    revision: world.revision,
    services: models,
    endpoints: setsOf(endpoints),
    proxies: proxiesOf(podTables(world.pods, placing.keys.length === 0 ? noNodes : world.nodes), calls, mode),
    hosts: hostModels(hosts),
  };
  let findings: readonly Finding[] | undefined;
  return {
    model,
    routes,
    policies,
    delegation,
    get findings() {
      findings ??= findingsOf({
        ...{ world, routes, pooled, hosts, endpoints, delegation, policies },
        ...{ proxies: model.proxies, capture },
      });
      return findings;
    },
  };
}
