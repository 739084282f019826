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
import { builtInDefaults, type RouteDefaults } from '../features/route-defaults.js';
import type { Origin } from '../model/delivery.js';
import type {
  Backend,
  HostRules,
  InboundPort,
  PolicyInForce,
  PortModel,
  RouteEntry,
  Rule,
  ServiceModel,
  Target,
} from '../model/mesh.js';
import { mergePatches } from './merge.js';
import { nameOfCluster, nameOfHost, nameOfInbound, nameOfOutbound, nameOfRule, unresolvedCluster } from './names.js';
import { buildMatch, safeMethods } from './route-match.js';
import { noProvider, providerOf } from './providers.js';
import type { Resource } from './resources.js';

/** The Service port that a route configuration is for. */
export interface RouteOwner {
  readonly service: ServiceModel;
  readonly port: PortModel;
  /** What policies say of the calls of those who have it. */
  readonly outbound: readonly PolicyInForce[];
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
    port: owner.port.port,
    path: match.path,
    methods: variant.methods,
    defaults: defaultsFor(rule, owner),
    clusterOf: clusterOf(rule),
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
    action: actionOf(rule, patches),
  });
}

/** What a rule has that says nothing. */
const silent = ruleFeatures.map((feature) => feature.from({})).flatMap((one) => (one?.ok === true ? [one.value] : []));

/** A Service without rules: everything goes to its own endpoints. */
function plainRoute(owner: RouteOwner): Route {
  const { service, port } = owner;
  const { namespace, name } = service.ref;
  const routeName = nameOfOutbound({ namespace, name, port: port.port });
  const context: RouteContext = {
    direction: 'outbound',
    name: routeName,
    port: port.port,
    path: { kind: 'prefix', value: '/', ignoreCase: false },
    methods: 'safe',
    defaults: port.policies.defaults,
    clusterOf: () => undefined,
    providerOf: noProvider,
  };
  const patches = patchesFor({ features: silent, policies: port.policies.inForce, outbound: owner.outbound }, context);
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
    name: routeName,
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
    origins: [
      service.origin,
      ...distinctOrigins(rules),
      ...[...port.policies.inForce, ...owner.outbound].map(({ origin }) => origin),
    ],
    parts: [...new Set(rules)],
    clusters: [...new Set([nameOfCluster({ ...service.ref, port: port.port }), ...rules.flatMap(clustersOf)])],
  };
}

const inboundRetry = { retryOn: 'reset-before-request', numRetries: 2 };

/** What becomes of a request to the proxy's own pod: it is delivered, and never cut short here. */
export function buildInboundRoutes(inbound: InboundPort, origin: Origin): Resource<'route'> {
  const name = nameOfInbound(inbound.port);
  const off = { seconds: 0n, nanos: 0 };
  const context: RouteContext = {
    direction: 'inbound',
    name,
    port: inbound.port,
    path: { kind: 'prefix', value: '/', ignoreCase: false },
    methods: 'unsafe',
    defaults: builtInDefaults,
    clusterOf: () => undefined,
    providerOf: noProvider,
  };
  const patch = mergePatches(
    inbound.policies.map((policy) => policy.feature.onRoute({ ...context, providerOf: providerOf(policy) })),
    'route',
  );
  return {
    type: 'route',
    name,
    message: RouteConfiguration.fromPartial({
      name,
      virtualHosts: [
        {
          name: 'inbound',
          domains: ['*'],
          routes: [
            {
              ...patch?.route,
              name,
              match: { pathSpecifier: { $case: 'prefix', value: '/' } },
              action: {
                $case: 'route',
                value: {
                  clusterSpecifier: { $case: 'cluster', value: name },
                  timeout: off,
                  idleTimeout: off,
                  maxStreamDuration: { grpcTimeoutHeaderMax: off },
                  retryPolicy: inboundRetry,
                  ...patch?.forward,
                },
              },
            },
          ],
        },
      ],
    }),
    origins: [origin, ...inbound.policies.map((one) => one.origin)],
  };
}
