// Inbound route configurations: what becomes of a request to the proxy's own pod. It is delivered, and never cut short
// here; rules that hold at their destination are matched once more, on what arrived.

import { RouteConfiguration } from '../gen/envoy/config/route/v3/route.js';
import { Route, RouteAction, VirtualHost } from '../gen/envoy/config/route/v3/route_components.js';
import type { CompiledFeature, RouteContext, RoutePatch, RoutesPatch } from '../features/feature.js';
import { metadataOf } from '../features/rate-limit-keys.js';
import { builtInDefaults } from '../features/route-defaults.js';
import type { Origin } from '../model/delivery.js';
import { compareMatches } from '../model/match-order.js';
import type { InboundPort, InboundService, RouteEntry } from '../model/mesh.js';
import { mergePatches } from './merge.js';
import { nameOfArrival, nameOfInbound, nameOfRule } from './names.js';
import { noProvider, providerOf } from './providers.js';
import type { Resource } from './resources.js';
import { buildMatch, safeMethods } from './route-match.js';
import { hostNamesOf } from './scopes.js';

const off = { seconds: 0n, nanos: 0 };
const retryPolicy = { retryOn: 'reset-before-request', numRetries: 2 };

const anyPath: RouteContext['path'] = { kind: 'prefix', value: '/', ignoreCase: false };

const contextOf = (
  { port }: InboundPort,
  of: Pick<RouteContext, 'path' | 'methods'> = { path: anyPath, methods: 'unsafe' },
): RouteContext => ({
  direction: 'inbound',
  port,
  fallsBack: false,
  defaults: builtInDefaults,
  clusterOf: () => undefined,
  providerOf: noProvider,
  ...of,
});

/** What a rule says of a thing is nearer than what policies on the port say of it. */
function patchOf(inbound: InboundPort, own: readonly CompiledFeature[], context: RouteContext): RoutePatch {
  const keys = new Set(own.map(({ key }) => key));
  const policies = inbound.policies.filter(({ feature }) => !keys.has(feature.key));
  const patches = [
    ...own.map((feature) => feature.onRoute(context)),
    ...policies.map((policy) => policy.feature.onRoute({ ...context, providerOf: providerOf(policy) })),
  ];
  return mergePatches(patches, 'route') ?? {};
}

const delivery = ({ port }: InboundPort, patch: RoutePatch): Route['action'] => ({
  $case: 'route',
  value: RouteAction.fromPartial({
    clusterSpecifier: { $case: 'cluster', value: nameOfInbound(port) },
    timeout: off,
    idleTimeout: off,
    maxStreamDuration: { grpcTimeoutHeaderMax: off },
    retryPolicy,
    ...patch.forward,
  }),
});

/** Of what no rule is about. */
function plainRoute(inbound: InboundPort): Route {
  const patch = patchOf(inbound, [], contextOf(inbound));
  return Route.fromPartial({
    ...patch.route,
    name: nameOfInbound(inbound.port),
    match: { pathSpecifier: { $case: 'prefix', value: '/' } },
    action: delivery(inbound, patch),
  });
}

function ruleRoute({ match, rule }: RouteEntry, inbound: InboundPort): Route {
  const safe = match.method !== undefined && safeMethods.includes(match.method);
  const context = contextOf(inbound, { path: match.path, methods: safe ? 'safe' : 'unsafe' });
  const held = rule.features.filter(
    ({ heldAt }) => heldAt === 'destination' || (heldAt === 'either' && !rule.fallsBack),
  );
  const patch = patchOf(inbound, held, context);
  const mark = inbound.marks.get(rule);
  const { ref } = rule.origin;
  return Route.fromPartial({
    ...patch.route,
    name: nameOfRule({ namespace: ref.namespace, route: ref.name, rule: rule.name }),
    match: buildMatch(match, false),
    ...(mark === undefined ? {} : { metadata: { filterMetadata: metadataOf(mark) } }),
    action: delivery(inbound, patch),
  });
}

interface Names {
  readonly name: string;
  readonly domains: readonly string[];
  readonly entries: readonly RouteEntry[];
}

const isForAll = ({ hostnames }: { readonly hostnames: readonly string[] }): boolean => hostnames.includes('*');

/** The names of a Service are its own, with or without rules; a route may have claimed others. */
function namesOf(service: InboundService): readonly Names[] {
  const { ref, hosts } = service;
  const claimed = hosts
    .filter((host) => !isForAll(host))
    .map(({ hostnames, entries }) => ({ name: nameOfArrival(ref, hostnames), domains: hostnames, entries }));
  const entries = hosts.filter(isForAll).flatMap((host) => host.entries);
  return [...claimed, { name: nameOfArrival(ref, ['*']), domains: domainsOf(service), entries }];
}

const domainsOf = ({ ref, addresses }: InboundService): readonly string[] => [
  ref.name,
  ...hostNamesOf(ref),
  ...addresses.map((address) => (address.includes(':') ? `[${address}]` : address)),
];

/** Calls by no known name may be for any of them: all their rules hold, in the one order. */
function forAnyName(services: readonly InboundService[]): readonly RouteEntry[] {
  const entries = services.flatMap(({ hosts }) => hosts.filter(isForAll).flatMap((host) => host.entries));
  return [...entries].sort((left, right) => compareMatches(left.match, right.match));
}

/** No domain may be there twice: the first has it. */
function virtualHosts(inbound: InboundPort): readonly VirtualHost[] {
  const plain = plainRoute(inbound);
  const routesOf = (entries: readonly RouteEntry[]): readonly Route[] => [
    ...entries.map((entry) => ruleRoute(entry, inbound)),
    plain,
  ];
  const { services } = inbound;
  const taken = new Set<string>();
  const named = (services.length > 1 ? services.flatMap(namesOf) : services.flatMap(namesOf).slice(0, -1)).flatMap(
    ({ name, domains, entries }) => {
      const free = domains.filter((domain) => !taken.has(domain));
      for (const domain of free) taken.add(domain);
      return free.length === 0 ? [] : [VirtualHost.fromPartial({ name, domains: free, routes: routesOf(entries) })];
    },
  );
  const rest = VirtualHost.fromPartial({ name: 'inbound', domains: ['*'], routes: routesOf(forAnyName(services)) });
  return [...named, rest];
}

const onRoutes = ({ policies, port }: InboundPort): RoutesPatch =>
  mergePatches(
    policies.map(({ feature }) => feature.onRoutes({ direction: 'inbound', port })),
    'routes',
  ) ?? {};

/** The route configuration of a port of the proxy's own pod. */
export function buildInboundRoutes(inbound: InboundPort, origin: Origin): Resource<'route'> {
  const name = nameOfInbound(inbound.port);
  const rules = inbound.services.flatMap(({ hosts }) =>
    hosts.flatMap(({ entries }) => entries.map(({ rule }) => rule)),
  );
  return {
    type: 'route',
    name,
    message: RouteConfiguration.fromPartial({
      ...onRoutes(inbound),
      name,
      ...(inbound.services.length === 0 ? {} : { ignorePortInHostMatching: true }),
      virtualHosts: virtualHosts(inbound),
    }),
    origins: [...new Set([origin, ...inbound.policies.map((one) => one.origin), ...rules.map((rule) => rule.origin)])],
  };
}
