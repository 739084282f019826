// The validation rules of single values: numbers, strings, bytes, durations. Returns what must be true and is not.
import { isIP } from 'node:net';
import type { Rules, RuleValue } from '../gen/descriptors.js';
import { breaksHeader, holdsControls } from '../features/envoy-values.js';
import { durationNanos } from '../features/message-shape.js';

/** Problems of one scalar, wrapped scalar or duration under the rules of its kind (`uint32`, `string`, `duration`, …). */
export function scalarProblems(kind: string, rules: Rules, value: unknown): readonly string[] {
  if (kind === 'string') return typeof value === 'string' ? stringProblems(rules, value) : [];
  if (kind === 'bytes') return value instanceof Uint8Array ? bytesProblems(rules, value) : [];
  if (kind === 'duration') return orderProblems(rules, durationNanos(value), nanosOfText);
  if (kind === 'bool') return rules['const'] === undefined || rules['const'] === value ? [] : [mustBe(rules['const'])];
  return orderProblems(rules, value, Number);
}

type Comparable = number | bigint;
type Parse = (limit: RuleValue) => Comparable;

/** Numbers and durations. A lower limit above the upper one means: outside of the gap between them. */
function orderProblems(rules: Rules, value: unknown, parse: Parse): readonly string[] {
  if (typeof value !== 'number' && typeof value !== 'bigint') return [];
  const low = boundOf(rules, lowRules, parse);
  const high = boundOf(rules, highRules, parse);
  const failed = [low, high].filter((bound) => bound !== undefined).filter((bound) => !bound.holds(value));
  if (low !== undefined && high !== undefined && low.at > high.at) {
    return failed.length < 2 ? [] : [`must be ${low.text}, or ${high.text}`];
  }
  return [...failed.map((bound) => `must be ${bound.text}`), ...setProblems(rules, value, parse)];
}

interface Bound {
  readonly at: Comparable;
  readonly holds: (value: Comparable) => boolean;
  readonly text: string;
}

interface BoundRule {
  readonly name: string;
  readonly words: string;
  readonly holds: (value: Comparable, at: Comparable) => boolean;
}

const lowRules: readonly BoundRule[] = [
  { name: 'gt', words: 'greater than', holds: (value, at) => value > at },
  { name: 'gte', words: 'at least', holds: (value, at) => value >= at },
];
const highRules: readonly BoundRule[] = [
  { name: 'lt', words: 'less than', holds: (value, at) => value < at },
  { name: 'lte', words: 'at most', holds: (value, at) => value <= at },
];

function boundOf(rules: Rules, kinds: readonly BoundRule[], parse: Parse): Bound | undefined {
  for (const { name, words, holds } of kinds) {
    const limit = rules[name];
    if (limit === undefined) continue;
    const at = parse(limit);
    return { at, holds: (value) => holds(value, at), text: `${words} ${shown(limit)}` };
  }
  return undefined;
}

function shown(limit: RuleValue): string {
  return typeof limit === 'string' ? limit : JSON.stringify(limit);
}

function mustBe(value: RuleValue): string {
  return `must be ${JSON.stringify(value)}`;
}

function setProblems<T>(rules: Rules, value: T, parse: (item: RuleValue) => T): readonly string[] {
  const { const: only, in: allowed, notIn: forbidden } = rules;
  const list = (items: readonly RuleValue[]): string => items.map((item) => JSON.stringify(item)).join(', ');
  if (only !== undefined && parse(only) !== value) return [mustBe(only)];
  if (isList(allowed) && !allowed.map(parse).includes(value)) return [`must be one of ${list(allowed)}`];
  if (isList(forbidden) && forbidden.map(parse).includes(value)) return [`must not be one of ${list(forbidden)}`];
  return [];
}

function isList(value: RuleValue | undefined): value is readonly RuleValue[] {
  return Array.isArray(value);
}

function stringProblems(rules: Rules, value: string): readonly string[] {
  if (value === '' && rules['ignoreEmpty'] === true) return [];
  return [
    ...sizeProblems(Array.from(value).length, 'character', { least: rules['minLen'], most: rules['maxLen'] }),
    ...sizeProblems(Buffer.byteLength(value), 'byte', { least: rules['minBytes'], most: rules['maxBytes'] }),
    ...setProblems(rules, value, String),
    ...wellKnownProblems(rules, value),
    ...textProblems(rules, value),
  ];
}

interface TextRule {
  readonly holds: (value: string, text: string) => boolean;
  readonly message: (text: string) => string;
}

const textRules: Readonly<Record<string, TextRule>> = {
  pattern: {
    holds: (value, text) => new RegExp(text, 'u').test(value),
    message: (text) => `must match ${text}`,
  },
  prefix: { holds: (value, text) => value.startsWith(text), message: (text) => `must start with "${text}"` },
  suffix: { holds: (value, text) => value.endsWith(text), message: (text) => `must end with "${text}"` },
  contains: { holds: (value, text) => value.includes(text), message: (text) => `must contain "${text}"` },
};

function textProblems(rules: Rules, value: string): readonly string[] {
  return Object.entries(textRules).flatMap(([name, rule]) => {
    const text = rules[name];
    return typeof text === 'string' && !rule.holds(value, text) ? [rule.message(text)] : [];
  });
}

interface WellKnown {
  readonly accepts: (value: string) => boolean;
  readonly message: string;
}

const hostname = /^(?=.{1,253}\.?$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.?)+$/i;

const wellKnown: Readonly<Record<string, WellKnown>> = {
  address: {
    accepts: (value) => isIP(value) !== 0 || hostname.test(value),
    message: 'must be a host name or IP address',
  },
  hostname: { accepts: (value) => hostname.test(value), message: 'must be a host name' },
  ip: { accepts: (value) => isIP(value) !== 0, message: 'must be an IP address' },
  uri: { accepts: (value) => URL.canParse(value), message: 'must be an absolute URI' },
};

// The expressions of protoc-gen-validate; the loose one only keeps a value from ending its header line.
const headerName: WellKnown = {
  accepts: (value) => /^:?[0-9a-zA-Z!#$%&'*+-.^_|~`]+$/.test(value),
  message: 'must be a valid HTTP header name',
};
const headerValue: WellKnown = {
  accepts: (value) => !holdsControls(value),
  message: 'must be a valid HTTP header value',
};
const looseHeader: WellKnown = {
  accepts: (value) => !breaksHeader(value),
  message: 'must not contain a line break or a NUL character',
};

function wellKnownProblems(rules: Rules, value: string): readonly string[] {
  const named = Object.entries(wellKnown).filter(([name]) => rules[name] === true);
  const regex = rules['wellKnownRegex'];
  const strict = regex === 'HTTP_HEADER_NAME' ? headerName : headerValue;
  const checks = named.map(([, check]) => check);
  if (regex !== undefined) checks.push(rules['strict'] === false ? looseHeader : strict);
  return checks.filter((check) => !check.accepts(value)).map((check) => check.message);
}

function bytesProblems(rules: Rules, value: Uint8Array): readonly string[] {
  return sizeProblems(value.length, 'byte', { least: rules['minLen'], most: rules['maxLen'] });
}

interface Limits {
  readonly least: RuleValue | undefined;
  readonly most: RuleValue | undefined;
}

function sizeProblems(size: number, unit: 'character' | 'byte', { least, most }: Limits): string[] {
  const named = (limit: number): string => `${String(limit)} ${unit}${limit === 1 ? '' : 's'}`;
  if (typeof least === 'number' && size < least) return [`must be at least ${named(least)}`];
  if (typeof most === 'number' && size > most) return [`must be at most ${named(most)}`];
  return [];
}

/** Nanoseconds of a duration in JSON form, such as `0.001s`. */
function nanosOfText(text: RuleValue): bigint {
  const [whole = '0', decimals = ''] = shown(text).replace('s', '').split('.');
  return BigInt(whole) * 1_000_000_000n + BigInt(decimals.padEnd(9, '0'));
}
