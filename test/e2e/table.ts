// docs/reference/features.md from what a run showed. Pure, and without times: equal results give equal text.

import type { Case, Shown } from './registry.js';
import { groups, type Row, rows } from './rows.js';

/** What one test came to on one version. */
export type Outcome = 'shown' | Shown | 'failed';

/** A test with what it came to, by Envoy version. */
export interface Result {
  readonly of: Case;
  readonly outcomes: ReadonlyMap<string, Outcome>;
}

const words: Readonly<Record<Outcome, string>> = {
  shown: 'yes',
  fallback: 'fallback',
  refused: 'refused',
  failed: '**fails**',
};

/** `1.39.3` as users name it. */
const minor = (version: string): string => version.split('.').slice(0, 2).join('.');

function verdict(results: readonly Result[], version: string): string {
  if (results.length === 0) return '–';
  const outcomes = results.map(({ outcomes: all }) => all.get(version) ?? 'failed');
  const worst = (['failed', 'refused', 'fallback', 'shown'] as const).find((one) => outcomes.includes(one)) ?? 'failed';
  return words[worst];
}

const titles = (results: readonly Result[], kind: Case['kind']): string => {
  const own = results.filter(({ of }) => of.kind === kind).map(({ of }) => of.title.replaceAll('|', '\\|'));
  return own.length === 0 ? 'not covered' : own.join('<br>');
};

function line(row: Row, results: readonly Result[], versions: readonly string[]): string {
  const own = results.filter(({ of }) => of.row === row);
  const cells = [
    `\`${row.id}\` ${row.title}`,
    row.bar,
    row.proof,
    titles(own, 'feature'),
    titles(own, 'misuse'),
    ...versions.map((version) => verdict(own, version)),
  ];
  return `| ${cells.join(' | ')} |`;
}

const head = (versions: readonly string[]): readonly string[] => {
  const cells = ['feature', 'bar', 'seen from outside', 'shown by', 'wrong use shown by', ...versions.map(minor)];
  return [`| ${cells.join(' | ')} |`, `|${' --- |'.repeat(cells.length)}`];
};

/** The page. */
export function featureTable(results: readonly Result[], versions: readonly string[]): string {
  const covered = rows.filter((row) =>
    (['feature', 'misuse'] as const).every((kind) => results.some(({ of }) => of.row === row && of.kind === kind)),
  );
  const parts = groups.flatMap(({ id, title }) => [
    '',
    `## ${title}`,
    '',
    ...head(versions),
    ...rows.filter((row) => row.id.startsWith(`${id}-`)).map((row) => line(row, results, versions)),
  ]);
  return `${[
    '<!-- Written by `make e2e-traffic` from what its tests showed. Do not edit. -->',
    '# Features, and what shows them',
    '',
    'Each row is shown by requests through real Envoys, and its wrong use by the message that status gives.',
    '**yes**: all tests of the row pass on this version of Envoy. **refused**: this version cannot do it, and status says so.',
    '**fallback**: it does what the feature’s page says instead, and status says so.',
    '**–** and **not covered**: no test yet, so no promise. Bar: M is a must, S should follow.',
    '',
    `${String(covered.length)} of ${String(rows.length)} rows have both tests.`,
    ...parts,
  ].join('\n')}\n`;
}
