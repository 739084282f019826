// Both of two matches: what is left of one below another.

import { expect } from 'chai';
import type { HeaderMatch, Match, PathMatch } from '../../../src/model/mesh.js';
import { anyRequest } from '../../../src/reconcilers/match.js';
import { matchBelow } from '../../../src/reconcilers/match-below.js';
import { buildMatch } from '../../../src/xds/route-match.js';

const path = (kind: PathMatch['kind'], value: string, ignoreCase = false): Match => ({
  ...anyRequest,
  path: { kind, value, ignoreCase },
});
const header = (name: string, value: string, invert = false): HeaderMatch => ({
  name,
  match: { kind: 'exact', value },
  invert,
});
const withHeaders = (...headers: readonly HeaderMatch[]): Match => ({ ...anyRequest, headers });

/** `exact /a`, and what the path must meet besides. */
const shown = (upper: Match, lower: Match): string => {
  const both = matchBelow(upper, lower);
  if (both === undefined) return 'never';
  return [both.path, ...(both.within ?? [])].map(({ kind, value }) => `${kind} ${value}`).join(' + ');
};

describe('matchBelow', () => {
  const cases: readonly (readonly [Match, Match, string])[] = [
    [anyRequest, anyRequest, 'prefix /'],
    [path('prefix', '/a'), anyRequest, 'prefix /a'],
    [path('exact', '/a'), anyRequest, 'exact /a'],
    [path('regex', '/a.*'), anyRequest, 'regex /a.*'],
    [anyRequest, path('exact', '/a'), 'exact /a'],
    [path('prefix', '/a'), path('prefix', '/a/b'), 'prefix /a/b'],
    [path('prefix', '/a'), path('exact', '/a'), 'exact /a'],
    [path('prefix', '/a'), path('exact', '/a/b'), 'exact /a/b'],
    [path('prefix', '/a'), path('prefix', '/ab'), 'never'],
    [path('prefix', '/a'), path('exact', '/b'), 'never'],
    [path('exact', '/a'), path('exact', '/a/'), 'never'],
    [path('exact', '/a'), path('prefix', '/b'), 'never'],
    // A wider path below keeps its place for rewrites, and is narrowed.
    [path('prefix', '/a/b'), path('prefix', '/a'), 'prefix /a + prefix /a/b'],
    [path('exact', '/a/b'), path('prefix', '/a'), 'prefix /a + exact /a/b'],
    // Expressions are left to Envoy.
    [path('regex', '/a.*'), path('exact', '/b'), 'exact /b + regex /a.*'],
    [path('prefix', '/a'), path('regex', '/.*'), 'regex /.* + prefix /a'],
    [path('regex', '/a.*'), path('regex', '/a.*'), 'regex /a.*'],
    // Case.
    [path('prefix', '/A', true), path('exact', '/a/b'), 'exact /a/b'],
    [path('prefix', '/a'), path('exact', '/a/b', true), 'exact /a/b + prefix /a'],
    [path('prefix', '/a'), path('exact', '/A/b'), 'never'],
  ];
  for (const [upper, lower, wanted] of cases) {
    it(`${upper.path.kind} ${upper.path.value}, below it ${lower.path.kind} ${lower.path.value}: ${wanted}`, () => {
      expect(shown(upper, lower)).to.equal(wanted);
    });
  }

  it('keeps what two levels demand', () => {
    const twice = matchBelow(path('regex', '/a.*'), path('regex', '/.*b'));
    expect(shown(twice ?? anyRequest, path('exact', '/ab'))).to.equal('exact /ab + regex /a.* + regex /.*b');
    expect(shown(twice ?? anyRequest, anyRequest)).to.equal('regex /.*b + regex /a.*');
  });

  it('joins methods, headers and query parameters', () => {
    const upper: Match = { ...withHeaders(header('x-a', '1')), method: 'GET' };
    const lower: Match = {
      ...withHeaders(header('x-a', '1'), header('x-b', '2')),
      queryParams: [{ name: 'q', match: { kind: 'present' } }],
    };
    expect(matchBelow(upper, lower)).to.deep.equal({ ...lower, method: 'GET' });
    expect(matchBelow(upper, { ...anyRequest, method: 'POST' })).to.equal(undefined);
    expect(matchBelow(upper, withHeaders(header('X-A', '2')))).to.equal(undefined);
    expect(matchBelow(upper, withHeaders(header('x-a', '2', true)))?.headers).to.have.length(2);
    const query = (value: string): Match => ({
      ...anyRequest,
      queryParams: [{ name: 'q', match: { kind: 'exact', value } }],
    });
    expect(matchBelow(query('1'), query('2'))).to.equal(undefined);
  });

  it('puts further paths on the header that holds the query', () => {
    const regexes = (within: readonly PathMatch[]): readonly unknown[] =>
      buildMatch({ ...anyRequest, within }, false).headers.map((one) => JSON.stringify(one.headerMatchSpecifier));
    const texts = regexes([
      { kind: 'exact', value: '/a.b', ignoreCase: false },
      { kind: 'prefix', value: '/a', ignoreCase: true },
      { kind: 'regex', value: '/a|/b', ignoreCase: false },
    ]).map((text) => /"regex":"([^"]*)"/.exec(String(text))?.[1]?.replaceAll('\\\\', '\\'));
    expect(texts).to.deep.equal([
      String.raw`\/a\.b(?:\?.*)?`,
      String.raw`(?i)\/a(?:/.*)?(?:\?.*)?`,
      String.raw`(?:/a|/b)(?:\?.*)?`,
    ]);
  });
});
