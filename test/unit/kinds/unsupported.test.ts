// What this version does not compile is refused, value by value and rule by rule.

import { expect } from 'chai';
import { leaves, parse } from '../../../src/api/schema.js';
import type { Node } from '../../../src/api/schema-node.js';
import { kinds, userKinds } from '../../../src/kinds/index.js';
import {
  compiledNote,
  unsupported,
  unsupportedInRule,
  unsupportedOutsideRules,
  unsupportedValues,
} from '../../../src/kinds/unsupported.js';

const parentRefs = [{ name: 'reviews' }];
const backendRefs = [{ name: 'reviews', port: 9080 }];

/** Whether a path of the table leads somewhere, and its value is one of the field's. */
function isKnown(node: Node, segments: readonly string[], value?: string | boolean): boolean {
  const [head, ...rest] = segments;
  if (head === undefined) {
    if (value === undefined) return true;
    return node.type === 'boolean'
      ? typeof value === 'boolean'
      : node.type === 'string' && node.values?.includes(String(value)) === true;
  }
  const member = node.type === 'object' ? node.members[head.replace('[]', '')] : undefined;
  if (member === undefined) return false;
  if (!head.endsWith('[]')) return isKnown(member, rest, value);
  return member.type === 'list' && isKnown(member.items, rest, value);
}

describe('unsupported', () => {
  for (const kind of userKinds) {
    it(`names only fields and values of ${kind}`, () => {
      const { node } = kinds[kind].spec;
      const strangers = unsupported[kind].filter((entry) => !isKnown(node, entry.path.split('.'), entry.value));
      expect(strangers).to.deep.equal([]);
    });

    it(`names no default of ${kind}`, () => {
      const defaults = leaves(kinds[kind].spec).filter(({ node }) => node.default !== undefined);
      const clashes = defaults.filter(({ path, node }) =>
        unsupported[kind].some(
          (entry) => entry.path === path && (entry.value === undefined || entry.value === node.default),
        ),
      );
      expect(clashes.map(({ path }) => path)).to.deep.equal([]);
    });
  }

  it('lets through what is compiled, written or defaulted', () => {
    const spec = {
      parentRefs,
      hostnames: ['a.example'],
      distribution: 'Mesh',
      rules: [{ name: 'main', backendRefs, retry: {}, timeouts: {} }],
    };
    const parsed = parse(kinds.TrafficRoute.spec, spec, 'spec');
    expect(unsupportedValues('TrafficRoute', spec)).to.deep.equal([]);
    expect(parsed.ok && unsupportedValues('TrafficRoute', parsed.value)).to.deep.equal([]);
  });

  it('names what was found and what works', () => {
    const refused = { parentRefs, distribution: 'Namespace', rules: [{ matches: [{ claims: [] }] }] };
    expect(unsupportedValues('TrafficRoute', refused)).to.deep.equal([
      {
        path: 'spec.distribution',
        reason: 'UnsupportedValue',
        message: "`spec.distribution` is 'Namespace', which this version does not compile yet; use 'Learned' or 'Mesh'",
      },
      {
        path: 'spec.rules[0].matches[0].claims',
        reason: 'UnsupportedValue',
        message:
          '`spec.rules[0].matches[0].claims` is set, which this version does not compile yet; all other conditions of `matches` work',
      },
    ]);
  });

  it('refuses one rule and leaves its neighbours', () => {
    const rule = {
      matches: [{ path: {} }, { claims: [] }],
      filters: [{ type: 'URLRewrite' }],
      backendRefs: [{ kind: 'Host' }, { kind: 'Service' }],
    };
    expect(unsupportedInRule(rule, 2).map(({ path }) => path)).to.deep.equal(['spec.rules[2].matches[1].claims']);
    expect(
      unsupportedOutsideRules({ rules: [rule], parentRefs: [{ kind: 'MeshIdentity' }] }).map(({ path }) => path),
    ).to.deep.equal(['spec.parentRefs[0].kind']);
  });

  it('survives raw input of any shape', () => {
    for (const spec of [undefined, null, 1, [], { rules: {} }, { rules: [null, [], 'x'] }, { parentRefs: 'x' }])
      expect(unsupportedValues('TrafficRoute', spec)).to.deep.equal([]);
  });

  it('tells the documentation', () => {
    expect(compiledNote('TrafficRoute', 'rules[].timeouts.request')).to.equal('yes');
    expect(compiledNote('TrafficRoute', 'rules[].matches[].claims[].name')).to.equal('not yet');
    expect(compiledNote('TrafficRoute', 'distribution')).to.equal('except `Namespace`');
  });
});
