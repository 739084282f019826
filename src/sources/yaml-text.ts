// One piece of YAML (or JSON, which is YAML) to plain values, with every error at its line and column. Bounded and
// strict; never throws. Runs in the main thread for small pieces and in a worker for the rest: no state, no I/O.

import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { Document, Node, Pair, Scalar } from 'yaml';

import { isRecord } from '../lib/record.js';
import { messageOf } from '../lib/result.js';
import { maxDepth } from './depth.js';

/** What a document may hold at most. */
export const yamlLimits = { aliases: 100, depth: maxDepth, findings: 8, members: 50_000 } as const;

/** Something to say about a place in a text; lines and columns count from 1. */
export interface TextFinding {
  readonly severity: 'error' | 'warning';
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** One object of a document; those of a List are its items. */
export interface TextObject {
  readonly value: unknown;
  readonly line: number;
  /** Path of the object inside its document: empty, or `items[3]`. */
  readonly prefix: string;
}

/** What a piece of text holds. With an error among its findings it holds nothing that can be trusted. */
export interface PieceReading {
  readonly objects: readonly TextObject[];
  readonly findings: readonly TextFinding[];
}

/** A line and column, from 1. */
export interface TextPosition {
  readonly line: number;
  readonly column: number;
}

const options = {
  version: '1.2',
  schema: 'core',
  strict: true,
  merge: false,
  // Duplicates are found below: the library compares every key with every other.
  uniqueKeys: false,
  prettyErrors: false,
  logLevel: 'silent',
} as const;

interface Parsing {
  readonly document: Document.Parsed;
  readonly positionOf: (offset: number) => TextPosition;
}

function parse(text: string): Parsing {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { ...options, lineCounter });
  return {
    document,
    positionOf: (offset) => {
      const { line, col } = lineCounter.linePos(offset);
      return { line: Math.max(line, 1), column: Math.max(col, 1) };
    },
  };
}

type AnyNode = unknown;
const startOf = (node: AnyNode): number => (isNode(node) ? (node.range?.[0] ?? 0) : 0);
const isNode = (node: AnyNode): node is Node => isMap(node) || isSeq(node) || isScalar(node) || isAlias(node);

const booleanWord = /^(?:on|off|yes|no)$/i;
const isBooleanWord = (scalar: Scalar): boolean =>
  scalar.type === 'PLAIN' && typeof scalar.value === 'string' && booleanWord.test(scalar.value);

type Note = (severity: 'error' | 'warning', offset: number, message: string) => void;

interface Walk {
  readonly note: Note;
  aliases: number;
  /** Set when going on makes no sense. */
  stopped: boolean;
}

function stop(walk: Walk, offset: number, message: string): void {
  if (!walk.stopped) walk.note('error', offset, message);
  walk.stopped = true;
}

function warnOfBoolean(walk: Walk, scalar: Scalar): void {
  const word = String(scalar.value);
  walk.note('warning', startOf(scalar), `unquoted '${word}' is a boolean to kubectl and a string here; quote it`);
}

function checkKey(walk: Walk, key: unknown, seen: Set<string>): void {
  if (!isScalar(key)) {
    walk.note('error', startOf(key), 'a key must be a string');
    return;
  }
  const name = String(key.value);
  if (seen.has(name)) walk.note('error', startOf(key), `key '${name.slice(0, 80)}' is given twice in one mapping`);
  seen.add(name);
  if (name === '<<' && key.type === 'PLAIN') {
    walk.note('error', startOf(key), "merge keys ('<<') are not supported; write the fields out, or use an alias");
  }
  if (name === '__proto__') walk.note('error', startOf(key), "key '__proto__' is not allowed");
  if (isBooleanWord(key)) warnOfBoolean(walk, key);
}

function visitPairs(walk: Walk, pairs: readonly Pair[], depth: number): void {
  const seen = new Set<string>();
  for (const pair of pairs) {
    if (walk.stopped) return;
    checkKey(walk, pair.key, seen);
    visit(walk, pair.value, depth + 1);
  }
}

function countAlias(walk: Walk, offset: number): void {
  walk.aliases += 1;
  if (walk.aliases > yamlLimits.aliases) {
    stop(walk, offset, `a document must not have more than ${String(yamlLimits.aliases)} aliases`);
  }
}

function visit(walk: Walk, node: AnyNode, depth: number): void {
  if (walk.stopped) return;
  if (depth > yamlLimits.depth) stop(walk, startOf(node), tooDeep);
  else if (isMap(node)) visitPairs(walk, node.items, depth);
  else if (isSeq(node)) for (const item of node.items) visit(walk, item, depth + 1);
  else if (isAlias(node)) countAlias(walk, startOf(node));
  else if (isScalar(node) && isBooleanWord(node)) warnOfBoolean(walk, node);
}

function valueOf(document: Document.Parsed): { readonly value: unknown } | { readonly problem: string } {
  try {
    return { value: document.toJS({ maxAliasCount: yamlLimits.aliases }) };
  } catch (thrown) {
    const message = messageOf(thrown);
    return { problem: /alias/i.test(message) ? `aliases expand to too much: ${message}` : message };
  }
}

const isList = (value: unknown): value is { readonly kind: string; readonly items: readonly unknown[] } =>
  isRecord(value) &&
  typeof value['kind'] === 'string' &&
  value['kind'].endsWith('List') &&
  Array.isArray(value['items']);

// Items of a typed list, as the API server returns it, carry neither apiVersion nor kind of their own.
function typed(item: unknown, list: { readonly kind: string; readonly apiVersion?: unknown }): unknown {
  const kind = list.kind.slice(0, -'List'.length);
  return isRecord(item) && kind !== '' ? { apiVersion: list.apiVersion, kind, ...item } : item;
}

function objectsOf(value: unknown, parsing: Parsing): readonly TextObject[] {
  if (value === null || value === undefined) return [];
  const lineOf = (node: AnyNode): number => parsing.positionOf(startOf(node)).line;
  if (!isList(value)) return [{ value, line: lineOf(parsing.document.contents), prefix: '' }];
  return value.items.map((item, index) => ({
    value: typed(item, value),
    line: lineOf(parsing.document.getIn(['items', index], true)),
    prefix: `items[${String(index)}]`,
  }));
}

/** Members of a value and of what is in it, counted no further than `most`. */
function membersOf(value: unknown, most: number): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  for (const child of Object.values(value)) {
    count += 1 + membersOf(child, most - count);
    if (count > most) return count;
  }
  return count;
}

const isTooLarge = ({ value }: TextObject): boolean => membersOf(value, yamlLimits.members) > yamlLimits.members;

const tooDeep = `nested deeper than ${String(yamlLimits.depth)} levels`;
const openings = new RegExp(`(?:[[{]\\s*){${String(yamlLimits.depth + 1)}}`);

// The library takes a time that grows with the square of the depth, and all of the stack.
function refuseDepth(text: string): PieceReading | undefined {
  const match = openings.exec(text);
  if (match === null) return undefined;
  const before = text.slice(0, match.index).split('\n');
  const finding = { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, message: tooDeep } as const;
  return { objects: [], findings: [{ severity: 'error', ...finding }] };
}

function readUnguarded(text: string): PieceReading {
  const refused = refuseDepth(text);
  if (refused !== undefined) return refused;
  const findings: TextFinding[] = [];
  const parsing = parse(text);
  const { document } = parsing;
  const note: Note = (severity, offset, message) => {
    if (findings.length < yamlLimits.findings) findings.push({ severity, ...parsing.positionOf(offset), message });
  };
  // One mistake ends several nested collections at one place; the innermost is reported first, and says enough.
  const places = new Set<number>();
  for (const { pos, message } of document.errors) {
    if (!places.has(pos[0])) note('error', pos[0], message);
    places.add(pos[0]);
  }
  for (const warning of document.warnings) note('warning', warning.pos[0], warning.message);
  if (document.errors.length > 0) return { objects: [], findings };
  visit({ note, aliases: 0, stopped: false }, document.contents, 1);
  if (findings.some((finding) => finding.severity === 'error')) return { objects: [], findings };
  const result = valueOf(document);
  const objects = 'value' in result ? objectsOf(result.value, parsing) : [];
  const large = objects.find(isTooLarge);
  if ('problem' in result) note('error', startOf(document.contents), result.problem);
  if (large === undefined) return { objects, findings };
  const message = `an object must not have more than ${String(yamlLimits.members)} fields and items`;
  return { objects: [], findings: [...findings, { severity: 'error', line: large.line, column: 1, message }] };
}

/** The objects of one piece of text, whose lines are counted from 1. */
export function readPiece(text: string): PieceReading {
  try {
    return readUnguarded(text);
  } catch (thrown) {
    // The library recurses: a hostile nesting ends in a stack overflow before any depth can be counted.
    const message = thrown instanceof RangeError ? tooDeep : messageOf(thrown);
    return { objects: [], findings: [{ severity: 'error', line: 1, column: 1, message }] };
  }
}

/** The steps of a field path: `spec.rules[0].path` is spec, rules, 0, path. */
export function stepsOf(path: string): readonly string[] {
  return [...path.matchAll(/([^.[\]]+)|\[(?:"([^"]*)"|'([^']*)'|([^\]]*))\]/g)].map(
    (match) => match[1] ?? match[2] ?? match[3] ?? match[4] ?? '',
  );
}

function stepInto(node: AnyNode, step: string): { readonly start: number; readonly next: AnyNode } | undefined {
  if (isMap(node)) {
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === step);
    return pair === undefined ? undefined : { start: startOf(pair.key), next: pair.value };
  }
  if (!isSeq(node) || !/^\d+$/.test(step)) return undefined;
  const item: AnyNode = node.items[Number(step)];
  return item === undefined ? undefined : { start: startOf(item), next: item };
}

function offsetOf(document: Document.Parsed, path: string): number {
  let node: AnyNode = document.contents;
  let offset = startOf(node);
  for (const step of stepsOf(path)) {
    const found = stepInto(isAlias(node) ? node.resolve(document) : node, step);
    if (found === undefined) return offset;
    offset = found.start;
    node = found.next;
  }
  return offset;
}

/** Where each of `paths` is written; a path that is absent is found at its nearest ancestor. */
export function locatePaths(text: string, paths: readonly string[]): readonly TextPosition[] {
  try {
    const { document, positionOf } = parse(text);
    return paths.map((path) => positionOf(offsetOf(document, path)));
  } catch {
    // Only a text that could be read has paths to look for; the first line is still a place in it.
    return paths.map(() => ({ line: 1, column: 1 }));
  }
}
