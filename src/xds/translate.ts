// Model to resources: one list for each Service and each proxy. Plain functions; `publication.ts` remembers
// what they gave, as bytes.

import type { Capabilities, Direction } from '../features/feature.js';
import type { Cluster } from '../gen/envoy/config/cluster/v3/cluster.js';
import type { Listener } from '../gen/envoy/config/listener/v3/listener.js';
import type { Origin } from '../model/delivery.js';
import type { EgressModel } from '../model/egress.js';
import { compareMatches } from '../model/match-order.js';
import type {
  Caller,
  Capture,
  EndpointSet,
  HostRules,
  Match,
  MeshModel,
  PortModel,
  ProxyModel,
  RouteEntry,
  Rule,
  ServiceModel,
} from '../model/mesh.js';
import { nowhere, type Place } from '../model/place.js';
import { buildChains } from './chains.js';
import { buildClusters, buildInboundClusters, buildInstanceClusters, fallbackClusters } from './clusters.js';
import { buildDynamicClusters, buildUnknownScope, isDynamic } from './dynamic-hosts.js';
import { buildExternalClusters, buildExternalNames } from './external.js';
import { buildEndpoints } from './endpoints.js';
import { buildExtensions, extended, isFor } from './extend.js';
import { buildInboundRoutes } from './inbound-routes.js';
import {
  buildListeners,
  buildOwnListeners,
  buildRuledListeners,
  familiesOf,
  virtualListeners,
  type Families,
  type ListenerAudience,
} from './listeners.js';
import { explicitListener } from './names.js';
import type { Resource, ResourceType } from './resources.js';
import { buildInstanceRoutes, buildRoutes } from './routes.js';
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

/** The rules of a port for callers of a namespace; not all of them need be for this class of callers. */
const rulesFor = (port: PortModel, caller: Caller): readonly HostRules[] =>
  port.consumers.get(caller.namespace) ?? port.hosts;

/** Clusters of a Service, and the scopes that lead to them. */
export const translateService = {
  explicit: (service: ServiceModel): Bundle => [
    ...buildClusters(service),
    ...buildChains(service),
    ...buildInstanceClusters(service),
    ...buildScopes(service),
  ],
  redirect: (service: ServiceModel): Bundle => [...buildClusters(service), ...buildChains(service)],
} as const satisfies Record<Capture, (service: ServiceModel) => Bundle>;

/** What leads to a Service whatever rules say, for callers of whom policies say the same: routes to its pods, or listeners. */
export const translateEntrances = {
  explicit: (service: ServiceModel, { outbound }: ListenerAudience): Bundle => buildInstanceRoutes(service, outbound),
  redirect: (service: ServiceModel, audience: ListenerAudience): Bundle => buildListeners(service, audience),
} as const satisfies Record<Capture, (service: ServiceModel, audience: ListenerAudience) => Bundle>;

/** The bare names of a Service, for callers of its own namespace. */
export const translateLocalNames = (service: ServiceModel): Bundle => buildLocalScopes(service);

/** Callers that have the same rules, of whom policies say the same, and whose proxies can do the same. */
export interface Callers extends ListenerAudience {
  readonly caller: Caller;
  readonly capture: Capture;
}

/** Where the rules of a Service stand, for some callers: route configurations, and listeners where rules are for connections. */
export function translateRules(service: ServiceModel, callers: Callers, substitute?: Substitute): Bundle {
  const { caller, capture, outbound } = callers;
  const rules = (port: PortModel): readonly HostRules[] => {
    const written = rulesFor(port, caller);
    return substitute === undefined ? written : substituted(written, substitute);
  };
  return [
    ...service.ports.map((port) => buildRoutes({ service, port, caller, capture, outbound }, rules(port))),
    ...(capture === 'redirect' ? buildRuledListeners(service, callers, rules) : []),
  ];
}

/** The load assignments of a Service, as callers at a place see them. */
export const translateEndpoints = (sets: readonly EndpointSet[], place: Place): Bundle =>
  sets.map((set) => buildEndpoints(set, place));

const authorityIn = ({ name }: Resource): string => name.slice(name.lastIndexOf('/') + 1);

/** What becomes of authorities that neither Services nor listed hosts have, for callers of a namespace. */
export function translateUnknown(services: readonly ServiceModel[], caller: Callers['caller'], egress: EgressModel) {
  if (!isDynamic(egress)) return [];
  const { namespace } = caller;
  const scopes = [...services.flatMap(buildScopes), ...explicitNames(services, namespace)];
  return buildUnknownScope(egress, [...new Set(scopes.filter(({ type }) => type === 'scope').map(authorityIn))].sort());
}

/** Hosts outside of the cluster that a class of callers may reach. */
export const translateEgress = (egress: EgressModel, capture: Capture): Bundle => [
  ...buildExternalClusters(egress),
  ...(capture === 'explicit' ? [...buildDynamicClusters(egress), ...buildExternalNames(egress)] : []),
];

/** Host names claimed by routes over all Services, for callers of a namespace. */
export const translateClaims = (services: readonly ServiceModel[], namespace: string): Bundle =>
  services.some(claimsHosts) ? buildClaimedScopes(services, namespace) : [];

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

/** Of what one proxy alone has: which calls it is for. */
export const directionOf = ({ name }: Pick<Resource, 'name'>): Direction =>
  name === explicitListener ? 'outbound' : 'inbound';

/** Everything that a proxy of the newest version is served, sorted by name: what `legation translate` prints. */
export function translate(
  model: Pick<MeshModel, 'services' | 'endpoints'>,
  proxy: ProxyModel,
  can: Capabilities,
): Readonly<Record<ResourceType, Bundle>> {
  const { caller, capture, outbound } = proxy;
  const callers: Callers = { caller, capture, outbound, can };
  const services = [...model.services.values()];
  const over = (direction: Direction) => (resource: Resource) =>
    proxy.extensions.filter(isFor(direction)).reduce(extended, resource);
  const shared = [
    ...services.flatMap(translateService[capture]),
    ...services.flatMap((service) => translateEntrances[capture](service, callers)),
    ...services.flatMap((service) => translateRules(service, callers)),
    ...(capture === 'explicit' ? translateUnknown(services, caller, proxy.egress) : []),
    ...translateEgress(proxy.egress, capture),
  ];
  const all = [
    ...commonResources[capture][familiesOf(proxy.addresses)],
    ...shared.map(over('outbound')),
    ...(capture === 'explicit' ? explicitNames(services, proxy.namespace) : []),
    ...[...model.endpoints.values()].flatMap((sets) => translateEndpoints(sets, proxy.place ?? nowhere)),
    ...translateProxy(proxy, can).map((one) => over(directionOf(one))(one)),
    ...buildExtensions(proxy.extensions),
  ].sort((left, right) => (left.name < right.name ? -1 : 1));
  return forEachType((type) => all.filter((one) => one.type === type));
}

const explicitNames = (services: readonly ServiceModel[], namespace: string): Bundle => [
  ...services.filter((service) => service.ref.namespace === namespace).flatMap(translateLocalNames),
  ...translateClaims(services, namespace),
];
