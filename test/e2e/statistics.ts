// Judgements about counts that chance decides: bounds follow from the size of the sample, so that a right program
// fails about once in a hundred thousand looks and a wrong one is seen.

import { expect } from 'chai';

/** How far a count may lie from what is expected, in standard deviations. */
const sigmas = 4.5;

/** Bounds of how often something happens in `of` independent tries that happens with chance `asked`. */
export function shareBounds(of: number, asked: number): readonly [number, number] {
  const mean = of * asked;
  const spread = asked === 0 || asked === 1 ? 0 : sigmas * Math.sqrt(mean * (1 - asked)) + 0.5;
  return [Math.max(0, Math.ceil(mean - spread)), Math.min(of, Math.floor(mean + spread))];
}

/** Fails unless `observed` of `of` is what a share of `asked`, from 0 to 1, gives; nothing at all for 0, all for 1. */
export function expectShare(observed: number, of: number, asked: number): void {
  const [low, high] = shareBounds(of, asked);
  expect(observed, `${String(observed)} of ${String(of)}, asked for ${String(100 * asked)} %`).to.be.within(low, high);
}

/** How often each value was given. */
export function countBy<T>(all: readonly T[], keyOf: (one: T) => string): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const one of all) counts[keyOf(one)] = (counts[keyOf(one)] ?? 0) + 1;
  return counts;
}

/** Fails unless each key has its share of all, within bounds, and nothing else was seen. */
export function expectShares(counts: Readonly<Record<string, number>>, asked: Readonly<Record<string, number>>): void {
  const of = Object.values(counts).reduce((sum, count) => sum + count, 0);
  expect(Object.keys(asked), 'seen').to.include.members(Object.keys(counts));
  for (const [key, share] of Object.entries(asked)) expectShare(counts[key] ?? 0, of, share);
}
