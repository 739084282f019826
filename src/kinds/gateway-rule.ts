// Rules of Gateway API's routes in the shape of a TrafficRoute's, with Gateway API's defaults. What we cannot do costs the
// rule, and a reference to something that is no Service costs its share. Knows no object around a rule.

import { parse } from '../api/schema.js';
import type { Node } from '../api/schema.js';
import { isRecord } from '../lib/record.js';
import { err, ok, type Problem, type Result } from '../lib/result.js';
import { describeValue, optional, type Fields } from './reader.js';
import { filterMembers } from './route-filters.js';
import { rulesSchema, type RouteRule } from './route-rule.js';

/** The kinds of routes that we read of Gateway API. */
export type GatewayRouteKind = 'HTTPRoute' | 'GRPCRoute';

/** A rule; with a problem it answers a failure to what it matches. */
export type GatewayRule = RouteRule & {
  /** Place of the rule in the object: rules that cannot be read are absent. */
  readonly index: number;
  readonly problem?: Problem;
  /** By path: references to something that is no Service. What stands in the rule for one of them means nothing. */
  readonly wrongRefs: ReadonlyMap<string, Problem>;
};

/** Which rule of what. */
export interface RuleSite {
  readonly kind: GatewayRouteKind;
  readonly index: number;
}

/** A rule, or why there is none. */
export interface RuleOutcome {
  readonly rule?: GatewayRule;
  readonly absent?: Problem;
}

const at = (path: string, index: number): string => `${path}[${String(index)}]`;
const pathOf = ({ index }: RuleSite): string => at('spec.rules', index);

const ignored = (path: string): Problem => ({
  path,
  reason: 'Ignored',
  message: `\`${path}\` is not known and is ignored`,
});

/** `value` without the members that `node` does not know; each is reported. */
function prune(node: Node, value: unknown, found: { readonly path: string; readonly warnings: Problem[] }): unknown {
  const { path, warnings } = found;
  if (node.type === 'list' && Array.isArray(value)) {
    return value.map((item, index) => prune(node.items, item, { path: at(path, index), warnings }));
  }
  if (node.type !== 'object' || !isRecord(value)) return value;
  const entries = Object.entries(value).flatMap(([name, child]): [string, unknown][] => {
    const member = Object.hasOwn(node.members, name) ? node.members[name] : undefined;
    const where = `${path}.${name}`;
    // `null` is absent, as everywhere in Kubernetes.
    if (child === null) return [];
    if (member !== undefined) return [[name, prune(member, child, { path: where, warnings })]];
    warnings.push(ignored(where));
    return [];
  });
  return Object.fromEntries(entries);
}

/** What is different between the kinds. A gRPC caller reads 503 as UNAVAILABLE. */
const traits = {
  HTTPRoute: {
    matchMembers: ['path', 'headers', 'queryParams', 'method'],
    filters: new Set<unknown>(Object.keys(filterMembers)),
    failure: 500,
  },
  GRPCRoute: {
    matchMembers: ['headers', 'method'],
    filters: new Set<unknown>(['RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestMirror']),
    failure: 503,
  },
} as const;

const backendFilters: ReadonlySet<unknown> = new Set(['RequestHeaderModifier', 'ResponseHeaderModifier']);

const advice: Readonly<Record<string, string>> = {
  ExtensionRef: 'Legation has no kind that it could name',
  ExternalAuth: 'use `extAuthz` of a MeshPolicy',
};

const fieldsIn = (list: unknown): readonly Fields[] => (Array.isArray(list) ? list.filter(isRecord) : []);

function filterProblem(filters: unknown, path: string, allowed: ReadonlySet<unknown>): Problem | undefined {
  const list = fieldsIn(filters);
  const index = list.findIndex((filter) => !allowed.has(filter['type']));
  if (index === -1) return undefined;
  const type = list[index]?.['type'];
  const names = [...allowed].map((name) => `'${String(name)}'`).join(', ');
  const hint = typeof type === 'string' && Object.hasOwn(advice, type) ? advice[type] : undefined;
  const where = `${at(path, index)}.type`;
  const message = `\`${where}\` must be one of ${names}; found ${describeValue(type)}${hint === undefined ? '' : `; ${hint}`}`;
  return { path: where, reason: 'UnsupportedValue', message };
}

function unsupported(raw: Fields, site: RuleSite): Problem | undefined {
  const path = pathOf(site);
  const ofFilters = filterProblem(raw['filters'], `${path}.filters`, traits[site.kind].filters);
  if (ofFilters !== undefined) return ofFilters;
  for (const [index, backend] of fieldsIn(raw['backendRefs']).entries()) {
    const where = `${at(`${path}.backendRefs`, index)}.filters`;
    const problem = filterProblem(backend['filters'], where, backendFilters);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

type WrongRefs = Map<string, Problem>;

/** A reference; one to something that is no Service is noted, and becomes one that the schema takes. */
function serviceRef(ref: unknown, path: string, wrong: WrongRefs): unknown {
  if (!isRecord(ref)) return ref;
  const { kind = 'Service', group = '' } = ref;
  if (kind === 'Service' && group === '') return ref;
  const found = `${describeValue(kind)}${kind === 'Service' ? ` of group ${describeValue(group)}` : ''}`;
  const message = `\`${path}.kind\` must be 'Service' of the core group; found ${found}`;
  wrong.set(path, { path: `${path}.kind`, reason: 'InvalidKind', message });
  return { ...ref, group: '', kind: 'Service', port: ref['port'] ?? 1 };
}

function mirrorRef(filter: unknown, path: string, wrong: WrongRefs): unknown {
  if (!isRecord(filter) || !isRecord(filter['requestMirror'])) return filter;
  const mirror = filter['requestMirror'];
  const backendRef = serviceRef(mirror['backendRef'], `${path}.requestMirror.backendRef`, wrong);
  return { ...filter, requestMirror: { ...mirror, backendRef } };
}

const mapList = (list: unknown, each: (item: unknown, index: number) => unknown): unknown =>
  Array.isArray(list) ? list.map(each) : list;

function withServices(raw: Fields, path: string, wrong: WrongRefs): Fields {
  const { backendRefs, filters } = raw;
  const place = (name: string, index: number): string => at(`${path}.${name}`, index);
  return {
    ...raw,
    ...optional(
      'backendRefs',
      mapList(backendRefs, (ref, index) => serviceRef(ref, place('backendRefs', index), wrong)),
    ),
    ...optional(
      'filters',
      mapList(filters, (filter, index) => mirrorRef(filter, place('filters', index), wrong)),
    ),
  };
}

/** A problem of a rule that was read as the first and only one of a TrafficRoute, in the words of its own place. */
export function inPlace(problem: Problem, site: RuleSite): Problem {
  const own = (text: string): string => {
    const placed = text.replaceAll('spec.rules[0]', pathOf(site));
    return site.kind === 'GRPCRoute' ? placed.replaceAll(/(matches\[\d+\])\.grpc/g, '$1.method') : placed;
  };
  return { ...problem, path: own(problem.path), message: own(problem.message) };
}

/** One rule through the schema of TrafficRoute rules. */
function parseRule(raw: unknown, site: RuleSite): Result<RouteRule> {
  const result = parse(rulesSchema, [raw], 'spec.rules');
  if (!result.ok) return err(result.error.map((problem) => inPlace(problem, site)));
  const [rule] = result.value;
  const path = pathOf(site);
  return rule === undefined ? err([{ path, reason: 'Invalid', message: `\`${path}\` is empty` }]) : ok(rule);
}

function hasAction(raw: Fields): boolean {
  const backends = raw['backendRefs'];
  if (Array.isArray(backends) && backends.length > 0) return true;
  return fieldsIn(raw['filters']).some(({ type }) => type === 'RequestRedirect' || type === 'DirectResponse');
}

/** A rule that answers a failure to whatever `raw` matches, so that a broken rule takes no request of another one. */
function standIn(raw: Fields, site: RuleSite, problem: Problem | undefined): RuleOutcome {
  const { name, matches } = raw;
  const answer = { type: 'DirectResponse', directResponse: { statusCode: traits[site.kind].failure } };
  const written = { ...optional('name', name), ...optional('matches', matches), filters: [answer] };
  const result = parseRule(written, site);
  if (result.ok)
    return { rule: { ...result.value, index: site.index, wrongRefs: new Map(), ...optional('problem', problem) } };
  const [first] = result.error;
  return first === undefined ? {} : { absent: first };
}

/** A match with the members that its kind has; the `method` of a GRPCRoute goes by the name of `grpc` here. */
function matchFields(match: unknown, site: RuleSite, found: { path: string; warnings: Problem[] }): unknown {
  if (!isRecord(match)) return match;
  const members: readonly string[] = traits[site.kind].matchMembers;
  const entries = Object.entries(match).filter(([name, value]) => {
    const isKnown = members.includes(name);
    if (!isKnown && value !== null) found.warnings.push(ignored(`${found.path}.${name}`));
    return isKnown;
  });
  const named = entries.map(([name, value]) => [site.kind === 'GRPCRoute' && name === 'method' ? 'grpc' : name, value]);
  return Object.fromEntries(named);
}

/** Without a match: every path of HTTP, every call of gRPC. */
function matchesOf(raw: Fields, site: RuleSite, warnings: Problem[]): unknown {
  const { matches } = raw;
  const written = Array.isArray(matches) ? matches.length > 0 : matches !== undefined && matches !== null;
  if (!written) return site.kind === 'GRPCRoute' ? [{}] : [{ path: { type: 'PathPrefix', value: '/' } }];
  return mapList(matches, (match, index) =>
    matchFields(match, site, { path: at(`${pathOf(site)}.matches`, index), warnings }),
  );
}

/** Parses one rule; what is odd without being wrong goes to `warnings`. */
export function parseGatewayRule(value: unknown, site: RuleSite, warnings: Problem[]): RuleOutcome {
  const path = pathOf(site);
  if (!isRecord(value)) {
    const message = `\`${path}\` must be a mapping; found ${describeValue(value)}`;
    return { absent: { path, reason: 'Invalid', message } };
  }
  const problem = unsupported(value, site);
  const node = rulesSchema.node.type === 'list' ? rulesSchema.node.items : rulesSchema.node;
  // What an unsupported rule says beyond its matches is moot: warnings about it would only distract.
  const heard = problem === undefined ? warnings : [];
  const written = { ...value, matches: matchesOf(value, site, heard) };
  const pruned = prune(node, written, { path, warnings: heard });
  const wrongRefs: WrongRefs = new Map();
  const raw = isRecord(pruned) ? withServices(pruned, path, wrongRefs) : {};
  if (problem !== undefined || !hasAction(raw)) return standIn(raw, site, problem);
  const result = parseRule(raw, site);
  return result.ok ? { rule: { ...result.value, index: site.index, wrongRefs } } : standIn(raw, site, result.error[0]);
}
