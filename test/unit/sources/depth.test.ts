// Objects that are nested too deep: refused by name, whoever gives them, and never walked by recursion.

import { expect } from 'chai';
import { isTooDeep, maxDepth } from '../../../src/sources/depth.js';
import { read } from './objects.js';

function nested(levels: number): unknown {
  let value: unknown = 'x';
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? { a: value } : [value];
  return value;
}

describe('sources/depth', () => {
  it('counts levels of mappings and lists', () => {
    expect(isTooDeep(nested(maxDepth))).to.equal(false);
    expect(isTooDeep(nested(maxDepth + 1))).to.equal(true);
    expect(isTooDeep(undefined)).to.equal(false);
  });

  it('refuses an object that is too deep, and names the member', () => {
    const reading = read({
      apiVersion: 'legation.dev/v1alpha1',
      kind: 'TrafficRoute',
      metadata: { name: 'x', namespace: 'shop' },
      spec: nested(20_000),
    });
    const problems = reading.kind === 'object' && !reading.parsed.ok ? reading.parsed.malformed.problems : [];
    expect(problems.map(({ path, message }) => `${path}: ${message}`)).to.deep.equal([
      'spec: `spec` must not be nested deeper than 64 levels',
    ]);
  });
});
