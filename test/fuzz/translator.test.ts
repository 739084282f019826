// Random valid meshes: compiling never throws, depends neither on the order of documents nor on what was compiled
// before, makes up no name, and gives nothing that breaks Envoy's own rules.

import fc from 'fast-check';
import { expect } from 'chai';
import { meshes } from './meshes.js';
import { minimal, yamlOf } from './minimal.js';
import { isLong, patienceMs, progress, runs, seed } from './options.js';
import { complaints, validOnly, type Trial } from './properties.js';

/** Draws in batches, each with a seed of its own, so that a failure is found again without what came before it. */
const batch = 250;

const trials = fc.record({ raws: meshes, capture: fc.constantFrom('redirect', 'explicit'), salt: fc.nat(10_000) });

/** The fault without what differs from input to input. */
const faultOf = (complaint: string | undefined): string =>
  (complaint ?? '')
    .split('\n', 1)[0]
    ?.replaceAll(/\S*[/\d]\S*/g, '…')
    .slice(0, 80) ?? '';

/** Fails with the least input that shows the fault. */
async function fail(trial: Trial, found: readonly string[], place: string): Promise<never> {
  const fault = faultOf(found[0]);
  const least = await minimal(trial.raws, (raws) => {
    if (validOnly(raws).rejected > 0) return false;
    return complaints({ ...trial, raws }).some((complaint) => faultOf(complaint) === fault);
  });
  const { capture, salt } = trial;
  const what = `${found.join('\n')}\n\n${place}, capture '${capture}', order ${String(salt)}; the least input:\n`;
  throw new Error(`${what}\n${yamlOf(least)}`);
}

describe('fuzz: any valid mesh', () => {
  it(`is compiled (${String(runs)} runs, SEED=${String(seed)})`, async function () {
    this.timeout(patienceMs);
    let [drawn, rejected, routes] = [0, 0, 0];
    for (let done = 0; done < runs; done += batch) {
      const place = `SEED=${String(seed + done / batch)}`;
      const numRuns = Math.min(batch, runs - done);
      for (const [index, trial] of fc.sample(trials, { seed: seed + done / batch, numRuns }).entries()) {
        const valid = validOnly(trial.raws);
        drawn += trial.raws.length;
        rejected += valid.rejected;
        routes += valid.raws.filter((raw) => raw['kind'] === 'TrafficRoute').length;
        const found = complaints({ ...trial, raws: valid.raws });
        if (found.length > 0)
          await fail({ ...trial, raws: valid.raws }, found, `${place} RUNS=1000, run ${String(index)}`);
      }
      progress(`${String(done + numRuns)} of ${String(runs)} meshes (${place}), ${String(routes)} routes`);
    }
    expect(rejected / drawn, 'share of documents that no schema allows').to.be.lessThan(0.3);
    if (isLong) progress(`${String(rejected)} of ${String(drawn)} documents were not valid`);
  });
});
