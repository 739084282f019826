// Random configurations, each from one number, in which every reference leads somewhere.

import type { Content, Spec } from './world.js';

/** Names of all shared resources. */
export const names = ['a', 'b', 'c', 'd'];

/** A sequence of small numbers from one. */
function dice(seed: number): (sides: number) => number {
  let state = seed + 1;
  return (sides) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) % sides;
  };
}

/** A consistent view: routes name clusters that are there. Clusters are `a` to `d`, and so are the rest. */
export function randomSpec(seed: number): { readonly spec: Spec; readonly own: Spec } {
  const roll = dice(seed);
  const pick = (): Record<string, Content> =>
    Object.fromEntries(names.filter(() => roll(3) > 0).map((name) => [name, 1 + roll(3)]));
  const cds = pick();
  const clusters = Object.keys(cds);
  const rds = Object.fromEntries(
    Object.entries(pick()).map(([name, v]): [string, Content] => {
      const target = clusters[roll(Math.max(1, clusters.length))];
      return [
        name,
        { v: 10 * Number(v) + 'abcd'.indexOf(target ?? 'a'), clusters: target === undefined ? [] : [target] },
      ];
    }),
  );
  const own: Spec =
    roll(2) === 0
      ? {}
      : {
          cds: { 'i/80': 1 + roll(2) },
          lds: { explicit: 1 + roll(2) },
          rds: { 'i/80': { v: roll(2), clusters: ['i/80'] } },
        };
  const eds = Object.fromEntries(clusters.map((name) => [name, 1 + roll(3)]));
  return { spec: { cds, eds, lds: pick(), srds: pick(), rds, sds: pick() }, own };
}
