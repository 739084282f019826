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
import { withPreflight } from './preflight.js';
import { noProvider, providerOf } from './providers.js';
import type { Resource } from './resources.js';
import { buildMatch, safeMethods } from './route-match.js';
import { hostNamesOf } from './scopes.js';
import { forwardedTunnel } from './tunnels.js';

const off = { seconds: 0n, nanos: 0 };
const retryPolicy = { retryOn: 'reset-before-request', numRetries: 2 };

const anyPath: RouteContext['path'] = { kind: 'prefix', value: '/', ignoreCase: false };

const contextOf = ({ port }: InboundPort, of: Pick<RouteContext, 'name' | 'path' | 'methods'>): RouteContext => ({
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

const delivery = ({ port }: InboundPort, patch: RoutePatch, upgrade: Partial<RouteAction> = {}): Route['action'] => ({
  $case: 'route',
  value: RouteAction.fromPartial({
    clusterSpecifier: { $case: 'cluster', value: nameOfInbound(port) },
    timeout: off,
    idleTimeout: off,
    maxStreamDuration: { grpcTimeoutHeaderMax: off },
    retryPolicy,
    ...patch.forward,
    ...upgrade,
  }),
});

/** Of what no rule is about: requests, and tunnels. */
function plainRoutes(inbound: InboundPort): readonly Route[] {
  const name = nameOfInbound(inbound.port);
  const patch = patchOf(inbound, [], contextOf(inbound, { name, path: anyPath, methods: 'unsafe' }));
  const common = { ...patch.route, name };
  return [
    Route.fromPartial({
      ...common,
      match: { pathSpecifier: { $case: 'prefix', value: '/' } },
      action: delivery(inbound, patch),
    }),
    Route.fromPartial({
      ...common,
      match: { pathSpecifier: { $case: 'connectMatcher', value: {} } },
      action: delivery(inbound, patch, forwardedTunnel),
    }),
  ];
}

function ruleRoute({ match, rule }: RouteEntry, inbound: InboundPort): Route {
  const safe = match.method !== undefined && safeMethods.includes(match.method);
  const { ref } = rule.origin;
  const name = nameOfRule({ namespace: ref.namespace, route: ref.name, rule: rule.name });
  const context = contextOf(inbound, { name, path: match.path, methods: safe ? 'safe' : 'unsafe' });
  const held = rule.features.filter(
    ({ heldAt }) => heldAt === 'destination' || (heldAt === 'either' && !rule.fallsBack),
  );
  const patch = patchOf(inbound, held, context);
  const mark = inbound.marks.get(rule);
  return Route.fromPartial({
    ...patch.route,
    name,
    match: buildMatch(match, false),
    ...(mark === undefined ? {} : { metadata: { filterMetadata: metadataOf(mark) } }),
    action: delivery(inbound, patch, match.method === 'CONNECT' ? forwardedTunnel : {}),
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

/** One list keeps its order: what stands below a rule that hands requests on stands in its place. */
function inOrder(lists: readonly (readonly RouteEntry[])[]): readonly RouteEntry[] {
  const [first = [], ...others] = lists.filter((entries) => entries.length > 0);
  return others.length === 0
    ? first
    : [...first, ...others.flat()].sort((left, right) => compareMatches(left.match, right.match));
}

/** A domain may be there once: what has several owners, such as a name that a rewrite makes, gets the rules of all. */
function byOwners(all: readonly Names[]): readonly Names[] {
  const ownersOf = new Map<string, Names[]>();
  for (const names of all)
    for (const domain of names.domains) ownersOf.set(domain, [...(ownersOf.get(domain) ?? []), names]);
  const groups = new Map<string, Names>();
  for (const [domain, owners] of ownersOf) {
    const name = owners.map((one) => one.name).join('+');
    const domains = [...(groups.get(name)?.domains ?? []), domain];
    groups.set(name, { name, domains, entries: inOrder(owners.map(({ entries }) => entries)) });
  }
  return [...groups.values()];
}

/** Calls by no known name may be for any Service: all their rules hold. What would be told apart in vain is not. */
function virtualHosts(inbound: InboundPort): readonly VirtualHost[] {
  const plain = plainRoutes(inbound);
  const { services } = inbound;
  const [only] = services;
  const needless = only !== undefined && services.length === 1 ? nameOfArrival(only.ref, ['*']) : undefined;
  const forAll = services.flatMap(({ hosts }) => hosts.filter(isForAll).map(({ entries }) => entries));
  const rest: Names = { name: 'inbound', domains: ['*'], entries: inOrder(forAll) };
  return [...byOwners(services.flatMap(namesOf)).filter(({ name }) => name !== needless), rest].map(
    ({ name, domains, entries }) =>
      VirtualHost.fromPartial({
        name,
        domains,
        routes: [...entries.flatMap(withPreflight).map((entry) => ruleRoute(entry, inbound)), ...plain],
      }),
  );
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
