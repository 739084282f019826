// The bounds themselves: wide enough for chance, narrow enough for a mistake.

import { expect } from 'chai';
import { expectShare, expectShares, shareBounds } from './statistics.js';

describe('bounds of counts', () => {
  it('are exact where chance has no part', () => {
    expect(shareBounds(500, 0)).to.deep.equal([0, 0]);
    expect(shareBounds(500, 1)).to.deep.equal([500, 500]);
  });

  it('hold the expected count and grow with the root of the sample', () => {
    expect(shareBounds(600, 0.2)).to.deep.equal([76, 164]);
    expect(shareBounds(60_000, 0.2)).to.deep.equal([11_559, 12_441]);
    expect(shareBounds(3, 0.5)).to.deep.equal([0, 3]);
  });

  it('see weights that are swapped, a share that is off, and who should not be there', () => {
    expect(() => {
      expectShare(480, 600, 0.2);
    }).to.throw('480 of 600, asked for 20 %');
    expect(() => {
      expectShare(180, 600, 0.2);
    }).to.throw();
    expect(() => {
      expectShares({ v1: 100, v9: 1 }, { v1: 1 });
    }).to.throw('v9');
  });
});
