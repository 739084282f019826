// The contract of a feature: one policy, from its schema to its Envoy configuration, in one file. A feature
// sees only the small contexts declared here, and returns patches; `xds` merges, packs and encodes them.

import type { Thresholds } from './envoy-types.js';
import type {
  Cluster,
  DirectResponseAction,
  HttpConnectionManager,
  HttpFilter,
  HttpProtocolOptions,
  NetworkFilter,
  RedirectAction,
  Route,
  RouteAction,
  RouteConfiguration,
  TcpProxy,
  WeightedBackend,
} from './envoy-types.js';
import { ok, type Result } from '../lib/result.js';
import type { Providers } from './providers.js';
import type { RouteDefaults } from './route-defaults.js';

/** Some of a message's fields, at any depth. */
export type Patch<T> = T extends bigint | Uint8Array | string | number | boolean | undefined
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Patch<Item>[]
    : T extends { readonly $case: string; readonly value: unknown }
      ? { readonly $case: T['$case']; value?: Patch<T['value']> }
      : { readonly [K in keyof T]?: Patch<T[K]> };

/** Which side of a call a proxy stands on: beside the caller, or beside the one that is called. */
export type Direction = 'inbound' | 'outbound';

/** A service that a proxy asks or reports to. */
export interface ProviderConfig {
  readonly type: Providers[number]['type'];
  /** The cluster that leads there. */
  readonly cluster: string;
  /** What it is called in requests: `collector.infra:4317`. */
  readonly authority: string;
  readonly path: string | undefined;
  /** Time for an answer. */
  readonly timeout: string;
  readonly onError: 'Deny' | 'Allow';
}

/** A provider by its name; undefined where it does not resolve, which status says. */
export type ProviderOf = (name: string) => ProviderConfig | undefined;

/**
 * Which proxy does what a feature of a rule does. `destination`: the one that receives, which matches the rule again on
 * the request as it arrives. `either`: that one, and the caller's where it cannot.
 */
export type HeldAt = 'caller' | 'destination' | 'either';

/** What is known of requests of a rule on their way: the caller's proxy changes them before they arrive. */
export interface RequestOnTheWay {
  readonly path: RouteContext['path'];
  /** The host that they name; undefined: as the caller wrote it. */
  readonly host: string | undefined;
  /** Headers that the rule looks at, in lower case. */
  readonly lookedAt: readonly string[];
}

/** What a feature knows of the route that it changes. */
export interface RouteContext {
  readonly direction: Direction;
  /** As logs and statistics name it: `shop/reviews/main`. */
  readonly name: string;
  /** Outbound: features that either proxy can hold are held here. */
  readonly fallsBack: boolean;
  /** Port of the Service that was called; inbound: of the container. */
  readonly port: number;
  readonly path: { readonly kind: 'exact' | 'prefix' | 'regex'; readonly value: string; readonly ignoreCase: boolean };
  /** Whether the methods of this route may be repeated without harm. */
  readonly methods: 'safe' | 'unsafe';
  /** What policies say for rules that say nothing. */
  readonly defaults: RouteDefaults;
  /** The cluster of a Service port that a feature sends to, or undefined if it does not resolve. */
  readonly clusterOf: (target: {
    readonly kind?: 'Service' | 'Host';
    readonly namespace?: string;
    readonly name: string;
    readonly port?: number;
  }) => string | undefined;
  /** Of policies; rules have none. */
  readonly providerOf: ProviderOf;
}

/** What a feature changes of a route. Two features must not write one field. */
export interface RoutePatch {
  /** `typedPerFilterConfig` fills slots of the connection manager, by their names. */
  readonly route?: Patch<Omit<Route, 'action' | 'match'>>;
  readonly forward?: Patch<RouteAction>;
  /** Answers in place of a backend. */
  readonly answer?:
    | { readonly kind: 'redirect'; readonly action: Patch<RedirectAction> }
    | { readonly kind: 'respond'; readonly action: Patch<DirectResponseAction> };
}

/** What a feature knows of all routes of a port together. */
export type RoutesContext = Pick<RouteContext, 'direction' | 'port'>;

/** What a feature changes for all routes of a port together: what counts across them. */
export type RoutesPatch = Patch<Pick<RouteConfiguration, 'typedPerFilterConfig'>>;

/** What a feature knows of the cluster that it changes: a port of a Service, or some of its pods. */
export interface ClusterContext {
  /** Full name of the Service. */
  readonly host: string;
  readonly port: number;
  /** Whether requests, and not only bytes, are sent there. */
  readonly http: boolean;
  /** Whether the port of the Service asks for HTTP/2. */
  readonly wantsHttp2: boolean;
  /** Whether events of health checks are written. */
  readonly eventLog: boolean;
}

/** What a feature changes of a cluster. */
export interface ClusterPatch {
  readonly cluster?: Patch<Cluster>;
  /** How HTTP is spoken to endpoints; not used where only bytes are sent. */
  readonly http?: Patch<HttpProtocolOptions>;
  /** Limits of the one priority that we use. */
  readonly thresholds?: Patch<Thresholds>;
}

/** What newer Envoys can do, and older supported ones cannot. */
export interface Capabilities {
  /** `envoy.access_loggers.stats`, from 1.37. */
  readonly statsLogger: boolean;
  /** Its bound on the number of series, from 1.39. */
  readonly statsScope: boolean;
  /** The service of the OpenTelemetry access logger in a field of its own, from 1.37. */
  readonly otelService: boolean;
}

/** What a feature knows of the chain of a listener that it changes. */
export interface ChainContext {
  readonly direction: Direction;
  /** Port of the Service; inbound: of the container. Undefined: connections of many ports. */
  readonly port: number | undefined;
  readonly http: boolean;
  /** `Deployment/web.shop`, whose proxy it is; undefined where proxies share the chain. */
  readonly workload: string | undefined;
  readonly can: Capabilities;
  readonly providerOf: ProviderOf;
}

/** What a feature changes of a chain, and so drains when it changes. */
export interface ChainPatch {
  readonly manager?: Patch<HttpConnectionManager>;
  readonly tcp?: Patch<TcpProxy>;
  /** HTTP filters for the slots of these names that a proxy does not have at rest. */
  readonly slots?: Readonly<Record<string, HttpFilter>>;
  /** Network filters before the one that ends the chain. */
  readonly before?: readonly NetworkFilter[];
}

/** What a feature changes of the way of a TCP connection. */
export type ConnectionPatch = Patch<
  Pick<TcpProxy, 'idleTimeout' | 'maxConnectAttempts' | 'maxDownstreamConnectionDuration'>
>;

/** A policy feature. */
export interface Feature<Key extends string, Config, Compiled> {
  /** The member that holds its configuration: of a rule, of a filter, or of a block of a MeshPolicy. */
  readonly key: Key;
  readonly summary: string;
  /** What holds where nothing is written; without it nothing does. */
  readonly byDefault?: Config;
  /** As close to Envoy as possible, once for each configuration. */
  compile(config: Config): Result<Compiled>;
  onRoute?(compiled: Compiled, route: RouteContext): RoutePatch;
  onRoutes?(compiled: Compiled, routes: RoutesContext): RoutesPatch;
  /** The same for rules of TCP and TLS routes; absent: it needs requests. */
  onConnection?(compiled: Compiled, defaults: RouteDefaults): ConnectionPatch;
  /** What changes for one backend of a split. */
  onBackend?(compiled: Compiled): Patch<WeightedBackend>;
  onCluster?(compiled: Compiled, cluster: ClusterContext): ClusterPatch;
  onChain?(compiled: Compiled, chain: ChainContext): ChainPatch;
  /** Absent: at the caller. */
  heldAt?(compiled: Compiled): HeldAt;
  /** The request after what the feature does to it; undefined: who receives it cannot tell which it was. */
  onRequest?(compiled: Compiled, request: RequestOnTheWay): RequestOnTheWay | undefined;
  /** Clients come back to their endpoint, also while it drains. */
  readonly keepsEndpoint?: true;
  /** Preflight requests for what the rule matches are the rule's, whatever method and headers it asks for. */
  readonly answersPreflight?: true;
  /** Whether safe and unsafe methods need routes of their own. */
  splitsMethods?(compiled: Compiled, defaults: RouteDefaults): boolean;
}

/** A compiled policy, closed over its feature: what the model carries. */
export interface CompiledFeature {
  readonly key: string;
  readonly heldAt: HeldAt;
  readonly answersPreflight: boolean;
  readonly keepsEndpoint: boolean;
  onRequest(request: RequestOnTheWay): RequestOnTheWay | undefined;
  splitsMethods(defaults: RouteDefaults): boolean;
  onRoute(route: RouteContext): RoutePatch;
  onRoutes(routes: RoutesContext): RoutesPatch;
  onConnection(defaults: RouteDefaults): ConnectionPatch;
  onBackend(): Patch<WeightedBackend>;
  onCluster(cluster: ClusterContext): ClusterPatch;
  onChain(chain: ChainContext): ChainPatch;
}

/** Whatever may hold the configuration of a feature. */
export type Holder<Key extends string, Config> = { readonly [K in Key]?: Config | undefined };

/** A feature as it is listed: it finds its configuration by itself. */
export interface ListedFeature<Key extends string, Config> {
  readonly key: Key;
  readonly summary: string;
  /** Compiles what `holder` says; undefined where it says nothing and nothing holds by default. */
  from(holder: Holder<Key, Config>): Result<CompiledFeature> | undefined;
}

/** Checks a feature against the contract, and makes it ready to be listed. */
export function defineFeature<Key extends string, Config, Compiled>(
  feature: Feature<Key, Config, Compiled>,
): ListedFeature<Key, Config> {
  const { key, summary, byDefault } = feature;
  return {
    key,
    summary,
    from: (holder) => {
      const config: Config | undefined = holder[key] ?? byDefault;
      if (config === undefined) return undefined;
      const compiled = feature.compile(config);
      return compiled.ok ? { ok: true, value: close(feature, compiled.value) } : compiled;
    },
  };
}

/** A compiled configuration, closed over its feature. */
function close<Key extends string, Config, Compiled>(
  feature: Feature<Key, Config, Compiled>,
  value: Compiled,
): CompiledFeature {
  return {
    key: feature.key,
    heldAt: feature.heldAt?.(value) ?? 'caller',
    answersPreflight: feature.answersPreflight ?? false,
    keepsEndpoint: feature.keepsEndpoint ?? false,
    onRequest: (request) => (feature.onRequest === undefined ? request : feature.onRequest(value, request)),
    splitsMethods: (defaults) => feature.splitsMethods?.(value, defaults) ?? false,
    onRoute: (route) => feature.onRoute?.(value, route) ?? {},
    onRoutes: (routes) => feature.onRoutes?.(value, routes) ?? {},
    onConnection: (defaults) => feature.onConnection?.(value, defaults) ?? {},
    onBackend: () => feature.onBackend?.(value) ?? {},
    onCluster: (cluster) => feature.onCluster?.(value, cluster) ?? {},
    onChain: (chain) => feature.onChain?.(value, chain) ?? {},
  };
}

/** What changes nothing. */
export const silent: CompiledFeature = close({ key: 'silent', summary: '', compile: ok }, undefined);
