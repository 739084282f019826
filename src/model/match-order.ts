// Which of two matches is tried first: Gateway API's order, with regular expressions between exact paths and prefixes.
// What decides between matches of equal rank is a matter of their objects, and not known here.

import type { GrpcMatch, Match, SourceMatch, TextMatch } from './mesh.js';

const pathRank = { exact: 0, regex: 1, prefix: 2 } as const;

type Order = (left: Match, right: Match) => number;

/** A name that is given comes before an expression, and that before any name; the longer one first. */
function compareNames(left: TextMatch | undefined, right: TextMatch | undefined): number {
  const rank = (match: TextMatch | undefined): number => (match === undefined ? 2 : match.kind === 'regex' ? 1 : 0);
  const length = (match: TextMatch | undefined): number =>
    match === undefined || match.kind === 'present' ? 0 : match.value.length;
  return rank(left) - rank(right) || length(right) - length(left);
}

const compareCalls = (left: GrpcMatch, right: GrpcMatch): number =>
  compareNames(left.service, right.service) || compareNames(left.method, right.method);

const comparePaths: Order = (left, right) =>
  pathRank[left.path.kind] - pathRank[right.path.kind] || right.path.value.length - left.path.value.length;

const conditionsOf = ({ namespaces, podLabels, ipBlocks }: SourceMatch): number =>
  [namespaces, Object.keys(podLabels), ipBlocks].filter((one) => one.length > 0).length;

const furtherConditions = ({ cookies, sources }: Match): number =>
  sources.reduce((sum, source) => sum + conditionsOf(source), cookies.length);

const orders: readonly Order[] = [
  (left, right) =>
    left.grpc === undefined || right.grpc === undefined
      ? comparePaths(left, right)
      : compareCalls(left.grpc, right.grpc),
  (left, right) => Number(right.method !== undefined) - Number(left.method !== undefined),
  (left, right) => right.headers.length - left.headers.length,
  (left, right) => right.queryParams.length - left.queryParams.length,
  (left, right) => furtherConditions(right) - furtherConditions(left),
];

/** Negative where `left` is more specific. Zero: the two are of equal rank. */
export function compareMatches(left: Match, right: Match): number {
  for (const order of orders) {
    const comparison = order(left, right);
    if (comparison !== 0) return comparison;
  }
  return 0;
}
