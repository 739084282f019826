// Preflight requests of browsers: OPTIONS, with neither the method, the headers nor the cookies of the request that they ask for.

import type { HeaderMatch, Match, RouteEntry } from '../model/mesh.js';

const present = (name: string): HeaderMatch => ({ name, match: { kind: 'present' }, invert: false });

function preflightOf(match: Match): Match {
  const method: HeaderMatch = present('access-control-request-method');
  const asked: HeaderMatch =
    match.method === undefined ? method : { ...method, match: { kind: 'exact', value: match.method } };
  return { ...match, method: 'OPTIONS', cookies: [], grpc: undefined, headers: [present('origin'), asked] };
}

const matchesPreflight = ({ method, headers, cookies, grpc }: Match): boolean =>
  method === undefined && headers.length === 0 && cookies.length === 0 && grpc === undefined;

/** An entry, after one for the preflight requests that it would not match itself. */
export function withPreflight(entry: RouteEntry): readonly RouteEntry[] {
  const { match, rule } = entry;
  const answers = rule.features.some(({ answersPreflight }) => answersPreflight);
  if (!answers || matchesPreflight(match)) return [entry];
  return [{ match: preflightOf(match), rule }, entry];
}
