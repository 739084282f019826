// What resources name: clusters of routes and listeners, endpoints of clusters, routes of listeners and scopes. Read off
// their JSON, so that no field is forgotten which the code under test forgets.

import type { Json } from '../../src/xds/json.js';
import { unresolvedCluster } from '../../src/xds/names.js';
import { resourcesToJson } from '../../src/xds/readable.js';
import type { Resource } from '../../src/xds/resources.js';

const childrenOf = (value: Json): readonly (readonly [string, Json])[] =>
  typeof value === 'object' && value !== null ? Object.entries(value) : [];

/** Every text that stands under one of these keys, anywhere. */
function textsUnder(value: Json, keys: readonly string[]): readonly string[] {
  return childrenOf(value).flatMap(([key, child]) =>
    keys.includes(key) && typeof child === 'string' ? [child] : textsUnder(child, keys),
  );
}

/** Every text that stands under a key inside of a message of another key. */
const textsInside = (value: Json, outer: string, key: string): readonly string[] =>
  childrenOf(value).flatMap(([name, child]) =>
    name === outer ? textsUnder(child, [key]) : textsInside(child, outer, key),
  );

function jsonOfType(resources: readonly Resource[], type: Resource['type']): Json {
  return resourcesToJson(resources.filter((one) => one.type === type));
}

/** Names that lead nowhere, of what one proxy is served. */
export function danglingOf(resources: readonly Resource[]): readonly string[] {
  const has = (type: Resource['type'], name: string): boolean =>
    resources.some((one) => one.type === type && one.name === name);
  const [routes, clusters, listeners, scopes] = (['route', 'cluster', 'listener', 'scope'] as const).map((type) =>
    jsonOfType(resources, type),
  ) as [Json, Json, Json, Json];
  const toClusters = [
    ...textsUnder(routes, ['cluster']),
    ...textsInside(routes, 'weighted_clusters', 'name'),
    // Lines of access logs have a field of that name.
    ...textsUnder(listeners, ['cluster']).filter((name) => !name.startsWith('%')),
  ];
  return [
    ...toClusters
      .filter((name) => name !== unresolvedCluster && !has('cluster', name))
      .map((name) => `cluster ${name}`),
    ...textsInside(clusters, 'eds_cluster_config', 'service_name')
      .filter((name) => !has('endpoint', name))
      .map((name) => `endpoint ${name}`),
    ...textsUnder([scopes, listeners], ['route_configuration_name', 'route_config_name'])
      .filter((name) => !has('route', name))
      .map((name) => `route ${name}`),
  ];
}
