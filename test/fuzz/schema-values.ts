// Random valid values of any schema: types, bounds, patterns, keys of lists and CEL rules are read off the nodes, so that
// a field that is added tomorrow is drawn tomorrow. Knows no concrete field; what is written where is in `texts.ts`.

import fc from 'fast-check';
import { violation } from '../../src/api/cel.js';
import { parse, type Node } from '../../src/api/schema.js';
import type { IntegerNode, ListNode, MapNode, ObjectNode, StringNode } from '../../src/api/schema-node.js';
import { isRecord } from '../../src/lib/record.js';
import { integers, integersAt, keysAt, texts, textsAt } from './texts.js';

type Fields = Readonly<Record<string, unknown>>;

/** Where a node stands, and what is to be drawn seldom there. */
export interface Place {
  /** Below `spec`, list items as `[]`; empty: `spec` itself. */
  readonly path: string;
  /** How likely an optional field is, or a value of it, in percent. */
  readonly chance: (path: string, value?: unknown) => number;
}

/** Whether a node allows a value, all that is below it and all its rules included. */
const allows = (node: Node, value: unknown): boolean => parse({ node }, value, 'x').ok;

const at = <T>(table: readonly (readonly [RegExp, T])[], path: string): T | undefined =>
  table.find(([pattern]) => pattern.test(path))?.[1];

/** As the parser would have it. */
function withDefaults(node: Node, value: unknown): unknown {
  if (node.type === 'list' && Array.isArray(value)) return value.map((item) => withDefaults(node.items, item));
  if (node.type !== 'object' || !isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(node.members).flatMap(([name, member]): [string, unknown][] => {
      const found = value[name] ?? member.default;
      return found === undefined ? [] : [[name, withDefaults(member, found)]];
    }),
  );
}

const keepsRules = (node: Node, value: unknown): boolean => {
  const rules = (node.rules ?? []).filter(({ rule }) => !rule.includes('oldSelf'));
  if (rules.length === 0) return true;
  const whole = withDefaults(node, value);
  return rules.every((rule) => violation(rule, whole) === undefined);
};

const examplesOf = (free: fc.Arbitrary<string>): readonly string[] => fc.sample(free, { seed: 1, numRuns: 20 });

function texted(node: StringNode, place: Place): fc.Arbitrary<unknown> {
  if (node.values !== undefined) {
    const weighted = node.values.map((value) => ({
      arbitrary: fc.constant(value),
      weight: place.chance(place.path, value),
    }));
    return fc.oneof(...weighted);
  }
  const special = at(textsAt, place.path)?.filter((text) => allows(node, text));
  if (special !== undefined && special.length > 0) return fc.constantFrom(...special);
  const free = node.pattern === undefined ? fc.string({ maxLength: 20 }) : fc.stringMatching(new RegExp(node.pattern));
  const listed = texts.filter((text) => allows(node, text));
  const known = listed.length > 0 ? listed : examplesOf(free).filter((text) => allows(node, text));
  const [fallback] = known;
  if (fallback === undefined) throw new Error(`write a text that '${place.path}' allows into texts.ts`);
  return fc.oneof(
    { arbitrary: fc.constantFrom(...known), weight: 9 },
    { arbitrary: free.map((text) => (allows(node, text) ? text : fallback)), weight: 1 },
  );
}

function counted(node: IntegerNode, place: Place): fc.Arbitrary<unknown> {
  const known = [node.minimum, node.maximum, ...(at(integersAt, place.path) ?? integers)].filter((one) =>
    allows(node, one),
  );
  const special = at(integersAt, place.path);
  if (special !== undefined) return fc.constantFrom(...special);
  const [fallback = node.minimum] = known;
  const free = fc.integer({ min: node.minimum, max: node.maximum });
  return fc.oneof(
    fc.constantFrom(...known),
    free.map((one) => (allows(node, one) ? one : fallback)),
  );
}

function mapped(node: MapNode, place: Place): fc.Arbitrary<unknown> {
  const special = at(keysAt, place.path)?.filter((one) => allows(node, one));
  if (special !== undefined && special.length > 0) return fc.constantFrom(...special);
  const [value = ''] = texts.filter((text) => allows({ ...node.values, rules: [] }, text));
  const keys = texts.filter((key) => key !== '' && allows({ ...node, minProperties: 0 }, { [key]: value }));
  const entry = fc.tuple(fc.constantFrom(...keys), texted(node.values, { ...place, path: `${place.path}{}` }));
  const most = Math.min(2, node.maxProperties);
  return fc
    .uniqueArray(entry, { minLength: node.minProperties, maxLength: most, selector: ([key]) => key })
    .map((entries) => Object.fromEntries(entries));
}

function keyOf(node: ListNode, item: unknown): unknown {
  if (node.listType === 'atomic') return undefined;
  if (node.listType === 'set') return String(item);
  const whole = withDefaults(node.items, item);
  return JSON.stringify(node.keys.map((key) => (isRecord(whole) ? String(whole[key]) : '')));
}

/** The list without repeated keys, and without what breaks its rules. */
function repairedList(node: ListNode, drawn: readonly unknown[]): readonly unknown[] {
  const seen = new Set<unknown>();
  let items = drawn.filter((item) => {
    const key = keyOf(node, item);
    const isFresh = key === undefined || !seen.has(key);
    seen.add(key);
    return isFresh;
  });
  while (items.length > node.minItems && !keepsRules(node, items)) {
    const better = items.findIndex((_, index) => keepsRules(node, items.toSpliced(index, 1)));
    items = items.toSpliced(better === -1 ? items.length - 1 : better, 1);
  }
  return items;
}

const isScalar = (node: Node): boolean => node.type === 'string' || node.type === 'integer';

function listed(node: ListNode, place: Place): fc.Arbitrary<unknown> {
  const item = valuesOf(node.items, { ...place, path: `${place.path}[]` });
  const many = (length: number, weight: number) => ({
    arbitrary: fc.array(item, { minLength: length, maxLength: length }),
    weight,
  });
  const lengths = [many(1, 60), many(2, 25), many(3, 10), many(0, 4), ...(isScalar(node.items) ? [many(8, 1)] : [])];
  const fitting = lengths.filter((_, index) => {
    const length = [1, 2, 3, 0, 8][index] ?? 0;
    return length >= node.minItems && length <= node.maxItems;
  });
  return fc.oneof(...fitting).map((items) => repairedList(node, items));
}

/** `type` names the members that may be set beside it: read off the rules of the form that unions have. */
interface Union {
  readonly must: ReadonlyMap<string, ReadonlySet<string>>;
  readonly may: ReadonlyMap<string, ReadonlySet<string>>;
  readonly members: ReadonlySet<string>;
}

function pairsIn(rules: readonly string[], pattern: RegExp): readonly (readonly [string, string])[] {
  return rules.flatMap((rule) =>
    [...rule.matchAll(pattern)].map(([, member = '', type = '']) => [type, member] as const),
  );
}

const byType = (pairs: readonly (readonly [string, string])[]): ReadonlyMap<string, ReadonlySet<string>> =>
  new Map(pairs.map(([type]) => [type, new Set(pairs.filter((one) => one[0] === type).map(([, member]) => member))]));

function unionOf(node: ObjectNode): Union | undefined {
  const rules = (node.rules ?? []).map(({ rule }) => rule);
  const must = pairsIn(rules, /has\(self\.(\w+)\) == \(self\.type == '(\w+)'\)/g);
  const may = pairsIn(rules, /!has\(self\.(\w+)\) \|\| self\.type == '(\w+)'/g);
  if (must.length === 0) return undefined;
  const members = new Set([...must, ...may].map(([, member]) => member));
  return { must: byType(must), may: byType(may), members };
}

const withoutAbsent = (value: Fields): Fields =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));

/** Optional members are taken away or added, one or two at a time, until the rules hold. */
function repairedObject(node: ObjectNode, drawn: Fields, spare: (name: string) => unknown): Fields {
  const value = withoutAbsent(drawn);
  if (keepsRules(node, value)) return value;
  const optional = Object.entries(node.members).flatMap(([name, member]) => (member.required === true ? [] : [name]));
  const flip = (from: Fields, name: string): Fields =>
    withoutAbsent({ ...from, [name]: from[name] === undefined ? spare(name) : undefined });
  // Where to begin differs from draw to draw, so that no member is favoured.
  const first = JSON.stringify(value).length % Math.max(optional.length, 1);
  const order = [...optional.slice(first), ...optional.slice(0, first)];
  const once = order.map((name) => flip(value, name));
  const good = once.find((one) => keepsRules(node, one));
  if (good !== undefined) return good;
  for (const one of once) {
    const twice = order.map((name) => flip(one, name)).find((candidate) => keepsRules(node, candidate));
    if (twice !== undefined) return twice;
  }
  return value;
}

/** Draws one object whose members are all there, optional ones by chance. */
function record(node: ObjectNode, members: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<Fields> {
  const spares = new Map<string, unknown>();
  const spare = (name: string): unknown => {
    const arbitrary = members[name];
    if (!spares.has(name) && arbitrary !== undefined) {
      const drawn = fc.sample(arbitrary, { seed: 1, numRuns: 20 });
      spares.set(
        name,
        drawn.find((one) => one !== undefined),
      );
    }
    return spares.get(name);
  };
  return fc.record(members, { noNullPrototype: true }).map((value) => repairedObject(node, value, spare));
}

function membersOf(node: ObjectNode, place: Place): Record<string, fc.Arbitrary<unknown>> {
  return Object.fromEntries(
    Object.entries(node.members).map(([name, member]): [string, fc.Arbitrary<unknown>] => {
      const path = place.path === '' ? name : `${place.path}.${name}`;
      const value = valuesOf(member, { ...place, path });
      const chance = place.chance(path);
      const isLikely = fc.integer({ min: 1, max: 100 }).map((drawn) => drawn <= chance);
      const optional = isLikely.chain((likely) => (likely ? value : fc.constant(undefined)));
      return [name, member.required === true ? value : optional];
    }),
  );
}

function objected(node: ObjectNode, place: Place): fc.Arbitrary<unknown> {
  const union = unionOf(node);
  const all = membersOf(node, place);
  const { type } = node.members;
  if (union === undefined || type?.type !== 'string' || type.values === undefined) return record(node, all);
  const variants = type.values.map((value) => {
    const must = union.must.get(value) ?? new Set<string>();
    const may = union.may.get(value) ?? new Set<string>();
    const members = Object.entries(all).flatMap(([name, optional]): [string, fc.Arbitrary<unknown>][] => {
      const member = node.members[name];
      if (name === 'type') return [[name, fc.constant(value)]];
      if (must.has(name) && member !== undefined)
        return [[name, valuesOf(member, { ...place, path: `${place.path}.${name}` })]];
      return union.members.has(name) && !may.has(name) ? [] : [[name, optional]];
    });
    const path = `${place.path}.${[...must][0] ?? 'type'}`;
    const weight = Math.min(place.chance(`${place.path}.type`, value), place.chance(path));
    return { arbitrary: record(node, Object.fromEntries(members)), weight };
  });
  return fc.oneof(...variants);
}

/** Random values of a node. Nearly all are valid; what rules of several fields forbid is repaired where that is easy. */
export function valuesOf(node: Node, place: Place): fc.Arbitrary<unknown> {
  switch (node.type) {
    case 'string':
      return texted(node, place);
    case 'integer':
      return counted(node, place);
    case 'boolean':
      return fc.oneof(
        { arbitrary: fc.constant(true), weight: place.chance(place.path, true) },
        { arbitrary: fc.constant(false), weight: 50 },
      );
    case 'list':
      return listed(node, place);
    case 'map':
      return mapped(node, place);
    case 'object':
      return objected(node, place);
    case 'free':
      return fc.constantFrom({}, { a: 1 }, { a: { b: ['x', null] } });
  }
}
