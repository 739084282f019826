// Runs all that `cases/` registers on every supported Envoy, and writes docs/reference/features.md from the results.
// A run of some tests or some versions writes nothing. With CI=true a table that differs is a failure.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { supportedVersions } from '../envoy/harness.js';
import { type SharedMesh, startSharedMesh } from './mesh.js';
import { type Case, cases } from './registry.js';
import { featureTable, type Outcome } from './table.js';

const folder = join(import.meta.dirname, 'cases');
for (const name of readdirSync(folder).sort())
  if (name.endsWith('.ts')) await import(pathToFileURL(join(folder, name)).href);

const page = join(import.meta.dirname, '../../docs/reference/features.md');
const results = cases().map((of) => ({ of, outcomes: new Map<string, Outcome>() }));
const titleOf = ({ row, kind, title }: Case): string => `${row.id} ${kind === 'misuse' ? 'wrong: ' : ''}${title}`;

for (const version of supportedVersions) {
  describe(`traffic on Envoy ${version}`, function () {
    this.timeout(30_000);
    let mesh: SharedMesh;

    before(async function () {
      this.timeout(300_000);
      mesh = await startSharedMesh(version);
    });
    after(() => mesh.stop());

    for (const { of, outcomes } of results) {
      it(titleOf(of), async () => {
        outcomes.set(version, 'failed');
        outcomes.set(version, (await mesh.run(of.body)) ?? 'shown');
      });
    }
  });
}

describe('docs/reference/features.md', () => {
  it('says what the tests showed', function () {
    const isWhole = results.every(({ outcomes }) => outcomes.size === supportedVersions.length);
    if (!isWhole || process.env['ENVOY_VERSIONS'] !== undefined) this.skip();
    const text = featureTable(results, supportedVersions);
    const committed = readFileSync(page, { encoding: 'utf8', flag: 'a+' });
    if (process.env['CI'] === 'true') expect(committed).to.equal(text);
    else if (committed !== text) writeFileSync(page, text);
  });
});
