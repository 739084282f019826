// Turns measurements into rows: one figure per contender, ratios ours/peer, and the figure that a release must reach.
import type { Measurement, Round } from './measure.js';

/** One row of the table. */
export interface Row {
  readonly label: string;
  readonly unit: string;
  readonly values: Readonly<Record<string, number>>;
  /** ours/peer, by peer. */
  readonly ratios: Readonly<Record<string, number>>;
  readonly must?: number;
  readonly met?: boolean;
}

/** The name under which our own figures stand. */
export const OURS = 'ours';

interface Figure {
  readonly label: string;
  readonly unit: string;
  /** The release gate at size M, delta. */
  readonly must?: number;
  readonly of: (measurement: Measurement) => number | undefined;
}

const quantile = (values: readonly number[], q: number): number | undefined => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
};

const median = (values: readonly number[]): number | undefined => quantile(values, 0.5);
const mean = (values: readonly number[]): number | undefined =>
  values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;

type StepScenario = 'endpoint' | 'route' | 'workload' | 'mesh' | 'service' | 'reconnect' | 'remove';

const over =
  (scenario: StepScenario, pick: (round: Round) => number, fold: (values: readonly number[]) => number | undefined) =>
  (measurement: Measurement): number | undefined =>
    fold((measurement.rounds[scenario] ?? []).map(pick));

const p99 = (values: readonly number[]): number | undefined => quantile(values, 0.99);
const lastMs = (round: Round): number => round.lastMs;
const cpuMs = (round: Round): number => round.cpuSeconds * 1000;
const kilobytes = (round: Round): number => round.bytes / 1000;

interface StepMust {
  readonly p99?: number;
  readonly cpu?: number;
  readonly kilobytes?: number;
}

const stepFigures = (scenario: StepScenario, label: string, must: StepMust): readonly Figure[] => [
  { label: `${label}, p50 to last ACK`, unit: 'ms', of: over(scenario, lastMs, median) },
  {
    label: `${label}, p99 to last ACK`,
    unit: 'ms',
    ...(must.p99 === undefined ? {} : { must: must.p99 }),
    of: over(scenario, lastMs, p99),
  },
  { label: `${label}, p50 to first ACK`, unit: 'ms', of: over(scenario, (round) => round.firstMs, median) },
  {
    label: `${label}, CPU per change`,
    unit: 'ms',
    ...(must.cpu === undefined ? {} : { must: must.cpu }),
    of: over(scenario, cpuMs, mean),
  },
  {
    label: `${label}, bytes per change`,
    unit: 'kB',
    ...(must.kilobytes === undefined ? {} : { must: must.kilobytes }),
    of: over(scenario, kilobytes, median),
  },
];

/** What a few proxies add says nothing of a thousand. */
const perThousand = ({ memory, size }: Measurement, mib: number): number | undefined =>
  size.proxies < 100 ? undefined : ((mib - memory.idle) * 1000) / size.proxies;

const FIGURES: readonly Figure[] = [
  { label: 'cold start, last proxy', unit: 's', must: 4, of: ({ cold }) => cold.lastMs / 1000 },
  { label: 'cold start, CPU', unit: 's', must: 3.4, of: ({ cold }) => cold.cpuSeconds },
  { label: 'cold start, bytes', unit: 'MB', of: ({ cold }) => cold.bytes / 1e6 },
  { label: 'cold start, CPU of the clients', unit: 's', of: ({ cold }) => cold.clientsCpuSeconds },
  ...stepFigures('endpoint', 'endpoint change', { p99: 70, cpu: 55 }),
  ...stepFigures('route', 'route change', { cpu: 66, kilobytes: 700 }),
  ...stepFigures('workload', 'policy on one workload', { p99: 10 }),
  ...stepFigures('mesh', 'mesh-wide policy', {}),
  {
    label: 'mesh-wide policy, bytes per byte of what changed',
    unit: '',
    must: 1.3,
    of: over('mesh', ({ bytes, changedBytes }) => bytes / changedBytes, median),
  },
  ...stepFigures('service', 'new service', { p99: 150, cpu: 140 }),
  { label: 'reconnect, last proxy', unit: 's', must: 2, of: over('reconnect', (r) => r.lastMs / 1000, median) },
  { label: 'reconnect, CPU', unit: 's', must: 1.9, of: over('reconnect', (r) => r.cpuSeconds, median) },
  { label: 'reconnect, CPU of the clients', unit: 's', of: over('reconnect', (r) => r.clientsCpuSeconds, median) },
  { label: 'reconnect, bytes', unit: 'kB', of: over('reconnect', kilobytes, median) },
  { label: 'service removed, last proxy', unit: 'ms', of: over('remove', lastMs, median) },
  { label: 'RSS idle, no proxies', unit: 'MiB', of: ({ memory }) => memory.idle },
  { label: 'RSS settled', unit: 'MiB', of: ({ memory }) => memory.settled },
  { label: 'RSS above idle per 1,000, cold start done', unit: 'MiB', of: (m) => perThousand(m, m.memory.afterCold) },
  { label: 'RSS above idle per 1,000, settled', unit: 'MiB', must: 60, of: (m) => perThousand(m, m.memory.settled) },
  { label: 'RSS above idle per 1,000, end, after GC', unit: 'MiB', of: (m) => perThousand(m, m.memory.collected) },
  { label: 'RSS peak above idle per 1,000', unit: 'MiB', of: (m) => perThousand(m, m.memory.peak) },
  ...['cold', 'endpoint', 'route', 'workload', 'mesh', 'service', 'reconnect'].map((scenario): Figure => ({
    label: `event-loop delay p99, ${scenario}`,
    unit: 'ms',
    of: (measurement) => measurement.eventLoopDelayP99Ms[scenario],
  })),
];

/** Whether the must figures apply: they were set for size M, delta. */
const isGated = ({ size, mode }: Measurement): boolean => size.name === 'M' && mode === 'delta';

const buildRow = (figure: Figure, byContender: ReadonlyMap<string, readonly Measurement[]>): Row => {
  const entries: [string, number][] = [];
  for (const [name, measurements] of byContender) {
    const value = median(measurements.flatMap((measurement) => figure.of(measurement) ?? []));
    if (value !== undefined) entries.push([name, value]);
  }
  const values = Object.fromEntries(entries);
  const own = values[OURS];
  const peers = own === undefined ? [] : entries.filter(([name, value]) => name !== OURS && value > 0);
  const ratios = Object.fromEntries(peers.map(([name, value]) => [name, (own ?? 0) / value]));
  const gated = [...byContender.values()].flat().every(isGated);
  const must = gated ? figure.must : undefined;
  return {
    label: figure.label,
    unit: figure.unit,
    values,
    ratios,
    ...(must === undefined ? {} : { must }),
    ...(must === undefined || own === undefined ? {} : { met: own <= must }),
  };
};

/** The rows of one size and mode; repeated measurements of a contender are reduced to their median. */
export const buildRows = (measurements: readonly Measurement[]): readonly Row[] => {
  const byContender = new Map<string, Measurement[]>();
  for (const measurement of measurements) {
    const list = byContender.get(measurement.contender) ?? [];
    list.push(measurement);
    byContender.set(measurement.contender, list);
  }
  return FIGURES.map((figure) => buildRow(figure, byContender)).filter((row) => Object.keys(row.values).length > 0);
};

/** What contenders were not taken through, and why: their rows are empty. */
export const describeLeftOut = (measurements: readonly Measurement[]): readonly string[] => [
  ...new Set(
    measurements.flatMap(({ contender, leftOut }) =>
      leftOut.map(({ scenario, reason }) => `not with ${contender}: ${scenario}, since ${reason}`),
    ),
  ),
];

const formatNumber = (value: number | undefined): string => {
  if (value === undefined) return '–';
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
};

/** Rows as an aligned text table. */
export const formatRows = (rows: readonly Row[]): string => {
  const contenders = [...new Set(rows.flatMap((row) => Object.keys(row.values)))];
  const peers = contenders.filter((name) => name !== OURS);
  const hasOurs = contenders.includes(OURS);
  const header = ['', 'unit', ...contenders, ...(hasOurs ? peers.map((name) => `ours/${name}`) : []), 'must'];
  const body = rows.map((row) => {
    const verdict = row.met === undefined ? '' : row.met ? ' met' : ' MISSED';
    return [
      row.label,
      row.unit,
      ...contenders.map((name) => formatNumber(row.values[name])),
      ...(hasOurs ? peers.map((name) => formatNumber(row.ratios[name])) : []),
      row.must === undefined ? '' : `≤ ${String(row.must)}${verdict}`,
    ];
  });
  const lines = [header, ...body];
  const widths = header.map((_, i) => Math.max(...lines.map((line) => (line[i] ?? '').length)));
  const align = (cell: string, i: number): string =>
    i < 2 || i === widths.length - 1 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0);
  return lines.map((line) => line.map(align).join('  ').trimEnd()).join('\n');
};
