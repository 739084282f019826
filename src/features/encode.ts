// Encodes messages so that equal content always makes equal bytes: ts-proto writes maps in the order in which they were
// filled, so their keys are sorted first. Content-hash versions rest on this.
import { messages, type FieldInfo } from '../gen/descriptors.js';
import type { MessageType } from '../gen/codecs.js';
import { isRecord } from './message-shape.js';

/** The bytes of a message; independent of the order in which its maps were filled. */
export function encodeMessage<T>(type: MessageType<T>, message: T): Uint8Array {
  const sorted = mapTypes().has(type.$type) ? sortedMessage(type.$type, message) : message;
  // A copy with the same fields: the type is unchanged.
  return type.encode(sorted as T).finish();
}

const structTypes: ReadonlySet<string> = new Set([
  'google.protobuf.Struct',
  'google.protobuf.Value',
  'google.protobuf.ListValue',
]);

function sortedMessage(typeName: string, message: unknown): unknown {
  if (structTypes.has(typeName)) return sortedStruct(message);
  if (!isRecord(message)) return message;
  const copy: Record<string, unknown> = { ...message };
  for (const field of messages[typeName]?.fields ?? []) {
    if (!mayHoldMap(field)) continue;
    if (field.oneof !== undefined) sortChosen(copy, field, field.oneof);
    else copy[field.key] = sortedField(field, copy[field.key]);
  }
  return copy;
}

function sortChosen(copy: Record<string, unknown>, field: FieldInfo, oneof: string): void {
  const chosen = copy[oneof];
  if (!isRecord(chosen) || chosen['$case'] !== field.key) return;
  copy[oneof] = { $case: field.key, value: sortedField(field, chosen['value']) };
}

function sortedField(field: FieldInfo, value: unknown): unknown {
  if (field.label === 'list') return Array.isArray(value) ? value.map((item) => sortedValue(field, item)) : value;
  if (field.label !== 'map') return sortedValue(field, value);
  if (value instanceof Map) {
    return new Map([...value].sort(byKey).map(([key, item]) => [key, sortedValue(field, item)]));
  }
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(byKey)
      .map(([key, item]) => [key, sortedValue(field, item)]),
  );
}

function sortedValue(field: FieldInfo, value: unknown): unknown {
  return field.of === undefined || !mapTypes().has(field.of) ? value : sortedMessage(field.of, value);
}

function sortedStruct(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedStruct);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(byKey)
      .map(([key, item]) => [key, sortedStruct(item)]),
  );
}

function byKey(left: readonly [unknown, unknown], right: readonly [unknown, unknown]): number {
  const [a, b] = [String(left[0]), String(right[0])];
  return a < b ? -1 : Number(a > b);
}

function mayHoldMap(field: FieldInfo): boolean {
  return field.label === 'map' || (field.of !== undefined && mapTypes().has(field.of));
}

let holders: ReadonlySet<string> | undefined;

/** Types with a map somewhere inside; all others are encoded as they are. */
function mapTypes(): ReadonlySet<string> {
  holders ??= findMapTypes();
  return holders;
}

function findMapTypes(): ReadonlySet<string> {
  const found = new Set(structTypes);
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const [name, { fields }] of Object.entries(messages)) {
      if (fields.some((field) => field.label === 'map' || (field.of !== undefined && found.has(field.of)))) {
        found.add(name);
      }
    }
  }
  return found;
}
