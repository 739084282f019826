// Prints messages as canonical proto3 JSON with Envoy's own field names (snake_case) and with every Any of a known type
// expanded. What users see, what golden files hold and what a bootstrap is written in.
import { enums, messages, type FieldInfo } from '../gen/descriptors.js';
import type { MessageType } from '../gen/codecs.js';
import { Any } from '../gen/google/protobuf/any.js';
import { unpackAny } from '../features/any.js';
import { durationNanos, fieldValue, isRecord, mapEntries, wrappedScalar } from '../features/message-shape.js';

/** A JSON value. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject;
/** A JSON object. */
export interface JsonObject {
  readonly [name: string]: Json;
}

/** A message as canonical JSON; unset fields and defaults are left out. */
export function messageToJson<T>(type: MessageType<T>, message: T): JsonObject {
  return fieldsToJson(type.$type, message);
}

function fieldsToJson(typeName: string, message: unknown): JsonObject {
  const info = messages[typeName];
  if (info === undefined) throw new Error(`no descriptor of ${typeName}`);
  if (!isRecord(message)) throw new Error(`not a message of type ${typeName}`);
  const json: Record<string, Json> = {};
  for (const field of info.fields) {
    const value = fieldValue(message, field);
    if (isPrinted(field, value)) json[field.name] = fieldToJson(field, value);
  }
  return json;
}

function isPrinted(field: FieldInfo, value: unknown): boolean {
  if (value === undefined) return false;
  if (field.label === 'list') return Array.isArray(value) && value.length > 0;
  if (field.label === 'map') return mapEntries(value).length > 0;
  if (field.oneof !== undefined || field.presence === true || field.type === 'message') return true;
  return !isDefault(value);
}

function isDefault(value: unknown): boolean {
  return value instanceof Uint8Array ? value.length === 0 : ['', 0, 0n, false].some((empty) => empty === value);
}

function fieldToJson(field: FieldInfo, value: unknown): Json {
  if (field.label === 'list') return Array.isArray(value) ? value.map((item) => valueToJson(field, item)) : [];
  if (field.label !== 'map') return valueToJson(field, value);
  return Object.fromEntries(mapEntries(value).map(([key, item]) => [key, valueToJson(field, item)]));
}

function valueToJson(field: FieldInfo, value: unknown): Json {
  if (field.of === undefined) return scalarToJson(value);
  if (field.type === 'message') return typedToJson(field.of, value);
  const name = typeof value === 'number' ? enums[field.of]?.[value] : undefined;
  return name ?? Number(value);
}

type Printer = (value: unknown) => Json;

const wellKnown: Readonly<Record<string, Printer>> = {
  'google.protobuf.Any': (value) => anyToJson(value),
  'google.protobuf.Duration': (value) => durationToJson(value),
  'google.protobuf.ListValue': (value) => structToJson(value),
  'google.protobuf.Struct': (value) => structToJson(value),
  'google.protobuf.Timestamp': (value) => (value instanceof Date ? value.toISOString() : String(value)),
  'google.protobuf.Value': (value) => structToJson(value),
};

function typedToJson(typeName: string, value: unknown): Json {
  if (wrappedScalar(typeName) !== undefined) return scalarToJson(value);
  return wellKnown[typeName]?.(value) ?? fieldsToJson(typeName, value);
}

function scalarToJson(value: unknown): Json {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  return typeof value === 'boolean' ? value : String(value);
}

/** Any JSON value: what a Struct, Value or ListValue is in memory. */
function structToJson(value: unknown): Json {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return value.map(structToJson);
  if (isRecord(value)) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, structToJson(item)]));
  return scalarToJson(value);
}

/** Seconds with as many decimals as needed: `5s`, `0.025s`. */
function durationToJson(value: unknown): Json {
  const nanos = durationNanos(value);
  if (nanos === undefined) throw new Error('not a duration');
  const size = nanos < 0n ? -nanos : nanos;
  const decimals = (size % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  const whole = `${nanos < 0n ? '-' : ''}${(size / 1_000_000_000n).toString()}`;
  return decimals === '' ? `${whole}s` : `${whole}.${decimals}s`;
}

function anyToJson(value: unknown): Json {
  if (!isRecord(value)) throw new Error('not an Any');
  const any = Any.fromPartial(value);
  const unpacked = unpackAny(any);
  if (unpacked === undefined) return { '@type': any.typeUrl, value: scalarToJson(any.value) };
  const inner = unpacked.type.$type;
  const isBare = wrappedScalar(inner) !== undefined || wellKnown[inner] !== undefined;
  if (!isBare) return { '@type': any.typeUrl, ...fieldsToJson(inner, unpacked.message) };
  return { '@type': any.typeUrl, value: typedToJson(inner, bareValue(inner, unpacked.message)) };
}

/** Wrappers and structs decoded on their own come as messages, not as the bare values that they are inside others. */
function bareValue(typeName: string, message: unknown): unknown {
  if (!isRecord(message)) return message;
  if (wrappedScalar(typeName) !== undefined) return message['value'];
  if (typeName === 'google.protobuf.Struct') return message['fields'];
  return typeName === 'google.protobuf.ListValue' ? message['values'] : message;
}
