// Destinations that have no name beforehand: names under a wildcard, and those that nobody lists. An explicit proxy
// looks up scopes by equality only, so that what has no scope is sent to the scope `*`: a few lines of Lua change the
// key of a request that met no route (ADR 18). What the mesh itself knows stays unanswered there.

import {
  Cluster,
  Cluster_DnsLookupFamily as DnsLookupFamily,
  Cluster_LbPolicy,
} from '../gen/envoy/config/cluster/v3/cluster.js';
import { RouteConfiguration } from '../gen/envoy/config/route/v3/route.js';
import { type Route, VirtualHost } from '../gen/envoy/config/route/v3/route_components.js';
import { ClusterConfig } from '../gen/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster.js';
import { FilterConfig } from '../gen/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy.js';
import { HeaderMutation } from '../gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation.js';
import { Lua } from '../gen/envoy/extensions/filters/http/lua/v3/lua.js';
import type { HttpFilter } from '../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import { packAny } from '../features/any.js';
import type { ChainPatch } from '../features/feature.js';
import type { Origin } from '../model/delivery.js';
import { isWildcard, type EgressModel, type ExternalPort } from '../model/egress.js';
import type { Capture } from '../model/mesh.js';
import { noBreakers, outboundHttpOptions } from './clusters.js';
import { durationOfSeconds } from './config-source.js';
import { originsOfUnknown, requestsTo, routesOf } from './external.js';
import { tlsSocket } from './external-tls.js';
import { scopeHeader } from './http-manager.js';
import { nameOfExternal, unknownHosts } from './names.js';
import { pathTo } from './tcp.js';
import type { Resource } from './resources.js';
import { authorityScope, forms } from './scopes.js';
import { refusal, tunnel } from './tunnels.js';

/** The filter and its clusters share what DNS said under this name, which must be described alike. */
export const dnsCacheConfig = { name: 'egress', dnsLookupFamily: DnsLookupFamily.V4_PREFERRED };

/** Whether some destinations of these callers have no name beforehand. */
export const isDynamic = ({ ports, unknown }: EgressModel): boolean =>
  unknown !== 'unsaid' || ports.some(({ host, access }) => isWildcard(host) && access !== 'routed');

const toUnknown = `function envoy_on_request(handle)
  if handle:streamInfo():routeName() == "" then handle:headers():replace("${scopeHeader}", "*") end
end
`;

const filter = (name: string, value: ReturnType<typeof packAny>): HttpFilter => ({
  name,
  configType: { $case: 'typedConfig', value },
  isOptional: false,
  disabled: false,
});

const lua = Lua.fromPartial({ defaultSourceCode: { specifier: { $case: 'inlineString', value: toUnknown } } });
const lookUp = FilterConfig.fromPartial({
  implementationSpecifier: { $case: 'dnsCacheConfig', value: dnsCacheConfig },
});
const dropKey = HeaderMutation.fromPartial({
  mutations: { requestMutations: [{ action: { $case: 'remove', value: scopeHeader } }] },
});

const lookUpSlot = { 'mesh.dynamic_host': filter('mesh.dynamic_host', packAny(FilterConfig, lookUp)) };

/** Filters that some hosts need where requests go to them without a second look. */
export const lookUpSlots = (ports: readonly ExternalPort[]): NonNullable<ChainPatch['slots']> =>
  ports.some(({ host, access }) => isWildcard(host) && access === 'listed') ? lookUpSlot : {};

/** Filters that an explicit proxy needs for them. */
export const dynamicSlots: NonNullable<ChainPatch['slots']> = {
  'mesh.unknown_host': filter('mesh.unknown_host', packAny(Lua, lua)),
  ...lookUpSlot,
  'mesh.unscope': filter('mesh.unscope', packAny(HeaderMutation, dropKey)),
};

function dynamicCluster(name: string, origins: readonly Origin[], port?: ExternalPort): Resource<'cluster'> {
  const secure = port?.tls;
  const message = Cluster.fromPartial({
    name,
    altStatName: name.replaceAll('.', '_'),
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    clusterDiscoveryType: {
      $case: 'clusterType',
      value: {
        name: 'envoy.clusters.dynamic_forward_proxy',
        typedConfig: packAny(
          ClusterConfig,
          ClusterConfig.fromPartial({
            clusterImplementationSpecifier: { $case: 'dnsCacheConfig', value: dnsCacheConfig },
          }),
        ),
      },
    },
    connectTimeout: durationOfSeconds(5),
    circuitBreakers: { thresholds: [noBreakers] },
    ...(secure === undefined ? {} : { transportSocket: tlsSocket({ ...secure, sni: '' }) }),
    // The name that was called is the one that is asked for, and the one that must be shown.
    typedExtensionProtocolOptions: outboundHttpOptions('http', {
      upstreamHttpProtocolOptions: { autoSni: true, autoSanValidation: true },
    }),
  });
  return { type: 'cluster', name, message, origins };
}

/** Where names under a wildcard are reached. */
export const dynamicClusterOf = (port: ExternalPort): string =>
  port.tls === undefined ? unknownHosts : nameOfExternal(port);

const wildcardsOf = ({ ports }: EgressModel): readonly ExternalPort[] =>
  ports.filter(({ host, access }) => isWildcard(host) && access !== 'routed');

const originsOf = (egress: EgressModel): readonly Origin[] => [
  ...wildcardsOf(egress).flatMap((port) => port.origins),
  ...originsOfUnknown(egress),
];

/** Clusters for destinations that have no name beforehand; redirected connections have an address, if no name. */
export function buildDynamicClusters(egress: EgressModel, capture: Capture): readonly Resource<'cluster'>[] {
  if (capture === 'explicit' ? !isDynamic(egress) : wildcardsOf(egress).length === 0) return [];
  const secure = wildcardsOf(egress).filter(({ tls, access }) => tls !== undefined && access !== 'kept');
  return [
    dynamicCluster(unknownHosts, originsOf(egress)),
    ...secure.map((port) => dynamicCluster(nameOfExternal(port), port.origins, port)),
  ];
}

const wildcardHost = (port: ExternalPort): VirtualHost =>
  VirtualHost.fromPartial({
    name: nameOfExternal(port),
    domains: forms(port.host, port.port),
    routes: routesOf(port, dynamicClusterOf(port)),
  });

/** What is told where nobody lists a destination. */
export const refusalOfUnknown = ({ unknownBy }: EgressModel): readonly Route[] =>
  refusal(`no policy lists this destination, and MeshPolicy '${unknownBy?.policy ?? ''}' denies all others`);

function unknownHost(egress: EgressModel): readonly VirtualHost[] {
  const { unknown } = egress;
  if (unknown === 'unsaid') return [];
  const routes =
    unknown === 'Deny'
      ? refusalOfUnknown(egress)
      : [requestsTo(unknownHosts, unknownHosts), tunnel(pathTo(unknownHosts, unknownHosts))];
  return [VirtualHost.fromPartial({ name: 'unknown', domains: ['*'], routes })];
}

/** What becomes of an authority without a scope; those of the mesh, `known`, are not met again here. */
export function buildUnknownScope(egress: EgressModel, known: readonly string[]): readonly Resource[] {
  if (!isDynamic(egress)) return [];
  const wildcards = wildcardsOf(egress);
  const origins = originsOf(egress);
  const ofMesh = known.length === 0 ? [] : [VirtualHost.fromPartial({ name: 'mesh', domains: known })];
  const clusters = buildDynamicClusters(egress, 'explicit').map(({ name }) => name);
  const message = RouteConfiguration.fromPartial({
    name: unknownHosts,
    virtualHosts: [...ofMesh, ...wildcards.map(wildcardHost), ...unknownHost(egress)],
  });
  return [
    { type: 'route', name: unknownHosts, message, origins, clusters },
    authorityScope('*', unknownHosts, origins),
  ];
}
