// Work that does not fit into a turn of the event loop waits, in order.

import { expect } from 'chai';
import { createPace } from '../../../src/xds/pace.js';

const spend = (ms: number): void => {
  for (const end = performance.now() + ms; performance.now() < end;);
};

describe('pace', () => {
  it('does at once what fits into a turn, and the rest in order in the next ones', () => {
    const turns: (() => void)[] = [];
    const pace = createPace((next) => turns.push(next));
    const done: number[] = [];
    for (let index = 0; index < 6; index++) {
      pace(() => {
        done.push(index);
        spend(10);
      });
    }
    expect(done).to.deep.equal([0]);
    turns.shift()?.();
    expect(done).to.deep.equal([0, 1]);
    pace(() => done.push(6));
    for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) turn();
    expect(done).to.deep.equal([0, 1, 2, 3, 4, 5, 6]);
    pace(() => done.push(7));
    expect(done.at(-1)).to.equal(7);
  });
});
