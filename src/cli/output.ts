// How commands print: colours only where somebody sees them, tables without borders, JSON and YAML. Pure but for the
// lazy import of the YAML library; writes nothing.

import pico from 'picocolors';

/** The value of `--color`. */
export type ColourWhen = 'auto' | 'always' | 'never';

/** Colours; without them each is the identity. */
export interface Paint {
  readonly bold: (text: string) => string;
  readonly red: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly green: (text: string) => string;
}

/** What decides about colours. */
export interface ColourQuestion {
  readonly when: ColourWhen;
  readonly isTerminal: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const isSet = (value: string | undefined): boolean => value !== undefined && value !== '';

/** Whether to colour: the flag, else NO_COLOR, else FORCE_COLOR, else whether there is a terminal. */
export function wantsColour({ when, isTerminal, environment }: ColourQuestion): boolean {
  if (when !== 'auto') return when === 'always';
  if (isSet(environment['NO_COLOR'])) return false;
  const forced = environment['FORCE_COLOR'];
  return isSet(forced) ? forced !== '0' : isTerminal;
}

/** A set of colours. */
export function createPaint(enabled: boolean): Paint {
  const { bold, red, yellow, green } = pico.createColors(enabled);
  return { bold, red, yellow, green };
}

const escapes = new RegExp(String.raw`${String.fromCharCode(27)}\[[0-9;]*m`, 'g');

/** Columns that a text takes on a terminal. */
const widthOf = (text: string): number => Array.from(text.replace(escapes, '')).length;

const gap = '   ';

/** Rows as aligned columns; the last column is as long as it is. */
export function renderTable(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, at) => Math.max(...rows.map((row) => widthOf(row[at] ?? ''))));
  const line = (row: readonly string[]): string =>
    row
      .map((text, at) => (at === row.length - 1 ? text : text + ' '.repeat((widths[at] ?? 0) - widthOf(text))))
      .join(gap)
      .trimEnd();
  return rows.map((row) => `${line(row)}\n`).join('');
}

/** JSON for people and programs. */
export const renderJson = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** YAML with sorted keys, in the style of `canonicalYaml`, which only knows JSON of Envoy's messages. */
export async function renderYaml(value: unknown): Promise<string> {
  const { stringify } = await import('yaml');
  return stringify(value, {
    sortMapEntries: true,
    lineWidth: 0,
    aliasDuplicateObjects: false,
    indentSeq: false,
    compat: 'yaml-1.1',
  });
}

/** `1 error`, `2 errors`. */
export const count = (amount: number, what: string): string => `${amount} ${what}${amount === 1 ? '' : 's'}`;
