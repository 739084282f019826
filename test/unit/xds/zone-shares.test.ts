// Own zone first: nobody stays at home at the cost of others, whoever calls from where.

import { expect } from 'chai';
import fc from 'fast-check';
import { zoneShares } from '../../../src/xds/zone-shares.js';

const spread = (counts: Readonly<Record<string, number>>): ReadonlyMap<string, number> =>
  new Map(Object.entries(counts));
const shares = (here: string, ...[callers, endpoints]: readonly Readonly<Record<string, number>>[]) =>
  Object.fromEntries(zoneShares(here, spread(callers ?? {}), spread(endpoints ?? {})));

describe('shares of zones', () => {
  it('are for the own zone while it has its part of the endpoints', () => {
    expect(shares('a', { a: 3, b: 3 }, { a: 1, b: 1 })).to.deep.equal({ a: 1 });
    expect(shares('a', { a: 1, b: 2 }, { a: 2, b: 1 })).to.deep.equal({ a: 1 });
  });

  it('leave what is too much for it to those who have room', () => {
    expect(shares('a', { a: 1 }, { a: 1, b: 1 })).to.deep.equal({ a: 1 / 2, b: 1 / 2 });
    expect(shares('a', { a: 1 }, { b: 1, c: 3 })).to.deep.equal({ b: 1 / 4, c: 3 / 4 });
    expect(shares('a', { a: 4, b: 4 }, { a: 2, b: 4, c: 2 })).to.deep.equal({ a: 1 / 2, c: 1 / 2 });
  });

  it('are nobody’s where nothing is known', () => {
    expect(shares('a', {}, {})).to.deep.equal({});
    expect(shares('a', { b: 1 }, { b: 1 })).to.deep.equal({});
  });

  it('load all endpoints alike, together', () => {
    const counts = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.integer({ min: 1, max: 50 }), { minKeys: 1 });
    fc.assert(
      fc.property(counts, counts, (callers, endpoints) => {
        const load = new Map<string, number>();
        for (const [zone, count] of Object.entries(callers)) {
          for (const [to, share] of zoneShares(zone, spread(callers), spread(endpoints)))
            load.set(to, (load.get(to) ?? 0) + share * count);
        }
        const asked = Object.values(callers).reduce((sum, count) => sum + count, 0);
        const there = Object.values(endpoints).reduce((sum, count) => sum + count, 0);
        for (const [zone, count] of Object.entries(endpoints))
          expect(load.get(zone) ?? 0).to.be.closeTo((asked * count) / there, 1e-9);
      }),
    );
  });
});
