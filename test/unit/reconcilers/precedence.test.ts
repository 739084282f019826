// The one order of rules, and which matches are equal.

import { expect } from 'chai';
import type { Match, Rule, SourceMatch } from '../../../src/model/mesh.js';
import type { RouteMatch } from '../../../src/kinds/route-match.js';
import { anyRequest, matchOf } from '../../../src/reconcilers/match.js';
import { inOrder, matchKey, type RankedEntry } from '../../../src/reconcilers/precedence.js';

const path = (kind: Match['path']['kind'], value: string): Match => ({
  ...anyRequest,
  path: { kind, value, ignoreCase: false },
});
const header = (name: string): Match['headers'][number] => ({
  name,
  match: { kind: 'exact', value: '1' },
  invert: false,
});
const rule: Rule = {
  origin: { ref: { kind: 'TrafficRoute', namespace: 'shop', name: 'web' }, generation: 1 },
  name: 'main',
  matches: [],
  backends: [],
  references: [],
  hosts: [],
  features: [],
};
const entry = (match: Match, more: Partial<RankedEntry> = {}): RankedEntry => ({
  match,
  rule,
  created: '',
  object: 'shop/web',
  index: 0,
  ...more,
});

const source = (written: Partial<SourceMatch>): SourceMatch => ({
  ...{ key: JSON.stringify(written), namespaces: [], podLabels: {}, ipBlocks: [] },
  ...written,
});

describe('precedence', () => {
  const ordered: readonly RankedEntry[] = [
    entry(path('exact', '/a/b')),
    entry(path('exact', '/a')),
    entry(path('regex', '/long.*')),
    entry(path('regex', '/.*')),
    entry(path('prefix', '/a/b')),
    entry({ ...path('prefix', '/a'), method: 'GET' }),
    entry({ ...path('prefix', '/a'), headers: [header('x'), header('y')] }),
    entry({
      ...path('prefix', '/a'),
      headers: [header('x')],
      queryParams: [{ name: 'q', match: { kind: 'present' } }],
    }),
    entry({ ...path('prefix', '/a'), headers: [header('x')], cookies: [{ name: 'c', value: undefined }] }),
    entry({ ...path('prefix', '/a'), headers: [header('x')] }),
    entry({ ...path('prefix', '/a'), sources: [source({ namespaces: ['a'], podLabels: { b: 'c' } })] }),
    entry({ ...path('prefix', '/a'), sources: [source({ namespaces: ['a'] })] }),
    entry(path('prefix', '/a')),
    entry(anyRequest),
    entry(anyRequest, { index: 1 }),
    entry(anyRequest, { object: 'shop/x' }),
    entry(anyRequest, { created: '2026-01-01T00:00:00Z', object: 'shop/a' }),
    entry(anyRequest, { created: '2026-01-02T00:00:00Z', object: 'shop/a' }),
  ];

  it('is one order, from wherever it starts', () => {
    expect(inOrder([...ordered].reverse())).to.deep.equal(ordered);
    expect(inOrder(ordered)).to.deep.equal(ordered);
  });

  it('tries the closest names of a gRPC call first', () => {
    const grpc = (call: NonNullable<RouteMatch['grpc']>): RankedEntry => entry(matchOf({ grpc: call }, 'GRPC'));
    const calls = [
      grpc({ type: 'Exact', service: 'shop.Cart', method: 'Add' }),
      grpc({ type: 'Exact', service: 'shop.Cart' }),
      grpc({ type: 'Exact', service: 'shop.C' }),
      grpc({ type: 'RegularExpression', service: 'shop[.].*' }),
      grpc({ type: 'Exact', method: 'List' }),
      grpc({ type: 'Exact', method: 'Add' }),
      entry(matchOf({}, 'GRPC')),
    ];
    expect(inOrder([...calls].reverse())).to.deep.equal(calls);
  });

  it('knows equal matches', () => {
    const key = (match: Match): string => matchKey(match);
    const prefix = (value: string) => matchOf({ path: { type: 'PathPrefix', value, ignoreCase: false } }, 'HTTP');
    expect(key(prefix('/a/'))).to.equal(key(prefix('/a')));
    expect(key(prefix('/'))).to.equal(key(anyRequest));
    expect(key({ ...anyRequest, headers: [header('X'), header('y')] })).to.equal(
      key({ ...anyRequest, headers: [header('Y'), header('x')] }),
    );
    expect(key({ ...anyRequest, queryParams: [{ name: 'A', match: { kind: 'present' } }] })).not.to.equal(
      key({ ...anyRequest, queryParams: [{ name: 'a', match: { kind: 'present' } }] }),
    );
    expect(key(path('exact', '/a'))).not.to.equal(key(path('prefix', '/a')));
  });
});
