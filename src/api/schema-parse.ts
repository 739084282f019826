// Turns unknown values into typed ones: defaults, bounds, unknown members and rules, all mistakes
// collected. Never throws, never changes its input. Knows no concrete field.

import { isRecord } from '../lib/record.js';
import { err, ok, type Problem, type Result } from '../lib/result.js';
import { isTransition, violation } from './cel.js';
import { didYouMean } from './did-you-mean.js';
import type { FreeNode, IntegerNode, ListNode, MapNode, Node, ObjectNode, Schema, StringNode } from './schema-node.js';

type Report = (path: string, message: string) => void;

/** One run of the parser. `problems` grows; a node whose subtree added none is given to its rules. */
interface Run {
  readonly problems: Problem[];
  readonly report: Report;
}

const shorten = (text: string): string => (text.length > 64 ? `${text.slice(0, 61)}...` : text);

const nouns: Readonly<Record<Node['type'], string>> = {
  string: 'a string',
  integer: 'an integer',
  boolean: 'true or false',
  list: 'a list',
  map: 'a map of strings',
  object: 'an object',
  free: 'an object',
};

/** How messages show a value that was found. */
export function found(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return `'${shorten(value)}'`;
  if (typeof value === 'number' || typeof value === 'boolean') return `${typeof value} '${String(value)}'`;
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

const wrongType = (node: Node, value: unknown): string => `must be ${nouns[node.type]}, found ${found(value)}`;

/** The API server counts code points. */
const lengthOf = (text: string): number => {
  let length = 0;
  for (const point of text) length += point.length > 0 ? 1 : 0;
  return length;
};

const patterns = new Map<string, RegExp>();

function patternOf(source: string): RegExp {
  const known = patterns.get(source);
  if (known !== undefined) return known;
  const pattern = new RegExp(source, 'u');
  patterns.set(source, pattern);
  return pattern;
}

function enumMistake(values: readonly string[], value: string): string | undefined {
  if (values.includes(value)) return undefined;
  const allowed = values.map((allow) => `'${allow}'`).join(', ');
  return `must be one of ${allowed}, found ${found(value)}${didYouMean(value, values)}`;
}

function lengthMistake(node: StringNode, value: string): string | undefined {
  if (value.length > node.maxLength && lengthOf(value) > node.maxLength)
    return `may not be longer than ${node.maxLength} characters, found ${lengthOf(value)}`;
  if (value.length >= node.minLength && lengthOf(value) >= node.minLength) return undefined;
  return node.minLength === 1
    ? 'must not be empty'
    : `must have at least ${node.minLength} characters, found ${found(value)}`;
}

function formMistake(node: StringNode, value: string): string | undefined {
  if (node.pattern !== undefined && !patternOf(node.pattern).test(value))
    return `must match '${node.pattern}', found ${found(value)}`;
  if (node.format === 'date-time' && Number.isNaN(Date.parse(value)))
    return `must be a date-time, found ${found(value)}`;
  return undefined;
}

const stringMistake = (node: StringNode, value: string): string | undefined =>
  node.values === undefined
    ? (lengthMistake(node, value) ?? formMistake(node, value))
    : enumMistake(node.values, value);

function parseString(run: Run, node: StringNode, at: At): unknown {
  if (typeof at.value !== 'string') {
    run.report(at.path, wrongType(node, at.value));
    return at.value;
  }
  const mistake = stringMistake(node, at.value);
  if (mistake !== undefined) run.report(at.path, mistake);
  return at.value;
}

function parseInteger(run: Run, node: IntegerNode, at: At): unknown {
  const { value } = at;
  if (typeof value !== 'number' || !Number.isInteger(value)) run.report(at.path, wrongType(node, value));
  else if (value < node.minimum || value > node.maximum)
    run.report(at.path, `must be between ${node.minimum} and ${node.maximum}, found '${value}'`);
  return value;
}

/** A value and where it stands. */
interface At {
  readonly path: string;
  readonly value: unknown;
}

const isKey = (value: unknown): value is string | number | boolean =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';

function keyOfItem(node: ListNode, item: unknown): string | undefined {
  if (node.listType === 'set') return isKey(item) ? String(item) : undefined;
  if (node.listType !== 'map' || !isRecord(item)) return undefined;
  const values = node.keys.map((key) => item[key]);
  return values.every(isKey) ? values.map(String).join(', ') : undefined;
}

function reportDuplicates(run: Run, node: ListNode, at: { path: string; items: readonly unknown[] }): void {
  const seen = new Set<string>();
  at.items.forEach((item, index) => {
    const key = keyOfItem(node, item);
    if (key === undefined) return;
    const what = node.keys.length === 0 ? '' : `\`${node.keys.join('`, `')}\` `;
    if (seen.has(key))
      run.report(`${at.path}[${index}]`, `must not repeat an item of the list: ${what}'${shorten(key)}' is used twice`);
    seen.add(key);
  });
}

function countMistake(count: number, bounds: { min: number; max: number }): string | undefined {
  if (count > bounds.max) return `may not have more than ${bounds.max} items, found ${count}`;
  if (count < bounds.min) return `must have at least ${bounds.min} item${bounds.min === 1 ? '' : 's'}, found ${count}`;
  return undefined;
}

function parseList(run: Run, node: ListNode, at: At): unknown {
  if (!Array.isArray(at.value)) {
    run.report(at.path, wrongType(node, at.value));
    return at.value;
  }
  const raw: readonly unknown[] = at.value;
  const mistake = countMistake(raw.length, { min: node.minItems, max: node.maxItems });
  if (mistake !== undefined) run.report(at.path, mistake);
  if (raw.length > node.maxItems) return raw;
  const items = Array.from(raw, (item, index) =>
    parseNode(run, node.items, { path: `${at.path}[${index}]`, value: item }),
  );
  if (node.listType !== 'atomic') reportDuplicates(run, node, { path: at.path, items });
  return items;
}

function parseMap(run: Run, node: MapNode, at: At): unknown {
  if (!isRecord(at.value)) {
    run.report(at.path, wrongType(node, at.value));
    return at.value;
  }
  const entries = Object.entries(at.value).filter(([, value]) => !isAbsent(value));
  const mistake = countMistake(entries.length, { min: node.minProperties, max: node.maxProperties });
  if (mistake !== undefined) run.report(at.path, mistake);
  if (entries.length > node.maxProperties) return at.value;
  for (const [key, value] of entries) parseString(run, node.values, { path: `${at.path}[${shorten(key)}]`, value });
  return Object.fromEntries(entries);
}

function parseFree(run: Run, node: FreeNode, at: At): unknown {
  if (!isRecord(at.value)) {
    run.report(at.path, wrongType(node, at.value));
    return at.value;
  }
  const text = jsonText(at.value);
  if (text === undefined) {
    run.report(at.path, 'must be a finite object that can be written as JSON');
    return at.value;
  }
  const bytes = Buffer.byteLength(text);
  if (bytes > node.maxBytes) run.report(at.path, `may not be larger than ${node.maxBytes} bytes, found ${bytes}`);
  const copy: unknown = JSON.parse(text);
  return copy;
}

function jsonText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    // A cycle, or too deep: neither can have come from a file or a server.
    return undefined;
  }
}

/** The API server drops members that are null before it looks at anything else. */
const isAbsent = (value: unknown): boolean => value === undefined || value === null;

const ownValue = (record: Readonly<Record<string, unknown>>, name: string): unknown =>
  Object.hasOwn(record, name) ? record[name] : undefined;

function reportUnknown(
  run: Run,
  node: ObjectNode,
  at: { path: string; record: Readonly<Record<string, unknown>> },
): void {
  for (const name of Object.keys(at.record)) {
    if (Object.hasOwn(node.members, name) || at.record[name] === undefined) continue;
    const names = Object.keys(node.members);
    const hint = didYouMean(name, names) || (names.length <= 12 ? `; known fields: \`${names.join('`, `')}\`` : '');
    run.report(`${at.path}.${shorten(name)}`, `is not a known field${hint}`);
  }
}

function parseObject(run: Run, node: ObjectNode, at: At): unknown {
  if (!isRecord(at.value)) {
    run.report(at.path, wrongType(node, at.value));
    return at.value;
  }
  const record = at.value;
  const result: Record<string, unknown> = {};
  for (const name in node.members) {
    const member = node.members[name];
    if (member === undefined) continue;
    const value = ownValue(record, name);
    if (!isAbsent(value)) result[name] = parseNode(run, member, { path: `${at.path}.${name}`, value });
    else if (member.default !== undefined) result[name] = member.default;
    else if (member.required === true) run.report(`${at.path}.${name}`, 'must be set');
  }
  reportUnknown(run, node, { path: at.path, record });
  return result;
}

function parseShape(run: Run, node: Node, at: At): unknown {
  switch (node.type) {
    case 'string':
      return parseString(run, node, at);
    case 'integer':
      return parseInteger(run, node, at);
    case 'list':
      return parseList(run, node, at);
    case 'map':
      return parseMap(run, node, at);
    case 'object':
      return parseObject(run, node, at);
    case 'free':
      return parseFree(run, node, at);
    case 'boolean':
      if (typeof at.value !== 'boolean') run.report(at.path, wrongType(node, at.value));
      return at.value;
  }
}

function runRules(run: Run, node: Node, at: At): void {
  for (const rule of node.rules ?? []) {
    if (isTransition(rule)) continue;
    const message = violation(rule, at.value);
    if (message !== undefined)
      run.problems.push({ path: `${at.path}${rule.fieldPath ?? ''}`, reason: 'Invalid', message });
  }
}

function parseNode(run: Run, node: Node, at: At): unknown {
  const before = run.problems.length;
  const value = parseShape(run, node, at);
  if (run.problems.length === before) runRules(run, node, { path: at.path, value });
  return value;
}

/** The value with defaults, or every mistake in it. */
export function parse<T>(schema: Schema<T>, value: unknown, path: string): Result<T> {
  const problems: Problem[] = [];
  const report: Report = (where, message) =>
    problems.push({ path: where, reason: 'Invalid', message: `\`${where}\` ${message}` });
  const parsed = isAbsent(value)
    ? missing(schema.node, path, report)
    : parseNode({ problems, report }, schema.node, { path, value });
  return isOf(schema, parsed, problems) ? ok(parsed) : err(problems);
}

function missing(node: Node, path: string, report: Report): unknown {
  if (node.default === undefined) report(path, 'must be set');
  return node.default;
}

/** A checked value has the static type of its schema: the walk above is what justifies it. */
function isOf<T>(_schema: Schema<T>, _value: unknown, problems: readonly Problem[]): _value is T {
  return problems.length === 0;
}

/** The rules that compare with the stored object, such as immutability; both values are parsed already. */
export function transitionProblems<T>(
  schema: Schema<T>,
  update: { readonly old: T; readonly next: T },
  path: string,
): readonly Problem[] {
  return (schema.node.rules ?? []).filter(isTransition).flatMap((rule) => {
    const message = violation(rule, update.next, update.old);
    return message === undefined ? [] : [{ path: `${path}${rule.fieldPath ?? ''}`, reason: 'Invalid', message }];
  });
}
