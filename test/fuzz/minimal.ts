// The least input that still shows a fault: documents, members and items are taken away one by one for as long as the
// same fault remains. Knows neither the fault nor the schemas.

import { stringify } from 'yaml';
import { isRecord } from '../../src/lib/record.js';
import type { Raw } from './objects.js';

/** Whether an input still shows the fault. */
export type Shows = (raws: readonly Raw[]) => boolean | Promise<boolean>;

type Step = string | number;

const entriesOf = (value: unknown): readonly (readonly [Step, unknown])[] => {
  if (Array.isArray(value)) return value.map((item: unknown, index) => [index, item] as const);
  return isRecord(value) ? Object.entries(value) : [];
};

/** Every place below a value, outer ones first. */
export function placesIn(value: unknown, at: readonly Step[] = []): readonly (readonly Step[])[] {
  const children = entriesOf(value).map(([step, child]) => ({ path: [...at, step], child }));
  return [...children.map(({ path }) => path), ...children.flatMap(({ path, child }) => placesIn(child, path))];
}

/** The value with another one at a place; `undefined` takes it away. */
export function replacedAt(value: unknown, path: readonly Step[], next: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return next;
  if (Array.isArray(value) && typeof step === 'number') {
    const items: readonly unknown[] = value;
    const item = replacedAt(items[step], rest, next);
    return item === undefined ? items.toSpliced(step, 1) : items.with(step, item);
  }
  if (!isRecord(value)) return value;
  const member = replacedAt(value[step], rest, next);
  const others = Object.fromEntries(Object.entries(value).filter(([name]) => name !== step));
  return member === undefined ? others : { ...value, [step]: member };
}

/** The value at a place. */
export function valueAt(value: unknown, path: readonly Step[]): unknown {
  return path.reduce<unknown>((found, step) => entriesOf(found).find(([name]) => name === step)?.[1], value);
}

/** Takes away what can be taken away, at most so many tries. */
export async function minimal(raws: readonly Raw[], shows: Shows, tries = 2000): Promise<readonly Raw[]> {
  let least = raws;
  let left = tries;
  const tryWith = async (next: readonly Raw[]): Promise<void> => {
    left -= 1;
    if (left >= 0 && (await shows(next))) least = next;
  };
  let before: readonly Raw[] | undefined;
  while (before !== least && left > 0) {
    before = least;
    for (let index = least.length - 1; index >= 0; index -= 1) await tryWith(least.toSpliced(index, 1));
    for (const path of placesIn(least).toReversed()) {
      if (path.length > 1 && valueAt(least, path) !== undefined)
        await tryWith(replacedAt(least, path, undefined) as readonly Raw[]);
    }
  }
  return least;
}

/** Documents as a user would write them. */
export const yamlOf = (raws: readonly Raw[]): string =>
  raws.map((raw) => stringify(raw, { aliasDuplicateObjects: false })).join('---\n');
