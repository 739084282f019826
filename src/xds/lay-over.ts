// Lays some fields over a message as protobuf merges: messages field by field, lists by appending, maps by key, all else
// by replacing. Which is which, the descriptors know.

import { messages, type FieldInfo } from '../gen/descriptors.js';
import type { Fields } from '../features/message-json.js';
import { isRecord, wrappedScalar } from '../features/message-shape.js';

/** A message of the named type with fields laid over it; nested messages may lack defaults: `fromPartial` adds them. */
export function laidOver<Message extends object>(type: string, base: Message, fields: Fields): Message {
  const held = new Map<string, unknown>(Object.entries(base));
  const known = messages[type]?.fields ?? [];
  const laid = Object.entries(fields).map(([key, value]): [string, unknown] => {
    const field = known.find((one) => one.key === key);
    if (field !== undefined) return [key, merged(field, held.get(key), value)];
    return [key, chosen(known, held.get(key), value)];
  });
  return { ...base, ...Object.fromEntries(laid) };
}

/** Of a choice, the same member is merged and another one replaces it. */
function chosen(known: readonly FieldInfo[], base: unknown, value: unknown): unknown {
  if (!isRecord(base) || !isRecord(value) || base['$case'] !== value['$case']) return value;
  const field = known.find((one) => one.oneof !== undefined && one.key === value['$case']);
  return field === undefined ? value : { ...value, value: merged(field, base['value'], value['value']) };
}

function merged(field: FieldInfo, base: unknown, value: unknown): unknown {
  if (base === undefined) return value;
  if (field.label === 'list') return Array.isArray(base) && Array.isArray(value) ? base.concat(value) : value;
  if (!isRecord(base) || !isRecord(value)) return value;
  if (field.label === 'map') return { ...base, ...value };
  return field.of === undefined || !isMerged(field) ? value : laidOver(field.of, base, value);
}

/** Packed messages, durations and the like are one value. */
const isMerged = ({ type, of = '' }: FieldInfo): boolean =>
  type === 'message' && wrappedScalar(of) === undefined && !of.startsWith('google.protobuf.');
