// A client that does anything a client may do, at random, against views that change at random: what must hold
// then holds always. A failure prints its seed and its shortest sequence of moves.

import { expect } from 'chai';
import fc from 'fast-check';
import type { Protocol } from '../../src/xds/plan.js';
import { createModel } from './model.js';

const action = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('serve' as const), seed: fc.nat(1_000_000) }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('answer' as const), type: fc.nat(5), which: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('refuse' as const), type: fc.nat(5), seed: fc.nat(1000) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('ask' as const), type: fc.nat(5), name: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('drop' as const), type: fc.nat(5), name: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reconnect' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 500, 1_000, 2_500, 11_000) }),
  },
);

/** The same walks each time, so that a change is what makes a difference; SEED=n takes others. */
const seed = Number(process.env['SEED'] ?? 20_261_122);
const runs = { delta: 5_000, sotw: 5_000 } as const;

describe('wire model', () => {
  for (const protocol of ['delta', 'sotw'] as const satisfies readonly Protocol[]) {
    it(`a client of ${protocol} ends up with what it asked for, by legal steps`, () => {
      fc.assert(
        fc.property(fc.array(action, { minLength: 5, maxLength: 60 }), (actions) => {
          const model = createModel(protocol);
          for (const one of actions) model.perform(one);
          model.converge();
          expect(model.difference()).to.deep.equal([]);
        }),
        { seed, numRuns: runs[protocol] },
      );
    }).timeout(60_000);
  }
});
