// Which of two matches is tried first: Gateway API's order, with regular expressions between exact paths and prefixes.
// What decides between matches of equal rank is a matter of their objects, and not known here.

import type { Match } from './mesh.js';

const pathRank = { exact: 0, regex: 1, prefix: 2 } as const;

type Order = (left: Match, right: Match) => number;

const orders: readonly Order[] = [
  (left, right) => pathRank[left.path.kind] - pathRank[right.path.kind],
  (left, right) => right.path.value.length - left.path.value.length,
  (left, right) => Number(right.method !== undefined) - Number(left.method !== undefined),
  (left, right) => right.headers.length - left.headers.length,
  (left, right) => right.queryParams.length - left.queryParams.length,
];

/** Negative where `left` is more specific. Zero: the two are of equal rank. */
export function compareMatches(left: Match, right: Match): number {
  for (const order of orders) {
    const comparison = order(left, right);
    if (comparison !== 0) return comparison;
  }
  return 0;
}
