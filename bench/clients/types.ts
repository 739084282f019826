// The resource types that the simulated Envoys know, and how one type leads to the names of another.
import { walkPath } from './protobuf.js';

/** A type of resource, by position in `TYPES`. */
export interface TypeInfo {
  readonly short: string;
  readonly url: string;
  /** A client asks for all of them; SotW responses are complete. */
  readonly wildcard: boolean;
  /** Position of the type that `linksOf` names. */
  readonly linksTo?: number;
  readonly linksOf?: (value: Buffer) => readonly string[];
}

const PREFIX = 'type.googleapis.com/envoy.config.';
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

const stringsAt = (value: Uint8Array, path: readonly number[]): readonly string[] => {
  const found: string[] = [];
  walkPath(value, path, (bytes) => found.push(text(bytes)));
  return found;
};

/** Envoy takes `eds_cluster_config.service_name`, or the cluster's own name without one. */
const endpointNames = (cluster: Buffer): readonly string[] => {
  const usesEds = stringsAt(cluster, [3]).length > 0;
  if (!usesEds) return [];
  const named = stringsAt(cluster, [3, 2]);
  return named.length > 0 ? named : stringsAt(cluster, [1]);
};

/** Route configurations that the HTTP connection managers of a listener name; both kinds of filter chains. */
const listenerRoutes = (listener: Buffer): readonly string[] =>
  [3, 25].flatMap((chain) => {
    const filters: Uint8Array[] = [];
    walkPath(listener, [chain, 3], (filter) => filters.push(filter));
    return filters.filter((filter) => isHttp(filter)).flatMap((filter) => stringsAt(filter, [4, 2, 3, 2]));
  });

const isHttp = (filter: Uint8Array): boolean =>
  stringsAt(filter, [4, 1]).some((url) => url.endsWith('.HttpConnectionManager'));

/** The position of each type in `TYPES`. */
export const TYPE = { cluster: 0, endpoint: 1, listener: 2, scope: 3, route: 4 } as const;

/** All types, in the order in which Envoy asks for them. */
export const TYPES: readonly TypeInfo[] = [
  { short: 'CDS', url: `${PREFIX}cluster.v3.Cluster`, wildcard: true, linksTo: TYPE.endpoint, linksOf: endpointNames },
  { short: 'EDS', url: `${PREFIX}endpoint.v3.ClusterLoadAssignment`, wildcard: false },
  { short: 'LDS', url: `${PREFIX}listener.v3.Listener`, wildcard: true, linksTo: TYPE.route, linksOf: listenerRoutes },
  {
    short: 'SRDS',
    url: `${PREFIX}route.v3.ScopedRouteConfiguration`,
    wildcard: true,
    linksTo: TYPE.route,
    linksOf: (scope) => stringsAt(scope, [2]),
  },
  { short: 'RDS', url: `${PREFIX}route.v3.RouteConfiguration`, wildcard: false },
];

/** The position of a type URL, or -1. */
export const typeOf = (url: string): number => TYPES.findIndex((type) => type.url === url);
