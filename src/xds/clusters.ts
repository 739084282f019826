// Clusters: one for each Service port and subset, and the delivery clusters of a pod's own ports.

import { Cluster, Cluster_DiscoveryType, Cluster_LbPolicy } from '../gen/envoy/config/cluster/v3/cluster.js';
import { Http2ProtocolOptions } from '../gen/envoy/config/core/v3/protocol.js';
import { HttpProtocolOptions } from '../gen/envoy/extensions/upstreams/http/v3/http_protocol_options.js';
import { HealthStatus } from '../gen/envoy/config/core/v3/health_check.js';
import type { ClusterPatch } from '../features/feature.js';
import { httpOptions, onlyHttp2 } from '../features/http-options.js';
import { balancing, leastRequest } from '../features/load-balancer.js';
import { detection, usualDetection } from '../features/outlier-detection.js';
import type { Origin } from '../model/delivery.js';
import {
  isHttp,
  type PortModel,
  type Protocol,
  type ProxyModel,
  type ServiceModel,
  type Target,
} from '../model/mesh.js';
import { failsOver } from '../model/place.js';
import { durationOfSeconds, endpointsFromAds, socketAddress, unlimited } from './config-source.js';
import { mergePatches, overridden } from './merge.js';
import { byDns } from './external-endpoints.js';
import { clusterDomain, nameOfCluster, nameOfInbound } from './names.js';
import type { Resource } from './resources.js';

const http2Options = Http2ProtocolOptions.fromPartial({
  maxConcurrentStreams: 1_024,
  initialStreamWindowSize: 1_048_576,
  initialConnectionWindowSize: 8_388_608,
  allowConnect: true,
});

const wantsHttp2 = (protocol: Protocol): boolean => protocol === 'http2' || protocol === 'grpc';

/** What callers speak is spoken on, unless the Service says that it wants HTTP/2. */
function upstreamProtocol(protocol: Protocol): HttpProtocolOptions['upstreamProtocolOptions'] {
  if (wantsHttp2(protocol)) return onlyHttp2(http2Options);
  const value = HttpProtocolOptions.fromPartial({
    upstreamProtocolOptions: {
      $case: 'useDownstreamProtocolConfig',
      value: { httpProtocolOptions: {}, http2ProtocolOptions: http2Options },
    },
  });
  return value.upstreamProtocolOptions;
}

/** Idle connections end before the server's own hour does, so that none is reused as it closes. */
export const outboundHttpOptions = (protocol: Protocol, patch: ClusterPatch['http']) =>
  httpOptions(
    overridden(
      {
        commonHttpProtocolOptions: { idleTimeout: durationOfSeconds(300) },
        upstreamProtocolOptions: upstreamProtocol(protocol),
      },
      patch,
    ),
  );

/** Envoy's defaults of 1,024 requests and 3 retries are nobody's wish: what is not set is unlimited. */
export const noBreakers = {
  maxConnections: unlimited,
  maxPendingRequests: unlimited,
  maxRequests: unlimited,
  retryBudget: { budgetPercent: { value: 20 }, minRetryConcurrency: 10 },
};

/** Draining endpoints get no new clients, and keep those that name them. */
const drainingToo = {
  overrideHostStatus: {
    statuses: [HealthStatus.UNKNOWN, HealthStatus.HEALTHY, HealthStatus.DEGRADED, HealthStatus.DRAINING],
  },
};

/** A fixed number of retries stands in place of the budget: Envoy would prefer the budget. */
function limits(patch: ClusterPatch['thresholds']) {
  const { retryBudget, ...others } = overridden(noBreakers, patch);
  return patch?.maxRetries === undefined ? { ...others, retryBudget } : others;
}

/** What policies say of a cluster, joined. */
function patchOf(
  { namespace, name }: Pick<Target, 'namespace' | 'name'>,
  { policies, port, protocol }: PortModel,
): ClusterPatch {
  const host = `${name}.${namespace}.svc.${clusterDomain}`;
  const { eventLog } = policies;
  const context = { host, port, http: isHttp(protocol), wantsHttp2: wantsHttp2(protocol), eventLog };
  return (
    mergePatches(
      policies.inForce.map(({ feature }) => feature.onCluster(context)),
      'cluster',
    ) ?? {}
  );
}

/** Who answers comes over the same stream. */
const byEndpoints = (name: string) =>
  ({
    clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { serviceName: name, edsConfig: endpointsFromAds },
  }) as const;

/** Limits of a cluster of this port. */
export const thresholdsOf = ({ ref }: ServiceModel, port: PortModel) => limits(patchOf(ref, port).thresholds);

/** Who has a say in clusters of this port. */
export const originsOf = (service: ServiceModel, port: PortModel): readonly Origin[] => [
  service.origin,
  ...port.policies.inForce.map(({ origin }) => origin),
];

function outboundCluster(target: Target, port: PortModel, externalName: string | undefined): Cluster {
  const name = nameOfCluster(target);
  const patch = patchOf(target, port);
  const base = {
    name,
    ...(externalName === undefined ? byEndpoints(name) : byDns(name, { host: externalName, port: target.port })),
    // What logs and metrics call the destination.
    metadata: { filterMetadata: { mesh: { service: `${target.name}.${target.namespace}` } } },
    connectTimeout: durationOfSeconds(5),
    perConnectionBufferLimitBytes: 1_048_576,
    ...balancing('LeastRequest', leastRequest()),
    commonLbConfig: { healthyPanicThreshold: { value: 0 }, ...(port.keepsEndpoints ? drainingToo : {}) },
    ignoreHealthOnHostRemoval: true,
    // Who is far is asked once it is known that those who are near fail.
    ...(failsOver(port.preference) ? detection(usualDetection) : {}),
    circuitBreakers: { thresholds: [limits(patch.thresholds)] },
    typedExtensionProtocolOptions: isHttp(port.protocol) ? outboundHttpOptions(port.protocol, patch.http) : {},
  } as const;
  return Cluster.fromPartial(overridden(base, patch.cluster));
}

function clusterOf(service: ServiceModel, port: PortModel, part: Pick<Target, 'subset' | 'instance'>) {
  const { namespace, name } = service.ref;
  const target = { namespace, name, port: port.port, ...part };
  const message = outboundCluster(target, port, service.externalName);
  const origins = originsOf(service, port);
  return { type: 'cluster', name: message.name, message, origins, parts: port.policies.inForce } as const;
}

/** The clusters of a Service. */
export const buildClusters = (service: ServiceModel): readonly Resource<'cluster'>[] =>
  service.ports.flatMap((port) => [undefined, ...port.subsets].map((subset) => clusterOf(service, port, { subset })));

/** A cluster for each pod that can be called by name. */
export const buildInstanceClusters = (service: ServiceModel): readonly Resource<'cluster'>[] =>
  service.ports.flatMap((port) => service.instances.map((instance) => clusterOf(service, port, { instance })));

const inboundHttpOptions = httpOptions({
  upstreamProtocolOptions: {
    $case: 'useDownstreamProtocolConfig',
    value: { httpProtocolOptions: { acceptHttp10: true }, http2ProtocolOptions: { allowConnect: true } },
  },
});

const inboundBreakers = {
  thresholds: [
    { maxConnections: unlimited, maxPendingRequests: unlimited, maxRequests: unlimited, maxRetries: unlimited },
  ],
};

/** Redirected connections go where they were going, from an address that the redirect rules let through. */
const redirected = {
  clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
  lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
  cleanupInterval: durationOfSeconds(86_400),
  upstreamBindConfig: {
    sourceAddress: { address: '127.0.0.6', portSpecifier: { $case: 'portValue', value: 0 } },
    extraSourceAddresses: [{ address: { address: '::6', portSpecifier: { $case: 'portValue', value: 0 } } }],
  },
} as const;

function staticTo(name: string, address: string, port: number) {
  const lbEndpoints = [
    { hostIdentifier: { $case: 'endpoint', value: { address: socketAddress(address, port) } } },
  ] as const;
  return {
    clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.STATIC },
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints }] },
  } as const;
}

/** The clusters through which a proxy delivers to its own application. */
export function buildInboundClusters(proxy: ProxyModel, origin: Origin): readonly Resource<'cluster'>[] {
  return proxy.inbound.map(({ port }): Resource<'cluster'> => {
    const name = nameOfInbound(port);
    const delivery =
      proxy.applicationAddress === undefined ? redirected : staticTo(name, proxy.applicationAddress, port);
    const message = Cluster.fromPartial({
      name,
      connectTimeout: durationOfSeconds(5),
      circuitBreakers: inboundBreakers,
      typedExtensionProtocolOptions: inboundHttpOptions,
      ...delivery,
    });
    return { type: 'cluster', name, message, origins: [origin] };
  });
}

const plainOriginalDst = (name: string, extra: Partial<Cluster> = {}): Cluster =>
  Cluster.fromPartial({
    name,
    clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    connectTimeout: durationOfSeconds(10),
    circuitBreakers: inboundBreakers,
    ...extra,
  });

/** Where redirected connections go that no Service knows. */
export const fallbackClusters: readonly Cluster[] = [
  // Requests that were looked at go on as what they are.
  plainOriginalDst('passthrough', { typedExtensionProtocolOptions: inboundHttpOptions }),
  Cluster.fromPartial({
    ...plainOriginalDst('inbound-passthrough'),
    upstreamBindConfig: redirected.upstreamBindConfig,
  }),
  Cluster.fromPartial({
    name: 'blackhole',
    clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.STATIC },
    connectTimeout: durationOfSeconds(1),
  }),
];
