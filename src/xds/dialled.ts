// Headless Services where connections are redirected: callers dial a pod, and reach that one. Requests follow the rules of
// the Service; where these lead to its own pods, the one that was dialled answers, and another only if it is gone.

import type { Cluster } from '../gen/envoy/config/cluster/v3/cluster.js';
import { Cluster_DiscoveryType, Cluster_LbPolicy } from '../gen/envoy/config/cluster/v3/cluster.js';
import { FilterChain } from '../gen/envoy/config/listener/v3/listener_components.js';
import {
  Config as HeaderToMetadata,
  Config_ValueType as ValueType,
} from '../gen/envoy/extensions/filters/http/header_to_metadata/v3/header_to_metadata.js';
import type { HttpFilter } from '../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import { OverrideHost } from '../gen/envoy/extensions/load_balancing_policies/override_host/v3/override_host.js';
import { packAny } from '../features/any.js';
import { carriesRequests, isHeadless, type DialledPort } from '../model/dialled.js';
import type { ServiceModel } from '../model/mesh.js';
import { chainPatchOf } from './chain-patch.js';
import { buildClusters } from './clusters.js';
import { buildHttpManager, dialledHeader } from './http-manager.js';
import type { ListenerAudience } from './listeners.js';
import { nameOfDialled, nameOfOutbound } from './names.js';
import type { Resource } from './resources.js';
import { pathTo, tcpProxy } from './tcp.js';
import type { Branch } from './virtual-listeners.js';

const metadata = { namespace: 'mesh', key: 'dialled' } as const;

/** The address that was dialled leaves the headers, and stays with the request. */
const remember: HttpFilter = {
  name: 'mesh.dialled',
  configType: {
    $case: 'typedConfig',
    value: packAny(
      HeaderToMetadata,
      HeaderToMetadata.fromPartial({
        requestRules: [
          {
            header: dialledHeader,
            onHeaderPresent: { metadataNamespace: metadata.namespace, key: metadata.key, type: ValueType.STRING },
            remove: true,
          },
        ],
      }),
    ),
  },
  isOptional: false,
  disabled: false,
};

function keepDialled(cluster: Cluster): Cluster {
  const typedConfig = packAny(
    OverrideHost,
    OverrideHost.fromPartial({
      overrideHostSources: [
        { metadata: { key: metadata.namespace, path: [{ segment: { $case: 'key', value: metadata.key } }] } },
      ],
      fallbackPolicy: cluster.loadBalancingPolicy,
    }),
  );
  const policy = { typedExtensionConfig: { name: 'envoy.load_balancing_policies.override_host', typedConfig } };
  return { ...cluster, loadBalancingPolicy: { policies: [policy] } };
}

/** Connections carry nothing that a balancer could read: they go where they were going. */
const asDialled = (cluster: Cluster, name: string): Cluster => ({
  ...cluster,
  name,
  clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
  edsClusterConfig: undefined,
  lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
  loadBalancingPolicy: undefined,
  commonLbConfig: undefined,
  healthChecks: [],
});

/** The clusters of a Service where connections are redirected. */
export function buildDialledClusters(service: ServiceModel): readonly Resource<'cluster'>[] {
  const clusters = buildClusters(service);
  if (!isHeadless(service)) return clusters;
  const opaque = service.ports.filter((port) => !carriesRequests(port));
  const dialled = opaque.flatMap(({ port }): readonly Resource<'cluster'>[] => {
    const target = { ...service.ref, port };
    const one = clusters.find(({ name }) => name === nameOfOutbound(target));
    const name = nameOfDialled(target);
    return one === undefined ? [] : [{ ...one, name, message: asDialled(one.message, name) }];
  });
  return [...clusters.map((one) => ({ ...one, message: keepDialled(one.message) })), ...dialled];
}

/** The chain of a port of a headless Service. */
function chainOf({ service, port }: DialledPort, { outbound, can }: ListenerAudience): FilterChain {
  const target = { ...service.ref, port: port.port };
  const name = nameOfOutbound(target);
  const http = carriesRequests(port);
  const context = { direction: 'outbound', port: port.port, http, workload: undefined, can } as const;
  const patch = chainPatchOf([...port.policies.inForce, ...outbound], context);
  const slots = { ...patch.slots, [remember.name]: remember };
  const last = http
    ? buildHttpManager({
        ...{ direction: 'outbound', statPrefix: name, dialled: true },
        routes: { kind: 'name', name },
        patch: { ...patch, slots },
      })
    : tcpProxy(pathTo(nameOfDialled(target), name, port), patch.tcp);
  return FilterChain.fromPartial({ name, filters: [...(patch.before ?? []), last] });
}

/** What leads to the pods of headless Services. */
export const dialledBranches = (dialled: readonly DialledPort[], audience: ListenerAudience): readonly Branch[] =>
  dialled.flatMap((one) => {
    if (one.places.size === 0) return [];
    const chain = chainOf(one, audience);
    return [...one.places].map(([port, addresses]): Branch => ({ port, by: 'address', keys: addresses, chain }));
  });
