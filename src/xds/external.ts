// Hosts outside of the cluster, for one class of callers: a cluster for each port, and for an explicit proxy the scope
// and the routes by which applications call it.

import { Cluster } from '../gen/envoy/config/cluster/v3/cluster.js';
import { RouteConfiguration } from '../gen/envoy/config/route/v3/route.js';
import { Route, RouteAction } from '../gen/envoy/config/route/v3/route_components.js';
import { silentRule } from '../features/index.js';
import { builtInDefaults } from '../features/route-defaults.js';
import { balancing, leastRequest } from '../features/load-balancer.js';
import type { Origin } from '../model/delivery.js';
import type { EgressModel, ExternalPort } from '../model/egress.js';
import { isWildcard } from '../model/egress.js';
import { noBreakers, outboundHttpOptions } from './clusters.js';
import { durationOfSeconds } from './config-source.js';
import { byAddresses, byDns } from './external-endpoints.js';
import { tlsSocket } from './external-tls.js';
import { ruledHost, type HostView } from './host-rules.js';
import { mergePatches } from './merge.js';
import { nameOfExternal } from './names.js';
import { noProvider } from './providers.js';
import type { Resource } from './resources.js';
import type { RuledHost } from './routes.js';
import { authorityScope, forms } from './scopes.js';
import { pathTo } from './tcp.js';
import { onlyTunnels, refusal, tunnel } from './tunnels.js';

/** Who says what becomes of destinations that nobody lists. */
export const originsOfUnknown = ({ unknownBy }: EgressModel): readonly Origin[] =>
  unknownBy === undefined ? [] : [unknownBy.origin];

/** `x/api_example_com/443`: a dot would end the name in statistics. */
export const statisticsName = (name: string): string => name.replaceAll('.', '_');

function placeOf(port: ExternalPort, name: string) {
  if (port.tls?.trust.kind === 'nobody') return byAddresses(name, { ...port, addresses: [] });
  return port.addresses.length === 0 ? byDns(name, port) : byAddresses(name, port);
}

function clusterOf(port: ExternalPort): Resource<'cluster'> {
  const name = nameOfExternal(port);
  const message = Cluster.fromPartial({
    name,
    altStatName: statisticsName(name),
    ...placeOf(port, name),
    connectTimeout: durationOfSeconds(5),
    perConnectionBufferLimitBytes: 1_048_576,
    ...balancing('LeastRequest', leastRequest()),
    commonLbConfig: { healthyPanicThreshold: { value: 0 } },
    circuitBreakers: { thresholds: [noBreakers] },
    ...(port.tls === undefined ? {} : { transportSocket: tlsSocket(port.tls) }),
    typedExtensionProtocolOptions: port.protocol === 'HTTP' ? outboundHttpOptions('http', undefined) : {},
  });
  return { type: 'cluster', name, message, origins: port.origins };
}

/** What holds for requests of which no rule says anything. */
const silent = mergePatches(
  silentRule.map(
    (feature) =>
      feature.onRoute({
        direction: 'outbound',
        name: '',
        fallsBack: false,
        port: 0,
        path: { kind: 'prefix', value: '/', ignoreCase: false },
        methods: 'safe',
        defaults: builtInDefaults,
        clusterOf: () => undefined,
        providerOf: noProvider,
      }).forward,
  ),
  'route',
);

/** Requests go to a cluster as they came. */
export const requestsTo = (cluster: string, name: string): Route =>
  Route.fromPartial({
    name,
    match: { pathSpecifier: { $case: 'prefix', value: '/' } },
    action: {
      $case: 'route',
      value: RouteAction.fromPartial({ ...silent, clusterSpecifier: { $case: 'cluster', value: cluster } }),
    },
  });

/** What becomes of calls to a port of which no rule says anything. */
export function routesOf(port: ExternalPort, cluster: string): readonly Route[] {
  if (port.access === 'kept') return refusal(`host '${port.host}' is not open to this namespace`);
  if (port.protocol === 'HTTP') return [requestsTo(cluster, nameOfExternal(port))];
  return [tunnel(pathTo(cluster, cluster)), onlyTunnels];
}

/** What becomes of calls to a port, with all that it takes. */
export function destinationOf(port: ExternalPort, cluster: string, view: HostView): Destination {
  const ruled = ruledHost(port, view);
  if (ruled !== undefined) {
    const origins = ruled.rules.map((rule) => rule.origin);
    return { ...ruled, origins: [...new Set([...port.origins, ...origins])] };
  }
  const clusters = port.access === 'kept' ? [] : [cluster];
  return { routes: routesOf(port, cluster), rules: [], clusters, origins: port.origins };
}

/** Where calls to a port go. */
export interface Destination extends RuledHost {
  readonly origins: readonly Origin[];
}

function configurationOf(port: ExternalPort, view: HostView): Resource<'route'> {
  const name = nameOfExternal(port);
  const { routes, rules, clusters, origins } = destinationOf(port, name, view);
  const message = RouteConfiguration.fromPartial({
    name,
    virtualHosts: [{ name: `host/${port.host}`, domains: ['*'], routes }],
  });
  return { type: 'route', name, message, origins, parts: rules, clusters: [...new Set(clusters)] };
}

const scopesOf = (port: ExternalPort): readonly Resource<'scope'>[] =>
  forms(port.host, port.port).map((authority) => authorityScope(authority, nameOfExternal(port), port.origins));

/** Clusters of all hosts that callers may reach. */
export const buildExternalClusters = ({ ports }: EgressModel): readonly Resource<'cluster'>[] =>
  ports.filter(({ host, access }) => access !== 'kept' && !isWildcard(host)).map(clusterOf);

/** How an explicit proxy is asked for them. */
export const buildExternalNames = ({ ports }: EgressModel, view: HostView): readonly Resource[] =>
  ports
    .filter(({ host, access }) => access !== 'routed' && !isWildcard(host))
    .flatMap((port) => [configurationOf(port, view), ...scopesOf(port)]);
