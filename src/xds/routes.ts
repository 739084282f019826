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
import { ruleFeatures } from '../features/index.js';
import type { RouteDefaults } from '../features/route-defaults.js';
import type { Origin } from '../model/delivery.js';
import type { Backend, HostRules, PortModel, RouteEntry, Rule, ServiceModel, Target } from '../model/mesh.js';
import { mergePatches } from './merge.js';
import { nameOfCluster, nameOfHost, nameOfOutbound, nameOfRule, unresolvedCluster } from './names.js';
import { buildMatch, safeMethods } from './route-match.js';
import { noProvider, providerOf } from './providers.js';
import type { Resource } from './resources.js';

/** The Service port that a route configuration is for. */
export interface RouteOwner {
  readonly service: ServiceModel;
  readonly port: PortModel;
}

function clusterOf(rule: Rule): RouteContext['clusterOf'] {
  return ({ namespace, name, port }) => {
    const target = rule.references.find(
      (one) => one.name === name && one.port === port && one.namespace === (namespace ?? rule.origin.ref.namespace),
    );
    return target === undefined ? undefined : nameOfCluster(target);
  };
}

type WeightedBackend = { readonly name: string; readonly weight: number; readonly backend: Backend };

const weighted = (backend: Backend): WeightedBackend => ({
  name: backend.kind === 'service' ? nameOfCluster(backend.target) : unresolvedCluster,
  weight: backend.weight,
  backend,
});

/** Sends to the backends by weight. What does not resolve answers 500 for its share. */
function destination(backends: readonly Backend[]): Partial<RouteAction> {
  const live = backends.map(weighted).filter((one) => one.weight > 0);
  const [first] = live;
  const plain = live.length === 1 && first?.backend.kind === 'service' && first.backend.features.length === 0;
  if (plain) return { clusterSpecifier: { $case: 'cluster', value: first.name } };
  const clusters = live.map(({ name, weight, backend }) => ({
    name,
    weight,
    ...(backend.kind === 'service'
      ? mergePatches(
          backend.features.map((one) => one.onBackend()),
          'backend',
        )
      : {}),
  }));
  const action = RouteAction.fromPartial({
    clusterSpecifier: { $case: 'weightedClusters', value: { clusters } },
    clusterNotFoundResponseCode: ClusterNotFound.INTERNAL_SERVER_ERROR,
  });
  return { clusterSpecifier: action.clusterSpecifier, clusterNotFoundResponseCode: action.clusterNotFoundResponseCode };
}

const noBackend: Route['action'] = {
  $case: 'directResponse',
  value: DirectResponseAction.fromPartial({ status: 500 }),
};

function actionOf(rule: Rule, patches: readonly RoutePatch[]): Route['action'] {
  const answer = patches.find((patch) => patch.answer !== undefined)?.answer;
  if (answer?.kind === 'redirect') return { $case: 'redirect', value: RedirectAction.fromPartial(answer.action) };
  if (answer?.kind === 'respond')
    return { $case: 'directResponse', value: DirectResponseAction.fromPartial(answer.action) };
  const resolved = rule.backends.some((backend) => backend.kind === 'service' && backend.weight > 0);
  if (!resolved) return noBackend;
  const forward = mergePatches(
    patches.map((patch) => patch.forward),
    'route',
  );
  return { $case: 'route', value: RouteAction.fromPartial({ ...forward, ...destination(rule.backends) }) };
}

interface RouteVariant {
  readonly methods: RouteContext['methods'];
  readonly onlySafe: boolean;
}

/** Retries that go further than Envoy's safe set hold for methods that may be repeated; others get a route of their own. */
function variantsOf({ match, rule }: RouteEntry, defaults: RouteDefaults): readonly RouteVariant[] {
  if (match.method !== undefined)
    return [{ methods: safeMethods.includes(match.method) ? 'safe' : 'unsafe', onlySafe: false }];
  if (!rule.features.some((feature) => feature.splitsMethods(defaults))) return [{ methods: 'safe', onlySafe: false }];
  return [
    { methods: 'safe', onlySafe: true },
    { methods: 'unsafe', onlySafe: false },
  ];
}

/** Policies on the route come before those on the Service, each member as a whole. */
const defaultsFor = (rule: Rule, { port }: RouteOwner): RouteDefaults => ({
  ...port.policies.defaults,
  ...rule.defaults,
});

/** What the rule says, and then what policies on the Service say of all of its rules. */
const patchesFor = (
  features: readonly CompiledFeature[],
  owner: RouteOwner,
  context: RouteContext,
): readonly RoutePatch[] => [
  ...features.map((feature) => feature.onRoute(context)),
  ...owner.port.policies.inForce.map((policy) =>
    policy.feature.onRoute({ ...context, providerOf: providerOf(policy) }),
  ),
];

function buildRoute(entry: RouteEntry, variant: RouteVariant, owner: RouteOwner): Route {
  const { match, rule } = entry;
  const context: RouteContext = {
    direction: 'outbound',
    fallsBack: rule.fallsBack ?? false,
    port: owner.port.port,
    path: match.path,
    methods: variant.methods,
    defaults: defaultsFor(rule, owner),
    clusterOf: clusterOf(rule),
    providerOf: noProvider,
  };
  const patches = patchesFor(rule.features, owner, context);
  const { ref } = rule.origin;
  const name = nameOfRule({ namespace: ref.namespace, route: ref.name, rule: rule.name });
  return Route.fromPartial({
    ...mergePatches(
      patches.map((patch) => patch.route),
      'route',
    ),
    name,
    statPrefix: name,
    match: buildMatch(match, variant.onlySafe),
    action: actionOf(rule, patches),
  });
}

/** What a rule has that says nothing. */
const silent = ruleFeatures.map((feature) => feature.from({})).flatMap((one) => (one?.ok === true ? [one.value] : []));

/** A Service without rules: everything goes to its own endpoints. */
function plainRoute(owner: RouteOwner): Route {
  const { service, port } = owner;
  const { namespace, name } = service.ref;
  const context: RouteContext = {
    direction: 'outbound',
    fallsBack: false,
    port: port.port,
    path: { kind: 'prefix', value: '/', ignoreCase: false },
    methods: 'safe',
    defaults: port.policies.defaults,
    clusterOf: () => undefined,
    providerOf: noProvider,
  };
  const patches = patchesFor(silent, owner, context);
  const forward = mergePatches(
    patches.map((patch) => patch.forward),
    'route',
  );
  const cluster = nameOfCluster({ namespace, name, port: port.port });
  return Route.fromPartial({
    ...mergePatches(
      patches.map((patch) => patch.route),
      'route',
    ),
    name: nameOfOutbound({ namespace, name, port: port.port }),
    match: { pathSpecifier: { $case: 'prefix', value: '/' } },
    action: {
      $case: 'route',
      value: RouteAction.fromPartial({ ...forward, clusterSpecifier: { $case: 'cluster', value: cluster } }),
    },
  });
}

function virtualHost(rules: HostRules, owner: RouteOwner): VirtualHost {
  const routes =
    rules.entries.length === 0
      ? [plainRoute(owner)]
      : rules.entries.flatMap((entry) =>
          variantsOf(entry, defaultsFor(entry.rule, owner)).map((variant) => buildRoute(entry, variant, owner)),
        );
  return VirtualHost.fromPartial({
    name: nameOfHost(owner.service.ref.name, rules.hostnames),
    domains: rules.hostnames,
    includeRequestAttemptCount: true,
    routes,
  });
}

const clustersOf = (rule: Rule): readonly string[] => {
  const targets = rule.backends.flatMap((backend): readonly Target[] =>
    backend.kind === 'service' ? [backend.target] : [],
  );
  return [...targets, ...rule.references].map(nameOfCluster);
};

const distinctOrigins = (rules: readonly Rule[]): readonly Origin[] => [...new Set(rules.map((rule) => rule.origin))];

/** The route configuration of a Service port, for the callers that these rules are for. */
export function buildRoutes(owner: RouteOwner, hosts: readonly HostRules[]): Resource<'route'> {
  const { service, port } = owner;
  const name = nameOfOutbound({ ...service.ref, port: port.port });
  const rules = hosts.flatMap((one) => one.entries.map((entry) => entry.rule));
  return {
    type: 'route',
    name,
    message: RouteConfiguration.fromPartial({
      name,
      ignorePortInHostMatching: true,
      mostSpecificHeaderMutationsWins: true,
      virtualHosts: hosts.map((one) => virtualHost(one, owner)),
    }),
    origins: [service.origin, ...distinctOrigins(rules), ...port.policies.inForce.map(({ origin }) => origin)],
    parts: [...new Set(rules)],
    clusters: [...new Set([nameOfCluster({ ...service.ref, port: port.port }), ...rules.flatMap(clustersOf)])],
  };
}
