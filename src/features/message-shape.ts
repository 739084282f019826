// How ts-proto lays out a message in memory: plain objects, oneofs as {$case, value}, wrappers as bare values. The
// printer, the encoder and the rule checker walk messages with this.
import type { FieldInfo } from '../gen/descriptors.js';

/** True for a plain object: neither an array, nor bytes, nor a date. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

/** The value of a field as it stands in the message; undefined when unset or when its oneof holds another member. */
export function fieldValue(message: Readonly<Record<string, unknown>>, field: FieldInfo): unknown {
  if (field.oneof === undefined) return message[field.key];
  const chosen = message[field.oneof];
  return isRecord(chosen) && chosen['$case'] === field.key ? chosen['value'] : undefined;
}

/** Entries of a map field; ts-proto keeps maps with 64-bit or boolean keys as Map, all others as plain objects. */
export function mapEntries(value: unknown): readonly (readonly [string, unknown])[] {
  if (value instanceof Map) return [...value].map(([key, item]): [string, unknown] => [String(key), item]);
  return isRecord(value) ? Object.entries(value) : [];
}

const wrapperKinds: Readonly<Record<string, string>> = {
  'google.protobuf.BoolValue': 'bool',
  'google.protobuf.BytesValue': 'bytes',
  'google.protobuf.DoubleValue': 'double',
  'google.protobuf.FloatValue': 'float',
  'google.protobuf.Int32Value': 'int32',
  'google.protobuf.Int64Value': 'int64',
  'google.protobuf.StringValue': 'string',
  'google.protobuf.UInt32Value': 'uint32',
  'google.protobuf.UInt64Value': 'uint64',
};

/** The scalar type that a wrapper message holds, or undefined for any other type. */
export function wrappedScalar(typeName: string | undefined): string | undefined {
  return typeName === undefined ? undefined : wrapperKinds[typeName];
}

/** Nanoseconds of a google.protobuf.Duration as it is in memory; undefined for anything else. */
export function durationNanos(value: unknown): bigint | undefined {
  if (!isRecord(value)) return undefined;
  const { seconds, nanos } = value;
  const whole = typeof seconds === 'bigint' ? seconds : 0n;
  return whole * 1_000_000_000n + (typeof nanos === 'number' ? BigInt(nanos) : 0n);
}
