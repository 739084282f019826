// Cluster load assignments: who is behind a cluster right now. Hot: an endpoint change is the most frequent one.

import { ClusterLoadAssignment } from '../gen/envoy/config/endpoint/v3/endpoint.js';
import { LocalityLbEndpoints } from '../gen/envoy/config/endpoint/v3/endpoint_components.js';
import { HealthStatus } from '../gen/envoy/config/core/v3/health_check.js';
import type { EndpointSet } from '../model/mesh.js';
import type { Place } from '../model/place.js';
import { socketAddress } from './config-source.js';
import { nameOfCluster } from './names.js';
import { groupsFor, type Group } from './nearness.js';
import type { Resource } from './resources.js';

function locality({ priority, weight, endpoints }: Group): LocalityLbEndpoints {
  const [first] = endpoints;
  return LocalityLbEndpoints.fromPartial({
    ...(first === undefined || (first.region === '' && first.zone === '')
      ? {}
      : { locality: { region: first.region, zone: first.zone } }),
    priority,
    loadBalancingWeight: weight,
    lbEndpoints: endpoints.map((endpoint) => ({
      hostIdentifier: { $case: 'endpoint', value: { address: socketAddress(endpoint.address, endpoint.port) } },
      healthStatus: endpoint.draining ? HealthStatus.DRAINING : HealthStatus.UNKNOWN,
    })),
  });
}

/** The load assignment of one target, for callers at a place. */
export function buildEndpoints(set: EndpointSet, place: Place): Resource<'endpoint'> {
  const name = nameOfCluster(set.target);
  return {
    type: 'endpoint',
    name,
    message: ClusterLoadAssignment.fromPartial({ clusterName: name, endpoints: groupsFor(set, place).map(locality) }),
    origins: [set.origin],
  };
}
