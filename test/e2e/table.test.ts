// The table: what passed, what a version refuses, what fails and what nobody tests are told apart.

import { expect } from 'chai';
import type { Case } from './registry.js';
import { rows } from './rows.js';
import { featureTable, type Outcome, type Result } from './table.js';

const versions = ['1.36.4', '1.39.3'];

function result(id: string, kind: Case['kind'], outcomes: readonly Outcome[]): Result {
  const row = rows.find((one) => one.id === id);
  if (row === undefined) throw new Error(`no row '${id}'`);
  const of: Case = { row, kind, title: `${kind} of ${id}`, run: { stage: 'explicit', body: () => Promise.resolve() } };
  return { of, outcomes: new Map(outcomes.map((outcome, nth) => [versions[nth] ?? '', outcome])) };
}

const lineOf = (page: string, id: string): string => page.split('\n').find((line) => line.includes(`\`${id}\``)) ?? '';

describe('table of features', () => {
  const page = featureTable(
    [
      result('1.1-path', 'feature', ['shown', 'shown']),
      result('1.1-path', 'misuse', ['shown', 'failed']),
      result('1.1-http', 'feature', ['refused', 'shown']),
      result('1.6-metrics', 'feature', ['fallback', 'shown']),
      result('1.6-metrics', 'misuse', ['shown', 'shown']),
    ],
    versions,
  );

  it('gives each version the worst of its tests', () => {
    expect(lineOf(page, '1.1-path')).to.match(
      /feature of 1\.1-path \| misuse of 1\.1-path \| yes \| \*\*fails\*\* \|$/,
    );
    expect(lineOf(page, '1.1-http')).to.match(/feature of 1\.1-http \| not covered \| refused \| yes \|$/);
    expect(lineOf(page, '1.6-metrics')).to.match(/misuse of 1\.6-metrics \| fallback \| yes \|$/);
  });

  it('lists every row, covered or not', () => {
    for (const { id } of rows) expect(lineOf(page, id)).not.to.equal('');
    expect(lineOf(page, '1.1-tcp')).to.match(/not covered \| not covered \| – \| – \|$/);
    expect(page).to.include(`2 of ${String(rows.length)} rows have both tests.`);
  });
});
