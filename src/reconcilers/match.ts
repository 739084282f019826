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

function pathOf({ type, value, ignoreCase }: NonNullable<RouteMatch['path']>): Match['path'] {
  return { kind: pathKinds[type], value: type === 'PathPrefix' ? prefixValue(value) : value, ignoreCase };
}

/** `/api/` and `/api` are one prefix. */
const prefixValue = (value: string): string => value.replace(/\/+$/, '') || '/';

/** One entry of `matches`. */
export function matchOf(match: RouteMatch): Match {
  return {
    path: match.path === undefined ? anyRequest.path : pathOf(match.path),
    method: match.method,
    headers: (match.headers ?? []).map((header) => ({
      name: header.name,
      match: textMatch(header.type, header.value),
      invert: header.invert,
    })),
    queryParams: (match.queryParams ?? []).map((param) => ({
      name: param.name,
      match: textMatch(param.type, param.value),
    })),
  };
}
