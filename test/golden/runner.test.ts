// Runs every golden case: user YAML in, Envoy YAML and conditions out. One runner, no code per case. What a case holds
// beside that comes for free: determinism, order, consistent references, Envoy's own rules.
// UPDATE_GOLDEN=1 rewrites the expected files.

import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect } from 'chai';
import { checkConstraints } from '../../src/xds/constraints.js';
import { resourcesToJson } from '../../src/xds/readable.js';
import { nothingRefused } from '../../src/xds/quarantine.js';
import { buildPublication } from '../../src/xds/publication.js';
import { codecOf, encodeResource, resourceTypes, type Resource } from '../../src/xds/resources.js';
import { translate } from '../../src/xds/translate.js';
import { danglingOf } from '../support/references.js';
import { compileCase, goldenCases, readInput, wantedFiles, type Compiled } from '../support/golden.js';

const updating = process.env['UPDATE_GOLDEN'] === '1';

function filesUnder(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => statSync(join(folder, path)).isFile())
    .sort();
}

function rewrite(folder: string, files: ReadonlyMap<string, string>): void {
  rmSync(folder, { recursive: true, force: true });
  for (const [path, text] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

const all = (compiled: Compiled): ReadonlyMap<string, readonly Resource[]> =>
  new Map(
    [...compiled.proxies].map(([label, proxy]) => {
      const translated = translate(compiled.model, proxy, compiled.can);
      return [label, resourceTypes.flatMap((type) => translated[type])];
    }),
  );

/** `type name version` of everything that every proxy is served. */
const versionsOf = (compiled: Compiled): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(
    [...all(compiled)].map(([label, resources]) => [
      label,
      resources.map((one) => `${one.type} ${one.name} ${encodeResource(one).version}`).sort(),
    ]),
  );

/** The same objects in another order; always the same one. */
function shuffled<T>(items: readonly T[]): readonly T[] {
  const keyed = items.map((item, index) => ({ item, key: (index * 2_654_435_761) % 4_294_967_296 }));
  return keyed.sort((left, right) => right.key - left.key).map(({ item }) => item);
}

describe('golden', () => {
  it('has cases', () => {
    expect(goldenCases().length).to.be.at.least(30);
  });

  for (const golden of goldenCases()) {
    describe(golden.name, () => {
      let compiled: Compiled;

      before(async () => {
        compiled = compileCase(golden, await readInput(golden));
      });

      it('says what it pins', () => {
        expect(readFileSync(join(golden.path, 'case.md'), 'utf8').trim()).not.to.equal('');
      });

      it('gives what is wanted', () => {
        const folder = join(golden.path, 'want');
        const wanted = wantedFiles(golden, compiled);
        if (updating) rewrite(folder, wanted);
        expect(filesUnder(folder), 'missing, orphaned or empty files').to.deep.equal([...wanted.keys()].sort());
        for (const [path, text] of wanted) {
          const file = join(folder, path);
          expect(text, relative('.', file)).to.equal(readFileSync(file, 'utf8')).and.not.to.equal('');
        }
      });

      it('is the same again, and from any order of objects', async () => {
        const objects = await readInput(golden);
        expect(versionsOf(compileCase(golden, objects))).to.deep.equal(versionsOf(compiled));
        const other = compileCase(golden, shuffled(objects));
        expect(versionsOf(other)).to.deep.equal(versionsOf(compiled));
        const sorted = (one: Compiled) => one.findings.map((finding) => JSON.stringify(finding)).sort();
        expect(sorted(other)).to.deep.equal(sorted(compiled));
      });

      it('refers to what is there, under names of its own', () => {
        for (const [label, resources] of all(compiled)) {
          expect(danglingOf(resources), label).to.deep.equal([]);
          const names = resources.map((one) => `${one.type} ${one.name}`);
          expect(new Set(names).size, label).to.equal(names.length);
          for (const one of resources.filter(({ type }) => type === 'cluster')) {
            const isEds = JSON.stringify(resourcesToJson([one])).includes('"type":"EDS"');
            if (isEds) expect(names, label).to.include(`endpoint ${one.name}`);
          }
        }
      });

      it('keeps the rules of Envoy', () => {
        for (const [label, resources] of all(compiled)) {
          const broken = resources.flatMap((one) => checkConstraints(codecOf[one.type].$type, one.message));
          expect(broken, label).to.deep.equal([]);
        }
      });

      it('is published as it is printed', () => {
        const { publication, guilty } = buildPublication(compiled.model, new Map([['0.0.0', nothingRefused]]), [compiled.can]);
        expect(guilty).to.deep.equal([]);
        const printed = versionsOf(compiled);
        for (const [label, proxy] of compiled.proxies) {
          const entry = publication.proxies.get(proxy.key);
          const sections = publication.views.get(entry?.viewFor(compiled.envoy) ?? '') ?? [];
          const layers = sections.flatMap((section) => [...section.values()]);
          const served = [...layers, ...Object.values(entry?.ownFor(compiled.envoy) ?? {})].flat();
          expect(served.map((one) => `${one.type} ${one.name} ${one.version}`).sort()).to.deep.equal(printed[label]);
        }
      });
    });
  }
});
