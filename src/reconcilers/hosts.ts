// Hosts outside of the cluster that routes are attached to. A host is pooled like a Service of the system namespace: routes
// from there hold for all callers, those of other namespaces for their own, in place of them.

import { systemNamespace } from '../api/meta.js';
import type { Service } from '../kinds/world.js';
import { createInterner } from '../lib/intern.js';
import { memoised } from '../lib/memo.js';
import { covers } from '../model/egress.js';
import type { MeshModel } from '../model/mesh.js';
import { claimsIn, refusalOfHost } from './claims.js';
import { byAge, type Attachment } from './contest.js';
import { delegationOf } from './delegation.js';
import type { PolicyIndex } from './policies.js';
import { refOfHost } from './route-source.js';
import { attachmentsOf, poolServices, type PooledService } from './services.js';
import type { CompiledRoute } from './traffic-route.js';

const services = createInterner<Service>(10_000);

/** A host as a Service, for the sake of the routes on it. */
const serviceOf = (name: string, ports: readonly number[]): Service =>
  services(JSON.stringify([name, ports]), () => ({
    kind: 'Service',
    meta: { name, namespace: systemNamespace, labels: {}, annotations: {}, generation: 0 },
    type: 'ExternalName',
    externalName: name,
    clusterIPs: [],
    headless: false,
    ports: ports.map((port) => ({ name: '', port, protocol: 'TCP', targetPort: port, appProtocol: 'http' })),
  }));

/** Ports on which policies list a host, or a wildcard above it, for requests. */
export const listedPorts = memoised((policies: PolicyIndex): ((host: string) => readonly number[]) => {
  const listed = policies.policies.flatMap(({ blocks }) => blocks.egress?.hosts ?? []);
  return (host) =>
    listed.filter((one) => one.protocol === 'HTTP' && covers(one.host, host)).flatMap((one) => one.ports);
});

/** Hosts with the routes on them, under the keys that parents have: `/api.example.com`. */
export const poolHosts = memoised(
  (routes: readonly CompiledRoute[], policies: PolicyIndex): ReadonlyMap<string, PooledService> => {
    const claims = claimsIn(policies);
    const isPermitted = ({ route, parent }: Attachment): boolean =>
      parent.problem === undefined &&
      refusalOfHost(claims, { host: parent.ref.name, namespace: route.ref.namespace, path: '' }) === undefined;
    const all = [...attachmentsOf(routes, delegationOf(routes)).values()].flat();
    const onHosts = all
      .filter((one) => one.parent.ref.kind === 'Host')
      .filter(isPermitted)
      .sort(byAge);
    const byHost = Map.groupBy(onHosts, ({ parent }) => parent.ref.name);
    const attachments = new Map([...byHost].map(([host, list]) => [`/${host}`, list]));
    const table = new Map(
      [...byHost].map(([host, list]) => {
        const named = list.flatMap(({ parent }) => parent.port ?? []);
        const ports = [...new Set([...named, ...listedPorts(policies)(host)])].sort((left, right) => left - right);
        return [`/${host}`, serviceOf(host, ports)] as const;
      }),
    );
    return poolServices(table, { attachments, uses: new Map(), policies, instances: new Map() });
  },
);

/** Hosts as callers see them, by name. */
export const hostModels = memoised(
  (pooled: ReadonlyMap<string, PooledService>): MeshModel['hosts'] =>
    new Map([...pooled.values()].map(({ model }) => [model.ref.name, { ...model, ref: refOfHost(model.ref.name) }])),
);
