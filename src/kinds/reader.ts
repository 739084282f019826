// Reads objects of foreign kinds the way the API server does: tolerant of what is absent or unknown, exact about
// wrong types, which become Problems with their path. Knows no kind.

import { isRecord } from '../lib/record.js';
import type { Problem } from '../lib/result.js';

/** A mapping whose members are not known yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** Bounds of a number. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** Reads values at paths; `null` counts as absent. What has the wrong type is absent, too, and noted in `problems`. */
export interface Reader {
  readonly problems: readonly Problem[];
  fields(value: unknown, path: string): Fields | undefined;
  list(value: unknown, path: string): readonly unknown[];
  text(value: unknown, path: string): string | undefined;
  flag(value: unknown, path: string): boolean | undefined;
  integer(value: unknown, path: string, bounds?: Bounds): number | undefined;
  oneOf<T extends string>(value: unknown, path: string, allowed: readonly T[]): T | undefined;
  texts(value: unknown, path: string): Readonly<Record<string, string>> | undefined;
  textList(value: unknown, path: string): readonly string[];
  /** Notes a problem. */
  refuse(path: string, message: string, reason?: string): void;
}

export const portBounds: Bounds = { min: 1, max: 65535 };

/** How a message names a value: short, and never its whole content. */
export function describeValue(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (isRecord(value)) return 'a mapping';
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  const short = text.length > 60 ? `${text.slice(0, 57)}…` : text;
  return typeof value === 'string' ? `'${short.slice(1, -1)}'` : short;
}

/** A reader with no problems yet. */
export function createReader(): Reader {
  const problems: Problem[] = [];
  const absent = (value: unknown): value is null | undefined => value === undefined || value === null;

  function refuse(path: string, message: string, reason = 'Invalid'): void {
    problems.push({ path, reason, message });
  }

  function refuseValue(path: string, value: unknown, wanted: string): void {
    refuse(path, `\`${path}\` must be ${wanted}; found ${describeValue(value)}`);
  }

  function fields(value: unknown, path: string): Fields | undefined {
    if (isRecord(value)) return value;
    if (!absent(value)) refuseValue(path, value, 'a mapping');
    return undefined;
  }

  function list(value: unknown, path: string): readonly unknown[] {
    if (Array.isArray(value)) return value;
    if (!absent(value)) refuseValue(path, value, 'a list');
    return [];
  }

  function text(value: unknown, path: string): string | undefined {
    if (typeof value === 'string') return value;
    if (!absent(value)) refuseValue(path, value, 'a string');
    return undefined;
  }

  function integer(value: unknown, path: string, bounds?: Bounds): number | undefined {
    if (absent(value)) return undefined;
    const isInteger = typeof value === 'number' && Number.isSafeInteger(value);
    if (isInteger && (bounds === undefined || (value >= bounds.min && value <= bounds.max))) return value;
    const range = bounds === undefined ? '' : `from ${String(bounds.min)} to ${String(bounds.max)}`;
    refuseValue(path, value, isInteger ? range : 'an integer');
    return undefined;
  }

  return {
    problems,
    fields,
    list,
    text,
    integer,
    refuse,
    flag(value, path) {
      if (typeof value === 'boolean') return value;
      if (!absent(value)) refuseValue(path, value, 'true or false');
      return undefined;
    },
    oneOf(value, path, allowed) {
      const found = allowed.find((item) => item === value);
      if (found === undefined && !absent(value)) {
        refuseValue(path, value, `one of ${allowed.map((item) => `'${item}'`).join(', ')}`);
      }
      return found;
    },
    texts(value, path) {
      const map = fields(value, path);
      if (map === undefined) return undefined;
      const entries: [string, string][] = [];
      for (const [key, item] of Object.entries(map)) {
        const read = text(item, `${path}[${key}]`);
        if (read !== undefined) entries.push([key, read]);
      }
      return Object.fromEntries(entries);
    },
    textList: (value, path) =>
      list(value, path).flatMap((item, index) => text(item, `${path}[${String(index)}]`) ?? []),
  };
}

/** `value` under `key` where it is present, else nothing: spread into a literal. */
export function optional<K extends string, T>(key: K, value: T | undefined): { readonly [P in K]?: T } {
  const entry: { [P in K]?: T } = {};
  if (value !== undefined) entry[key] = value;
  return entry;
}

/** A text that must be there; where it is not, that is noted, and it is empty. */
export function requiredText(read: Reader, value: unknown, path: string): string {
  if (value === undefined || value === null) read.refuse(path, `\`${path}\` must be set`);
  return read.text(value, path) ?? '';
}
