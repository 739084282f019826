// Both of two matches: what a rule that hands its requests on leaves to a rule below it. Paths are absolute.
// Knows no route.

import type { CookieMatch, HeaderMatch, Match, PathMatch, QueryMatch } from '../model/mesh.js';

/** How a path condition relates to the one above it. */
type Relation = 'inside' | 'outside' | 'open';

const isUnder = (path: string, prefix: string): boolean =>
  prefix === '/' || path === prefix || path.startsWith(`${prefix}/`);

/** Whether a path that meets `lower` may meet `upper`. Expressions are not looked into. */
function mayMeet(lower: PathMatch, upper: PathMatch): boolean {
  if (lower.kind === 'regex' || upper.kind === 'regex') return true;
  const fold = (path: PathMatch): string =>
    lower.ignoreCase || upper.ignoreCase ? path.value.toLowerCase() : path.value;
  const [low, up] = [fold(lower), fold(upper)];
  return (upper.kind === 'prefix' && isUnder(low, up)) || (lower.kind === 'prefix' && isUnder(up, low)) || low === up;
}

/** Whether every path that meets `lower` meets `upper`. */
function mustMeet(lower: PathMatch, upper: PathMatch): boolean {
  if (upper.kind === 'prefix' && upper.value === '/') return true;
  if (lower.kind === upper.kind && lower.value === upper.value && lower.ignoreCase === upper.ignoreCase) return true;
  if (lower.kind === 'regex' || upper.kind !== 'prefix') return false;
  if (lower.ignoreCase && !upper.ignoreCase) return false;
  const fold = (text: string): string => (upper.ignoreCase ? text.toLowerCase() : text);
  return isUnder(fold(lower.value), fold(upper.value));
}

function relationOf(lower: PathMatch, upper: PathMatch): Relation {
  if (mustMeet(lower, upper)) return 'inside';
  return mayMeet(lower, upper) ? 'open' : 'outside';
}

const isAnyPath = (path: PathMatch): boolean => path.kind === 'prefix' && path.value === '/';

/**
 * The path condition of the lower rule stays the one that its rewrites refer to; a rule without one takes that of the
 * upper. What the upper demands beyond it comes along.
 */
function pathsOf(upper: Match, lower: Match): Pick<Match, 'path' | 'within'> | undefined {
  const within = upper.within ?? [];
  if (isAnyPath(lower.path)) return { path: upper.path, within };
  const all = [...within, upper.path].map((path) => ({ path, relation: relationOf(lower.path, path) }));
  if (all.some(({ relation }) => relation === 'outside')) return undefined;
  return { path: lower.path, within: all.flatMap(({ path, relation }) => (relation === 'open' ? [path] : [])) };
}

const exactly = ({ match }: HeaderMatch | QueryMatch): string | undefined =>
  match.kind === 'exact' ? match.value : undefined;

const contradict = (left: HeaderMatch | QueryMatch, right: HeaderMatch | QueryMatch): boolean =>
  exactly(left) !== undefined && exactly(right) !== undefined && exactly(left) !== exactly(right);

/** All conditions of both; undefined where two of them exclude each other. */
function joined<Condition extends HeaderMatch | QueryMatch>(
  upper: readonly Condition[],
  lower: readonly Condition[],
  keyOf: (condition: Condition) => string,
): readonly Condition[] | undefined {
  const isExcluded = lower.some((low) =>
    upper.some((up) => keyOf(up) === keyOf(low) && keyOf(low) !== '' && contradict(up, low)),
  );
  if (isExcluded) return undefined;
  const text = (condition: Condition): string => JSON.stringify([keyOf(condition), condition]);
  return [...new Map([...upper, ...lower].map((condition) => [text(condition), condition])).values()];
}

/** Inverted conditions exclude nothing that is looked at here. */
const headerKey = ({ name, invert }: HeaderMatch): string => (invert ? '' : name.toLowerCase());
const queryKey = ({ name }: QueryMatch): string => name;

/** A value says more than presence; two values of one cookie exclude each other. */
function bothCookies(upper: readonly CookieMatch[], lower: readonly CookieMatch[]): readonly CookieMatch[] | undefined {
  const all = new Map<string, CookieMatch>();
  for (const cookie of [...upper, ...lower]) {
    const { value } = all.get(cookie.name) ?? cookie;
    if (value !== undefined && cookie.value !== undefined && value !== cookie.value) return undefined;
    all.set(cookie.name, { name: cookie.name, value: value ?? cookie.value });
  }
  return [...all.values()];
}

/** The one method of both; null where they name two. */
const bothMethods = (upper: string | undefined, lower: string | undefined): string | undefined | null =>
  upper !== undefined && lower !== undefined && upper !== lower ? null : (upper ?? lower);

/** The requests that meet both matches; undefined where there are none. */
export function matchBelow(upper: Match, lower: Match): Match | undefined {
  const paths = pathsOf(upper, lower);
  const method = bothMethods(upper.method, lower.method);
  const headers = joined(upper.headers, lower.headers, headerKey);
  const queryParams = joined(upper.queryParams, lower.queryParams, queryKey);
  const cookies = bothCookies(upper.cookies, lower.cookies);
  if (paths === undefined || method === null || headers === undefined) return undefined;
  if (queryParams === undefined || cookies === undefined) return undefined;
  const { path, within = [] } = paths;
  return {
    path,
    ...(within.length === 0 ? {} : { within }),
    method,
    headers,
    queryParams,
    cookies,
    grpc: lower.grpc ?? upper.grpc,
    sources: [...new Map([...upper.sources, ...lower.sources].map((source) => [source.key, source])).values()],
  };
}
