// No field is ignored: each one that random routes and policies set is seen in what is served or said, at least once.

import fc from 'fast-check';
import { expect } from 'chai';
import { unsupportedValues } from '../../src/kinds/unsupported.js';
import { isValid } from './compile.js';
import { leavesOf, simplified, withoutEach } from './consumed.js';
import { userObjects, type Raw } from './objects.js';
import { valueAt, yamlOf } from './minimal.js';
import { isLong, patienceMs, progress, runs, seed } from './options.js';

/** Fields that change nothing that a proxy or a reader of status could see, each with its reason. */
const invisible: Readonly<Record<string, string>> = {
  'TrafficRoute distribution': 'every proxy holds every route, whatever is learned',
  'TrafficRoute rules[].backendRefs[].group': 'follows from the kind of the backend',
  'TrafficRoute rules[].filters[].requestMirror.backendRef.group': 'the same',
};

/** So many times a field must have been tried before it counts as ignored. */
const enough = 12;

interface Tally {
  seen: number;
  unseen: number;
  moot: number;
  readonly values: Set<unknown>;
  example: Raw | undefined;
}

describe('fuzz: no field is ignored', () => {
  for (const kind of ['TrafficRoute', 'MeshPolicy', 'MeshIdentity'] as const) {
    it(kind, function () {
      this.timeout(patienceMs);
      const tallies = new Map<string, Tally>();
      const tallyOf = (field: string): Tally => {
        const known = tallies.get(field) ?? { seen: 0, unseen: 0, moot: 0, values: new Set(), example: undefined };
        tallies.set(field, known);
        return known;
      };
      const tries = (field: string): number => {
        const { seen, unseen, moot } = tallyOf(field);
        return seen * 4 + unseen + moot;
      };
      const others = (field: string): readonly unknown[] => [...tallyOf(field).values].slice(-3);
      const count = Math.ceil(runs / (isLong ? 20 : 6));
      for (const drawn of fc.sample(userObjects[kind], { seed, numRuns: count })) {
        const raw = simplified(drawn);
        if (!isValid(raw)) continue;
        const leaves = leavesOf(raw).toSorted((left, right) => tries(left.field) - tries(right.field));
        const open = leaves.filter(({ field }) => tallyOf(field).seen < 2);
        for (const [{ field }, outcome] of withoutEach({ kind, raw, others }, open.slice(0, 2))) {
          const tally = tallyOf(field);
          tally[outcome] += 1;
          if (outcome === 'unseen') tally.example ??= raw;
        }
        if (unsupportedValues(kind, raw['spec']).length > 0) continue;
        for (const { field, path } of leaves) tallyOf(field).values.add(valueAt(raw, path));
      }
      const ignored = [...tallies].filter(
        // A field of which one value alone is compiled has nothing to show.
        ([field, { seen, unseen, values }]) =>
          seen === 0 && unseen >= enough && values.size > 1 && invisible[`${kind} ${field}`] === undefined,
      );
      const unsettled = [...tallies]
        .filter(([, { seen }]) => seen === 0)
        .map(([field, { unseen, moot }]) => `${field} (${unseen} unseen, ${moot} moot)`);
      progress(`${kind}: never seen, in so many tries: ${unsettled.join(', ')}`);
      progress(`${kind}: ${String(tallies.size)} fields tried, ${String(ignored.length)} without effect`);
      const shown = ignored.map(([field, { unseen, example }]) => {
        const where = example === undefined ? '' : yamlOf([example]);
        return `${field} changes nothing (${String(unseen)} tries), for example in\n${where}`;
      });
      expect(shown.join('\n'), `SEED=${String(seed)}`).to.equal('');
    });
  }
});
