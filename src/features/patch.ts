// A typed patch: proto JSON that is laid over messages of one kind. What makes a mesh a mesh cannot be patched: names,
// addresses, who is behind a cluster, where configuration comes from, secrets, what files of the proxy are read.

import { messages, type FieldInfo } from '../gen/descriptors.js';
import { Any } from '../gen/google/protobuf/any.js';
import { err, ok, type Problem, type Result } from '../lib/result.js';
import { unpackAny } from './any.js';
import type { Hook, PatchExtension } from './extension-parts.js';
import type { Extensions } from './extensions.js';
import { readMessage } from './message-json.js';
import { fieldValue, isRecord, mapEntries } from './message-shape.js';

/** The message of each hook. */
export const typeOfHook: Readonly<Record<Hook, string>> = {
  Listener: 'envoy.config.listener.v3.Listener',
  HttpConnectionManager: 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
  VirtualHost: 'envoy.config.route.v3.VirtualHost',
  Route: 'envoy.config.route.v3.Route',
  Cluster: 'envoy.config.cluster.v3.Cluster',
};

/** By message, the fields that are ours alone. */
const ours: Readonly<Record<string, readonly string[] | undefined>> = {
  [typeOfHook.Listener]: [
    'name',
    'address',
    'additional_addresses',
    'stat_prefix',
    'filter_chains',
    'filter_chain_matcher',
    'default_filter_chain',
    'fcds_config',
    'use_original_dst',
    'bind_to_port',
    'traffic_direction',
    'drain_type',
    'api_listener',
    'internal_listener',
    'udp_listener_config',
    'listener_specifier',
  ],
  [typeOfHook.HttpConnectionManager]: [
    'stat_prefix',
    'rds',
    'route_config',
    'scoped_routes',
    'early_header_mutation_extensions',
    'add_user_agent',
  ],
  [typeOfHook.VirtualHost]: ['name', 'domains', 'routes', 'matcher'],
  [typeOfHook.Route]: ['name', 'match', 'redirect', 'direct_response', 'filter_action', 'non_forwarding_action'],
  [typeOfHook.Cluster]: [
    'name',
    'alt_stat_name',
    'type',
    'cluster_type',
    'eds_cluster_config',
    'load_assignment',
    'transport_socket',
    'transport_socket_matches',
    'typed_extension_protocol_options',
    'lrs_server',
    'upstream_config',
  ],
  'envoy.config.route.v3.RouteAction': [
    'cluster',
    'cluster_header',
    'weighted_clusters',
    'cluster_specifier_plugin',
    'inline_cluster_specifier_plugin',
  ],
};

/** What would read files and variables of the proxy. */
const reading: Readonly<Record<string, readonly string[] | undefined>> = {
  'envoy.config.core.v3.DataSource': ['filename', 'environment_variable', 'watched_directory'],
};

/** Messages that may be nowhere in a patch: other control planes, secrets, what dials or listens by itself. */
const forbidden: ReadonlySet<string> = new Set([
  'envoy.config.core.v3.ApiConfigSource',
  'envoy.config.core.v3.ConfigSource',
  'envoy.config.core.v3.GrpcService.GoogleGrpc',
  'envoy.config.core.v3.TransportSocket',
  'envoy.config.bootstrap.v3.Admin',
  'envoy.config.bootstrap.v3.Bootstrap',
  'envoy.extensions.transport_sockets.tls.v3.Secret',
  'envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig',
  'envoy.extensions.transport_sockets.tls.v3.TlsCertificate',
]);

const refused = (path: string, why: string): readonly Problem[] => [
  { path, reason: 'UnsupportedValue', message: `\`${path.replace(/^spec\./, '')}\` ${why}` },
];

/** Everything in what was read that must not be patched. */
function forbiddenIn(type: string, message: unknown, path: string): readonly Problem[] {
  if (forbidden.has(type))
    return refused(path, `is a ${type.slice(type.lastIndexOf('.') + 1)}, which patches may not hold`);
  if (!isRecord(message)) return [];
  if (type === 'google.protobuf.Any') return forbiddenInAny(message, path);
  return (messages[type]?.fields ?? []).flatMap((field) => {
    const value = fieldValue(message, field);
    if (value === undefined) return [];
    const inner = `${path}.${field.name}`;
    if (ours[type]?.includes(field.name) === true)
      return refused(inner, 'is what the mesh is made of, and cannot be patched');
    if (reading[type]?.includes(field.name) === true)
      return refused(inner, 'would read what belongs to the proxy, and cannot be patched');
    return forbiddenInField(field, value, inner);
  });
}

function forbiddenInAny(message: Readonly<Record<string, unknown>>, path: string): readonly Problem[] {
  const unpacked = unpackAny(Any.fromPartial(message));
  return unpacked === undefined ? [] : forbiddenIn(unpacked.type.$type, unpacked.message, path);
}

function forbiddenInField(field: FieldInfo, value: unknown, path: string): readonly Problem[] {
  if (field.label === 'map')
    return mapEntries(value).flatMap(([key, item]) => forbiddenInEntry(field, item, `${path}[${key}]`));
  if (field.label === 'list' && Array.isArray(value)) {
    const items: readonly unknown[] = value;
    return items.flatMap((item, index) => forbiddenInside(field, item, `${path}[${String(index)}]`));
  }
  return forbiddenInside(field, value, path);
}

const forbiddenInside = (field: FieldInfo, value: unknown, path: string): readonly Problem[] => {
  const name = field.name === 'http_filters' && isRecord(value) ? value['name'] : undefined;
  if (typeof name === 'string' && isOurs(name))
    return refused(`${path}.name`, `is '${name}', a filter of the mesh itself`);
  return field.of === undefined || field.type !== 'message' ? [] : forbiddenIn(field.of, value, path);
};

const forbiddenInEntry = (field: FieldInfo, value: unknown, path: string): readonly Problem[] => {
  const key = path.slice(path.lastIndexOf('[') + 1, -1);
  return isOurs(key) ? refused(path, 'belongs to the mesh itself') : forbiddenInside(field, value, path);
};

/** Filters of our own: what switches them off would be a way around policies. */
const isOurs = (name: string): boolean => name.startsWith('mesh.') || name === 'envoy.filters.http.router';

/** Reads and checks a patch; problems have paths below `path`. */
export function compilePatch({ patch }: Extensions[number], path: string): Result<PatchExtension> {
  if (patch === undefined) return err([]);
  const { hook, match, value, minEnvoyVersion } = patch;
  const place = `${path}.patch.value`;
  const { fields, problems } = readMessage(typeOfHook[hook], value, place);
  const wrong = problems.length > 0 ? problems : forbiddenIn(typeOfHook[hook], fields, place);
  return wrong.length > 0 ? err(wrong) : ok({ kind: 'patch', hook, match, fields, minEnvoyVersion });
}
