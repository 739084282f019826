// Valid objects with one thing spoilt: what editors, templates and tired people make of them.

import fc from 'fast-check';
import { isRecord } from '../../src/lib/record.js';
import { placesIn, replacedAt, valueAt } from './minimal.js';
import { anyUserObject, httpRoute, type Raw } from './objects.js';

/** A spoilt object and what was done to it. */
export interface Mutant {
  readonly original: Raw;
  readonly raw: unknown;
  readonly path: readonly (string | number)[];
  readonly what: string;
}

const nested = (depth: number): unknown => {
  let value: unknown = 'x';
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? { a: value } : [value];
  return value;
};

const replacements: Readonly<Record<string, unknown>> = {
  'a null': null,
  'a number': 7,
  'a negative number': -1,
  'a fraction': 0.5,
  'a huge number': 1e300,
  'not a number': Number.NaN,
  'an infinite number': Number.POSITIVE_INFINITY,
  true: true,
  'an empty text': '',
  'a wrong text': 'Wrongg',
  'a text of odd characters': '‮😀\u0000\n%%${x}`',
  'half a character': '\ud800',
  'a long text': 'x'.repeat(5000),
  'an empty list': [],
  'a list of nothing': [null, null],
  'a long list': Array.from({ length: 200 }, (_, index) => `x${String(index)}`),
  'an empty object': {},
  'an object': { surprise: { a: [1] } },
  'a prototype': JSON.parse('{"__proto__": {"name": "x"}, "constructor": 1, "toString": "y"}') as unknown,
  'a date': new Date(0),
  'something deep': nested(4000),
};

type Change = (value: unknown) => unknown;

/** Changes of whatever stands somewhere; `undefined` drops it. */
const changes: Readonly<Record<string, Change>> = {
  dropped: () => undefined,
  doubled: (value) => (Array.isArray(value) ? [...(value as unknown[]), ...(value as unknown[])] : [value, value]),
  'with an extra member': (value) => (isRecord(value) ? { ...value, surprise: 1 } : { value }),
  'in another case': (value) => (typeof value === 'string' ? value.toUpperCase() : JSON.stringify(value)),
  ...Object.fromEntries(
    Object.entries(replacements).map(([name, value]): [string, Change] => [`replaced by ${name}`, () => value]),
  ),
};

/** Objects with one change, anywhere from `apiVersion` down. */
export const mutants: fc.Arbitrary<Mutant> = fc
  .tuple(fc.oneof({ arbitrary: anyUserObject, weight: 4 }, { arbitrary: httpRoute, weight: 1 }), fc.nat(100_000))
  .chain(([original, at]) => {
    const places = placesIn(original);
    const path = places[at % places.length] ?? [];
    return fc.constantFrom(...Object.entries(changes)).map(([what, change]): Mutant => ({
      original,
      raw: replacedAt(original, path, change(valueAt(original, path))),
      path,
      what: `${path.join('.')} ${what}`,
    }));
  });
