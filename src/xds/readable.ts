// Resources as people read them: JSON with every packed message expanded. Private keys never appear. Pure.

import { type Json, type JsonObject, messageToJson } from './json.js';
import { type MessageOf, type Resource, type ResourceType, codecOf } from './resources.js';

const printers: { readonly [T in ResourceType]: (message: MessageOf[T]) => JsonObject } = {
  secret: (message) => messageToJson(codecOf.secret, message),
  cluster: (message) => messageToJson(codecOf.cluster, message),
  endpoint: (message) => messageToJson(codecOf.endpoint, message),
  extension: (message) => messageToJson(codecOf.extension, message),
  listener: (message) => messageToJson(codecOf.listener, message),
  scope: (message) => messageToJson(codecOf.scope, message),
  route: (message) => messageToJson(codecOf.route, message),
};

const isObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Fields of Envoy's messages that hold key material. */
const secretFields: ReadonlySet<string> = new Set([
  'private_key',
  'pkcs12',
  'password',
  'session_ticket_keys',
  'generic_secret',
]);
/** The members of a data source that hold the data itself. */
const inlineFields: ReadonlySet<string> = new Set(['inline_bytes', 'inline_string']);

function redacted(value: Json, isSecret: boolean): Json {
  if (Array.isArray(value)) return value.map((item: Json) => redacted(item, isSecret));
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([name, item]): [string, Json] => [
    name,
    isSecret && inlineFields.has(name) ? '[redacted]' : redacted(item, isSecret || secretFields.has(name)),
  ]);
  return Object.fromEntries(entries);
}

const jsonOf = <T extends ResourceType>(resource: Resource<T>): JsonObject => printers[resource.type](resource.message);

/** Resources as JSON with `@type` for every packed message, sorted by name, without key material. */
export function resourcesToJson(bundle: readonly Resource[]): readonly Json[] {
  return [...bundle]
    .sort((left, right) => (left.name < right.name ? -1 : Number(left.name > right.name)))
    .map((resource) => redacted(jsonOf(resource), false));
}
