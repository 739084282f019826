// Scopes of the explicit proxy: which authority means which Service port. A new Service is a new scope.

import { ScopedRouteConfiguration } from '../gen/envoy/config/route/v3/scoped_route.js';
import type { PortModel, ServiceModel } from '../model/mesh.js';
import { nameOfOutbound, nameOfScope } from './names.js';
import type { Resource } from './resources.js';

const forms = (host: string, port: number): readonly string[] =>
  port === 80 ? [host, `${host}:80`] : [`${host}:${String(port)}`];

function scope(service: ServiceModel, port: PortModel, key: { readonly namespace: string; readonly authority: string }): Resource<'scope'> {
  const name = nameOfScope(key.namespace, key.authority);
  return {
    type: 'scope',
    name,
    origins: [service.origin],
    message: ScopedRouteConfiguration.fromPartial({
      name,
      routeConfigurationName: nameOfOutbound({ ...service.ref, port: port.port }),
      key: { fragments: [{ type: { $case: 'stringKey', value: key.authority } }] },
    }),
  };
}

/** The names by which every namespace may call a Service. */
export function buildScopes(service: ServiceModel, clusterDomain: string): readonly Resource<'scope'>[] {
  const { name, namespace } = service.ref;
  const stem = `${name}.${namespace}`;
  return service.ports.flatMap((port) => {
    const hosts = [stem, `${stem}.svc`, `${stem}.svc.${clusterDomain}`];
    return hosts.flatMap((host) => forms(host, port.port)).map((authority) => scope(service, port, { namespace: '', authority }));
  });
}

/** The bare name, by which only its own namespace may call a Service. */
export const buildLocalScopes = (service: ServiceModel): readonly Resource<'scope'>[] =>
  service.ports.flatMap((port) =>
    forms(service.ref.name, port.port).map((authority) => scope(service, port, { namespace: service.ref.namespace, authority })),
  );

/** Host names that the routes of Services claim. Where two claim one, the first Service by name has it. */
export function buildClaimedScopes(services: readonly ServiceModel[]): readonly Resource<'scope'>[] {
  const claimed = new Map<string, Resource<'scope'>>();
  for (const service of services) {
    for (const port of service.ports) {
      const hosts = port.hosts.flatMap((host) => host.hostnames).filter((host) => !host.startsWith('*') && host.includes('.'));
      for (const authority of hosts.flatMap((host) => forms(host, port.port))) {
        if (!claimed.has(authority)) claimed.set(authority, scope(service, port, { namespace: '', authority }));
      }
    }
  }
  return [...claimed.values()];
}

/** Whether a Service has routes for host names of their own. */
export const claimsHosts = (service: ServiceModel): boolean =>
  service.ports.some((port) => port.hosts.some((host) => !host.hostnames.includes('*')));
