// Small configurations for wire tests: a resource is a name and a number, `cds a@1`. What goes over the wire
// is real, so that the generated codecs can read it.

import { hash } from 'node:crypto';
import { Cluster } from '../../src/gen/envoy/config/cluster/v3/cluster.js';
import { TypedExtensionConfig } from '../../src/gen/envoy/config/core/v3/extension.js';
import { ClusterLoadAssignment } from '../../src/gen/envoy/config/endpoint/v3/endpoint.js';
import { Listener } from '../../src/gen/envoy/config/listener/v3/listener.js';
import { RouteConfiguration } from '../../src/gen/envoy/config/route/v3/route.js';
import { ScopedRouteConfiguration } from '../../src/gen/envoy/config/route/v3/scoped_route.js';
import { Secret } from '../../src/gen/envoy/extensions/transport_sockets/tls/v3/secret.js';
import type { Names, Publication } from '../../src/xds/cache.js';
import {
  encodedFrom,
  resourceTypes,
  shortNameOf,
  type EncodedResource,
  type ResourceType,
} from '../../src/xds/resources.js';
import { forEachType, type OwnResources } from '../../src/xds/view.js';

export type Short = (typeof shortNameOf)[ResourceType];

/** One resource: its content as a number, and what it names. */
export type Content =
  | number
  | {
      readonly v: number;
      readonly clusters?: readonly string[];
      readonly routes?: readonly string[];
      readonly withheld?: true;
    };

/** What is served, by type and name. */
export type Spec = Readonly<Partial<Record<Short, Readonly<Record<string, Content>>>>>;

const typeOfShort = Object.fromEntries(resourceTypes.map((type) => [shortNameOf[type], type])) as Readonly<
  Record<Short, ResourceType>
>;

/** The resource type behind `cds` and the like. */
export const typeOf = (short: Short): ResourceType => typeOfShort[short];

const bytesOf: Readonly<Record<ResourceType, (name: string, v: number) => Uint8Array>> = {
  secret: (name, v) => Secret.encode(Secret.fromPartial({ name: `${name}${'.'.repeat(v)}` })).finish(),
  cluster: (name, v) => Cluster.encode(Cluster.fromPartial({ name, altStatName: String(v) })).finish(),
  endpoint: (name, v) =>
    ClusterLoadAssignment.encode(
      ClusterLoadAssignment.fromPartial({ clusterName: name, endpoints: [{ priority: v }] }),
    ).finish(),
  extension: (name, v) =>
    TypedExtensionConfig.encode(
      TypedExtensionConfig.fromPartial({ name, typedConfig: { typeUrl: String(v) } }),
    ).finish(),
  listener: (name, v) => Listener.encode(Listener.fromPartial({ name, statPrefix: String(v) })).finish(),
  scope: (name, v) =>
    ScopedRouteConfiguration.encode(
      ScopedRouteConfiguration.fromPartial({ name, routeConfigurationName: String(v) }),
    ).finish(),
  route: (name, v) =>
    RouteConfiguration.encode(RouteConfiguration.fromPartial({ name, internalOnlyHeaders: [String(v)] })).finish(),
};

const made = new Map<string, EncodedResource>();
const labels = new Map<string, string>();

const versionOf = (bytes: Uint8Array): string => hash('sha256', bytes, 'hex').slice(0, 16);

/** The resource for a name and a content; the same object each time. */
export function resourceOf(type: ResourceType, name: string, content: Content): EncodedResource {
  const { v, clusters = [], routes = [] } = typeof content === 'number' ? { v: content } : content;
  const key = JSON.stringify([type, name, v, clusters, routes]);
  const known = made.get(key) ?? encodedFrom({ type, name, origins: [], clusters, routes }, bytesOf[type](name, v));
  made.set(key, known);
  labels.set(`${type} ${known.version}`, `${name}@${String(v)}`);
  return known;
}

/** `a@1` for the bytes of a message; `a@empty` for endpoints that we had to invent. */
export function labelOf(type: ResourceType, bytes: Uint8Array): string {
  const known = labels.get(`${type} ${versionOf(bytes)}`);
  if (known !== undefined) return known;
  return type === 'endpoint' ? `${ClusterLoadAssignment.decode(bytes).clusterName}@empty` : '?';
}

/** The resources of a spec. */
export const resourcesOf = (spec: Spec): readonly EncodedResource[] =>
  Object.entries(spec).flatMap(([short, names]) =>
    Object.entries(names).flatMap(([name, content]) =>
      isWithheld(content) ? [] : resourceOf(typeOf(short as Short), name, content),
    ),
  );

const isWithheld = (content: Content): boolean => typeof content === 'object' && content.withheld === true;

const withheldOf = (spec: Spec): Names =>
  Object.entries(spec).flatMap(([short, names]) =>
    Object.entries(names).flatMap(([name, content]) =>
      isWithheld(content) ? { type: typeOf(short as Short), name } : [],
    ),
  );

const ownOf = (spec: Spec): OwnResources => {
  const all = resourcesOf(spec);
  return forEachType((type) => all.filter((one) => one.type === type));
};

export const theProxy = 'shop/pod';

/** A publication in which one proxy sees this. */
export function publicationOf(revision: number, spec: Spec, own: Spec = {}): Publication {
  const layers = new Map(resourceTypes.map((type) => [type, resourcesOf(spec).filter((one) => one.type === type)]));
  const ours = ownOf(own);
  const entry = { group: 'g', viewFor: () => 'view', ownFor: () => ours };
  return {
    revision,
    views: new Map([['view', [layers]]]),
    withheld: new Map([['view', withheldOf(spec)]]),
    proxies: new Map([[theProxy, entry]]),
  };
}
