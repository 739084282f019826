// What a mesh is, with neither Kubernetes nor Envoy in it: Services with their rules, the endpoints behind
// them, and the proxies that call them. Equal inputs yield the same references, all the way down.

import type { ObjectKey, ObjectRef } from '../api/meta.js';
import type { ExtensionPart } from '../features/extension-parts.js';
import type { CompiledFeature, ProviderConfig } from '../features/feature.js';
import type { LocalityPolicy } from '../features/locality.js';
import type { RouteDefaults } from '../features/route-defaults.js';
import type { Problem } from '../lib/result.js';
import type { Origin } from './delivery.js';
import type { EgressModel, HostBackend } from './egress.js';
import type { Place, Preference } from './place.js';

/** What is spoken on a port. `auto`: nobody said, the proxy looks. */
export type Protocol = 'http' | 'http2' | 'grpc' | 'tcp' | 'tls' | 'auto';

/** Whether requests, and not only bytes, can be routed. */
export const isHttp = (protocol: Protocol): boolean => protocol !== 'tcp' && protocol !== 'tls';

/** Pods of a Service with these labels. */
export type Subset = Readonly<Record<string, string>>;

/** Where requests can be sent: a port of a Service, a subset of its pods, or one pod by its name. */
export interface Target {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
  readonly subset?: Subset | undefined;
  /** Host name of a pod behind a headless Service. */
  readonly instance?: string | undefined;
}

/** One of the places that a rule sends to. A broken one is kept: it costs its share, and only that. */
export type Backend =
  | {
      readonly kind: 'service';
      readonly target: Target;
      readonly weight: number;
      /** Used when no other backend of the rule has a healthy endpoint, and then whatever the weights are. */
      readonly fallback: boolean;
      readonly features: readonly CompiledFeature[];
      /** What policies say of calls to the target. */
      readonly policies: readonly PolicyInForce[];
    }
  | {
      readonly kind: 'host';
      readonly host: HostBackend;
      readonly weight: number;
      readonly fallback: boolean;
      readonly features: readonly CompiledFeature[];
    }
  | { readonly kind: 'invalid'; readonly weight: number; readonly fallback: boolean; readonly problem: Problem };

/** How a value is compared. */
export type TextMatch =
  | { readonly kind: 'exact' | 'prefix' | 'suffix' | 'contains' | 'regex'; readonly value: string }
  | { readonly kind: 'present' };

export interface HeaderMatch {
  readonly name: string;
  readonly match: TextMatch;
  readonly invert: boolean;
}

export interface QueryMatch {
  readonly name: string;
  readonly match: TextMatch;
}

/** A condition on the path, without the query. */
export interface PathMatch {
  readonly kind: 'exact' | 'prefix' | 'regex';
  readonly value: string;
  readonly ignoreCase: boolean;
}

export interface CookieMatch {
  readonly name: string;
  /** Absent: the cookie is there, with any value. */
  readonly value: string | undefined;
}

/** Names of a gRPC call; absent: any. The path says the same to a proxy, this says which name is the closer one. */
export interface GrpcMatch {
  readonly service: TextMatch | undefined;
  readonly method: TextMatch | undefined;
}

/** Who is calling: decided for each proxy, and never sent to one. */
export interface SourceMatch {
  /** Equal for equal conditions. */
  readonly key: string;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  readonly podLabels: Readonly<Record<string, string>>;
  /** Empty: all. */
  readonly ipBlocks: readonly string[];
}

/** One set of conditions, all of which must hold. */
export interface Match {
  readonly path: PathMatch;
  /** Further conditions on the path, of the rules that hand requests on to this one. */
  readonly within?: readonly PathMatch[];
  readonly method: string | undefined;
  readonly headers: readonly HeaderMatch[];
  readonly queryParams: readonly QueryMatch[];
  readonly cookies: readonly CookieMatch[];
  /** Present: gRPC requests only. */
  readonly grpc: GrpcMatch | undefined;
  /** All must hold. */
  readonly sources: readonly SourceMatch[];
}

/** A service that proxies ask or report to, resolved. */
export interface Provider extends Omit<ProviderConfig, 'cluster' | 'authority'> {
  readonly target: Target;
}

/** Providers by the names that policies in reach give them; what does not resolve is not there. */
export type ProviderTable = ReadonlyMap<string, Provider>;

/** A part of a MeshPolicy where it is in force. */
export interface PolicyInForce {
  readonly origin: Origin;
  readonly feature: CompiledFeature;
  readonly providers: ProviderTable;
}

/** An extension where it is in force. */
export interface ExtensionInForce {
  readonly origin: Origin;
  readonly name: string;
  readonly direction: 'Inbound' | 'Outbound' | 'Both';
  /** Where its filters stand. */
  readonly stage: 'BeforeAuthz' | 'AfterAuthz' | 'BeforeRouter';
  readonly part: ExtensionPart;
  /** Whom it asks; undefined: nobody, or a provider that does not resolve. */
  readonly provider: Provider | undefined;
}

/** What policies say of calls to a Service port: how it is reached, and what holds for rules that say nothing. */
export interface ServicePolicies {
  readonly inForce: readonly PolicyInForce[];
  readonly defaults: RouteDefaults;
  /** Absent: the Service itself says. */
  readonly locality?: LocalityPolicy | 'none';
  /** Whether events of health checks are written. */
  readonly eventLog: boolean;
}

/** A rule of a route, compiled. */
export interface Rule {
  readonly origin: Origin;
  /** Written name, or `r<index>`. */
  readonly name: string;
  /** The requests that it is for: any of these. */
  readonly matches: readonly Match[];
  readonly backends: readonly Backend[];
  /** Other targets that its features name and that resolved: mirrors. */
  readonly references: readonly Target[];
  /** The same, outside of the cluster. */
  readonly hosts: readonly HostBackend[];
  readonly features: readonly CompiledFeature[];
  /** What the receiving proxy would hold is held by the caller's: not everyone who receives can. */
  readonly fallsBack?: boolean;
  /** Something that a policy on the rule says holds where its requests arrive. */
  readonly heldByPolicy?: true;
  /** What policies on the route say where the rule says nothing, before those of the Service. */
  readonly defaults?: Partial<RouteDefaults>;
}

/** One match of one rule, at its place in the order of precedence. */
export interface RouteEntry {
  readonly match: Match;
  readonly rule: Rule;
}

/** What holds for some host names. */
export interface HostRules {
  /** `*` for all other names. */
  readonly hostnames: readonly string[];
  /** First match wins; empty: everything goes to the Service itself. */
  readonly entries: readonly RouteEntry[];
}

/** A port of a Service. */
export interface PortModel {
  readonly port: number;
  readonly name: string;
  readonly protocol: Protocol;
  /** What every caller gets. */
  readonly hosts: readonly HostRules[];
  /** What callers of some namespaces get instead. */
  readonly consumers: ReadonlyMap<string, readonly HostRules[]>;
  /** Subsets that some rule of the mesh names. */
  readonly subsets: readonly Subset[];
  /** Whether some rule of the mesh sends clients back to endpoints that drain. */
  readonly keepsEndpoints: boolean;
  readonly policies: ServicePolicies;
  /** Whom callers get first, by where they are. */
  readonly preference?: Preference;
}

/** A Service that can be called. */
export interface ServiceModel {
  readonly ref: ObjectRef;
  readonly origin: Origin;
  /** Virtual addresses; empty for headless Services. */
  readonly addresses: readonly string[];
  /** Type ExternalName: the DNS name that it stands for. */
  readonly externalName?: string | undefined;
  readonly ports: readonly PortModel[];
  /** Host names of pods that can be called by name, sorted: `db-0` of a StatefulSet. */
  readonly instances: readonly string[];
}

/** One place where a Service answers. */
export interface EndpointModel {
  readonly address: string;
  readonly port: number;
  /** Draining endpoints get no new requests and keep what they have. */
  readonly draining: boolean;
  readonly region: string;
  readonly zone: string;
  /** What of its place the preference of the set looks at. */
  readonly place?: Place;
}

/** The endpoints of a target. */
export interface EndpointSet {
  readonly target: Target;
  readonly origin: Origin;
  readonly endpoints: readonly EndpointModel[];
  /** Absent: callers everywhere see the same. */
  readonly preference?: Preference;
}

/** How requests reach the proxy. */
export type Capture = 'redirect' | 'explicit';

/** A Service that a pod is called as, with its rules as their requests arrive: after the caller's rewrites. */
export interface InboundService {
  readonly ref: ObjectRef;
  readonly addresses: readonly string[];
  readonly hosts: readonly HostRules[];
}

/** A rule as rate limits know it. */
export interface RuleMark {
  /** `namespace/route/rule`. */
  readonly at: string;
  /** Names of limits on the rule: others of these names do not hold for it. */
  readonly replaces: readonly string[];
}

/** A port on which the proxy's own pod is called. */
export interface InboundPort {
  /** Where callers call. */
  readonly port: number;
  readonly protocol: Protocol;
  /** What policies say of calls to this port. */
  readonly policies: readonly PolicyInForce[];
  /** All that it is called as, if rules of one of them hold here. */
  readonly services: readonly InboundService[];
  /** How limits know requests of the rules that they are about. */
  readonly marks: ReadonlyMap<Rule, RuleMark>;
}

/** A class of callers: they get the same routes. Equal classes are one object, see `caller.ts`. */
export interface Caller {
  readonly namespace: string;
  /** Keys of the source conditions that hold for them. */
  readonly sources: readonly string[];
}

/** A proxy beside a pod. */
export interface ProxyModel {
  /** `namespace/name` of the pod. */
  readonly key: ObjectKey;
  readonly caller: Caller;
  readonly namespace: string;
  readonly name: string;
  readonly group: string;
  /** `Deployment/web.shop`. */
  readonly workload: string;
  readonly capture: Capture;
  /** Where it is; absent where that counts nowhere in the mesh, so that all callers are alike. */
  readonly place?: Place;
  readonly addresses: readonly string[];
  /** Explicit capture: where the application listens. */
  readonly applicationAddress: string | undefined;
  readonly inbound: readonly InboundPort[];
  /** Equal lists are one object. */
  readonly extensions: readonly ExtensionInForce[];
  /** What policies say of the calls that its pod makes; equal lists are one object. */
  readonly outbound: readonly PolicyInForce[];
  /** What it may reach outside of the cluster. */
  readonly egress: EgressModel;
}

/** The whole mesh at one revision. */
export interface MeshModel {
  readonly revision: number;
  readonly services: ReadonlyMap<ObjectKey, ServiceModel>;
  readonly endpoints: ReadonlyMap<ObjectKey, readonly EndpointSet[]>;
  readonly proxies: ReadonlyMap<ObjectKey, ProxyModel>;
  /** Hosts outside of the cluster that routes are attached to, with their rules, by name. */
  readonly hosts: ReadonlyMap<string, ServiceModel>;
}

/** A Service whose clusters are made of other parts of policies, or of fewer. */
export const withPolicies = (
  service: ServiceModel,
  substitute: (part: PolicyInForce) => PolicyInForce | undefined,
): ServiceModel => ({
  ...service,
  ports: service.ports.map((port) => ({
    ...port,
    policies: { ...port.policies, inForce: port.policies.inForce.flatMap((part) => substitute(part) ?? []) },
  })),
});

/** What a refusal can be traced to. */
export type ModelPart = Rule | PolicyInForce | ExtensionInForce;

/** All rules, parts of policies and extensions that some proxy may be given. */
export function partsIn(model: MeshModel): ReadonlySet<ModelPart> {
  const ports = [...model.services.values(), ...model.hosts.values()].flatMap((service) => service.ports);
  const hosts = ports.flatMap((port) => [...port.hosts, ...[...port.consumers.values()].flat()]);
  return new Set<ModelPart>([
    ...hosts.flatMap(({ entries }) => entries.map(({ rule }) => rule)),
    ...ports.flatMap(({ policies }) => policies.inForce),
    ...[...model.proxies.values()].flatMap(({ extensions }) => extensions),
  ]);
}
