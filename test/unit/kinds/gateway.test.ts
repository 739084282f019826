import { expect } from 'chai';
import { parseGRPCRoute, parseHTTPRoute, parseReferenceGrant } from '../../../src/kinds/gateway.js';
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
      [
        'a ServiceImport',
        { backendRefs: [{ ...backend, group: 'multicluster.x-k8s.io', kind: 'ServiceImport' }] },
        'backendRefs[0].kind',
        'InvalidKind',
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

  it('keeps the rules of a GRPCRoute as written', () => {
    const result = parseGRPCRoute({ spec: { parentRefs: [parent], hostnames: ['a'], rules: [{ x: 1 }] } }, meta);
    expect(result.ok && result.value.object.spec.rules).to.deep.equal([{ x: 1 }]);
    expect(result.ok && result.value.object.spec.parentRefs[0]?.ours).to.equal(true);
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
