// Requests to hosts outside of the cluster where connections are redirected: a route configuration for each port on which
// some host is called in HTTP. What no host takes goes where it was going, or is told why not.

import { RouteConfiguration } from '../gen/envoy/config/route/v3/route.js';
import { VirtualHost } from '../gen/envoy/config/route/v3/route_components.js';
import { isWildcard, type EgressModel, type ExternalPort } from '../model/egress.js';
import { dynamicClusterOf, refusalOfUnknown } from './dynamic-hosts.js';
import { originsOfUnknown, requestsTo, routesOf } from './external.js';
import { nameOfExternal, nameOfHosts } from './names.js';
import type { Resource } from './resources.js';

const isCalled = ({ protocol, access }: ExternalPort): boolean => protocol === 'HTTP' && access !== 'routed';

/** Hosts that are called in HTTP on a port. */
export const hostPortsOf = ({ ports }: EgressModel, port: number): readonly ExternalPort[] =>
  ports.filter((one) => isCalled(one) && one.port === port);

/** Ports on which requests are looked at: also the usual one, where most of them are to be told why they fail. */
export const httpPortsOf = ({ ports, unknown }: EgressModel): readonly number[] => {
  const listed = ports.filter(isCalled).map(({ port }) => port);
  return [...new Set([...listed, ...(unknown === 'Deny' ? [80] : [])])].sort((left, right) => left - right);
};

const clusterOf = (port: ExternalPort): string =>
  isWildcard(port.host) ? dynamicClusterOf(port) : nameOfExternal(port);

const hostOf = (port: ExternalPort): VirtualHost =>
  VirtualHost.fromPartial({
    name: `host/${port.host}`,
    domains: [port.host],
    routes: routesOf(port, clusterOf(port)),
  });

const restOf = (egress: EgressModel): VirtualHost =>
  VirtualHost.fromPartial({
    name: 'unknown',
    domains: ['*'],
    routes: egress.unknown === 'Deny' ? refusalOfUnknown(egress) : [requestsTo('passthrough', 'passthrough')],
  });

function configurationOf(egress: EgressModel, port: number): Resource<'route'> {
  const hosts = hostPortsOf(egress, port);
  const name = nameOfHosts(port);
  const origins = [...hosts.flatMap((one) => one.origins), ...originsOfUnknown(egress)];
  const reached = hosts.filter(({ access }) => access === 'listed').map(clusterOf);
  return {
    type: 'route',
    name,
    message: RouteConfiguration.fromPartial({
      name,
      ignorePortInHostMatching: true,
      virtualHosts: [...hosts.map(hostOf), restOf(egress)],
    }),
    origins: [...new Set(origins)],
    clusters: [...new Set([...reached, ...(egress.unknown === 'Deny' ? [] : ['passthrough'])])],
  };
}

/** The route configurations of all such ports. */
export const buildRedirectedHosts = (egress: EgressModel): readonly Resource<'route'>[] =>
  httpPortsOf(egress).map((port) => configurationOf(egress, port));
