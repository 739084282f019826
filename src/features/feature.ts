// The contract of a feature: one policy, from its schema to its Envoy configuration, in one file. A feature
// sees only the small contexts declared here, and returns patches; `xds` merges, packs and encodes them.

import type {
  Route,
  RouteAction,
  RedirectAction,
  DirectResponseAction,
  WeightedCluster_ClusterWeight,
} from '../gen/envoy/config/route/v3/route_components.js';
import type { TcpProxy } from '../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.js';
import type { Result } from '../lib/result.js';

/** Some of a message's fields, at any depth. */
export type Patch<T> = T extends bigint | Uint8Array | string | number | boolean | undefined
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Patch<Item>[]
    : T extends { readonly $case: string; readonly value: unknown }
      ? { readonly $case: T['$case']; value?: Patch<T['value']> }
      : { readonly [K in keyof T]?: Patch<T[K]> };

/** What a feature knows of the route that it changes. */
export interface RouteContext {
  /** Port of the Service that was called. */
  readonly port: number;
  readonly path: { readonly kind: 'exact' | 'prefix' | 'regex'; readonly value: string; readonly ignoreCase: boolean };
  /** Whether the methods of this route may be repeated without harm. */
  readonly methods: 'safe' | 'unsafe';
  /** The cluster of a Service port that a feature sends to, or undefined if it does not resolve. */
  readonly clusterOf: (target: {
    readonly namespace?: string;
    readonly name: string;
    readonly port?: number;
  }) => string | undefined;
}

/** What a feature changes of a route. Two features must not write one field. */
export interface RoutePatch {
  readonly route?: Patch<Omit<Route, 'action' | 'match'>>;
  readonly forward?: Patch<RouteAction>;
  /** Answers in place of a backend. */
  readonly answer?:
    | { readonly kind: 'redirect'; readonly action: Patch<RedirectAction> }
    | { readonly kind: 'respond'; readonly action: Patch<DirectResponseAction> };
}

/** What a feature changes of the way of a TCP connection. */
export type ConnectionPatch = Patch<
  Pick<TcpProxy, 'idleTimeout' | 'maxConnectAttempts' | 'maxDownstreamConnectionDuration'>
>;

/** A policy feature. */
export interface Feature<Key extends string, Config, Compiled> {
  /** The member of a rule, or of one of its filters. */
  readonly key: Key;
  readonly summary: string;
  readonly attachesTo: 'route';
  /** As close to Envoy as possible, once for each policy. */
  compile(config: Config): Result<Compiled>;
  onRoute(compiled: Compiled, route: RouteContext): RoutePatch;
  /** The same for rules of TCP and TLS routes; absent: it needs requests. */
  onConnection?(compiled: Compiled): ConnectionPatch;
  /** What changes for one backend of a split. */
  onBackend?(compiled: Compiled): Patch<WeightedCluster_ClusterWeight>;
  /** Whether safe and unsafe methods need routes of their own. */
  splitsMethods?(compiled: Compiled): boolean;
}

/** A compiled policy, closed over its feature: what the model carries. */
export interface CompiledFeature {
  readonly key: string;
  readonly splitsMethods: boolean;
  onRoute(route: RouteContext): RoutePatch;
  onConnection(): ConnectionPatch;
}

/** A compiled policy of one backend. */
export interface CompiledBackendFeature {
  readonly key: string;
  onBackend(): Patch<WeightedCluster_ClusterWeight>;
}

/** Checks a feature against the contract; returns it unchanged. */
export const defineFeature = <Key extends string, Config, Compiled>(
  feature: Feature<Key, Config, Compiled>,
): Feature<Key, Config, Compiled> => feature;

/** Compiles a config and closes the result over its feature. */
export function compileFeature<Key extends string, Config, Compiled>(
  feature: Feature<Key, Config, Compiled>,
  config: Config,
): Result<CompiledFeature> {
  const compiled = feature.compile(config);
  if (!compiled.ok) return compiled;
  const { value } = compiled;
  return {
    ok: true,
    value: {
      key: feature.key,
      splitsMethods: feature.splitsMethods?.(value) ?? false,
      onRoute: (route) => feature.onRoute(value, route),
      onConnection: () => feature.onConnection?.(value) ?? {},
    },
  };
}

/** The same for a policy of one backend. */
export function compileBackendFeature<Key extends string, Config, Compiled>(
  feature: Feature<Key, Config, Compiled>,
  config: Config,
): Result<CompiledBackendFeature> {
  const compiled = feature.compile(config);
  if (!compiled.ok) return compiled;
  const { value } = compiled;
  return { ok: true, value: { key: feature.key, onBackend: () => feature.onBackend?.(value) ?? {} } };
}
