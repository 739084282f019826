// World in, mesh and findings out. Pure. Every step is memoised by the tables that it reads, and within them
// by the objects: a change costs the steps that its table feeds, and in them the objects that it touches.

import type { HTTPRoute } from '../kinds/gateway.js';
import type { TrafficRoute } from '../kinds/traffic-route.js';
import type { Service, Table, World } from '../kinds/world.js';
import { memoised } from '../lib/memo.js';
import type { Finding } from '../model/finding.js';
import type { Capture, MeshModel } from '../model/mesh.js';
import { arrivalsOf, type Arrivals } from './arrivals.js';
import { reconcileEndpoints, type ServiceEndpoints } from './endpoints.js';
import { findingsOf } from './findings.js';
import { placeRoutes } from './held-rules.js';
import { indexPolicies, type PolicyIndex } from './policies.js';
import { reconcileProxies } from './proxies.js';
import { referentsOf as referentsIn, type Referents as ProviderReferents } from './references.js';
import { attachmentsOf, poolServices, subsetsOf, type PooledService, type SubsetList } from './services.js';
import { compileRoute, type CompiledRoute } from './traffic-route.js';

/** What a World means. */
export interface Reconciled {
  readonly model: MeshModel;
  readonly routes: readonly CompiledRoute[];
  readonly policies: PolicyIndex;
  /** Made when first asked for: nothing that is served depends on them. */
  readonly findings: readonly Finding[];
}

/** What routes are compiled against. */
type Referents = Pick<World, 'services' | 'referenceGrants'> & { readonly policies: PolicyIndex };

const referentsOf = memoised(
  (services: World['services'], referenceGrants: World['referenceGrants'], policies: PolicyIndex): Referents => ({
    services,
    referenceGrants,
    policies,
  }),
);

const compileRoutes = memoised(
  (trafficRoutes: Table<TrafficRoute>, httpRoutes: Table<HTTPRoute>, referents: Referents): readonly CompiledRoute[] =>
    [...trafficRoutes.values(), ...httpRoutes.values()].map((route) => compileRoute(route, referents)),
);

const subsetsIn = memoised((routes: readonly CompiledRoute[]) => subsetsOf(routes));

const pooledServices = memoised((services: Table<Service>, routes: readonly CompiledRoute[], policies: PolicyIndex) =>
  poolServices(services, { attachments: attachmentsOf(routes), subsets: subsetsIn(routes), policies }),
);

const modelsOf = memoised(
  (pooled: ReadonlyMap<string, PooledService>): MeshModel['services'] =>
    new Map([...pooled].map(([key, one]) => [key, one.model])),
);

/** The tables that endpoints are made from. */
type EndpointTables = Pick<World, 'services' | 'endpointSlices' | 'pods' | 'nodes'>;

const behindOf = memoised((pods: World['pods'], nodes: World['nodes']) => ({ pods, nodes }));

const endpointTables = memoised(
  (
    services: World['services'],
    endpointSlices: World['endpointSlices'],
    behind: Pick<World, 'pods' | 'nodes'>,
  ): EndpointTables => ({ services, endpointSlices, ...behind }),
);

const endpointsOf = memoised((tables: EndpointTables, subsets: ReadonlyMap<string, SubsetList>) =>
  reconcileEndpoints(tables, subsets),
);

const setsOf = memoised(
  (endpoints: ReadonlyMap<string, ServiceEndpoints>): MeshModel['endpoints'] =>
    new Map([...endpoints].map(([key, one]) => [key, one.sets])),
);

/** What proxies are told besides what pods and slices say. */
interface SaidToProxies {
  readonly policies: PolicyIndex;
  readonly arrivals: Arrivals;
  readonly referents: ProviderReferents;
}

const proxiesOf = (capture: Capture) =>
  memoised((pods: World['pods'], endpointSlices: World['endpointSlices'], said: SaidToProxies): MeshModel['proxies'] =>
    reconcileProxies({ pods, endpointSlices, ...said }, capture),
  );

const proxiesBy = { explicit: proxiesOf('explicit'), redirect: proxiesOf('redirect') } as const;

const saidOf = memoised((policies: PolicyIndex, arrivals: Arrivals, referents: ProviderReferents): SaidToProxies => ({
  policies,
  arrivals,
  referents,
}));

const nowhere: ProviderReferents = { service: () => undefined, grants: [] };

/** Without providers, proxies do not depend on Services. */
const saidToProxies = (policies: PolicyIndex, arrivals: Arrivals, world: World): SaidToProxies => {
  const named = policies.policies.some(({ blocks }) => blocks.providers !== undefined);
  return saidOf(policies, arrivals, named ? referentsIn(world.services, world.referenceGrants) : nowhere);
};

/** Runs the whole compiler front end. */
export function reconcile(world: World, options: { readonly capture: Capture }): Reconciled {
  const { trafficRoutes, httpRoutes, services, referenceGrants } = world;
  const policies = indexPolicies(world.meshPolicies);
  const compiled = compileRoutes(trafficRoutes, httpRoutes, referentsOf(services, referenceGrants, policies));
  const routes = placeRoutes(compiled, world);
  const pooled = pooledServices(services, routes, policies);
  const tables = endpointTables(services, world.endpointSlices, behindOf(world.pods, world.nodes));
  const endpoints = endpointsOf(tables, subsetsIn(routes));
  const models = modelsOf(pooled);
  const model: MeshModel = {
    revision: world.revision,
    services: models,
    endpoints: setsOf(endpoints),
    proxies: proxiesBy[options.capture](
      world.pods,
      world.endpointSlices,
      saidToProxies(policies, arrivalsOf(models), world),
    ),
  };
  let findings: readonly Finding[] | undefined;
  return {
    model,
    routes,
    policies,
    get findings() {
      findings ??= findingsOf(routes, { world, pooled, endpoints, policies, routes, proxies: model.proxies });
      return findings;
    },
  };
}
