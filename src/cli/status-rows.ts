// Objects with their status, as /status gives them, as rows for people: which object, whether it is ready, and if not, why.
// Pure; whatever is missing reads as empty.

import { field, listOf, numberOf, textOf } from '../sandbox/json-fields.js';
import type { Paint } from './output.js';
import { renderTable } from './output.js';

/** One object. */
export interface StatusRow {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
  readonly ready: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly proxies: string;
  /** When it became so, RFC 3339. */
  readonly since: string;
  readonly message: string;
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly since: string;
}

const conditionOf = (value: unknown): Condition => ({
  type: textOf(field(value, 'type')),
  status: textOf(field(value, 'status')),
  reason: textOf(field(value, 'reason')),
  message: textOf(field(value, 'message')),
  since: textOf(field(value, 'lastTransitionTime')),
});

const conditionsOf = (holder: unknown): readonly Condition[] => listOf(field(holder, 'conditions')).map(conditionOf);

const positive = ['Accepted', 'ResolvedRefs', 'Programmed'];

/** Ready where it is said; else the first of the others that is not True, else the last of them. */
function decisive(status: unknown): Condition | undefined {
  const own = conditionsOf(status);
  const ready = own.find(({ type }) => type === 'Ready');
  if (ready !== undefined) return ready;
  const all = [...own, ...listOf(field(status, 'parents')).flatMap(conditionsOf)];
  const steps = all.filter(({ type }) => positive.includes(type));
  return steps.find((condition) => condition.status !== 'True') ?? steps.at(-1);
}

const readyOf = (condition: Condition | undefined): StatusRow['ready'] =>
  condition?.status === 'True' || condition?.status === 'False' ? condition.status : 'Unknown';

/** The row of an object. */
export function rowOf(item: unknown): StatusRow {
  const metadata = field(item, 'metadata');
  const status = field(item, 'status');
  const condition = decisive(status);
  return {
    kind: textOf(field(item, 'kind')),
    namespace: textOf(field(metadata, 'namespace')),
    name: textOf(field(metadata, 'name')),
    generation: numberOf(field(metadata, 'generation')),
    ready: readyOf(condition),
    reason: condition?.reason ?? '',
    proxies: textOf(field(field(status, 'applied'), 'proxies')),
    since: condition?.since ?? '',
    message: condition?.message ?? '',
  };
}

const units = [
  { letter: 'd', ms: 86_400_000 },
  { letter: 'h', ms: 3_600_000 },
  { letter: 'm', ms: 60_000 },
] as const;

/** `12s`, `5m`, `3h`, `2d`: as kubectl says how old something is. */
export function ageOf(since: string, now: number): string {
  const then = Date.parse(since);
  if (Number.isNaN(then)) return '';
  const ms = Math.max(0, now - then);
  const unit = units.find((one) => ms >= one.ms);
  return unit === undefined ? `${Math.floor(ms / 1000)}s` : `${Math.floor(ms / unit.ms)}${unit.letter}`;
}

/** How to print rows. */
export interface RowStyle {
  readonly wide: boolean;
  readonly paint: Paint;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Messages are cut to this many characters, except in wide tables. */
  readonly messageWidth: number;
}

const cut = (text: string, width: number): string => (text.length > width ? `${text.slice(0, width - 1)}…` : text);

/** Rows as a table. */
export function statusTable(rows: readonly StatusRow[], style: RowStyle): string {
  const { wide, paint, now, messageWidth } = style;
  const colour = { True: paint.green, False: paint.red, Unknown: paint.yellow } as const;
  const head = [
    'KIND',
    'NAMESPACE',
    'NAME',
    'READY',
    'REASON',
    'PROXIES',
    'AGE',
    ...(wide ? ['GENERATION'] : []),
    'MESSAGE',
  ];
  const body = rows.map((row) => [
    row.kind,
    row.namespace,
    row.name,
    colour[row.ready](row.ready),
    row.reason,
    row.proxies === '' ? '-' : row.proxies,
    ageOf(row.since, now),
    ...(wide ? [String(row.generation)] : []),
    wide ? row.message : cut(row.message, messageWidth),
  ]);
  return renderTable([head.map(paint.bold), ...body]);
}
