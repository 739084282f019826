// Rules as those who receive their requests know them again: after rewrites, and only by what can be told.

import { expect } from 'chai';
import type { ObjectRef } from '../../../src/api/meta.js';
import { defineFeature, type CompiledFeature } from '../../../src/features/feature.js';
import { requestHeaderModifier } from '../../../src/features/header-modifiers.js';
import { urlRewrite, type UrlRewrite } from '../../../src/features/url-rewrite.js';
import { ok, type Result } from '../../../src/lib/result.js';
import type { Match, Rule } from '../../../src/model/mesh.js';
import { isHeldAtDestination, onArrival } from '../../../src/reconcilers/arrival.js';
import { holdRule } from '../../../src/reconcilers/held-rules.js';

const held = (heldAt: 'destination' | 'either') =>
  defineFeature<'held', true, true>({ key: 'held', summary: '', compile: () => ok(true), heldAt: () => heldAt });

function compiled(result: Result<CompiledFeature> | undefined): CompiledFeature {
  if (result?.ok !== true) throw new Error('does not compile');
  return result.value;
}

const only = compiled(held('destination').from({ held: true }));
const either = compiled(held('either').from({ held: true }));
const rewrite = (config: UrlRewrite): CompiledFeature => compiled(urlRewrite.from({ urlRewrite: config }));
const removesEnv = compiled(requestHeaderModifier.from({ requestHeaderModifier: { remove: ['X-Env'] } }));

const prefix = (value: string): Match => ({
  path: { kind: 'prefix', value, ignoreCase: false },
  method: undefined,
  headers: [],
  queryParams: [],
  cookies: [],
  grpc: undefined,
  sources: [],
});

const shop: ObjectRef = { kind: 'Service', namespace: 'shop', name: 'web' };
const origin = { ref: { kind: 'TrafficRoute', namespace: 'shop', name: 'web' }, generation: 1 } as const;

const ruleOf = (name: string, match: Match, features: readonly CompiledFeature[]): Rule => ({
  origin,
  name,
  matches: [match],
  backends: [
    {
      kind: 'service',
      target: { namespace: 'shop', name: 'web', port: 80 },
      weight: 1,
      fallback: false,
      features: [],
      policies: [],
    },
  ],
  references: [],
  hosts: [],
  features,
});

const entriesOf = (rules: readonly Rule[]) => rules.flatMap((rule) => rule.matches.map((match) => ({ match, rule })));

/** `rule path` in the order in which receivers try them, by host names. */
const seen = (rules: readonly Rule[]): readonly string[] =>
  onArrival([{ hostnames: ['*'], entries: entriesOf(rules) }]).flatMap(({ hostnames, entries }) =>
    entries.map(({ match, rule }) => `${hostnames.join()} ${rule.name} ${match.path.kind} ${match.path.value}`),
  );

const hold = (rule: Rule, parents = [{ ref: shop }], delegate?: readonly string[]) => {
  const result = holdRule(
    { index: 0, matches: rule.matches, rule, written: rule.features, delegate, unresolved: [], weakened: [] },
    { ref: origin.ref, parents },
  );
  if (!result.ok) return { refused: result.error[0]?.message };
  return {
    heldThere: isHeldAtDestination(result.value.rule),
    fallsBack: result.value.rule.fallsBack,
    weakened: result.value.weakened.map(({ message }) => message).join(),
  };
};

describe('arrival of requests', () => {
  it('is after rewrites of path and host, in the order of what arrives', () => {
    const rules = [
      ruleOf('long', prefix('/a/long/prefix'), [
        rewrite({ path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/' } }),
      ]),
      ruleOf('whole', prefix('/whole'), [rewrite({ path: { type: 'ReplaceFullPath', replaceFullPath: '/one?x=1' } })]),
      ruleOf('host', prefix('/h'), [rewrite({ hostname: 'else.example.com' })]),
      ruleOf('plain', prefix('/b'), []),
    ];
    expect(seen(rules)).to.deep.equal([
      '* whole exact /one',
      '* plain prefix /b',
      '* long prefix /',
      'else.example.com host prefix /h',
    ]);
  });

  it('knows nothing of rules that change what they match by, and the first of those that look alike', () => {
    const withHeader: Match = {
      ...prefix('/'),
      headers: [{ name: 'x-env', match: { kind: 'present' }, invert: false }],
    };
    const rules = [
      ruleOf('by header', withHeader, [removesEnv]),
      ruleOf('by expression', prefix('/x'), [
        rewrite({ path: { type: 'RegularExpression', pattern: 'a', substitution: 'b' } }),
      ]),
      ruleOf('first', prefix('/one'), [rewrite({ path: { type: 'ReplaceFullPath', replaceFullPath: '/same' } })]),
      ruleOf('second', prefix('/two'), [rewrite({ path: { type: 'ReplaceFullPath', replaceFullPath: '/same' } })]),
    ];
    expect(seen(rules)).to.deep.equal(['* first exact /same']);
  });

  it('knows no rule that is for some callers, and keeps gRPC names and what rules above demand', () => {
    const source = { key: 'far', namespaces: ['far'], podLabels: {}, ipBlocks: [] };
    const within = [{ kind: 'regex', value: '/a.*', ignoreCase: false } as const];
    const grpc = { service: { kind: 'exact', value: 'shop.Cart' } as const, method: undefined };
    const kept: Match = { ...prefix('/a'), within, grpc };
    const away = rewrite({ path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/' } });
    expect(seen([ruleOf('some', { ...prefix('/'), sources: [source] }, [])])).to.deep.equal([]);
    expect(seen([ruleOf('moved', kept, [away])])).to.deep.equal([]);
    const hosts = onArrival([{ hostnames: ['*'], entries: entriesOf([ruleOf('kept', kept, [])]) }]);
    expect(hosts[0]?.entries[0]?.match).to.deep.equal(kept);
  });

  it('keeps the order of a list in which no rule has moved: routes below a rule stand in its place', () => {
    const rules = [ruleOf('sibling', prefix('/a'), []), ruleOf('below', prefix('/a/longer'), [])];
    expect(seen(rules)).to.deep.equal(['* sibling prefix /a', '* below prefix /a/longer']);
  });
});

describe('a rule that is held where its requests arrive', () => {
  it('is, when they can be told', () => {
    expect(hold(ruleOf('r', prefix('/'), [only]))).to.deep.equal({
      heldThere: true,
      fallsBack: undefined,
      weakened: '',
    });
  });

  it('is said to hold for direct calls to the new path, too', () => {
    const rule = ruleOf('r', prefix('/a'), [
      only,
      rewrite({ path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/b' } }),
    ]);
    expect(hold(rule).weakened).to.include("also holds for calls straight to path '/b'");
  });

  it('falls back to the caller if it may, and else is refused', () => {
    const other = [{ ref: { ...shop, namespace: 'far' } }];
    const falls = hold(ruleOf('r', prefix('/'), [either]), other);
    expect([falls.heldThere, falls.fallsBack]).to.deep.equal([false, true]);
    expect(falls.weakened).to.include("callers of namespace 'shop' alone");
    expect(hold(ruleOf('r', prefix('/'), [only]), other).refused).to.include("callers of namespace 'shop' alone");
    expect(hold({ ...ruleOf('r', prefix('/'), [only]), backends: [] }).refused).to.include('sends to no backend');
  });

  it('is not where callers or other routes are part of it', () => {
    const rule = ruleOf('r', prefix('/'), [only]);
    const above = [{ ref: { ...origin.ref, name: 'root' } }];
    expect(hold(rule, above).refused).to.include("stands below a rule of TrafficRoute 'shop/root'");
    expect(hold(rule, [{ ref: shop }], ['team']).refused).to.include('hands its requests on');
    const some = { ...prefix('/'), sources: [{ key: 'far', namespaces: ['far'], podLabels: {}, ipBlocks: [] }] };
    expect(hold(ruleOf('r', some, [only])).refused).to.include('for some callers alone');
  });
});
