// Taking refused resources apart, with an Envoy that refuses whatever holds one of some parts.

import { expect } from 'chai';
import type { Origin } from '../../../src/model/delivery.js';
import { forgetGone, nothingRefused, onAccepted, onRefused, type Quarantine } from '../../../src/xds/quarantine.js';
import { encodedFrom, type EncodedResource, type Part } from '../../../src/xds/resources.js';

interface Rule extends Part {
  readonly text: string;
}

const ruleOf = (index: number, generation = 1): Rule => {
  const origin: Origin = {
    ref: { kind: 'TrafficRoute', namespace: 'shop', name: `r${String(index)}` },
    generation,
  };
  return { origin, text: `r${String(index)}@${String(generation)}` };
};

const rulesUpTo = (count: number): readonly Rule[] => Array.from({ length: count }, (_, index) => ruleOf(index));

/** What is served under a quarantine: withheld parts are replaced by their last good ones, or left out. */
function built(rules: readonly Rule[], quarantine: Quarantine): EncodedResource {
  const parts = rules.flatMap((rule) => {
    if (!quarantine.parts.has(rule)) return [rule];
    const good = quarantine.parts.get(rule);
    return good === undefined ? [] : [good as Rule];
  });
  const whole = encodedFrom(
    { type: 'route', name: 'rc', origins: [], parts },
    Buffer.from(parts.map((part) => part.text).join()),
  );
  return quarantine.resources.get(whole.version) ?? whole;
}

interface Outcome {
  readonly quarantine: Quarantine;
  readonly refusals: number;
  readonly served: EncodedResource;
}

/** Serves until Envoy accepts and nothing is on trial. */
function converge(
  rules: readonly Rule[],
  bad: ReadonlySet<string>,
  start: { quarantine?: Quarantine; good?: EncodedResource } = {},
): Outcome {
  let quarantine = start.quarantine ?? nothingRefused;
  let refusals = 0;
  let { good } = start;
  for (let round = 0; round < 1_000; round++) {
    const resource = built(rules, quarantine);
    if (resource.parts.some((part) => bad.has((part as Rule).text))) {
      refusals++;
      const next = onRefused(quarantine, { resource, good, message: 'bad' });
      expect(next, 'the same is not served twice').to.not.equal(quarantine);
      quarantine = next;
    } else {
      good = resource;
      const next = onAccepted(quarantine, () => resource);
      if (next === quarantine) return { quarantine, refusals, served: resource };
      quarantine = next;
    }
  }
  throw new Error('does not end');
}

const guiltyIn = (quarantine: Quarantine): readonly string[] =>
  quarantine.guilty.map((guilt) => (guilt.part as Rule).text).sort();
const textsIn = (resource: EncodedResource): readonly string[] => resource.parts.map((part) => (part as Rule).text);

describe('quarantine', () => {
  it('finds one of a hundred in O(log n) refusals', () => {
    for (const culprit of [0, 1, 42, 63, 99]) {
      const { quarantine, refusals, served } = converge(rulesUpTo(100), new Set([`r${String(culprit)}@1`]));
      expect(guiltyIn(quarantine)).to.deep.equal([`r${String(culprit)}@1`]);
      expect(refusals).to.be.at.most(9);
      expect(served.parts).to.have.length(99);
    }
  });

  it('finds several', () => {
    const bad = new Set(['r3@1', 'r4@1', 'r77@1']);
    const { quarantine, refusals, served } = converge(rulesUpTo(100), bad);
    expect(guiltyIn(quarantine)).to.deep.equal(['r3@1', 'r4@1', 'r77@1']);
    expect(refusals).to.be.at.most(27);
    expect(served.parts).to.have.length(97);
  });

  it('suspects only what is new since the last good version, and puts that in its place', () => {
    const before = rulesUpTo(10);
    const good = built(before, nothingRefused);
    const changed = before.map((rule, index) => (index === 5 || index === 7 ? ruleOf(index, 2) : rule));
    const { quarantine, refusals, served } = converge(changed, new Set(['r5@2']), { good });
    expect(guiltyIn(quarantine)).to.deep.equal(['r5@2']);
    expect(refusals).to.be.at.most(3);
    expect(textsIn(served)).to.include.members(['r5@1', 'r7@2']);
  });

  it('convicts the only change at once', () => {
    const before = rulesUpTo(10);
    const good = built(before, nothingRefused);
    const changed = before.map((rule, index) => (index === 5 ? ruleOf(5, 2) : rule));
    const { refusals, served } = converge(changed, new Set(['r5@2']), { good });
    expect(refusals).to.equal(1);
    expect(textsIn(served)).to.include('r5@1');
  });

  it('replaces a resource without parts as a whole', () => {
    const good = encodedFrom({ type: 'cluster', name: 'c', origins: [] }, Buffer.from('1'));
    const resource = encodedFrom({ type: 'cluster', name: 'c', origins: [] }, Buffer.from('2'));
    const quarantine = onRefused(nothingRefused, { resource, good, message: 'bad' });
    expect(quarantine.resources.get(resource.version)).to.equal(good);
    expect(quarantine.guilty.map((one) => one.resource)).to.deep.equal([resource]);
    expect(onRefused(quarantine, { resource, good, message: 'bad' }), 'a second proxy says nothing new').to.equal(
      quarantine,
    );
  });

  it('tries changed content again, and forgets what is gone', () => {
    const rules = rulesUpTo(10);
    const first = converge(rules, new Set(['r5@1']));
    const fixed = rules.map((rule, index) => (index === 5 ? ruleOf(5, 2) : rule));
    const pruned = forgetGone(first.quarantine, { parts: new Set<Part>(fixed), versions: new Set() });
    expect(pruned.guilty).to.deep.equal([]);
    expect(pruned.parts.size).to.equal(0);
    const again = converge(fixed, new Set(), { quarantine: pruned });
    expect(again.refusals).to.equal(0);
    expect(textsIn(again.served)).to.include('r5@2');
  });

  it('goes on when what is on trial is withdrawn meanwhile', () => {
    const rules = rulesUpTo(16);
    let quarantine = onRefused(nothingRefused, {
      resource: built(rules, nothingRefused),
      good: undefined,
      message: 'bad',
    });
    const left = rules.slice(8);
    quarantine = forgetGone(quarantine, { parts: new Set<Part>(left), versions: new Set() });
    const { quarantine: end, served } = converge(left, new Set(['r9@1']), { quarantine });
    expect(guiltyIn(end)).to.deep.equal(['r9@1']);
    expect(served.parts).to.have.length(7);
  });
});
