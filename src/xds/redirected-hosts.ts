// Requests to hosts outside of the cluster where connections are redirected: a route configuration for each port on which
// some host is called in HTTP. What no host takes goes where it was going, or is told why not.

import { RouteConfiguration } from '../gen/envoy/config/route/v3/route.js';
import { VirtualHost } from '../gen/envoy/config/route/v3/route_components.js';
import { isWildcard, type EgressModel, type ExternalPort } from '../model/egress.js';
import { dynamicClusterOf, refusalOfUnknown } from './dynamic-hosts.js';
import { destinationOf, originsOfUnknown, requestsTo } from './external.js';
import type { HostView } from './host-rules.js';
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

const restOf = (egress: EgressModel): VirtualHost =>
  VirtualHost.fromPartial({
    name: 'unknown',
    domains: ['*'],
    routes: egress.unknown === 'Deny' ? refusalOfUnknown(egress) : [requestsTo('passthrough', 'passthrough')],
  });

function configurationOf(egress: EgressModel, port: number, view: HostView): Resource<'route'> {
  const name = nameOfHosts(port);
  const hosts = hostPortsOf(egress, port).map((one) => ({
    host: one.host,
    to: destinationOf(one, clusterOf(one), view),
  }));
  const reached = hosts.flatMap(({ to }) => to.clusters);
  return {
    type: 'route',
    name,
    message: RouteConfiguration.fromPartial({
      name,
      ignorePortInHostMatching: true,
      virtualHosts: [
        ...hosts.map(({ host, to }) => ({ name: `host/${host}`, domains: [host], routes: to.routes })),
        restOf(egress),
      ],
    }),
    origins: [...new Set([...hosts.flatMap(({ to }) => to.origins), ...originsOfUnknown(egress)])],
    parts: [...new Set(hosts.flatMap(({ to }) => to.rules))],
    clusters: [...new Set([...reached, ...(egress.unknown === 'Deny' ? [] : ['passthrough'])])],
  };
}

/** The route configurations of all such ports. */
export const buildRedirectedHosts = (egress: EgressModel, view: HostView): readonly Resource<'route'>[] =>
  httpPortsOf(egress).map((port) => configurationOf(egress, port, view));
