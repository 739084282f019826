// The three kinds as a whole: leaf budget, shape of the CRDs, checks beyond the schema.

import { expect } from 'chai';
import fc from 'fast-check';
import { leaves, openApi, parse } from '../../../src/api/schema.js';
import { kinds, parseUserObject, userKinds, type UserKindName } from '../../../src/kinds/index.js';
import type { ObjectMeta } from '../../../src/api/meta.js';
import { isRecord } from '../../../src/lib/record.js';

const meta = (namespace: string, name = 'default'): ObjectMeta => ({
  name,
  namespace,
  labels: {},
  annotations: {},
  generation: 1,
});

const problems = (kind: UserKindName, spec: unknown, of: ObjectMeta = meta('shop')): readonly string[] => {
  const result = parseUserObject(kind, { apiVersion: 'legation.dev/v1alpha1', kind, metadata: {}, spec }, of);
  return result.ok ? [] : result.error.map(({ path, message }) => `${path}: ${message}`);
};

const route = (rule: Readonly<Record<string, unknown>>): unknown => ({
  parentRefs: [{ name: 'reviews' }],
  rules: [{ backendRefs: [{ name: 'reviews', port: 9080 }], ...rule }],
});

const budget = {
  TrafficRoute: { spec: 116, status: 32 },
  MeshPolicy: { spec: 182, status: 38 },
  MeshIdentity: { spec: 42, status: 39 },
} as const;

type Mistake = (node: Readonly<Record<string, unknown>>) => string | undefined;

/** What the API conventions ask of every node. */
const conventions: Readonly<Record<string, Mistake>> = {
  string: (node) => (node['maxLength'] === undefined && node['enum'] === undefined ? 'no maxLength' : undefined),
  integer: (node) => (node['maximum'] === undefined || node['minimum'] === undefined ? 'no range' : undefined),
  array: (node) =>
    node['maxItems'] === undefined || node['x-kubernetes-list-type'] === undefined
      ? 'no maxItems or list type'
      : undefined,
  boolean: () => undefined,
  object: (node) =>
    node['additionalProperties'] !== undefined && node['maxProperties'] === undefined ? 'no maxProperties' : undefined,
};

function mistakes(node: unknown, path: string): readonly string[] {
  if (!isRecord(node)) return [`${path}: no schema`];
  const own = conventions[String(node['type'])]?.(node) ?? (conventions[String(node['type'])] ? undefined : 'no type');
  const members = isRecord(node['properties']) ? Object.entries(node['properties']) : [];
  const described = members.filter(([, member]) => !isRecord(member) || typeof member['description'] !== 'string');
  return [
    ...(own === undefined ? [] : [`${path}: ${own}`]),
    ...described.map(([name]) => `${path}.${name}: no description`),
    ...members.flatMap(([name, member]) => mistakes(member, `${path}.${name}`)),
    ...(node['items'] === undefined ? [] : mistakes(node['items'], `${path}[]`)),
    ...(node['additionalProperties'] === undefined ? [] : mistakes(node['additionalProperties'], `${path}{}`)),
  ];
}

describe('kinds', () => {
  for (const kind of userKinds) {
    const info = kinds[kind];

    it(`${kind} stays within its leaf budget`, () => {
      expect({ spec: leaves(info.spec).length, status: leaves(info.status).length }).to.deep.equal(budget[kind]);
    });

    it(`${kind} follows the API conventions`, () => {
      expect([...mistakes(openApi(info.spec), 'spec'), ...mistakes(openApi(info.status), 'status')]).to.deep.equal([]);
    });

    it(`${kind} fits into a CRD of 150 kB`, () => {
      const size = JSON.stringify([openApi(info.spec), openApi(info.status)]).length;
      expect(size).to.be.below(150_000 - 5_000);
    });

    it(`the default of the status of ${kind} passes its own schema`, () => {
      expect(parse(info.status, info.statusDefault, 'status').ok).to.equal(true);
    });

    it(`parseUserObject never throws for ${kind}`, () => {
      const nested = fc.letrec((tie) => ({
        value: fc.oneof(
          { depthSize: 'small', withCrossShrink: true },
          fc.jsonValue(),
          fc.dictionary(fc.constantFrom(...names(kind)), tie('value'), { maxKeys: 4 }),
          fc.array(tie('value'), { maxLength: 3 }),
        ),
      })).value;
      fc.assert(
        fc.property(fc.oneof(fc.anything(), nested), (spec) => {
          parseUserObject(kind, { spec }, meta('shop'));
        }),
      );
    });
  }
});

/** All member names of a kind, so that random objects get past the first level. */
const names = (kind: UserKindName): readonly string[] => [
  ...new Set(leaves(kinds[kind].spec).flatMap(({ path }) => path.replaceAll('[]', '').split('.'))),
  '__proto__',
];

describe('parseUserObject', () => {
  it('gives defaults to everything written', () => {
    const result = parseUserObject('TrafficRoute', { spec: route({}) }, meta('shop', 'reviews'));
    expect(result.ok && result.value.spec).to.deep.equal({
      parentRefs: [{ group: '', kind: 'Service', name: 'reviews' }],
      protocol: 'HTTP',
      distribution: 'Learned',
      rules: [
        { backendRefs: [{ group: '', kind: 'Service', name: 'reviews', port: 9080, weight: 1, fallback: false }] },
      ],
    });
  });

  it('looks at what stands around the spec', () => {
    const result = parseUserObject(
      'TrafficRoute',
      { apiVersion: 'legation.dev/v1', kind: 'TrafficRoute', spce: {} },
      meta('shop'),
    );
    expect(result.ok ? [] : result.error.map(({ path }) => path)).to.deep.equal(['apiVersion', 'spce', 'spec']);
    expect(parseUserObject('TrafficRoute', null, meta('shop')).ok).to.equal(false);
  });

  it('checks regular expressions that no CEL rule can check', () => {
    const matches = [
      { headers: [{ name: 'x', type: 'RegularExpression', value: '(' }] },
      { queryParams: [{ name: 'x', type: 'RegularExpression', value: '(?!a)' }] },
      { path: { type: 'RegularExpression', value: '/(a{30}){30}(b{30}){30}' } },
    ];
    expect(problems('TrafficRoute', route({ matches })).map((line) => line.split(':')[0])).to.deep.equal([
      'spec.rules[0].matches[0].headers[0].value',
      'spec.rules[0].matches[1].queryParams[0].value',
      'spec.rules[0].matches[2].path.value',
    ]);
  });

  it('refuses a query in a path', () => {
    expect(problems('TrafficRoute', route({ matches: [{ path: { value: '/a?b=c' } }] }))).to.deep.equal([
      "spec.rules[0].matches[0].path.value: `spec.rules[0].matches[0].path.value`: must not contain '?' or '#', found '/a?b=c'; use `queryParams` for the query",
    ]);
  });

  it('keeps fields of the mesh in the mesh default', () => {
    const spec = { telemetry: { metrics: { maxSeries: 9000 } } };
    expect(problems('MeshPolicy', spec, meta('legation-system'))).to.deep.equal([]);
    expect(problems('MeshPolicy', spec, meta('shop'))).to.deep.equal([
      "spec.telemetry.metrics.maxSeries: `telemetry.metrics.maxSeries` may only be set in MeshPolicy 'default' in namespace 'legation-system'",
    ]);
    expect(problems('MeshPolicy', { egress: { hosts: [{ host: 'a.example', namespaces: ['shop'] }] } })).to.have.length(
      1,
    );
  });

  it('keeps authorities in the system namespace', () => {
    expect(problems('MeshIdentity', { provider: {} })).to.deep.equal([
      "spec.provider: `provider` may only be set in namespace 'legation-system'",
    ]);
    expect(problems('MeshIdentity', { provider: {} }, meta('legation-system'))).to.deep.equal([
      "spec.trustDomain: `trustDomain` must be set in namespace 'legation-system'",
    ]);
  });
});
