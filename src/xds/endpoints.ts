// Cluster load assignments: who is behind a cluster right now. Hot: an endpoint change is the most frequent one.

import { ClusterLoadAssignment } from '../gen/envoy/config/endpoint/v3/endpoint.js';
import { LocalityLbEndpoints } from '../gen/envoy/config/endpoint/v3/endpoint_components.js';
import { HealthStatus } from '../gen/envoy/config/core/v3/health_check.js';
import type { EndpointModel, EndpointSet } from '../model/mesh.js';
import { socketAddress } from './config-source.js';
import { nameOfCluster } from './names.js';
import type { Resource } from './resources.js';

function localities(endpoints: readonly EndpointModel[]): readonly LocalityLbEndpoints[] {
  const byZone = new Map<string, EndpointModel[]>();
  for (const endpoint of endpoints) {
    const key = `${endpoint.region}\n${endpoint.zone}`;
    const list = byZone.get(key) ?? [];
    list.push(endpoint);
    byZone.set(key, list);
  }
  return [...byZone.keys()].sort().map((key) => locality(byZone.get(key) ?? []));
}

/** A locality weighs as many endpoints as it has: every endpoint gets an equal share. */
function locality(endpoints: readonly EndpointModel[]): LocalityLbEndpoints {
  const [first] = endpoints;
  return LocalityLbEndpoints.fromPartial({
    ...(first === undefined || (first.region === '' && first.zone === '')
      ? {}
      : { locality: { region: first.region, zone: first.zone } }),
    loadBalancingWeight: endpoints.length,
    lbEndpoints: endpoints.map((endpoint) => ({
      hostIdentifier: { $case: 'endpoint', value: { address: socketAddress(endpoint.address, endpoint.port) } },
      healthStatus: endpoint.draining ? HealthStatus.DRAINING : HealthStatus.UNKNOWN,
    })),
  });
}

/** The load assignment of one target. */
export function buildEndpoints(set: EndpointSet): Resource<'endpoint'> {
  const name = nameOfCluster(set.target);
  return {
    type: 'endpoint',
    name,
    message: ClusterLoadAssignment.fromPartial({ clusterName: name, endpoints: localities(set.endpoints) }),
    origins: [set.origin],
  };
}
