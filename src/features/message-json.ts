// Reads proto JSON into the fields of a message that it sets, and nothing else: no defaults, so that what was read can
// be laid over a whole message. Fields that Envoy does not know, or is about to drop, are mistakes with a path.

import { codecs } from '../gen/codecs.js';
import { enums, messages, type FieldInfo } from '../gen/descriptors.js';
import type { Problem } from '../lib/result.js';
import { packAny } from './any.js';
import { isRecord, wrappedScalar } from './message-shape.js';

/** A message with only the fields that were written, as ts-proto lays them out. */
export type Fields = Readonly<Record<string, unknown>>;

/** What was read, and every mistake in it. */
export interface ReadMessage {
  readonly fields: Fields;
  readonly problems: readonly Problem[];
}

/** A place in the JSON, where mistakes are noted. */
interface Place {
  readonly path: string;
  readonly problems: Problem[];
}

const at = ({ path, problems }: Place, step: string): Place => ({ path: `${path}${step}`, problems });

/** Stands where a value could not be read: what is around it is read on, so that every mistake is told. */
const unread = Symbol('unread');
type Unread = typeof unread;

function mistake({ path, problems }: Place, message: string): Unread {
  problems.push({ path, reason: 'Invalid', message: `\`${path.replace(/^spec\./, '')}\` ${message}` });
  return unread;
}

/** Reads JSON as a message of the named type; `path` is where it is written. */
export function readMessage(type: string, json: unknown, path: string): ReadMessage {
  const problems: Problem[] = [];
  const fields = readFields(type, json, { path, problems });
  return { fields: fields === unread ? {} : fields, problems };
}

/** Also names in lower camel case are JSON, says the standard. */
const fieldNamed = (fields: readonly FieldInfo[], name: string): FieldInfo | undefined =>
  fields.find((field) => field.name === name || field.key === name);

function readFields(type: string, json: unknown, place: Place): Fields | Unread {
  if (!isRecord(json)) return mistake(place, `must be an object: ${type}`);
  const known = messages[type]?.fields ?? [];
  const read = new Map<string, unknown>();
  for (const [name, value] of Object.entries(json)) {
    const inner = at(place, `.${name}`);
    const field = fieldNamed(known, name);
    const wrong = field === undefined ? `is not a field of ${type}` : misuseOf(field, read);
    if (wrong !== undefined) mistake(inner, wrong);
    else if (field !== undefined && value !== null) keep(read, field, readField(field, value, inner));
  }
  return Object.fromEntries(read);
}

/** Why a field must not be set beside those that were read. */
function misuseOf(field: FieldInfo, read: ReadonlyMap<string, unknown>): string | undefined {
  if (field.deprecated === true) return 'is deprecated: Envoy is about to drop it';
  const isTaken = field.oneof !== undefined && read.has(field.oneof);
  return isTaken ? 'must not be set beside another member of the same choice' : undefined;
}

function keep(read: Map<string, unknown>, field: FieldInfo, value: unknown): void {
  if (field.oneof === undefined) read.set(field.key, value);
  else read.set(field.oneof, { $case: field.key, value });
}

function readField(field: FieldInfo, value: unknown, place: Place): unknown {
  if (field.label === 'list') {
    if (!Array.isArray(value)) return mistake(place, 'must be a list');
    const items: readonly unknown[] = value;
    return items.map((item, index) => readValue(field, item, at(place, `[${String(index)}]`)));
  }
  if (field.label !== 'map') return readValue(field, value, place);
  if (field.mapKey !== 'string') return mistake(place, 'cannot be written here');
  if (!isRecord(value)) return mistake(place, 'must be an object');
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, readValue(field, item, at(place, `[${key}]`))]),
  );
}

function readValue(field: FieldInfo, value: unknown, place: Place): unknown {
  if (field.type === 'enum') return readEnum(field.of ?? '', value, place);
  if (field.type !== 'message' || field.of === undefined) return readScalar(field.type, value, place);
  const wrapped = wrappedScalar(field.of);
  if (wrapped !== undefined) return readScalar(wrapped, value, place);
  const reader = wellKnown[field.of];
  return reader === undefined ? readFields(field.of, value, place) : reader(value, place);
}

function readEnum(type: string, value: unknown, place: Place): number | Unread {
  const names = enums[type] ?? {};
  const found = Object.entries(names).find(([number, name]) => name === value || Number(number) === value);
  if (found !== undefined) return Number(found[0]);
  return mistake(place, `must be one of ${Object.values(names).join(', ')}`);
}

type Reader = (value: unknown, place: Place) => unknown;

const wellKnown: Readonly<Record<string, Reader | undefined>> = {
  'google.protobuf.Any': readAny,
  'google.protobuf.Duration': readDuration,
  'google.protobuf.ListValue': (value, place) => (Array.isArray(value) ? value : mistake(place, 'must be a list')),
  'google.protobuf.Struct': (value, place) => (isRecord(value) ? value : mistake(place, 'must be an object')),
  'google.protobuf.Timestamp': (_, place) => mistake(place, 'cannot be written here'),
  'google.protobuf.Value': (value) => value,
};

function readAny(value: unknown, place: Place): unknown {
  const url = isRecord(value) ? value['@type'] : undefined;
  if (!isRecord(value) || typeof url !== 'string') return mistake(place, 'must be an object with `@type`');
  const name = url.slice(url.lastIndexOf('/') + 1);
  const type = codecs.get(name);
  if (type === undefined) return mistake(at(place, '.@type'), `is '${name}', which this version cannot check`);
  const { '@type': _, ...rest } = value;
  const before = place.problems.length;
  const fields = readFields(name, rest, place);
  const isSound = fields !== unread && place.problems.length === before;
  return isSound ? packAny(type, type.fromPartial(fields)) : unread;
}

function readDuration(value: unknown, place: Place): unknown {
  const match = typeof value === 'string' ? /^(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(value) : null;
  if (match === null) return mistake(place, "must be a duration in seconds, such as '0.25s'");
  const [, seconds = '0', decimals = ''] = match;
  return { seconds: BigInt(seconds), nanos: Number(decimals.padEnd(9, '0')) };
}

const isWhole = (value: unknown): value is string | number =>
  typeof value === 'number' ? Number.isSafeInteger(value) : typeof value === 'string' && /^-?\d{1,20}$/.test(value);

const widest = { 32: 2n ** 31n, 64: 2n ** 63n } as const;

/** Bounds of an integer type: from, and up to but without. */
function boundsOf(type: string): readonly [bigint, bigint] {
  const half = type.endsWith('64') ? widest[64] : widest[32];
  return type.startsWith('u') || type.startsWith('fixed') ? [0n, half * 2n] : [-half, half];
}

function readInteger(type: string, value: unknown, place: Place): number | bigint | Unread {
  if (!isWhole(value)) return mistake(place, 'must be a whole number');
  const number = BigInt(value);
  const [least, beyond] = boundsOf(type);
  if (number < least || number >= beyond) return mistake(place, `must fit into ${type}`);
  return type.endsWith('64') ? number : Number(number);
}

function readScalar(type: string, value: unknown, place: Place): unknown {
  switch (type) {
    case 'bool':
      return typeof value === 'boolean' ? value : mistake(place, 'must be true or false');
    case 'string':
      return typeof value === 'string' ? value : mistake(place, 'must be a text');
    case 'bytes':
      return typeof value === 'string' ? Buffer.from(value, 'base64') : mistake(place, 'must be a text in base64');
    case 'float':
    case 'double':
      return typeof value === 'number' ? value : mistake(place, 'must be a number');
    default:
      return readInteger(type, value, place);
  }
}
