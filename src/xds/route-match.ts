// Matches of the model as Envoy's RouteMatch.

import { HeaderMatcher, QueryParameterMatcher, RouteMatch } from '../gen/envoy/config/route/v3/route_components.js';
import { StringMatcher } from '../gen/envoy/type/matcher/v3/string.js';
import { cookiePattern, escapeRegex } from '../features/envoy-values.js';
import type { CookieMatch, HeaderMatch, Match, PathMatch, QueryMatch, TextMatch } from '../model/mesh.js';

function stringMatcher(match: Exclude<TextMatch, { kind: 'present' }>): StringMatcher {
  const { kind, value } = match;
  if (kind === 'regex')
    return StringMatcher.fromPartial({ matchPattern: { $case: 'safeRegex', value: { regex: value } } });
  return StringMatcher.fromPartial({ matchPattern: { $case: kind, value } });
}

function headerMatcher(header: HeaderMatch): HeaderMatcher {
  const { match } = header;
  const base = { name: header.name, invertMatch: header.invert };
  if (match.kind === 'present') {
    return HeaderMatcher.fromPartial({ ...base, headerMatchSpecifier: { $case: 'presentMatch', value: true } });
  }
  return HeaderMatcher.fromPartial({
    ...base,
    // An inverted condition also holds where the header is absent.
    treatMissingHeaderAsEmpty: header.invert,
    headerMatchSpecifier: { $case: 'stringMatch', value: stringMatcher(match) },
  });
}

function queryMatcher(query: QueryMatch): QueryParameterMatcher {
  const { match } = query;
  return QueryParameterMatcher.fromPartial({
    name: query.name,
    queryParameterMatchSpecifier:
      match.kind === 'present'
        ? { $case: 'presentMatch', value: true }
        : { $case: 'stringMatch', value: stringMatcher(match) },
  });
}

function expressionFor({ kind, value }: PathMatch): string {
  switch (kind) {
    case 'exact':
      return escapeRegex(value);
    case 'prefix':
      return `${escapeRegex(value.replace(/\/+$/, ''))}(?:/.*)?`;
    case 'regex':
      return `(?:${value})`;
  }
}

/** A route has one path specifier; further conditions are on the header `:path`, which still holds the query. */
const pathHeader = (path: PathMatch): HeaderMatcher =>
  HeaderMatcher.fromPartial({
    name: ':path',
    headerMatchSpecifier: {
      $case: 'stringMatch',
      value: stringMatcher({
        kind: 'regex',
        value: `${path.ignoreCase ? '(?i)' : ''}${expressionFor(path)}(?:\\?.*)?`,
      }),
    },
  });

/** `RouteMatch.cookies` is unknown to the older of the supported Envoys: the Cookie header is read on all of them. */
const cookieMatcher = (cookie: CookieMatch): HeaderMatcher =>
  HeaderMatcher.fromPartial({
    name: 'cookie',
    headerMatchSpecifier: {
      $case: 'stringMatch',
      value: { matchPattern: { $case: 'safeRegex', value: { regex: cookiePattern(cookie) } } },
    },
  });

/** A prefix ends at a slash: `/api` matches `/api` and `/api/x`, never `/apix`. */
function pathSpecifier(path: PathMatch): RouteMatch['pathSpecifier'] {
  switch (path.kind) {
    case 'exact':
      return { $case: 'path', value: path.value };
    case 'regex': {
      const value = RouteMatch.fromPartial({
        pathSpecifier: { $case: 'safeRegex', value: { regex: path.ignoreCase ? `(?i)${path.value}` : path.value } },
      });
      return value.pathSpecifier;
    }
    case 'prefix': {
      const stem = path.value.replace(/\/+$/, '');
      return stem === '' ? { $case: 'prefix', value: '/' } : { $case: 'pathSeparatedPrefix', value: stem };
    }
  }
}

/** Methods that may be repeated without harm, as RFC 9110 has them. */
export const safeMethods = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE'];

const methodMatcher = (match: StringMatcher['matchPattern']): HeaderMatcher =>
  HeaderMatcher.fromPartial({
    name: ':method',
    headerMatchSpecifier: { $case: 'stringMatch', value: { matchPattern: match } },
  });

/** Tunnels have no path, and their method is what they are matched by. */
const isTunnel = ({ method }: Match): boolean => method === 'CONNECT';

function methodMatchers(match: Match, onlySafe: boolean): readonly HeaderMatcher[] {
  const { method } = match;
  const named = method === undefined || isTunnel(match) ? [] : [methodMatcher({ $case: 'exact', value: method })];
  if (!onlySafe) return named;
  const { matchPattern } = StringMatcher.fromPartial({
    matchPattern: { $case: 'safeRegex', value: { regex: safeMethods.join('|') } },
  });
  return [...named, methodMatcher(matchPattern)];
}

/** Builds a match; `onlySafe` narrows it to methods that may be repeated. */
export function buildMatch(match: Match, onlySafe: boolean): RouteMatch {
  return RouteMatch.fromPartial({
    pathSpecifier: isTunnel(match) ? { $case: 'connectMatcher', value: {} } : pathSpecifier(match.path),
    ...(match.path.ignoreCase && match.path.kind !== 'regex' ? { caseSensitive: false } : {}),
    headers: [
      ...methodMatchers(match, onlySafe),
      ...(match.within ?? []).map(pathHeader),
      ...match.headers.map(headerMatcher),
      ...match.cookies.map(cookieMatcher),
    ],
    queryParameters: match.queryParams.map(queryMatcher),
    ...(match.grpc === undefined ? {} : { grpc: {} }),
  });
}
