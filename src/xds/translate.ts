// Model to resources: one list for each Service and each proxy. Plain functions; `publication.ts` remembers
// what they gave, as bytes.

import type { Capabilities } from '../features/feature.js';
import type { Cluster } from '../gen/envoy/config/cluster/v3/cluster.js';
import type { Listener } from '../gen/envoy/config/listener/v3/listener.js';
import type { Origin } from '../model/delivery.js';
import { compareMatches } from '../model/match-order.js';
import type {
  Capture,
  EndpointSet,
  ExtensionInForce,
  HostRules,
  Match,
  MeshModel,
  PolicyInForce,
  ProxyModel,
  RouteEntry,
  Rule,
  ServiceModel,
} from '../model/mesh.js';
import { buildClusters, buildInboundClusters, fallbackClusters } from './clusters.js';
import { buildEndpoints } from './endpoints.js';
import { buildExtensions, extended, isFor } from './extend.js';
import {
  buildListeners,
  buildOwnListeners,
  familiesOf,
  virtualListeners,
  type Callers,
  type Families,
} from './listeners.js';
import { explicitListener } from './names.js';
import type { Resource, ResourceType } from './resources.js';
import { buildInboundRoutes, buildRoutes } from './routes.js';
import { buildClaimedScopes, buildLocalScopes, buildScopes, claimsHosts } from './scopes.js';
import { forEachType } from './view.js';

/** The domain of Services inside a cluster. */
const clusterDomain = 'cluster.local';

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

/** Clusters of a Service, and the scopes that lead to them. */
export const translateService = {
  explicit: (service: ServiceModel): Bundle => [...buildClusters(service), ...buildScopes(service, clusterDomain)],
  redirect: (service: ServiceModel): Bundle => buildClusters(service),
} as const satisfies Record<Capture, (service: ServiceModel) => Bundle>;

/** Redirect: the listeners that lead to a Service. */
export const translateListeners = (service: ServiceModel, callers: Callers): Bundle => buildListeners(service, callers);

/** The bare names of a Service, for callers of its own namespace. */
export const translateLocalNames = (service: ServiceModel): Bundle => buildLocalScopes(service);

/** Callers whose routes are the same. */
export interface RouteAudience {
  readonly namespace: string;
  readonly outbound: readonly PolicyInForce[];
}

/** Route configurations of a Service for callers of a namespace. */
export const translateRoutes = (service: ServiceModel, { namespace, outbound }: RouteAudience): Bundle =>
  service.ports.map((port) => buildRoutes({ service, port, outbound }, rulesFor(port, namespace)));

/** The same, with some rules replaced or left out. */
export const translateRoutesWith = (
  service: ServiceModel,
  { namespace, outbound }: RouteAudience,
  substitute: Substitute,
): Bundle =>
  service.ports.map((port) =>
    buildRoutes({ service, port, outbound }, substituted(rulesFor(port, namespace), substitute)),
  );

/** The load assignments of a Service. */
export const translateEndpoints = (sets: readonly EndpointSet[]): Bundle => sets.map(buildEndpoints);

/** Host names claimed by routes over all Services, for callers of a namespace. */
export const translateClaims = (services: readonly ServiceModel[], namespace: string): Bundle =>
  services.some(claimsHosts) ? buildClaimedScopes(services, { namespace, clusterDomain }) : [];

const nobody: readonly Origin[] = [];

const redirectResources = (families: Families): Bundle => [
  ...fallbackClusters.map((message: Cluster): Resource<'cluster'> => ({
    type: 'cluster',
    name: message.name,
    message,
    origins: nobody,
  })),
  ...virtualListeners(families).map((message: Listener): Resource<'listener'> => ({
    type: 'listener',
    name: message.name,
    message,
    origins: nobody,
  })),
];

/** What every proxy of a capture has whose pod has these kinds of addresses. */
export const commonResources: Readonly<Record<Capture, Readonly<Record<Families, Bundle>>>> = {
  explicit: { ipv4: [], ipv6: [], both: [] },
  redirect: {
    ipv4: redirectResources('ipv4'),
    ipv6: redirectResources('ipv6'),
    both: redirectResources('both'),
  },
};

/** What one proxy alone has. */
export function translateProxy(proxy: ProxyModel, can: Capabilities): Bundle {
  const origin: Origin = { ref: { kind: 'Pod', namespace: proxy.namespace, name: proxy.name }, generation: 0 };
  return [
    ...buildInboundClusters(proxy, origin),
    ...buildOwnListeners({ proxy, origin, can }),
    ...proxy.inbound.map((inbound) => buildInboundRoutes(inbound, origin)),
  ];
}

/** Everything that a proxy of the newest version is served, sorted by name: what `legation translate` prints. */
export function translate(
  model: Pick<MeshModel, 'services' | 'endpoints'>,
  proxy: ProxyModel,
  can: Capabilities,
): Readonly<Record<ResourceType, Bundle>> {
  const services = [...model.services.values()];
  const callers = { outbound: proxy.outbound, can };
  const over = (extensions: readonly ExtensionInForce[]) => (resource: Resource) =>
    extensions.reduce(extended, resource);
  const shared = over(proxy.extensions.filter(isFor('outbound')));
  const own = over(proxy.extensions.filter(isFor('inbound')));
  const all = [
    ...commonResources[proxy.capture][familiesOf(proxy.addresses)],
    ...services.flatMap(translateService[proxy.capture]).map(shared),
    ...(proxy.capture === 'redirect' ? services.flatMap((one) => translateListeners(one, callers)).map(shared) : []),
    ...services.flatMap((service) => translateRoutes(service, proxy)).map(shared),
    ...(proxy.capture === 'explicit' ? explicitNames(services, proxy.namespace) : []),
    ...[...model.endpoints.values()].flatMap(translateEndpoints),
    ...translateProxy(proxy, can).map((one) => (one.name === explicitListener ? shared : own)(one)),
    ...buildExtensions(proxy.extensions),
  ].sort((left, right) => (left.name < right.name ? -1 : 1));
  return forEachType((type) => all.filter((one) => one.type === type));
}

const explicitNames = (services: readonly ServiceModel[], namespace: string): Bundle => [
  ...services.filter((service) => service.ref.namespace === namespace).flatMap(translateLocalNames),
  ...translateClaims(services, namespace),
];
