// World in, mesh and findings out. Pure: each step is memoised by the identity of its arguments, so what
// did not change costs a look-up and keeps its references.

import type { World } from '../kinds/world.js';
import type { Finding } from '../model/finding.js';
import type { Capture, MeshModel } from '../model/mesh.js';
import { reconcileEndpoints } from './endpoints.js';
import { findingsOf } from './findings.js';
import { reconcileProxies } from './proxies.js';
import { attachmentsOf, poolServices, subsetsOf } from './services.js';
import { compileRoute, type CompiledRoute } from './traffic-route.js';

/** What a World means. */
export interface Reconciled {
  readonly model: MeshModel;
  readonly routes: readonly CompiledRoute[];
  readonly findings: readonly Finding[];
}

/** Runs the whole compiler front end. */
export function reconcile(world: World, options: { readonly capture: Capture }): Reconciled {
  const routes = [
    ...[...world.trafficRoutes.values()].map((route) => compileRoute(route, world)),
    ...[...world.httpRoutes.values()].map((route) => compileRoute(route, world)),
  ];
  const subsets = subsetsOf(routes);
  const pooled = poolServices(world, { attachments: attachmentsOf(routes), subsets });
  const model: MeshModel = {
    revision: world.revision,
    services: new Map([...pooled].map(([key, one]) => [key, one.model])),
    endpoints: reconcileEndpoints(world, subsets),
    proxies: reconcileProxies(world, options.capture),
  };
  return { model, routes, findings: findingsOf({ world, routes, model, pooled: [...pooled.values()] }) };
}

