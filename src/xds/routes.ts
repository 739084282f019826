// Route configurations: what becomes of a request to a Service port. First match wins; the model brings the
// entries in order.

import { RouteConfiguration } from '../gen/envoy/config/route/v3/route.js';
import {
  DirectResponseAction,
  RedirectAction,
  Route,
  RouteAction,
  RouteAction_ClusterNotFoundResponseCode as ClusterNotFound,
  VirtualHost,
} from '../gen/envoy/config/route/v3/route_components.js';
import type { CompiledFeature, RouteContext, RoutePatch } from '../features/feature.js';
import { silentRule } from '../features/index.js';
import type { RouteDefaults } from '../features/route-defaults.js';
import { everyone, isFor } from '../model/caller.js';
import { systemNamespace } from '../api/meta.js';
import type { Origin } from '../model/delivery.js';
import type { HostBackend } from '../model/egress.js';
import {
  isHttp,
  type Backend,
  type Caller,
  type Capture,
  type HostRules,
  type Match,
  type PolicyInForce,
  type PortModel,
  type RouteEntry,
  type Rule,
  type ServiceModel,
  type Target,
} from '../model/mesh.js';
import { nameOfBackend } from './chains.js';
import { authorityOf } from './external-endpoints.js';
import { defaultsFor } from './defaults.js';
import { mergePatches } from './merge.js';
import { nameOfCluster, nameOfExternal, nameOfHost, nameOfRule, unresolvedCluster } from './names.js';
import { withPreflight } from './preflight.js';
import { noProvider, providerOf } from './providers.js';
import { buildMatch, safeMethods } from './route-match.js';
import { withoutUsualPort, type CallNames } from './redirect-port.js';
import type { Resource } from './resources.js';
import { hostNamesOf } from './scopes.js';
import { pathBy, pathTo, ruleOf } from './tcp.js';
import { forwardedTunnel, leftover, onlyTunnels, tunnel } from './tunnels.js';

/** The Service port that a route configuration is for, and its callers. */
export interface RouteOwner {
  readonly service: ServiceModel;
  readonly port: PortModel;
  /** For whom the routes are: entries for other callers are not there. */
  readonly caller: Caller;
  readonly capture: Capture;
  /** What policies say of their calls. */
  readonly outbound: readonly PolicyInForce[];
  /** Of one pod alone. */
  readonly instance?: string;
}

/** Name of the route configuration, and of the cluster that all goes to where no rule says anything. */
const nameOf = ({ service, port, instance }: RouteOwner): string =>
  nameOfCluster({ ...service.ref, port: port.port, instance });

/** A host is for callers of the route's namespace; the system namespace speaks for all. */
const isWithin = ({ namespace }: HostBackend, caller: Caller): boolean =>
  namespace === systemNamespace || namespace === caller.namespace;

function clusterOf(rule: Rule, caller: Caller): RouteContext['clusterOf'] {
  return ({ kind, namespace, name, port }) => {
    const host = rule.hosts.find((one) => kind === 'Host' && one.host === name && one.port === port);
    if (host !== undefined) return isWithin(host, caller) ? nameOfExternal(host) : undefined;
    const target = rule.references.find(
      (one) => one.name === name && one.port === port && one.namespace === (namespace ?? rule.origin.ref.namespace),
    );
    return target === undefined ? undefined : nameOfCluster(target);
  };
}

type WeightedBackend = { readonly name: string; readonly weight: number; readonly backend: Backend };

function nameOfDestination(backend: Backend, rule: Rule, owner: RouteOwner): string {
  if (backend.kind === 'service') return nameOfBackend(backend.target, rule, owner);
  const isThere = backend.kind === 'host' && isWithin(backend.host, owner.caller);
  return isThere ? nameOfExternal(backend.host) : unresolvedCluster;
}

const weighted = (backend: Backend, rule: Rule, owner: RouteOwner): WeightedBackend => ({
  name: nameOfDestination(backend, rule, owner),
  weight: backend.weight,
  backend,
});

/** What a backend that is not there answers: gRPC callers read it as UNAVAILABLE, for which Gateway API asks. */
const failures = {
  http: { status: 500, clusterNotFound: ClusterNotFound.INTERNAL_SERVER_ERROR },
  grpc: { status: 503, clusterNotFound: ClusterNotFound.SERVICE_UNAVAILABLE },
} as const;

const failureOf = ({ grpc }: Match) => (grpc === undefined ? failures.http : failures.grpc);

const isBare = (backend: Backend): boolean => backend.kind !== 'invalid' && backend.features.length === 0;

/** A host expects to be called by its own name. */
const calledBy = (backend: Backend) =>
  backend.kind === 'host'
    ? { hostRewriteSpecifier: { $case: 'hostRewriteLiteral', value: authorityOf(backend.host) } as const }
    : {};

/** Sends to the backends by weight. What does not resolve answers a failure for its share. */
function destination({ rule, match }: RouteEntry, owner: RouteOwner): Partial<RouteAction> {
  const live = rule.backends.map((one) => weighted(one, rule, owner)).filter((one) => one.weight > 0);
  const [first] = live;
  const plain = live.length === 1 && first !== undefined && first.name !== unresolvedCluster && isBare(first.backend);
  if (plain) return { clusterSpecifier: { $case: 'cluster', value: first.name }, ...calledBy(first.backend) };
  const clusters = live.map(({ name, weight, backend }) => ({
    name,
    weight,
    ...calledBy(backend),
    ...(backend.kind !== 'invalid'
      ? mergePatches(
          backend.features.map((one) => one.onBackend()),
          'backend',
        )
      : {}),
  }));
  const action = RouteAction.fromPartial({
    clusterSpecifier: { $case: 'weightedClusters', value: { clusters } },
    clusterNotFoundResponseCode: failureOf(match).clusterNotFound,
  });
  return { clusterSpecifier: action.clusterSpecifier, clusterNotFoundResponseCode: action.clusterNotFoundResponseCode };
}

function actionOf(entry: RouteEntry, patches: readonly RoutePatch[], owner: RouteOwner): Route['action'] {
  const { rule, match } = entry;
  const answer = patches.find((patch) => patch.answer !== undefined)?.answer;
  if (answer?.kind === 'redirect') return { $case: 'redirect', value: RedirectAction.fromPartial(answer.action) };
  if (answer?.kind === 'respond')
    return { $case: 'directResponse', value: DirectResponseAction.fromPartial(answer.action) };
  const resolved = rule.backends.some(
    (backend) => backend.weight > 0 && nameOfDestination(backend, rule, owner) !== unresolvedCluster,
  );
  if (!resolved) {
    const { status } = failureOf(match);
    return { $case: 'directResponse', value: DirectResponseAction.fromPartial({ status }) };
  }
  const forward = mergePatches(
    patches.map((patch) => patch.forward),
    'route',
  );
  const upgrade = match.method === 'CONNECT' ? forwardedTunnel : {};
  return { $case: 'route', value: RouteAction.fromPartial({ ...forward, ...upgrade, ...destination(entry, owner) }) };
}

interface RouteVariant {
  readonly methods: RouteContext['methods'];
  readonly onlySafe: boolean;
}

/** Retries that go further than Envoy's safe set hold for methods that may be repeated; others get a route of their own. */
function variantsOf({ match, rule }: RouteEntry, defaults: RouteDefaults): readonly RouteVariant[] {
  if (match.grpc !== undefined) return [{ methods: 'unsafe', onlySafe: false }];
  if (match.method !== undefined)
    return [{ methods: safeMethods.includes(match.method) ? 'safe' : 'unsafe', onlySafe: false }];
  if (!rule.features.some((feature) => feature.splitsMethods(defaults))) return [{ methods: 'safe', onlySafe: false }];
  return [
    { methods: 'safe', onlySafe: true },
    { methods: 'unsafe', onlySafe: false },
  ];
}

/** Who has a say of a route, in this order: the rule, policies on Services that it sends to, those of the caller. */
interface Voices {
  readonly features: readonly CompiledFeature[];
  readonly policies: readonly PolicyInForce[];
  readonly outbound: readonly PolicyInForce[];
}

const patchesFor = ({ features, policies, outbound }: Voices, context: RouteContext): readonly RoutePatch[] => [
  ...[...features, ...new Set(policies.map(({ feature }) => feature))].map((one) => one.onRoute(context)),
  ...outbound.map((policy) => policy.feature.onRoute({ ...context, providerOf: providerOf(policy) })),
];

function buildRoute(entry: RouteEntry, variant: RouteVariant, owner: RouteOwner): Route {
  const { match, rule } = entry;
  const { ref } = rule.origin;
  const name = nameOfRule({ namespace: ref.namespace, route: ref.name, rule: rule.name });
  const context: RouteContext = {
    direction: 'outbound',
    name,
    fallsBack: rule.fallsBack ?? false,
    port: owner.port.port,
    path: match.path,
    methods: variant.methods,
    defaults: defaultsFor(rule, owner.port),
    clusterOf: clusterOf(rule, owner.caller),
    providerOf: noProvider,
  };
  const policies = rule.backends.flatMap((backend) => (backend.kind === 'service' ? backend.policies : []));
  const patches = patchesFor({ features: rule.features, policies, outbound: owner.outbound }, context);
  return Route.fromPartial({
    ...mergePatches(
      patches.map((patch) => patch.route),
      'route',
    ),
    name,
    statPrefix: name,
    match: buildMatch(match, variant.onlySafe),
    action: actionOf(entry, patches, owner),
  });
}

/** A Service without rules: everything goes to its own endpoints. */
function plainRoute(owner: RouteOwner): Route {
  const { port } = owner;
  const cluster = nameOf(owner);
  const context: RouteContext = {
    direction: 'outbound',
    name: cluster,
    fallsBack: false,
    port: port.port,
    path: { kind: 'prefix', value: '/', ignoreCase: false },
    methods: 'safe',
    defaults: port.policies.defaults,
    clusterOf: () => undefined,
    providerOf: noProvider,
  };
  const voices = { features: silentRule, policies: port.policies.inForce, outbound: owner.outbound };
  const patches = patchesFor(voices, context);
  const forward = mergePatches(
    patches.map((patch) => patch.forward),
    'route',
  );
  return Route.fromPartial({
    ...mergePatches(
      patches.map((patch) => patch.route),
      'route',
    ),
    name: cluster,
    match: { pathSpecifier: { $case: 'prefix', value: '/' } },
    action: {
      $case: 'route',
      value: RouteAction.fromPartial({ ...forward, clusterSpecifier: { $case: 'cluster', value: cluster } }),
    },
  });
}

const entriesFor = (rules: HostRules, caller: Caller): readonly RouteEntry[] =>
  rules.entries.filter(({ match }) => isFor(match, caller));

/** The names by which a host is called, as far as they are known. */
function callNames({ hostnames }: HostRules, { service, port }: RouteOwner): CallNames {
  const [hostname = '*'] = hostnames;
  const known = service.ref.kind === 'Host' ? [] : hostNamesOf(service.ref);
  const names = hostname === '*' ? [service.ref.name, ...known] : [hostname];
  return { names: names.filter((name) => !name.startsWith('*')), port: port.port };
}

/** A host whose rules are all for other callers has no routes: it is not a plain Service for that. */
const requestRoutes = (rules: HostRules, owner: RouteOwner): readonly Route[] =>
  rules.entries.length === 0
    ? [plainRoute(owner)]
    : entriesFor(rules, owner.caller)
        .flatMap(withPreflight)
        .flatMap((entry) =>
          variantsOf(entry, defaultsFor(entry.rule, owner.port)).map((variant) => buildRoute(entry, variant, owner)),
        )
        .flatMap((route) => withoutUsualPort(route, callNames(rules, owner)));

/** Tunnels to the Service itself. */
const plainTunnel = (owner: RouteOwner): Route => tunnel(pathTo(nameOf(owner), nameOf(owner)));

function routesOf(rules: HostRules, owner: RouteOwner): readonly Route[] {
  const { protocol } = owner.port;
  // A tunnel that no rule matches is for the Service itself; no other request matches like one.
  if (protocol === 'auto') return [...requestRoutes(rules, owner), plainTunnel(owner)];
  if (isHttp(protocol)) return requestRoutes(rules, owner);
  const rule = ruleOf(rules);
  const path = rule === undefined ? pathTo(nameOf(owner), nameOf(owner)) : pathBy(rule, owner);
  return owner.capture === 'explicit' ? [tunnel(path), onlyTunnels] : [leftover(path)];
}

function virtualHost(rules: HostRules, owner: RouteOwner): VirtualHost {
  return VirtualHost.fromPartial({
    name: nameOfHost(owner.service.ref.name, rules.hostnames),
    domains: rules.hostnames,
    includeRequestAttemptCount: true,
    routes: routesOf(rules, owner),
  });
}

const clustersOf = (rule: Rule, owner: RouteOwner): readonly string[] => {
  const targets = rule.backends.flatMap((backend): readonly Target[] =>
    backend.kind === 'service' ? [backend.target] : [],
  );
  const sentTo = rule.backends
    .filter(({ weight }) => weight > 0)
    .map((backend) => nameOfDestination(backend, rule, owner))
    .filter((name) => name !== unresolvedCluster);
  const mirrors = rule.hosts.filter((host) => isWithin(host, owner.caller)).map(nameOfExternal);
  return [...[...targets, ...rule.references].map(nameOfCluster), ...sentTo, ...mirrors];
};

const distinctOrigins = (rules: readonly Rule[]): readonly Origin[] => [...new Set(rules.map((rule) => rule.origin))];

/** The route configuration of a Service port, for the callers that these rules are for. */
export function buildRoutes(owner: RouteOwner, hosts: readonly HostRules[]): Resource<'route'> {
  const { service, caller } = owner;
  const name = nameOf(owner);
  const rules = hosts.flatMap((one) => entriesFor(one, caller).map((entry) => entry.rule));
  return {
    type: 'route',
    name,
    message: RouteConfiguration.fromPartial({
      name,
      ignorePortInHostMatching: true,
      mostSpecificHeaderMutationsWins: true,
      virtualHosts: hosts.map((one) => virtualHost(one, owner)),
    }),
    origins: [
      service.origin,
      ...distinctOrigins(rules),
      ...[...owner.port.policies.inForce, ...owner.outbound].map(({ origin }) => origin),
    ],
    parts: [...new Set(rules)],
    clusters: [...new Set([name, ...rules.flatMap((rule) => clustersOf(rule, owner))])],
  };
}

/** What the rules on a host outside of the cluster make of requests to it. */
export interface RuledHost {
  readonly routes: readonly Route[];
  readonly rules: readonly Rule[];
  readonly clusters: readonly string[];
}

/** The rules of one name alone; undefined where there are none. */
export function buildRuledHost(owner: RouteOwner, rules: HostRules): RuledHost | undefined {
  if (rules.entries.length === 0) return undefined;
  const own = [...new Set(entriesFor(rules, owner.caller).map(({ rule }) => rule))];
  return {
    routes: requestRoutes(rules, owner),
    rules: own,
    clusters: own.flatMap((rule) => clustersOf(rule, owner)),
  };
}

const noRules: readonly HostRules[] = [{ hostnames: ['*'], entries: [] }];

/** Route configurations of the pods that can be called by name: who names a pod wants that one, whatever rules say. */
export const buildInstanceRoutes = (
  service: ServiceModel,
  outbound: RouteOwner['outbound'],
): readonly Resource<'route'>[] =>
  service.ports.flatMap((port) =>
    service.instances.map((instance) =>
      buildRoutes({ service, port, caller: everyone, capture: 'explicit', outbound, instance }, noRules),
    ),
  );
