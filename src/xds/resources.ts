// Resource types in the order in which they are sent, and resources before and after encoding. The only
// place where a resource becomes bytes: everything after it handles bytes, names and versions.

import { hash } from 'node:crypto';
import { Cluster } from '../gen/envoy/config/cluster/v3/cluster.js';
import { TypedExtensionConfig } from '../gen/envoy/config/core/v3/extension.js';
import { ClusterLoadAssignment } from '../gen/envoy/config/endpoint/v3/endpoint.js';
import { Listener } from '../gen/envoy/config/listener/v3/listener.js';
import { RouteConfiguration } from '../gen/envoy/config/route/v3/route.js';
import { ScopedRouteConfiguration } from '../gen/envoy/config/route/v3/scoped_route.js';
import { HttpConnectionManager } from '../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import { Secret } from '../gen/envoy/extensions/transport_sockets/tls/v3/secret.js';
import type { Any } from '../gen/google/protobuf/any.js';
import type { Origin } from '../model/delivery.js';
import { encodeMessage } from '../features/encode.js';
import { resourceFrame } from './wire.js';

/** Types in send order: what is named comes before what names it. */
export const resourceTypes = ['secret', 'cluster', 'endpoint', 'extension', 'listener', 'scope', 'route'] as const;
export type ResourceType = (typeof resourceTypes)[number];

/** The message of each type. */
export interface MessageOf {
  readonly secret: Secret;
  readonly cluster: Cluster;
  readonly endpoint: ClusterLoadAssignment;
  readonly extension: TypedExtensionConfig;
  readonly listener: Listener;
  readonly scope: ScopedRouteConfiguration;
  readonly route: RouteConfiguration;
}

export const codecOf = {
  secret: Secret,
  cluster: Cluster,
  endpoint: ClusterLoadAssignment,
  extension: TypedExtensionConfig,
  listener: Listener,
  scope: ScopedRouteConfiguration,
  route: RouteConfiguration,
} as const;

/** The abbreviation that people use for the service of a type. */
export const shortNameOf = {
  secret: 'sds',
  cluster: 'cds',
  endpoint: 'eds',
  extension: 'ecds',
  listener: 'lds',
  scope: 'srds',
  route: 'rds',
} as const satisfies Record<ResourceType, string>;

export const typeUrlOfType: Readonly<Record<ResourceType, string>> = {
  secret: `type.googleapis.com/${Secret.$type}`,
  cluster: `type.googleapis.com/${Cluster.$type}`,
  endpoint: `type.googleapis.com/${ClusterLoadAssignment.$type}`,
  extension: `type.googleapis.com/${TypedExtensionConfig.$type}`,
  listener: `type.googleapis.com/${Listener.$type}`,
  scope: `type.googleapis.com/${ScopedRouteConfiguration.$type}`,
  route: `type.googleapis.com/${RouteConfiguration.$type}`,
};

const typesByUrl: ReadonlyMap<string, ResourceType> = new Map(resourceTypes.map((type) => [typeUrlOfType[type], type]));

/** The type behind a type URL; undefined for types that are not served. */
export const typeOfUrl = (url: string): ResourceType | undefined => typesByUrl.get(url);

/** Types that a client may ask for without names; the others are always asked for by name. */
export const isWildcardType = (type: ResourceType): boolean =>
  type === 'cluster' || type === 'listener' || type === 'scope';

/** One Envoy resource with the objects that it came from. */
export interface Resource<T extends ResourceType = ResourceType> {
  readonly type: T;
  readonly name: string;
  readonly message: MessageOf[T];
  readonly origins: readonly Origin[];
  /** Clusters that a route configuration or an HTTP filter sends to: it waits until they are there. */
  readonly clusters?: readonly string[];
  /** What it is made of, where several owners share one resource: a refusal is traced to one of them. */
  readonly parts?: readonly Part[];
}

/** A contribution to a resource; its identity changes with its content. */
export interface Part {
  readonly origin: Origin;
}

/** A resource as bytes, encoded once and shared by every stream. */
export interface EncodedResource {
  readonly type: ResourceType;
  readonly name: string;
  /** First 16 hex digits of SHA-256 over the canonical bytes of the message. */
  readonly version: string;
  /** One `resources` entry of a delta response, tag and length included. */
  readonly frame: Buffer;
  /** Where in `frame` the `google.protobuf.Any` begins. */
  readonly anyStart: number;
  readonly anyEnd: number;
  readonly origins: readonly Origin[];
  readonly clusters: readonly string[];
  /** Route configurations that a listener or scope names: the client asks for them once it has processed it. */
  readonly routes: readonly string[];
  /** HTTP filters that a listener leaves to be asked for, in the same way. */
  readonly extensions: readonly string[];
  readonly parts: readonly Part[];
}

const none: readonly never[] = [];

const encoders: { readonly [T in ResourceType]: (message: MessageOf[T]) => Uint8Array } = {
  secret: (message) => encodeMessage(Secret, message),
  cluster: (message) => encodeMessage(Cluster, message),
  endpoint: (message) => encodeMessage(ClusterLoadAssignment, message),
  extension: (message) => encodeMessage(TypedExtensionConfig, message),
  listener: (message) => encodeMessage(Listener, message),
  scope: (message) => encodeMessage(ScopedRouteConfiguration, message),
  route: (message) => encodeMessage(RouteConfiguration, message),
};

/** What a client asks for by name once it has processed a message. */
interface Named {
  readonly routes: readonly string[];
  readonly extensions: readonly string[];
}

const nothingNamed: Named = { routes: none, extensions: none };

const namedBy: { readonly [T in ResourceType]: (message: MessageOf[T]) => Named } = {
  secret: () => nothingNamed,
  cluster: () => nothingNamed,
  endpoint: () => nothingNamed,
  extension: () => nothingNamed,
  listener: namedByListener,
  scope: (message) => ({ routes: [message.routeConfigurationName], extensions: none }),
  route: () => nothingNamed,
};

/** Encodes a resource; equal messages make equal bytes and versions. */
export function encodeResource<T extends ResourceType>(resource: Resource<T>): EncodedResource {
  const named = namedBy[resource.type](resource.message);
  return encodedFrom({ ...resource, ...named }, encoders[resource.type](resource.message));
}

function namedByListener({ filterChains, defaultFilterChain }: Listener): Named {
  const managers = [...filterChains, ...(defaultFilterChain === undefined ? [] : [defaultFilterChain])]
    .flatMap((chain) => chain.filters)
    .flatMap((filter) => (filter.configType?.$case === 'typedConfig' ? managerIn(filter.configType.value) : none));
  const extensions = managers.flatMap(({ httpFilters }) =>
    httpFilters.filter((one) => one.configType?.$case === 'configDiscovery').map((one) => one.name),
  );
  return { routes: managers.flatMap(routesOfManager), extensions: [...new Set(extensions)] };
}

const managerIn = (config: Any): readonly HttpConnectionManager[] =>
  config.typeUrl.endsWith(HttpConnectionManager.$type) ? [HttpConnectionManager.decode(config.value)] : none;

const routesOfManager = ({ routeSpecifier }: HttpConnectionManager): readonly string[] =>
  routeSpecifier?.$case === 'rds' ? [routeSpecifier.value.routeConfigName] : none;

/** An encoded resource around the bytes of its message. */
export function encodedFrom(
  resource: Pick<Resource, 'type' | 'name' | 'origins' | 'clusters' | 'parts'> & {
    readonly routes?: readonly string[];
    readonly extensions?: readonly string[];
  },
  bytes: Uint8Array,
): EncodedResource {
  const version = hash('sha256', bytes, 'hex').slice(0, 16);
  return {
    type: resource.type,
    name: resource.name,
    version,
    ...resourceFrame({ name: resource.name, version, typeUrl: typeUrlOfType[resource.type], bytes }),
    origins: resource.origins,
    clusters: resource.clusters ?? none,
    routes: resource.routes ?? none,
    extensions: resource.extensions ?? none,
    parts: resource.parts ?? none,
  };
}

/** The bytes of the `google.protobuf.Any` of a resource. */
export const anyOf = (resource: EncodedResource): Buffer => resource.frame.subarray(resource.anyStart, resource.anyEnd);
