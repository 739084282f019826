// Checks messages against the protoc-gen-validate rules of Envoy's own API before they are sent: what Envoy would refuse
// by rule, we refuse first. An interpreter of the generated table; a rule holds only for what is set, except `required`.
import { enums, messages, type FieldInfo, type Rules, type RuleValue } from '../gen/descriptors.js';
import { Any } from '../gen/google/protobuf/any.js';
import { unpackAny } from '../features/any.js';
import { scalarProblems } from './scalar-rules.js';
import { fieldValue, isRecord, mapEntries, wrappedScalar } from '../features/message-shape.js';

/** One broken rule: the field, in Envoy's names, and what must be true of it. */
export interface Violation {
  readonly path: string;
  readonly message: string;
}

/** All broken rules in a message of the named type and in what it holds, including packed messages of known types. */
export function checkConstraints(type: string, message: unknown): readonly Violation[] {
  return checkMessage(type, message, '');
}

const noRules: Rules = {};

function checkMessage(type: string, message: unknown, path: string): readonly Violation[] {
  const info = messages[type];
  if (info === undefined || info.unchecked === true || !isRecord(message)) return [];
  const missing = (info.required ?? [])
    .filter((oneof) => message[oneof.key] === undefined)
    .map((oneof) => ({ path: joined(path, oneof.name), message: 'is required: one of its members must be set' }));
  return [...missing, ...info.fields.flatMap((field) => checkField(message, field, path))];
}

function checkField(
  message: Readonly<Record<string, unknown>>,
  field: FieldInfo,
  parent: string,
): readonly Violation[] {
  const value = fieldValue(message, field);
  const path = joined(parent, field.name);
  if (field.label === 'list') return checkList(field, value, path);
  if (field.label === 'map') return checkMap(field, value, path);
  if (value !== undefined) return checkValue({ field, rules: field.rules ?? noRules, path }, value);
  // An unset member of a oneof is not missing: another member may be set.
  return isRequired(field.rules ?? noRules) && field.oneof === undefined ? [{ path, message: 'is required' }] : [];
}

function isRequired(rules: Rules): boolean {
  if (rules === noRules) return false;
  return ['message', 'duration', 'timestamp', 'any'].some((kind) => part(rules, kind)['required'] === true);
}

interface Place {
  readonly field: FieldInfo;
  readonly rules: Rules;
  readonly path: string;
}

function checkValue(place: Place, value: unknown): readonly Violation[] {
  const { field, rules, path } = place;
  if (rules === noRules) return checkInside(field, value, path);
  if (part(rules, 'message')['skip'] === true) return [];
  return [
    ...ownProblems(field, rules, value).map((message) => ({ path, message })),
    ...checkInside(field, value, path),
  ];
}

function ownProblems(field: FieldInfo, rules: Rules, value: unknown): readonly string[] {
  if (field.type === 'enum') return enumProblems(field.of, part(rules, 'enum'), value);
  if (field.of === 'google.protobuf.Any') return anyProblems(part(rules, 'any'), value);
  const kind = field.of === 'google.protobuf.Duration' ? 'duration' : (wrappedScalar(field.of) ?? field.type);
  return scalarProblems(kind, part(rules, kind), value);
}

function checkInside(field: FieldInfo, value: unknown, path: string): readonly Violation[] {
  if (field.of === undefined || field.type !== 'message') return [];
  if (field.of !== 'google.protobuf.Any') return checkMessage(field.of, value, path);
  const unpacked = isRecord(value) ? unpackAny(Any.fromPartial(value)) : undefined;
  return unpacked === undefined ? [] : checkMessage(unpacked.type.$type, unpacked.message, path);
}

function checkList(field: FieldInfo, value: unknown, path: string): readonly Violation[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : [];
  const rules = part(field.rules ?? noRules, 'repeated');
  if (items.length === 0 && rules['ignoreEmpty'] === true) return [];
  const itemRules = asRules(rules['items']);
  return [
    ...countProblems({ count: items.length, least: rules['minItems'], most: rules['maxItems'], noun: 'item' }, path),
    ...(rules['unique'] === true && new Set(items.map(identity)).size < items.length
      ? [{ path, message: 'must not hold the same item twice' }]
      : []),
    ...items.flatMap((item, index) => checkValue({ field, rules: itemRules, path: `${path}[${String(index)}]` }, item)),
  ];
}

/** Something equal for equal items; rules of uniqueness exist for scalars only. */
function identity(item: unknown): unknown {
  return item instanceof Uint8Array ? Buffer.from(item).toString('base64') : item;
}

function checkMap(field: FieldInfo, value: unknown, path: string): readonly Violation[] {
  const entries = mapEntries(value);
  const rules = part(field.rules ?? noRules, 'map');
  const keyType = field.mapKey ?? 'string';
  const keyRules = part(asRules(rules['keys']), keyType);
  const valueRules = asRules(rules['values']);
  return [
    ...countProblems({ count: entries.length, least: rules['minPairs'], most: rules['maxPairs'], noun: 'entry' }, path),
    ...entries.flatMap(([key, item]) => {
      const inner = `${path}[${key}]`;
      const problems = scalarProblems(keyType, keyRules, keyType === 'string' ? key : Number(key));
      return [
        ...problems.map((message) => ({ path: inner, message: `key ${message}` })),
        ...checkValue({ field, rules: valueRules, path: inner }, item),
      ];
    }),
  ];
}

interface Count {
  readonly count: number;
  readonly least: RuleValue | undefined;
  readonly most: RuleValue | undefined;
  readonly noun: 'item' | 'entry';
}

function countProblems({ count, least, most, noun }: Count, path: string): readonly Violation[] {
  const named = (limit: number): string => {
    const plural = noun === 'entry' ? 'entries' : 'items';
    return `${String(limit)} ${limit === 1 ? noun : plural}`;
  };
  if (typeof least === 'number' && count < least) return [{ path, message: `must have at least ${named(least)}` }];
  if (typeof most === 'number' && count > most) return [{ path, message: `must have at most ${named(most)}` }];
  return [];
}

function enumProblems(type: string | undefined, rules: Rules, value: unknown): readonly string[] {
  const names = enums[type ?? ''] ?? {};
  const number = Number(value);
  const nameOf = (item: RuleValue): string => names[Number(item)] ?? JSON.stringify(item);
  if (rules['definedOnly'] === true && names[number] === undefined) {
    return [`must be one of ${Object.values(names).join(', ')}`];
  }
  return membershipProblems(rules, number, nameOf);
}

function membershipProblems(rules: Rules, value: RuleValue, nameOf: (item: RuleValue) => string): readonly string[] {
  const { const: only, in: allowed, notIn: forbidden } = rules;
  if (only !== undefined && only !== value) return [`must be ${nameOf(only)}`];
  if (Array.isArray(allowed) && !allowed.includes(value)) return [`must be one of ${allowed.map(nameOf).join(', ')}`];
  return Array.isArray(forbidden) && forbidden.includes(value) ? [`must not be ${nameOf(value)}`] : [];
}

function anyProblems(rules: Rules, value: unknown): readonly string[] {
  const typeUrl = isRecord(value) ? value['typeUrl'] : undefined;
  return typeof typeUrl === 'string' ? membershipProblems(rules, typeUrl, String) : [];
}

function part(rules: Rules, kind: string): Rules {
  return asRules(rules[kind]);
}

function asRules(value: unknown): Rules {
  return isRules(value) ? value : noRules;
}

function isRules(value: unknown): value is Rules {
  return isRecord(value);
}

function joined(parent: string, name: string): string {
  return parent === '' ? name : `${parent}.${name}`;
}
