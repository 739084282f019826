// Durations, prefixes, regular expressions and near misses.

import { expect } from 'chai';
import { isInCidr, isMaskedCidr } from '../../../src/api/cidr.js';
import { closest } from '../../../src/api/did-you-mean.js';
import { durationMs } from '../../../src/api/duration.js';
import { checkRe2, matchesRe2 } from '../../../src/api/re2.js';

describe('durationMs', () => {
  const cases: readonly (readonly [string, number])[] = [
    ['0s', 0],
    ['25ms', 25],
    ['1h30m', 5_400_000],
    ['1m1ms', 60_001],
    ['99999h', 359_996_400_000],
    ['1s1s', 2_000],
    ['', Number.NaN],
    ['1.5s', Number.NaN],
    ['-1s', Number.NaN],
    ['100000s', Number.NaN],
    ['1d', Number.NaN],
  ];
  for (const [text, want] of cases) {
    it(`reads '${text}'`, () => {
      expect(durationMs(text)).to.deep.equal(want);
    });
  }
});

describe('isInCidr', () => {
  it('compares the leading bits, within a family', () => {
    expect(isInCidr('10.1.2.3', '10.1.0.0/16')).to.equal(true);
    expect(isInCidr('10.2.2.3', '10.1.0.0/16')).to.equal(false);
    expect(isInCidr('10.1.2.3', '0.0.0.0/0')).to.equal(true);
    expect(isInCidr('10.1.2.3', '10.1.2.3/32')).to.equal(true);
    expect(isInCidr('fd00::1', 'fd00::/8')).to.equal(true);
    expect(isInCidr('fe00::1', 'fd00::/8')).to.equal(false);
    expect(isInCidr('10.1.2.3', '::/0')).to.equal(false);
  });
});

describe('isMaskedCidr', () => {
  for (const text of ['10.0.0.0/8', '0.0.0.0/0', '192.0.2.1/32', '::/0', 'fd00::/8', '2001:db8:0:1::/64', '::1/128'])
    it(`takes ${text}`, () => {
      expect(isMaskedCidr(text)).to.equal(true);
    });
  for (const text of [
    '10.0.0.1/8',
    '10.0.0.0',
    '10.0.0.0/33',
    '10.0.0.0/08',
    'fd00::1/8',
    '::ffff:10.0.0.0/104',
    'a/8',
    '/8',
    '',
  ])
    it(`refuses '${text}'`, () => {
      expect(isMaskedCidr(text)).to.equal(false);
    });
});

describe('checkRe2', () => {
  it('says what RE2 says', () => {
    expect(checkRe2('^/a(b|c)*$')).to.equal(undefined);
    expect(checkRe2('(')).to.equal('error parsing regexp: missing closing ): `(`');
    expect(checkRe2('(?=a)')).to.include('invalid or unsupported Perl syntax');
  });

  it('bounds the program, not only the text', () => {
    expect(checkRe2('(a{30}){30}(b{30}){30}')).to.match(
      /compiles to [0-9]+ instructions; it may not have more than 1024/,
    );
  });

  it('matches in linear time', () => {
    expect(matchesRe2('^(a+)+$', `${'a'.repeat(5000)}b`)).to.equal(false);
  });
});

describe('closest', () => {
  it('finds slips of the pen and nothing else', () => {
    expect(closest('backendRef', ['backendRefs', 'filters'])).to.equal('backendRefs');
    expect(closest('http', ['HTTP', 'TCP'])).to.equal('HTTP');
    expect(closest('xyz', ['backendRefs', 'filters'])).to.equal(undefined);
    expect(closest('', ['a'])).to.equal(undefined);
  });
});
