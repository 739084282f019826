// Gateway API kinds that we read: HTTPRoute, GRPCRoute, ReferenceGrant. An HTTPRoute's rules parse into the shape of
// a TrafficRoute's, with Gateway API's defaults; what we cannot do is noted rule by rule. Knows no other object.

import type { ObjectMeta } from '../api/meta.js';
import { parse } from '../api/schema.js';
import type { Node } from '../api/schema.js';
import type { Problem, Result } from '../lib/result.js';
import { err, ok } from '../lib/result.js';
import { createReader, describeValue, isFields, optional } from './reader.js';
import type { Fields, Reader } from './reader.js';
import { filterMembers } from './route-filters.js';
import { rulesSchema } from './route-rule.js';
import type { RouteRule } from './route-rule.js';

/** A parent of a Gateway API route. */
export interface GatewayParentRef {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
  readonly port?: number;
  readonly sectionName?: string;
  /** True for Services. Other parents belong to whoever owns the Gateway and are left alone. */
  readonly ours: boolean;
}

/** A rule of an HTTPRoute; with a problem it answers 500 to what it matches. */
export type HTTPRouteRule = RouteRule & {
  /** Place of the rule in the object: rules that cannot be read are absent. */
  readonly index: number;
  readonly problem?: Problem;
};

/** A Gateway API HTTPRoute. */
export interface HTTPRoute {
  readonly kind: 'HTTPRoute';
  readonly meta: ObjectMeta;
  readonly spec: {
    readonly parentRefs: readonly GatewayParentRef[];
    readonly hostnames: readonly string[];
    readonly rules: readonly HTTPRouteRule[];
    /** Rules that are absent because not even their matches can be read. */
    readonly absent: readonly Problem[];
  };
}

/** A Gateway API GRPCRoute; its rules are kept as written. */
export interface GRPCRoute {
  readonly kind: 'GRPCRoute';
  readonly meta: ObjectMeta;
  readonly spec: {
    readonly parentRefs: readonly GatewayParentRef[];
    readonly hostnames: readonly string[];
    readonly rules: readonly unknown[];
  };
}

/** A Gateway API ReferenceGrant: who may refer to what in its namespace. */
export interface ReferenceGrant {
  readonly kind: 'ReferenceGrant';
  readonly meta: ObjectMeta;
  readonly spec: {
    readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
    /** Without a name: every object of the kind. */
    readonly to: readonly { readonly group: string; readonly kind: string; readonly name?: string }[];
  };
}

/** An object, and what is odd about it without being wrong. */
export interface Parsing<T> {
  readonly object: T;
  readonly warnings: readonly Problem[];
}

const gatewayGroup = 'gateway.networking.k8s.io';
const at = (path: string, index: number): string => `${path}[${String(index)}]`;

function requiredText(read: Reader, value: unknown, path: string): string {
  if (value === undefined || value === null) read.refuse(path, `\`${path}\` must be set`);
  return read.text(value, path) ?? '';
}

function parseParentRef(read: Reader, value: unknown, path: string): GatewayParentRef {
  const raw = read.fields(value, path) ?? {};
  const group = read.text(raw['group'], `${path}.group`) ?? gatewayGroup;
  const kind = read.text(raw['kind'], `${path}.kind`) ?? 'Gateway';
  return {
    group,
    kind,
    name: requiredText(read, raw['name'], `${path}.name`),
    ...optional('namespace', read.text(raw['namespace'], `${path}.namespace`)),
    ...optional('port', read.integer(raw['port'], `${path}.port`, { min: 1, max: 65535 })),
    ...optional('sectionName', read.text(raw['sectionName'], `${path}.sectionName`)),
    ours: group === '' && kind === 'Service',
  };
}

interface RouteHead {
  readonly parentRefs: readonly GatewayParentRef[];
  readonly hostnames: readonly string[];
  readonly rules: readonly unknown[];
}

function parseHead(read: Reader, raw: Fields): RouteHead {
  const spec = read.fields(raw['spec'], 'spec') ?? {};
  if (raw['spec'] === undefined) read.refuse('spec', '`spec` must be set');
  return {
    parentRefs: read
      .list(spec['parentRefs'], 'spec.parentRefs')
      .map((parent, index) => parseParentRef(read, parent, at('spec.parentRefs', index))),
    hostnames: read.textList(spec['hostnames'], 'spec.hostnames'),
    rules: read.list(spec['rules'], 'spec.rules'),
  };
}

/** `value` without the members that `node` does not know; each is reported. */
function prune(node: Node, value: unknown, found: { readonly path: string; readonly warnings: Problem[] }): unknown {
  const { path, warnings } = found;
  if (node.type === 'list' && Array.isArray(value)) {
    return value.map((item, index) => prune(node.items, item, { path: at(path, index), warnings }));
  }
  if (node.type !== 'object' || !isFields(value)) return value;
  const entries = Object.entries(value).flatMap(([name, child]): [string, unknown][] => {
    const member = Object.hasOwn(node.members, name) ? node.members[name] : undefined;
    const where = `${path}.${name}`;
    // `null` is absent, as everywhere in Kubernetes.
    if (child === null) return [];
    if (member !== undefined) return [[name, prune(member, child, { path: where, warnings })]];
    warnings.push({ path: where, reason: 'Ignored', message: `\`${where}\` is not known and is ignored` });
    return [];
  });
  return Object.fromEntries(entries);
}

const supportedFilters: ReadonlySet<unknown> = new Set(Object.keys(filterMembers));
const backendFilters: ReadonlySet<unknown> = new Set(['RequestHeaderModifier', 'ResponseHeaderModifier']);

const advice: Readonly<Record<string, string>> = {
  ExtensionRef: 'Legation has no kind that it could name',
  ExternalAuth: 'use `extAuthz` of a MeshPolicy',
};

const fieldsIn = (list: unknown): readonly Fields[] => (Array.isArray(list) ? list.filter(isFields) : []);

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

function backendProblem(backend: Fields, path: string): Problem | undefined {
  const kind = backend['kind'] ?? 'Service';
  if (kind !== 'Service' || (backend['group'] ?? '') !== '') {
    const message = `\`${path}.kind\` must be 'Service' of the core group; found ${describeValue(kind)}`;
    return { path: `${path}.kind`, reason: 'InvalidKind', message };
  }
  return filterProblem(backend['filters'], `${path}.filters`, backendFilters);
}

function unsupported(raw: Fields, path: string): Problem | undefined {
  const ofFilters = filterProblem(raw['filters'], `${path}.filters`, supportedFilters);
  if (ofFilters !== undefined) return ofFilters;
  for (const [index, backend] of fieldsIn(raw['backendRefs']).entries()) {
    const problem = backendProblem(backend, at(`${path}.backendRefs`, index));
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** One rule through the schema of TrafficRoute rules, with the paths of its own place. */
function parseRule(raw: unknown, path: string): Result<RouteRule> {
  const result = parse(rulesSchema, [raw], 'spec.rules');
  if (!result.ok) {
    const own = (text: string): string => text.replaceAll('spec.rules[0]', path);
    return err(result.error.map((problem) => ({ ...problem, path: own(problem.path), message: own(problem.message) })));
  }
  const [rule] = result.value;
  return rule === undefined ? err([{ path, reason: 'Invalid', message: `\`${path}\` is empty` }]) : ok(rule);
}

const answer500 = { type: 'DirectResponse', directResponse: { statusCode: 500 } } as const;

function hasAction(raw: Fields): boolean {
  const backends = raw['backendRefs'];
  if (Array.isArray(backends) && backends.length > 0) return true;
  return fieldsIn(raw['filters']).some(({ type }) => type === 'RequestRedirect' || type === 'DirectResponse');
}

interface RuleOutcome {
  readonly rule?: HTTPRouteRule;
  readonly absent?: Problem;
}

/** A rule that answers 500 to whatever `raw` matches, so that a broken rule takes no request of another one. */
function standIn(raw: Fields, index: number, problem: Problem | undefined): RuleOutcome {
  const path = at('spec.rules', index);
  const { name, matches } = raw;
  const result = parseRule({ ...optional('name', name), ...optional('matches', matches), filters: [answer500] }, path);
  if (result.ok) return { rule: { ...result.value, index, ...optional('problem', problem) } };
  const [first] = result.error;
  return first === undefined ? {} : { absent: first };
}

function parseHttpRule(value: unknown, index: number, warnings: Problem[]): RuleOutcome {
  const path = at('spec.rules', index);
  if (!isFields(value)) {
    return {
      absent: { path, reason: 'Invalid', message: `\`${path}\` must be a mapping; found ${describeValue(value)}` },
    };
  }
  const problem = unsupported(value, path);
  const node = rulesSchema.node.type === 'list' ? rulesSchema.node.items : rulesSchema.node;
  // What an unsupported rule says beyond its matches is moot: warnings about it would only distract.
  const pruned = prune(node, value, { path, warnings: problem === undefined ? warnings : [] });
  const raw = isFields(pruned) ? withDefaultMatch(pruned) : {};
  if (problem !== undefined || !hasAction(raw)) return standIn(raw, index, problem);
  const result = parseRule(raw, path);
  return result.ok ? { rule: { ...result.value, index } } : standIn(raw, index, result.error[0]);
}

function withDefaultMatch(raw: Fields): Fields {
  const { matches } = raw;
  const written = Array.isArray(matches) ? matches.length > 0 : matches !== undefined;
  return written ? raw : { ...raw, matches: [{ path: { type: 'PathPrefix', value: '/' } }] };
}

/** Parses a raw HTTPRoute. Mistakes inside a rule cost that rule only. */
export function parseHTTPRoute(raw: Fields, meta: ObjectMeta): Result<Parsing<HTTPRoute>> {
  const read = createReader();
  const head = parseHead(read, raw);
  if (read.problems.length > 0) return err(read.problems);
  const warnings: Problem[] = [];
  if (head.hostnames.length > 0 && head.parentRefs.some((parent) => parent.ours)) {
    const message = '`spec.hostnames` is ignored for Service parents, as Gateway API says for meshes';
    warnings.push({ path: 'spec.hostnames', reason: 'Ignored', message });
  }
  const rules = head.rules.length === 0 ? [{}] : head.rules;
  const outcomes = rules.map((rule, index) => parseHttpRule(rule, index, warnings));
  const spec = {
    parentRefs: head.parentRefs,
    hostnames: head.hostnames,
    rules: outcomes.flatMap(({ rule }) => rule ?? []),
    absent: outcomes.flatMap(({ absent }) => absent ?? []),
  };
  const noted = [...spec.rules.flatMap(({ problem }) => problem ?? []), ...spec.absent];
  return ok({ object: { kind: 'HTTPRoute', meta, spec }, warnings: [...warnings, ...noted] });
}

/** Parses a raw GRPCRoute; its rules are not looked into. */
export function parseGRPCRoute(raw: Fields, meta: ObjectMeta): Result<Parsing<GRPCRoute>> {
  const read = createReader();
  const spec = parseHead(read, raw);
  if (read.problems.length > 0) return err(read.problems);
  return ok({ object: { kind: 'GRPCRoute', meta, spec }, warnings: [] });
}

/** Parses a raw ReferenceGrant. */
export function parseReferenceGrant(raw: Fields, meta: ObjectMeta): Result<Parsing<ReferenceGrant>> {
  const read = createReader();
  const spec = read.fields(raw['spec'], 'spec') ?? {};
  const entries = (side: 'from' | 'to'): readonly { readonly path: string; readonly entry: Fields }[] =>
    read.list(spec[side], `spec.${side}`).map((value, index) => {
      const path = at(`spec.${side}`, index);
      return { path, entry: read.fields(value, path) ?? {} };
    });
  const subject = (path: string, entry: Fields): { readonly group: string; readonly kind: string } => ({
    group: read.text(entry['group'], `${path}.group`) ?? '',
    kind: requiredText(read, entry['kind'], `${path}.kind`),
  });
  const from = entries('from').map(({ path, entry }) => ({
    ...subject(path, entry),
    namespace: requiredText(read, entry['namespace'], `${path}.namespace`),
  }));
  const to = entries('to').map(({ path, entry }) => ({
    ...subject(path, entry),
    ...optional('name', read.text(entry['name'], `${path}.name`)),
  }));
  if (read.problems.length > 0) return err(read.problems);
  return ok({ object: { kind: 'ReferenceGrant', meta, spec: { from, to } }, warnings: [] });
}
