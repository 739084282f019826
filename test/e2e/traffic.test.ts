// Runs all that `cases/` registers on every supported Envoy, and writes docs/reference/features.md from the results.
// A run of some tests or some versions writes nothing. With CI=true a table that differs is a failure.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { supportedVersions } from '../envoy/harness.js';
import { obstacleToNamespaces } from '../netns/network.js';
import { startSharedLab } from './lab.js';
import { startSharedMesh } from './mesh.js';
import { type Body, type Case, cases, type Shown, type Staged } from './registry.js';
import { featureTable, type Outcome } from './table.js';

const folder = join(import.meta.dirname, 'cases');
for (const name of readdirSync(folder).sort())
  if (name.endsWith('.ts')) await import(pathToFileURL(join(folder, name)).href);

const page = join(import.meta.dirname, '../../docs/reference/features.md');
const results = cases().map((of) => ({ of, outcomes: new Map<string, Outcome>() }));
const titleOf = ({ row, kind, title }: Case): string => `${row.id} ${kind === 'misuse' ? 'wrong: ' : ''}${title}`;

interface Stage<View> {
  run(body: Body<View>): Promise<Shown | undefined>;
  stop(): Promise<void>;
}

/** Runs tests on a stage that they share; `bodyOf` is what a test does there, if that is where it runs. */
function onStage<View>(
  version: string,
  start: (version: string) => Promise<Stage<View>>,
  bodyOf: (staged: Staged) => Body<View> | undefined,
): void {
  let shared: Stage<View> | undefined;

  before(async function () {
    this.timeout(300_000);
    shared = await start(version);
  });
  after(() => shared?.stop());

  for (const { of, outcomes } of results) {
    const body = bodyOf(of.run);
    if (body === undefined) continue;
    it(titleOf(of), async () => {
      outcomes.set(version, 'failed');
      outcomes.set(version, (await shared?.run(body)) ?? 'shown');
    });
  }
}

const obstacle = obstacleToNamespaces();

for (const version of supportedVersions) {
  describe(`traffic on Envoy ${version}`, function () {
    this.timeout(30_000);
    onStage(version, startSharedMesh, (run) => (run.stage === 'explicit' ? run.body : undefined));
  });

  describe(`redirected traffic on Envoy ${version}`, function () {
    this.timeout(30_000);
    if (obstacle === undefined)
      onStage(version, startSharedLab, (run) => (run.stage === 'redirect' ? run.body : undefined));
    else it.skip(`needs network namespaces; ${obstacle}`);
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
