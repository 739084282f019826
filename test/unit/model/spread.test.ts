// How callers are spread: equal shares are one text, whatever the numbers.

import { expect } from 'chai';
import { readSpread, writeSpread } from '../../../src/model/spread.js';

const written = (counts: Readonly<Record<string, number>>): string => writeSpread(new Map(Object.entries(counts)));

describe('spread of a workload', () => {
  it('is read as it was written, in shares', () => {
    expect([...readSpread(written({ 'north/b': 30, 'north/a': 10 }))]).to.deep.equal([
      ['north/a', 5],
      ['north/b', 15],
    ]);
    expect(readSpread(undefined).size).to.equal(0);
  });

  it('is the same for equal shares, in any order, and for those that are nearly so', () => {
    expect(written({ a: 1, b: 1 })).to.equal(written({ b: 7, a: 7 }));
    expect(written({ a: 50, b: 51 })).to.equal(written({ a: 1, b: 1 }));
  });

  it('leaves nobody out', () => {
    expect(readSpread(written({ a: 1, b: 999 })).get('a')).to.equal(1);
  });
});
