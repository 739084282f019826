// Model to resources: one list for each Service and each proxy. Plain functions; `publication.ts` remembers
// what they gave, as bytes.

import type { Cluster } from '../gen/envoy/config/cluster/v3/cluster.js';
import type { Listener } from '../gen/envoy/config/listener/v3/listener.js';
import type { Origin } from '../model/delivery.js';
import { compareMatches } from '../model/match-order.js';
import type {
  Capture,
  EndpointSet,
  HostRules,
  Match,
  MeshModel,
  ProxyModel,
  RouteEntry,
  Rule,
  ServiceModel,
} from '../model/mesh.js';
import { buildClusters, buildInboundClusters, fallbackClusters } from './clusters.js';
import { buildEndpoints } from './endpoints.js';
import { buildInboundRoutes } from './inbound-routes.js';
import { buildListeners, buildOwnListeners, virtualListeners } from './listeners.js';
import type { Resource, ResourceType } from './resources.js';
import { buildRoutes } from './routes.js';
import { buildClaimedScopes, buildLocalScopes, buildScopes, claimsHosts } from './scopes.js';
import { forEachType } from './view.js';

/** Resources that come and go together. */
export type Bundle = readonly Resource[];

/** Which rule stands in for a rule: itself, its last good version, or nothing. */
export type Substitute = (rule: Rule) => Rule | undefined;

/**
 * Where an entry belongs that takes the place of the one at `from`. Entries come as one or two ordered lists, those for
 * the name and those for all names; an entry does not leave its list.
 */
function placeOf(match: Match, entries: readonly RouteEntry[], from: number): number {
  const isAfter = (left: Match, right: RouteEntry | undefined): boolean =>
    right !== undefined && compareMatches(left, right.match) > 0;
  const isBefore = (left: Match, right: RouteEntry | undefined): boolean =>
    right !== undefined && compareMatches(left, right.match) < 0;
  const isListEnd = (at: number): boolean => {
    const before = entries[at - 1];
    return before !== undefined && isAfter(before.match, entries[at]);
  };
  let at = from;
  while (!isListEnd(at) && isBefore(match, entries[at - 1])) at--;
  while (!isListEnd(at) && isAfter(match, entries[at])) at++;
  return at;
}

/** A last good rule comes with its own matches: those of its successor may be what was refused. */
function substituted(hosts: readonly HostRules[], substitute: Substitute): readonly HostRules[] {
  return hosts.map((host) => {
    const entries: RouteEntry[] = [];
    const standIns = new Map<Rule, number>();
    for (const entry of host.entries) {
      const rule = substitute(entry.rule);
      if (rule === entry.rule) entries.push(entry);
      else if (rule !== undefined && !standIns.has(rule)) standIns.set(rule, entries.length);
    }
    // From the last to the first, so that the noted places stay true.
    for (const [rule, from] of [...standIns].reverse()) {
      for (const match of rule.matches.toReversed()) entries.splice(placeOf(match, entries, from), 0, { match, rule });
    }
    return { ...host, entries };
  });
}

/** The rules of a port that callers of a namespace get. */
const rulesFor = (port: ServiceModel['ports'][number], namespace: string): readonly HostRules[] =>
  port.consumers.get(namespace) ?? port.hosts;

/** Clusters of a Service, and what leads to them: listeners or scopes. */
export const translateService = {
  explicit: (service: ServiceModel): Bundle => [...buildClusters(service), ...buildScopes(service)],
  redirect: (service: ServiceModel): Bundle => [...buildClusters(service), ...buildListeners(service)],
} as const satisfies Record<Capture, (service: ServiceModel) => Bundle>;

/** The bare names of a Service, for callers of its own namespace. */
export const translateLocalNames = (service: ServiceModel): Bundle => buildLocalScopes(service);

/** Route configurations of a Service for callers of a namespace. */
export const translateRoutes = (service: ServiceModel, namespace: string): Bundle =>
  service.ports.map((port) => buildRoutes({ service, port }, rulesFor(port, namespace)));

/** The same, with some rules replaced or left out. */
export const translateRoutesWith = (service: ServiceModel, namespace: string, substitute: Substitute): Bundle =>
  service.ports.map((port) => buildRoutes({ service, port }, substituted(rulesFor(port, namespace), substitute)));

/** The load assignments of a Service. */
export const translateEndpoints = (sets: readonly EndpointSet[]): Bundle => sets.map(buildEndpoints);

/** Host names claimed by routes over all Services, for callers of a namespace. */
export const translateClaims = (services: readonly ServiceModel[], namespace: string): Bundle =>
  services.some(claimsHosts) ? buildClaimedScopes(services, namespace) : [];

const nobody: readonly Origin[] = [];

/** What every proxy of a capture has. */
export const commonResources: Readonly<Record<Capture, Bundle>> = {
  explicit: [],
  redirect: [
    ...fallbackClusters.map((message: Cluster): Resource<'cluster'> => ({
      type: 'cluster',
      name: message.name,
      message,
      origins: nobody,
    })),
    ...virtualListeners.map((message: Listener): Resource<'listener'> => ({
      type: 'listener',
      name: message.name,
      message,
      origins: nobody,
    })),
  ],
};

/** What one proxy alone has. */
export function translateProxy(proxy: ProxyModel): Bundle {
  const origin: Origin = { ref: { kind: 'Pod', namespace: proxy.namespace, name: proxy.name }, generation: 0 };
  return [
    ...buildInboundClusters(proxy, origin),
    ...buildOwnListeners(proxy, origin),
    ...proxy.inbound.map((inbound) => buildInboundRoutes(inbound, origin)),
  ];
}

/** Everything that a proxy is served, sorted by name: what `legation translate` prints. */
export function translate(
  model: Pick<MeshModel, 'services' | 'endpoints'>,
  proxy: ProxyModel,
): Readonly<Record<ResourceType, Bundle>> {
  const services = [...model.services.values()];
  const all = [
    ...commonResources[proxy.capture],
    ...services.flatMap(translateService[proxy.capture]),
    ...services.flatMap((service) => translateRoutes(service, proxy.namespace)),
    ...(proxy.capture === 'explicit' ? explicitNames(services, proxy.namespace) : []),
    ...[...model.endpoints.values()].flatMap(translateEndpoints),
    ...translateProxy(proxy),
  ].sort((left, right) => (left.name < right.name ? -1 : 1));
  return forEachType((type) => all.filter((one) => one.type === type));
}

const explicitNames = (services: readonly ServiceModel[], namespace: string): Bundle => [
  ...services.filter((service) => service.ref.namespace === namespace).flatMap(translateLocalNames),
  ...translateClaims(services, namespace),
];
