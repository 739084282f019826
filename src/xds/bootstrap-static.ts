// The static part of a bootstrap: the cluster of the control plane, the proxy's own admin interface, and the two
// listeners that show a little of it. Must not know where a proxy runs; bootstrap.ts decides that.

import { isIP } from 'node:net';
import { ports } from '../api/meta.js';
import { Cluster, Cluster_DiscoveryType } from '../gen/envoy/config/cluster/v3/cluster.js';
import { Address } from '../gen/envoy/config/core/v3/address.js';
import { ClusterLoadAssignment } from '../gen/envoy/config/endpoint/v3/endpoint.js';
import { Listener } from '../gen/envoy/config/listener/v3/listener.js';
import { Route } from '../gen/envoy/config/route/v3/route_components.js';
import { DnsLookupFamily } from '../gen/envoy/extensions/clusters/common/dns/v3/dns.js';
import { DnsCluster } from '../gen/envoy/extensions/clusters/dns/v3/dns_cluster.js';
import { Router } from '../gen/envoy/extensions/filters/http/router/v3/router.js';
import { HttpConnectionManager } from '../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import { packAny } from '../features/any.js';
import { httpOptions, onlyHttp2 } from '../features/http-options.js';

/** How a proxy reaches the control plane. Plain text is for loopback only. */
export interface XdsPeer {
  readonly transport: 'insecure';
  /** IP address or DNS name. */
  readonly address: string;
  readonly port: number;
}

/** The cluster of the control plane. */
export const xdsClusterName = 'legation-xds';
const adminClusterName = 'admin';

/** The cluster that ADS goes through: HTTP/2 with keepalive, so that a silent death is noticed. */
export function xdsCluster(peer: XdsPeer): Cluster {
  const http2 = {
    connectionKeepalive: { interval: { seconds: 30n }, timeout: { seconds: 5n } },
    initialStreamWindowSize: 1024 * 1024,
    initialConnectionWindowSize: 4 * 1024 * 1024,
  };
  return Cluster.fromPartial({
    name: xdsClusterName,
    connectTimeout: { seconds: 2n },
    clusterDiscoveryType: discoveryOf(peer.address),
    loadAssignment: assignment(xdsClusterName, socketAddress(peer.address, peer.port)),
    typedExtensionProtocolOptions: httpOptions({ upstreamProtocolOptions: onlyHttp2(http2) }),
  });
}

/** The cluster that leads to the proxy's own admin interface. */
export function adminCluster(socketPath: string): Cluster {
  return Cluster.fromPartial({
    name: adminClusterName,
    connectTimeout: { seconds: 1n },
    clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.STATIC },
    loadAssignment: assignment(adminClusterName, adminAddress(socketPath)),
  });
}

/** The unix socket of the admin interface, open to its owner alone. */
export function adminAddress(socketPath: string): Address {
  return Address.fromPartial({ address: { $case: 'pipe', value: { path: socketPath, mode: 0o600 } } });
}

/** GET /ready, 200 once the proxy has its configuration. */
export function readinessListener(address: string): Listener {
  const route = Route.fromPartial({
    match: { pathSpecifier: { $case: 'path', value: '/ready' } },
    action: { $case: 'route', value: { clusterSpecifier: { $case: 'cluster', value: adminClusterName } } },
  });
  return adminListener({ name: 'readiness', address: socketAddress(address, ports.readiness), route });
}

/** GET /stats/prometheus. */
export function metricsListener(address: string): Listener {
  const onlyGet = {
    name: ':method',
    headerMatchSpecifier: {
      $case: 'stringMatch',
      value: { matchPattern: { $case: 'exact', value: 'GET' } },
    },
  } as const;
  const route = Route.fromPartial({
    match: { pathSpecifier: { $case: 'path', value: '/stats/prometheus' }, headers: [onlyGet] },
    action: {
      $case: 'route',
      value: { clusterSpecifier: { $case: 'cluster', value: adminClusterName }, timeout: { seconds: 20n } },
    },
  });
  return adminListener({ name: 'metrics', address: socketAddress(address, ports.metrics), route });
}

function adminListener(input: { readonly name: string; readonly address: Address; readonly route: Route }): Listener {
  const { name, address, route } = input;
  const routeConfig = { name, virtualHosts: [{ name, domains: ['*'], routes: [route] }] };
  const manager = HttpConnectionManager.fromPartial({
    statPrefix: name,
    routeSpecifier: { $case: 'routeConfig', value: routeConfig },
    httpFilters: [
      {
        name: 'envoy.filters.http.router',
        configType: { $case: 'typedConfig', value: packAny(Router, Router.fromPartial({})) },
      },
    ],
  });
  const filter = {
    name: 'envoy.filters.network.http_connection_manager',
    configType: { $case: 'typedConfig', value: packAny(HttpConnectionManager, manager) },
  } as const;
  // An overloaded proxy must still say how it is.
  const whenOverloaded = { ignoreGlobalConnLimit: true, bypassOverloadManager: true };
  return Listener.fromPartial({ name, address, ...whenOverloaded, filterChains: [{ filters: [filter] }] });
}

function discoveryOf(address: string): Cluster['clusterDiscoveryType'] {
  if (isIP(address) !== 0) return { $case: 'type', value: Cluster_DiscoveryType.STATIC };
  const dns = DnsCluster.fromPartial({
    dnsLookupFamily: DnsLookupFamily.V4_PREFERRED,
    dnsRefreshRate: { seconds: 30n },
  });
  return {
    $case: 'clusterType',
    value: { name: 'envoy.cluster.dns', typedConfig: packAny(DnsCluster, dns) },
  };
}

function socketAddress(address: string, port: number): Address {
  const portSpecifier = { $case: 'portValue', value: port } as const;
  return Address.fromPartial({ address: { $case: 'socketAddress', value: { address, portSpecifier } } });
}

function assignment(clusterName: string, address: Address): ClusterLoadAssignment {
  const endpoint = { hostIdentifier: { $case: 'endpoint', value: { address } } } as const;
  return ClusterLoadAssignment.fromPartial({ clusterName, endpoints: [{ lbEndpoints: [endpoint] }] });
}
