// Model to resources: one list for each Service and each proxy. Plain functions; `publication.ts` remembers
// what they gave, as bytes.

import type { Capabilities, Direction } from '../features/feature.js';
import type { Cluster } from '../gen/envoy/config/cluster/v3/cluster.js';
import type { Origin } from '../model/delivery.js';
import { dialledIn, type DialledPort } from '../model/dialled.js';
import type { EgressModel } from '../model/egress.js';
import type {
  Caller,
  Capture,
  EndpointSet,
  HostRules,
  MeshModel,
  PortModel,
  ProxyModel,
  ServiceModel,
} from '../model/mesh.js';
import { nowhere, type Place } from '../model/place.js';
import { buildChains } from './chains.js';
import { buildClusters, buildInboundClusters, buildInstanceClusters, fallbackClusters } from './clusters.js';
import { buildDynamicClusters, buildUnknownScope, isDynamic } from './dynamic-hosts.js';
import { buildDialledClusters, dialledBranches } from './dialled.js';
import { egressBranches, egressOrigins, restChain } from './egress-chains.js';
import { buildExternalClusters, buildExternalNames } from './external.js';
import { buildEndpoints } from './endpoints.js';
import { buildExtensions, extended, isFor } from './extend.js';
import { familiesOf, perFamilies, type Families } from './families.js';
import type { HostView } from './host-rules.js';
import { buildInboundRoutes } from './inbound-routes.js';
import { buildListeners, buildOwnListeners, buildRuledListeners, type ListenerAudience } from './listeners.js';
import { explicitListener } from './names.js';
import type { Resource, ResourceType } from './resources.js';
import { buildRedirectedHosts } from './redirected-hosts.js';
import { buildInstanceRoutes, buildRoutes } from './routes.js';
import { buildClaimedScopes, buildLocalScopes, buildScopes, claimsHosts } from './scopes.js';
import { rulesFor, type Substitute } from './substitution.js';
import { forEachType } from './view.js';
import { buildVirtualOutbound, virtualInbound } from './virtual-listeners.js';

/** Resources that come and go together. */
export type Bundle = readonly Resource[];

/** Clusters of a Service, and the scopes that lead to them. */
export const translateService = {
  explicit: (service: ServiceModel): Bundle => [
    ...buildClusters(service),
    ...buildChains(service),
    ...buildInstanceClusters(service),
    ...buildScopes(service),
  ],
  redirect: (service: ServiceModel): Bundle => [...buildDialledClusters(service), ...buildChains(service)],
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
  const rules = (port: PortModel): readonly HostRules[] => rulesFor(port, caller, substitute);
  return [
    ...service.ports.map((port) => buildRoutes({ service, port, caller, capture, outbound }, rules(port))),
    ...(capture === 'redirect' ? buildRuledListeners(service, callers, rules) : []),
  ];
}

/** The load assignments of a Service, as callers at a place see them. */
export const translateEndpoints = (sets: readonly EndpointSet[], place: Place): Bundle =>
  sets.map((set) => buildEndpoints(set, place));

const authorityIn = (scope: string): string => scope.slice(scope.lastIndexOf('/') + 1);

/** Names of the scopes that Services have for callers of a namespace. */
export const scopesOfServices = (services: readonly ServiceModel[], namespace: string): ReadonlySet<string> =>
  new Set(
    [...services.flatMap(buildScopes), ...explicitNames(services, namespace)]
      .filter(({ type }) => type === 'scope')
      .map(({ name }) => name),
  );

/** Without scopes that Services have: the name of a Service is nobody else's. */
export const besideServices = <R extends Pick<Resource, 'type' | 'name'>>(
  resources: readonly R[],
  taken: ReadonlySet<string>,
): readonly R[] => resources.filter(({ type, name }) => type !== 'scope' || !taken.has(name));

/** What becomes of authorities that neither Services nor listed hosts have; `taken`: the scopes of Services. */
export const translateUnknown = (taken: ReadonlySet<string>, egress: EgressModel) =>
  isDynamic(egress) ? buildUnknownScope(egress, [...taken].map(authorityIn).sort()) : [];

/** Hosts outside of the cluster that a class of callers may reach. */
export const translateEgress = (egress: EgressModel, view: HostView): Bundle => [
  ...buildExternalClusters(egress),
  ...buildDynamicClusters(egress, view.capture),
  ...[...new Set(egress.ports.map(({ host }) => host))].flatMap((host) => {
    const ruled = view.hosts.get(host);
    return ruled === undefined ? [] : buildChains(ruled);
  }),
  ...(view.capture === 'explicit' ? buildExternalNames(egress, view) : buildRedirectedHosts(egress, view)),
];

/** What proxies see that are served one and the same `virtualOutbound`. */
export interface Outward extends ListenerAudience {
  readonly egress: EgressModel;
  readonly dialled: readonly DialledPort[];
}

/** Redirect: where connections arrive that are for no address of a Service. */
export function translateOutward(families: Families, { egress, dialled, ...audience }: Outward): Bundle {
  const branches = [...dialledBranches(dialled, audience), ...egressBranches(egress, audience)];
  const origins = [...egressOrigins(egress), ...audience.outbound.map(({ origin }) => origin)];
  return [buildVirtualOutbound(families, { branches, rest: restChain(egress, audience) }, origins)];
}

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
  { type: 'listener', name: 'virtualInbound', message: virtualInbound(families), origins: nobody },
];

/** What every proxy of a capture has whose pod has these kinds of addresses. */
export const commonResources: Readonly<Record<Capture, Readonly<Record<Families, Bundle>>>> = {
  explicit: { ipv4: [], ipv6: [], both: [] },
  redirect: perFamilies(redirectResources),
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
  model: Pick<MeshModel, 'services' | 'endpoints' | 'hosts'>,
  proxy: ProxyModel,
  can: Capabilities,
): Readonly<Record<ResourceType, Bundle>> {
  const { caller, capture, outbound } = proxy;
  const callers: Callers = { caller, capture, outbound, can };
  const services = [...model.services.values()];
  const over = (direction: Direction) => (resource: Resource) =>
    proxy.extensions.filter(isFor(direction)).reduce(extended, resource);
  const taken = capture === 'explicit' ? scopesOfServices(services, proxy.namespace) : noNames;
  const shared = [
    ...services.flatMap(translateService[capture]),
    ...services.flatMap((service) => translateEntrances[capture](service, callers)),
    ...services.flatMap((service) => translateRules(service, callers)),
    ...(capture === 'explicit' ? translateUnknown(taken, proxy.egress) : []),
    ...besideServices(translateEgress(proxy.egress, { hosts: model.hosts, caller, capture }), taken),
    ...(capture === 'redirect'
      ? translateOutward(familiesOf(proxy.addresses), {
          ...{ outbound, can },
          egress: proxy.egress,
          dialled: dialledIn(model),
        })
      : []),
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

const noNames: ReadonlySet<string> = new Set();

const explicitNames = (services: readonly ServiceModel[], namespace: string): Bundle => [
  ...services.filter((service) => service.ref.namespace === namespace).flatMap(translateLocalNames),
  ...translateClaims(services, namespace),
];
