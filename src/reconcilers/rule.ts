// One rule of a route: matches, features and backends, compiled for the model. A rule that cannot be
// compiled is absent as a whole; a backend that does not resolve costs its share.

import type { ObjectRef } from '../api/meta.js';
import { describeRef } from '../api/meta.js';
import { directResponse } from '../features/direct-response.js';
import {
  compileBackendFeature,
  compileFeature,
  type CompiledBackendFeature,
  type CompiledFeature,
} from '../features/feature.js';
import { requestHeaderModifier, responseHeaderModifier } from '../features/header-modifiers.js';
import { requestMirror } from '../features/request-mirror.js';
import { requestRedirect } from '../features/request-redirect.js';
import { retry, retryDefaults } from '../features/retry.js';
import { timeouts, timeoutsDefaults } from '../features/timeouts.js';
import { urlRewrite } from '../features/url-rewrite.js';
import { isForConnections } from '../kinds/connection-rules.js';
import type { BackendFilter, RouteFilter } from '../kinds/route-filters.js';
import type { BackendRef, RouteRule } from '../kinds/route-rule.js';
import { collect, err, ok, type Problem, type Result } from '../lib/result.js';
import type { Backend, Match, Rule, Target } from '../model/mesh.js';
import { anyOf, matchOf } from './match.js';
import type { RouteProtocol } from './protocol.js';
import { resolveService, type Referents } from './references.js';

/** Where a rule stands. */
export interface RulePlace {
  readonly ref: ObjectRef;
  readonly generation: number;
  readonly protocol: RouteProtocol;
  readonly index: number;
}

/** A compiled rule with what did not resolve. */
export interface CompiledRule {
  readonly index: number;
  readonly matches: readonly Match[];
  readonly rule: Rule;
  readonly unresolved: readonly Problem[];
}

/** The name of a rule: as written, or by its place. */
export const nameOf = (rule: RouteRule, index: number): string => rule.name ?? `r${String(index)}`;

type Compiled<T> = Result<T> | undefined;

const of = <Config, T>(config: Config | undefined, compile: (config: Config) => Result<T>): Compiled<T> =>
  config === undefined ? undefined : compile(config);

function filterFeature(filter: RouteFilter): Compiled<CompiledFeature> {
  switch (filter.type) {
    case 'RequestHeaderModifier':
      return of(filter.requestHeaderModifier, (config) => compileFeature(requestHeaderModifier, config));
    case 'ResponseHeaderModifier':
      return of(filter.responseHeaderModifier, (config) => compileFeature(responseHeaderModifier, config));
    case 'RequestMirror':
      return of(filter.requestMirror, (config) => compileFeature(requestMirror, config));
    case 'RequestRedirect':
      return of(filter.requestRedirect, (config) => compileFeature(requestRedirect, config));
    case 'URLRewrite':
      return of(filter.urlRewrite, (config) => compileFeature(urlRewrite, config));
    case 'DirectResponse':
      return of(filter.directResponse, (config) => compileFeature(directResponse, config));
    // Refused before a rule comes here: see `kinds/unsupported.ts`.
    case 'CORS':
    case 'Fault':
      return undefined;
  }
}

function backendFeature(filter: BackendFilter): Compiled<CompiledBackendFeature> {
  return filter.type === 'RequestHeaderModifier'
    ? of(filter.requestHeaderModifier, (config) => compileBackendFeature(requestHeaderModifier, config))
    : of(filter.responseHeaderModifier, (config) => compileBackendFeature(responseHeaderModifier, config));
}

/** All of them, or what is wrong with them, at their place in the object. */
function inPlace<T>(results: readonly Compiled<T>[], path: string): Result<readonly T[]> {
  return collect(
    results.flatMap((result, index): Result<T>[] => {
      if (result === undefined) return [];
      if (result.ok) return [result];
      const here = `${path}[${String(index)}]`;
      return [err(result.error.map((problem) => ({ ...problem, path: `${here}.${problem.path}` })))];
    }),
  );
}

function featuresOf(rule: RouteRule, path: string): Result<readonly CompiledFeature[]> {
  const always = [
    compileFeature(timeouts, rule.timeouts ?? timeoutsDefaults),
    compileFeature(retry, rule.retry ?? retryDefaults),
  ];
  const filters = inPlace((rule.filters ?? []).map(filterFeature), `${path}.filters`);
  const all = collect([...always.map((one) => (one.ok ? ok([one.value]) : one)), filters]);
  return all.ok ? ok(all.value.flat()) : all;
}

type Place = RulePlace & { readonly path: string };

function backendOf(backend: BackendRef, place: Place, referents: Referents): Result<Backend> {
  const features = inPlace((backend.filters ?? []).map(backendFeature), `${place.path}.filters`);
  if (!features.ok) return features;
  const { name, port, weight } = backend;
  const namespace = backend.namespace ?? place.ref.namespace;
  const target = resolveService(place.ref, { namespace, name, port, path: place.path }, referents);
  if (!target.ok) return ok({ kind: 'invalid', weight, problem: target.error });
  return ok({
    kind: 'service',
    target: { ...target.value, subset: subsetOf(backend) },
    weight,
    features: features.value,
  });
}

/** No labels select every pod: that is no subset. */
const subsetOf = ({ subset }: BackendRef): Target['subset'] =>
  subset === undefined || Object.keys(subset).length === 0 ? undefined : subset;

function mirrorsOf(rule: RouteRule, place: RulePlace, referents: Referents): readonly Result<Target, Problem>[] {
  return (rule.filters ?? []).flatMap((filter, index) => {
    const ref = filter.requestMirror?.backendRef;
    if (ref === undefined) return [];
    const path = `spec.rules[${String(place.index)}].filters[${String(index)}].requestMirror.backendRef`;
    const reference = { namespace: ref.namespace ?? place.ref.namespace, name: ref.name, port: ref.port, path };
    return [resolveService(place.ref, reference, referents)];
  });
}

/** Compiles a rule that holds nothing that is not compiled; its problems cost the rule, and only the rule. */
export function compileRule(rule: RouteRule, place: RulePlace, referents: Referents): Result<CompiledRule> {
  const path = `spec.rules[${String(place.index)}]`;
  const features = featuresOf(rule, path);
  const backends = collect(
    (rule.backendRefs ?? []).map((backend, index) => {
      const result = backendOf(backend, { ...place, path: `${path}.backendRefs[${String(index)}]` }, referents);
      return result.ok ? ok([result.value]) : result;
    }),
  );
  if (!features.ok) return features;
  if (!backends.ok) return backends;
  return ok(
    assemble(rule, place, {
      features: features.value,
      backends: backends.value.flat(),
      mirrors: mirrorsOf(rule, place, referents),
    }),
  );
}

interface Parts {
  readonly features: readonly CompiledFeature[];
  readonly backends: readonly Backend[];
  readonly mirrors: readonly Result<Target, Problem>[];
}

function assemble(rule: RouteRule, place: RulePlace, { features, backends, mirrors }: Parts): CompiledRule {
  const name = nameOf(rule, place.index);
  const written = rule.matches ?? [];
  const matches = written.length === 0 ? [anyOf(place.protocol)] : written.map((one) => matchOf(one, place.protocol));
  const broken = backends.flatMap((backend) => (backend.kind === 'invalid' ? [backend.problem] : []));
  return {
    index: place.index,
    matches,
    rule: {
      origin: { ref: place.ref, generation: place.generation, part: name },
      name,
      matches,
      backends,
      references: mirrors.flatMap((mirror) => (mirror.ok ? [mirror.value] : [])),
      features,
    },
    unresolved: [
      ...broken.map(said(`rule '${name}' ${lossOf(place.protocol, 500)} for its share`)),
      ...mirrors
        .flatMap((mirror) => (mirror.ok ? [] : [mirror.error]))
        .map(said(`the mirror of rule '${name}' is off, requests are served`)),
    ],
  };
}

/** What callers see of a rule, or of its share, that cannot serve them. */
export function lossOf(protocol: RouteProtocol, status: number): string {
  if (isForConnections({ protocol })) return 'closes connections';
  return `answers ${protocol === 'GRPC' ? 'UNAVAILABLE' : String(status)}`;
}

/** A problem with its consequence. */
const said =
  (consequence: string) =>
  (problem: Problem): Problem => ({ ...problem, message: `${problem.message}; ${consequence}` });

/** How messages name a rule of any object. */
export const describeRule = (rule: Rule): string => `rule '${rule.name}' of ${describeRef(rule.origin.ref)}`;
