import { expect } from 'chai';
import { parseGRPCRoute, parseHTTPRoute } from '../../../src/kinds/gateway.js';
import { parseReferenceGrant } from '../../../src/kinds/reference-grant.js';
import type { HTTPRoute, Parsing } from '../../../src/kinds/gateway.js';

const meta = { name: 'r', namespace: 'shop', labels: {}, annotations: {}, generation: 1 };
const parent = { group: '', kind: 'Service', name: 'web', port: 80 };
const backend = { name: 'web', port: 80 };

function route(spec: Record<string, unknown>): Parsing<HTTPRoute> {
  const result = parseHTTPRoute({ spec: { parentRefs: [parent], ...spec } }, meta);
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}

const rules = (written: readonly unknown[]) => route({ rules: written }).object.spec.rules;

describe('kinds/gateway', () => {
  it('gives HTTPRoute rules the shape of TrafficRoute rules, with defaults', () => {
    const [rule] = rules([
      {
        name: 'main',
        matches: [{ path: { value: '/x' }, method: 'GET', headers: [{ name: 'a', value: 'b' }] }],
        filters: [{ type: 'RequestHeaderModifier', requestHeaderModifier: { set: [{ name: 'c', value: 'd' }] } }],
        backendRefs: [backend],
        timeouts: { request: '3s' },
      },
    ]);
    const [match] = rule?.matches ?? [];
    expect(rule).to.include({ name: 'main', index: 0 });
    expect(match?.path).to.deep.include({ type: 'PathPrefix', value: '/x' });
    expect(match?.headers?.[0]).to.deep.include({ type: 'Exact', name: 'a', value: 'b' });
    expect(rule?.backendRefs?.[0]).to.deep.include({ kind: 'Service', group: '', weight: 1 });
    expect(rule?.problem).to.equal(undefined);
  });

  it('matches everything where no match is written', () => {
    const [rule] = rules([{ backendRefs: [backend] }]);
    expect(rule?.matches?.[0]?.path).to.deep.include({ type: 'PathPrefix', value: '/' });
  });

  it('answers 500 without rules and without an action, and calls neither a problem', () => {
    for (const written of [[], [{ matches: [{ path: { value: '/x' } }] }], [{ backendRefs: [] }]]) {
      const [rule] = rules(written);
      expect(rule?.filters?.[0]?.directResponse?.statusCode).to.equal(500);
      expect(rule?.problem).to.equal(undefined);
    }
  });

  it('flags parents that are ours', () => {
    const { parentRefs } = route({ parentRefs: [{ name: 'edge' }, parent, { group: 'x', kind: 'Service', name: 'y' }] })
      .object.spec;
    expect(parentRefs.map(({ kind, ours }) => [kind, ours])).to.deep.equal([
      ['Gateway', false],
      ['Service', true],
      ['Service', false],
    ]);
  });

  describe('costs a rule, and that rule alone,', () => {
    const ref = { group: 'example.com', kind: 'Thing', name: 't' };
    const cases: readonly (readonly [string, Record<string, unknown>, string, string])[] = [
      [
        'an ExtensionRef',
        { filters: [{ type: 'ExtensionRef', extensionRef: ref }] },
        'filters[0].type',
        'UnsupportedValue',
      ],
      ['an ExternalAuth', { filters: [{ type: 'ExternalAuth' }] }, 'filters[0].type', 'UnsupportedValue'],
      [
        'a mirror on a backend',
        { backendRefs: [{ ...backend, filters: [{ type: 'RequestMirror' }] }] },
        'backendRefs[0].filters[0].type',
        'UnsupportedValue',
      ],
      ['a wrong type', { backendRefs: [{ ...backend, weight: 'much' }] }, 'backendRefs[0].weight', 'Invalid'],
    ];
    for (const [what, written, path, reason] of cases) {
      it(what, () => {
        const matches = [{ path: { value: '/bad' } }];
        const [fine, broken] = rules([{ backendRefs: [backend] }, { matches, backendRefs: [backend], ...written }]);
        expect(fine?.problem).to.equal(undefined);
        const { problem, filters = [], matches: kept = [] } = broken ?? {};
        expect(problem).to.include({ path: `spec.rules[1].${path}`, reason });
        expect(problem?.message).to.contain('spec.rules[1]');
        expect(filters[0]?.directResponse?.statusCode).to.equal(500);
        expect(kept[0]?.path?.value).to.equal('/bad');
      });
    }

    it('a match that cannot be read: such a rule is absent', () => {
      const { object } = route({
        rules: [{ matches: [{ path: { value: 1 } }], backendRefs: [backend] }, { backendRefs: [backend] }],
      });
      expect(object.spec.rules.map(({ index }) => index)).to.deep.equal([1]);
      expect(object.spec.absent[0]?.path).to.equal('spec.rules[0].matches[0].path.value');
    });
  });

  it('ignores unknown fields, with a warning each', () => {
    const { object, warnings } = route({
      rules: [{ backendRefs: [{ ...backend, colour: 'red' }], future: null, more: 1 }],
    });
    expect(object.spec.rules[0]?.problem).to.equal(undefined);
    expect(warnings.map(({ path }) => path)).to.deep.equal([
      'spec.rules[0].backendRefs[0].colour',
      'spec.rules[0].more',
    ]);
  });

  it('warns of hostnames beside a Service parent', () => {
    expect(route({ hostnames: ['a.example'], rules: [{ backendRefs: [backend] }] }).warnings[0]?.path).to.equal(
      'spec.hostnames',
    );
    expect(route({ parentRefs: [{ name: 'edge' }], hostnames: ['a.example'] }).warnings).to.deep.equal([]);
  });

  it('refuses what is no route at all', () => {
    expect(parseHTTPRoute({}, meta).ok).to.equal(false);
    expect(parseHTTPRoute({ spec: { rules: 3 } }, meta).ok).to.equal(false);
    expect(parseHTTPRoute({ spec: { parentRefs: [{ kind: 'Service' }] } }, meta).ok).to.equal(false);
  });

  it('costs a share, not the rule, where a reference names no Service', () => {
    const wrong = { group: 'multicluster.x-k8s.io', kind: 'ServiceImport', name: 'web' };
    const mirror = { type: 'RequestMirror', requestMirror: { backendRef: wrong } };
    const [rule] = rules([{ filters: [mirror], backendRefs: [backend, { ...wrong, weight: 3 }] }]);
    expect(rule?.problem).to.equal(undefined);
    expect(rule?.backendRefs?.map(({ weight }) => weight)).to.deep.equal([1, 3]);
    expect([...(rule?.wrongRefs ?? [])].map(([at, { path, reason }]) => [at, path, reason])).to.deep.equal(
      ['backendRefs[1]', 'filters[0].requestMirror.backendRef'].map((at) => [
        `spec.rules[0].${at}`,
        `spec.rules[0].${at}.kind`,
        'InvalidKind',
      ]),
    );
  });

  it('takes no condition that only a TrafficRoute has', () => {
    const { object, warnings } = route({ rules: [{ matches: [{ grpc: {} }], backendRefs: [backend] }] });
    expect(object.spec.rules[0]?.matches?.[0]).to.not.have.property('grpc');
    expect(warnings.map(({ path }) => path)).to.deep.equal(['spec.rules[0].matches[0].grpc']);
  });

  describe('GRPCRoute', () => {
    const grpc = (written: readonly unknown[]) => {
      const result = parseGRPCRoute({ spec: { parentRefs: [parent], rules: written } }, meta);
      if (!result.ok) throw new Error(JSON.stringify(result.error));
      return result.value;
    };

    it('has matches by method, under the name of a TrafficRoute', () => {
      const method = { service: 'shop.Cart', method: 'Add' };
      const headers = [{ name: 'a', value: 'b' }];
      const { object } = grpc([{ matches: [{ method, headers }], backendRefs: [backend] }, { backendRefs: [backend] }]);
      const [first, second] = object.spec.rules;
      expect(first?.matches?.[0]?.grpc).to.deep.equal({ type: 'Exact', ...method });
      expect(first?.matches?.[0]?.headers?.[0]).to.include({ name: 'a', type: 'Exact' });
      expect(second?.matches).to.deep.equal([{}]);
    });

    it('names the fields of its own', () => {
      const bad = { method: { type: 'RegularExpression', service: 3 } };
      const { object } = grpc([{ matches: [bad], backendRefs: [backend] }]);
      expect(object.spec.absent[0]).to.include({ path: 'spec.rules[0].matches[0].method.service' });
      const { warnings } = grpc([{ matches: [{ path: { value: '/x' } }], backendRefs: [backend] }]);
      expect(warnings.map(({ path }) => path)).to.deep.equal(['spec.rules[0].matches[0].path']);
    });

    it('refuses filters that gRPC has not, and answers UNAVAILABLE instead', () => {
      const { object } = grpc([{ filters: [{ type: 'URLRewrite', urlRewrite: {} }], backendRefs: [backend] }]);
      const [rule] = object.spec.rules;
      expect(rule?.problem).to.include({ path: 'spec.rules[0].filters[0].type', reason: 'UnsupportedValue' });
      expect(rule?.filters?.[0]?.directResponse?.statusCode).to.equal(503);
    });
  });

  it('reads a ReferenceGrant', () => {
    const spec = {
      from: [{ group: 'legation.dev', kind: 'TrafficRoute', namespace: 'shop' }],
      to: [
        { group: '', kind: 'Service' },
        { kind: 'Service', name: 'one' },
      ],
    };
    const result = parseReferenceGrant({ spec }, meta);
    expect(result.ok && result.value.object.spec).to.deep.equal({
      from: spec.from,
      to: [
        { group: '', kind: 'Service' },
        { group: '', kind: 'Service', name: 'one' },
      ],
    });
    expect(parseReferenceGrant({ spec: { from: [{ kind: 'X' }] } }, meta).ok).to.equal(false);
  });
});
