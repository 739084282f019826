// Extensions laid over resources that are otherwise whole: filters go into slots of the connection managers and are
// asked for by name, so that new code drains nothing and bad code is refused alone; patches are merged. Who takes part
// in a resource is noted in its parts, so that a refusal is traced to an extension.

import { Cluster } from '../gen/envoy/config/cluster/v3/cluster.js';
import { Listener } from '../gen/envoy/config/listener/v3/listener.js';
import type { Filter, FilterChain } from '../gen/envoy/config/listener/v3/listener_components.js';
import { RouteConfiguration } from '../gen/envoy/config/route/v3/route.js';
import type { Route, VirtualHost } from '../gen/envoy/config/route/v3/route_components.js';
import {
  HttpConnectionManager,
  HttpFilter,
} from '../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import { TypedExtensionConfig } from '../gen/envoy/config/core/v3/extension.js';
import { packAny } from '../features/any.js';
import type { FilterExtension, Hook, PatchExtension } from '../features/extension-parts.js';
import type { Direction } from '../features/feature.js';
import type { Fields } from '../features/message-json.js';
import { typeOfHook } from '../features/patch.js';
import type { ExtensionInForce } from '../model/mesh.js';
import { fromAds } from './config-source.js';
import { withFilters } from './http-manager.js';
import { laidOver } from './lay-over.js';
import { nameOfExtension } from './names.js';
import { configOf } from './providers.js';
import type { Resource, ResourceType } from './resources.js';

/** Whether an extension concerns calls in this direction. */
export const isFor =
  (direction: Direction) =>
  (extension: ExtensionInForce): boolean =>
    extension.direction === 'Both' || (extension.direction === 'Inbound') === (direction === 'inbound');

/** The filters of extensions, as clients ask for them. */
export const buildExtensions = (extensions: readonly ExtensionInForce[]): readonly Resource<'extension'>[] =>
  extensions.flatMap((extension) => {
    if (extension.part.kind !== 'filter') return [];
    const name = nameOfExtension(extension);
    const provider = extension.provider === undefined ? undefined : configOf(extension.provider);
    const message = TypedExtensionConfig.fromPartial({ name, typedConfig: extension.part.filter(provider) });
    const clusters = provider === undefined ? [] : [provider.cluster];
    return [{ type: 'extension', name, message, origins: [extension.origin], parts: [extension], clusters }];
  });

/** A resource with an extension laid over it; the same object where the extension does not concern it. */
export function extended(resource: Resource, extension: ExtensionInForce): Resource {
  const message = extendedMessage(resource, extension);
  if (message === resource.message) return resource;
  return {
    ...resource,
    message,
    origins: [...resource.origins, extension.origin],
    parts: [...(resource.parts ?? []), extension],
  };
}

const is =
  <T extends ResourceType>(type: T) =>
  (resource: Resource): resource is Resource<T> =>
    resource.type === type;

const [isListener, isRoutes, isCluster] = [is('listener'), is('route'), is('cluster')];

function extendedMessage(resource: Resource, extension: ExtensionInForce): Resource['message'] {
  const { name, message } = resource;
  if (extension.part.kind === 'patch' && !isNamed(extension.part.match, name)) return message;
  if (isListener(resource)) return extendedListener(resource.message, extension) ?? message;
  if (isRoutes(resource)) return extendedRoutes(resource.message, extension) ?? message;
  if (!isCluster(resource)) return message;
  const fields = fieldsFor('Cluster', extension);
  return fields === undefined ? message : Cluster.fromPartial(laidOver(typeOfHook.Cluster, resource.message, fields));
}

/** `*` stands at either end for anything. */
function isNamed(match: string, name: string): boolean {
  const text = match.replace(/^\*/, '').replace(/\*$/, '');
  const [open, shut] = [match.startsWith('*'), match.endsWith('*')];
  if (open && shut) return name.includes(text);
  if (open) return name.endsWith(text);
  return shut ? name.startsWith(text) : name === text;
}

const fieldsFor = (hook: Hook, { part }: ExtensionInForce): Fields | undefined =>
  part.kind === 'patch' && part.hook === hook ? part.fields : undefined;

function extendedListener(listener: Listener, extension: ExtensionInForce): Listener | undefined {
  const fields = fieldsFor('Listener', extension);
  if (fields !== undefined) return Listener.fromPartial(laidOver(typeOfHook.Listener, listener, fields));
  const change = managerChange(extension);
  if (change === undefined) return undefined;
  const chains = listener.filterChains.map((chain) => withManagers(chain, change));
  const last = listener.defaultFilterChain;
  const lastChanged = last === undefined ? undefined : withManagers(last, change);
  if (lastChanged === last && chains.every((chain, index) => chain === listener.filterChains[index])) return undefined;
  return { ...listener, filterChains: chains, defaultFilterChain: lastChanged };
}

type ManagerChange = (manager: HttpConnectionManager) => HttpConnectionManager;

function managerChange(extension: ExtensionInForce): ManagerChange | undefined {
  const { part, stage } = extension;
  if (part.kind === 'filter') {
    const slot = slotOf(extension, part);
    return (manager) => ({ ...manager, httpFilters: [...withFilters(manager.httpFilters, stage, [slot])] });
  }
  return part.hook === 'HttpConnectionManager' ? patchedManager(part, stage) : undefined;
}

/** Filters of a patch stand where its stage says: behind the last one they would never run. */
function patchedManager({ fields }: PatchExtension, stage: ExtensionInForce['stage']): ManagerChange {
  return (manager) => {
    const whole = HttpConnectionManager.fromPartial(laidOver(typeOfHook.HttpConnectionManager, manager, fields));
    const [before, brought] = [
      whole.httpFilters.slice(0, manager.httpFilters.length),
      whole.httpFilters.slice(manager.httpFilters.length),
    ];
    return { ...whole, httpFilters: [...withFilters(before, stage, brought)] };
  };
}

const slotOf = (extension: ExtensionInForce, { type, fallback }: FilterExtension): HttpFilter =>
  HttpFilter.fromPartial({
    name: nameOfExtension(extension),
    configType: {
      $case: 'configDiscovery',
      value: { configSource: fromAds, defaultConfig: fallback, typeUrls: [type] },
    },
  });

function withManagers(chain: FilterChain, change: ManagerChange): FilterChain {
  const filters = chain.filters.map((filter) => changedManager(filter, change));
  return filters.every((filter, index) => filter === chain.filters[index]) ? chain : { ...chain, filters };
}

function changedManager(filter: Filter, change: ManagerChange): Filter {
  if (filter.configType?.$case !== 'typedConfig') return filter;
  const { typeUrl, value } = filter.configType.value;
  if (!typeUrl.endsWith(HttpConnectionManager.$type)) return filter;
  const manager = change(HttpConnectionManager.decode(value));
  return { ...filter, configType: { $case: 'typedConfig', value: packAny(HttpConnectionManager, manager) } };
}

function extendedRoutes(routes: RouteConfiguration, extension: ExtensionInForce): RouteConfiguration | undefined {
  const change = hostChange(extension);
  return change === undefined
    ? undefined
    : RouteConfiguration.fromPartial({ ...routes, virtualHosts: routes.virtualHosts.map(change) });
}

function hostChange(extension: ExtensionInForce): ((host: VirtualHost) => VirtualHost) | undefined {
  const { part } = extension;
  if (part.kind === 'filter') {
    const { perRoute } = part;
    if (perRoute === undefined) return undefined;
    const own = { [nameOfExtension(extension)]: perRoute };
    return (host) => ({ ...host, typedPerFilterConfig: { ...host.typedPerFilterConfig, ...own } });
  }
  if (part.hook === 'VirtualHost') return (host) => laidOver(typeOfHook.VirtualHost, host, part.fields);
  if (part.hook !== 'Route') return undefined;
  return (host) => ({ ...host, routes: host.routes.map((route) => patchedRoute(route, part.fields)) });
}

/** What is said of forwarding does not concern a route that answers by itself. */
function patchedRoute(route: Route, fields: Fields): Route {
  if (route.action?.$case === 'route') return laidOver(typeOfHook.Route, route, fields);
  const { action: _, ...others } = fields;
  return laidOver(typeOfHook.Route, route, others);
}
