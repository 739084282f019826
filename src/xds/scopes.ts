// Scopes of the explicit proxy: which authority means which Service port. A new Service is a new scope.

import { ScopedRouteConfiguration } from '../gen/envoy/config/route/v3/scoped_route.js';
import { keyOf } from '../api/meta.js';
import type { Origin } from '../model/delivery.js';
import type { HostRules, PortModel, ServiceModel } from '../model/mesh.js';
import { clusterDomain, nameOfCluster, nameOfScope } from './names.js';
import type { Resource } from './resources.js';

/** How a host and port are written as an authority. */
export const forms = (host: string, port: number): readonly string[] =>
  port === 80 ? [host, `${host}:80`] : [`${host}:${String(port)}`];

function scope(
  service: ServiceModel,
  port: PortModel,
  key: { readonly authority: string; readonly instance?: string },
): Resource<'scope'> {
  const routes = nameOfCluster({ ...service.ref, port: port.port, instance: key.instance });
  return authorityScope(key.authority, routes, [service.origin]);
}

/** The scope of an authority: its route configuration, and whose it is. */
export function authorityScope(authority: string, routes: string, origins: readonly Origin[]): Resource<'scope'> {
  const name = nameOfScope(authority);
  return {
    type: 'scope',
    name,
    origins,
    message: ScopedRouteConfiguration.fromPartial({
      name,
      routeConfigurationName: routes,
      key: { fragments: [{ type: { $case: 'stringKey', value: authority } }] },
    }),
  };
}

/** The names by which every namespace may call a Service. */
export function hostNamesOf(service: { readonly namespace: string; readonly name: string }): readonly string[] {
  const stem = `${service.name}.${service.namespace}`;
  return [stem, `${stem}.svc`, `${stem}.svc.${clusterDomain}`];
}

const authoritiesOf = ({ ref }: ServiceModel, port: PortModel): readonly string[] =>
  hostNamesOf(ref).flatMap((host) => forms(host, port.port));

/** Scopes for those names. */
export const buildScopes = (service: ServiceModel): readonly Resource<'scope'>[] =>
  service.ports.flatMap((port) => authoritiesOf(service, port).map((authority) => scope(service, port, { authority })));

/** The bare name, by which only its own namespace may call a Service. */
export const buildLocalScopes = (service: ServiceModel): readonly Resource<'scope'>[] =>
  service.ports.flatMap((port) =>
    forms(service.ref.name, port.port).map((authority) => scope(service, port, { authority })),
  );

/** One authority that a route claims for a Service port, or that is one of its pods. */
interface Claim {
  readonly service: ServiceModel;
  readonly port: PortModel;
  readonly authority: string;
  readonly instance?: string;
}

const claimsOfPort = (service: ServiceModel, port: PortModel, namespace: string): readonly Claim[] => {
  const hosts =
    (namespace === '' ? port.hosts : port.consumers.get(namespace))?.flatMap((host) => host.hostnames) ?? [];
  const claimed = hosts.filter((host) => !host.startsWith('*') && host.includes('.'));
  return claimed.flatMap((host) => forms(host, port.port)).map((authority) => ({ service, port, authority }));
};

/** The names of pods: `db-0.db` in the Service's own namespace, `db-0.db.shop` and longer ones in all. */
function claimsOfPods(service: ServiceModel, callerNamespace: string): readonly Claim[] {
  const { name, namespace } = service.ref;
  const all = hostNamesOf(service.ref);
  const stems = callerNamespace === namespace ? [name, ...all] : all;
  return service.ports.flatMap((port) =>
    service.instances.flatMap((instance) =>
      stems.flatMap((host) =>
        forms(`${instance}.${host}`, port.port).map((authority) => ({ service, port, authority, instance })),
      ),
    ),
  );
}

/** A caller's own routes stand in for the producer's, with the names that they claim. */
const claimsOf = (service: ServiceModel, namespace: string): readonly Claim[] =>
  service.ports.flatMap((port) => claimsOfPort(service, port, port.consumers.has(namespace) ? namespace : ''));

const byName = (left: ServiceModel, right: ServiceModel): number => (keyOf(left.ref) < keyOf(right.ref) ? -1 : 1);

/**
 * Names of pods, and host names that the routes of Services claim, for callers of a namespace. Where two claim one, the
 * first Service by name has it; the name of a Service is nobody else's.
 */
export function buildClaimedScopes(
  services: readonly ServiceModel[],
  callerNamespace: string,
): readonly Resource<'scope'>[] {
  const sorted = [...services].sort(byName);
  const claims = [
    ...sorted.flatMap((service) => claimsOfPods(service, callerNamespace)),
    ...sorted.flatMap((service) => claimsOf(service, callerNamespace)),
  ];
  if (claims.length === 0) return [];
  const taken = new Set(services.flatMap((service) => service.ports.flatMap((port) => authoritiesOf(service, port))));
  return claims.flatMap((claim) => {
    if (taken.has(claim.authority)) return [];
    taken.add(claim.authority);
    return [scope(claim.service, claim.port, claim)];
  });
}

const isClaim = (hosts: readonly HostRules[]): boolean => hosts.some((host) => !host.hostnames.includes('*'));

/** Whether a Service has pods or routes with host names of their own. */
export const claimsHosts = (service: ServiceModel): boolean =>
  service.instances.length > 0 ||
  service.ports.some((port) => isClaim(port.hosts) || [...port.consumers.values()].some(isClaim));
