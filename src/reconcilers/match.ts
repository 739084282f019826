// Matches of a rule in the language of the model.

import type { RouteMatch } from '../kinds/route-match.js';
import type { Match, TextMatch } from '../model/mesh.js';

const pathKinds = { Exact: 'exact', PathPrefix: 'prefix', RegularExpression: 'regex' } as const;

const textKinds = {
  Exact: 'exact',
  RegularExpression: 'regex',
  Prefix: 'prefix',
  Suffix: 'suffix',
  Contains: 'contains',
} as const;

function textMatch(type: keyof typeof textKinds | 'Present', value: string | undefined): TextMatch {
  return type === 'Present' ? { kind: 'present' } : { kind: textKinds[type], value: value ?? '' };
}

/** The match that every request meets. */
export const anyRequest: Match = {
  path: { kind: 'prefix', value: '/', ignoreCase: false },
  method: undefined,
  headers: [],
  queryParams: [],
};

/** One entry of `matches`. */
export function matchOf(match: RouteMatch): Match {
  const { path } = match;
  return {
    path:
      path === undefined ? anyRequest.path : { kind: pathKinds[path.type], value: path.value, ignoreCase: path.ignoreCase },
    method: match.method,
    headers: (match.headers ?? []).map((header) => ({
      name: header.name,
      match: textMatch(header.type, header.value),
      invert: header.invert,
    })),
    queryParams: (match.queryParams ?? []).map((param) => ({ name: param.name, match: textMatch(param.type, param.value) })),
  };
}
