// Random meshes of all that is compiled: running Envoys take every snapshot, one after the other, over ADS.

import fc from 'fast-check';
import { expect } from 'chai';
import { startEnvoyFeed, type EnvoyFeed } from '../fuzz/envoy-feed.js';
import { meshes } from '../fuzz/meshes.js';
import { minimal, yamlOf } from '../fuzz/minimal.js';
import { isLong, patienceMs, progress, runs, seed } from '../fuzz/options.js';
import { validOnly } from '../fuzz/properties.js';
import type { Raw } from '../fuzz/objects.js';
import { supportedVersions, usualVersion } from './harness.js';

const versions = isLong ? supportedVersions : [usualVersion];
/** 2,000 for 100,000 meshes, 40 for the 800 of the short form. */
const snapshots = isLong ? Math.ceil(runs / 50) : Math.ceil(runs / 20);
const batch = 50;

/** Which resource is refused may differ between two inputs with one fault; the words do not. */
const wordsOf = (refusal: string): string => refusal.slice(refusal.indexOf(': ') + 2).replaceAll(/['"\d].*/g, '');

async function explain(feed: EnvoyFeed, raws: readonly Raw[], refusals: readonly string[]): Promise<string> {
  const words = refusals.map(wordsOf);
  const least = await minimal(
    raws,
    async (fewer) => {
      if (validOnly(fewer).rejected > 0) return false;
      const { refused } = await feed.offer(fewer);
      return refused.some((refusal) => words.includes(wordsOf(refusal)));
    },
    300,
  );
  return `${refusals.join('\n')}\n\nThe least input:\n\n${yamlOf(least)}`;
}

/** Small for JavaScript's RE2, which counts characters; too large for Envoy's, which counts bytes. */
const tooLarge = { name: 'x-name', type: 'RegularExpression', value: '\\pL{900}' };
const poisoned: readonly Raw[] = [
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  },
  {
    apiVersion: 'legation.dev/v1alpha1',
    kind: 'TrafficRoute',
    metadata: { name: 'poisoned', namespace: 'shop' },
    spec: {
      parentRefs: [{ name: 'web' }],
      rules: [{ matches: [{ headers: [tooLarge] }], backendRefs: [{ name: 'web', port: 80 }] }],
    },
  },
];

for (const capture of ['explicit', 'redirect'] as const) {
  describe(`fuzz: stock Envoys, capture '${capture}'`, function () {
    this.timeout(patienceMs);
    let feed: EnvoyFeed;

    before(async () => {
      feed = await startEnvoyFeed(versions, capture);
    });
    after(() => feed.stop());

    it('say so where they do not', async () => {
      const { refused } = await feed.offer(poisoned);
      expect(refused.join()).to.contain('o/shop/web/80');
    });

    it(`take ${String(snapshots / 2)} snapshots (SEED=${String(seed)}, Envoy ${versions.join(', ')})`, async () => {
      for (let done = 0; done < snapshots / 2; done += batch) {
        const from = seed + done / batch + (capture === 'redirect' ? 1_000_000 : 0);
        const numRuns = Math.min(batch, snapshots / 2 - done);
        for (const drawn of fc.sample(meshes, { seed: from, numRuns })) {
          const { raws } = validOnly(drawn);
          const { refused } = await feed.offer(raws);
          if (refused.length > 0) expect.fail(`SEED=${String(from)}: ${await explain(feed, raws, refused)}`);
        }
        progress(`${String(done + numRuns)} snapshots taken by Envoy ${versions.join(', ')}, capture '${capture}'`);
      }
    });
  });
}
