// The one order of rules: Gateway API's, with regular expressions between exact paths and prefixes. Equal
// matches fall to the older object, then to `namespace/name`, then to the place in the object.

import { compareMatches } from '../model/match-order.js';
import type { Match, PathMatch, RouteEntry } from '../model/mesh.js';

/** An entry with what decides between equal matches. */
export interface RankedEntry extends RouteEntry {
  /** RFC 3339, or empty where nobody knows: such objects are equally old, and older than any other. */
  readonly created: string;
  readonly object: string;
  readonly index: number;
}

function first(comparisons: Iterable<number>): number {
  for (const comparison of comparisons) if (comparison !== 0) return comparison;
  return 0;
}

/** The order of code units: the same everywhere. */
export const compareText = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);

function* comparisonsOf(left: RankedEntry, right: RankedEntry): Generator<number> {
  yield compareMatches(left.match, right.match);
  yield compareText(left.created, right.created);
  yield compareText(left.object, right.object);
  yield left.index - right.index;
}

/** Entries in the order in which a proxy tries them. */
export const inOrder = <Entry extends RankedEntry>(entries: readonly Entry[]): readonly Entry[] =>
  [...entries].sort((left, right) => first(comparisonsOf(left, right)));

interface Named {
  readonly name: string;
}

const byName = (left: Named, right: Named): number => compareText(left.name.toLowerCase(), right.name.toLowerCase());
const byExactName = (left: Named, right: Named): number => compareText(left.name, right.name);

/** A text that is equal for matches that hold for the same requests. */
export function matchKey(match: Match): string {
  const { method = '', grpc, sources } = match;
  const headers = [...match.headers].sort(byName).map((header) => ({ ...header, name: header.name.toLowerCase() }));
  const paths = [match.path, ...(match.within ?? [])].map(pathKey);
  const [queryParams, cookies] = [match.queryParams, match.cookies].map((list) => [...list].sort(byExactName));
  const callers = sources.map(({ key }) => key).sort();
  return JSON.stringify([paths, method, headers, queryParams, cookies, grpc !== undefined, callers]);
}

const pathKey = ({ kind, value, ignoreCase }: PathMatch): readonly unknown[] => [
  kind,
  ignoreCase && kind !== 'regex' ? value.toLowerCase() : value,
  ignoreCase,
];
