// One rule of a route: matches, features and backends, compiled for the model. A rule that cannot be
// compiled is absent as a whole; a backend that does not resolve costs its share.

import type { ObjectRef } from '../api/meta.js';
import { describeRef } from '../api/meta.js';
import { directResponse } from '../features/direct-response.js';
import { compileFeature, type CompiledBackendFeature, type CompiledFeature } from '../features/feature.js';
import { requestHeaderModifier, responseHeaderModifier } from '../features/header-modifiers.js';
import { requestMirror } from '../features/request-mirror.js';
import { requestRedirect } from '../features/request-redirect.js';
import { retry, retryDefaults } from '../features/retry.js';
import { timeouts, timeoutsDefaults } from '../features/timeouts.js';
import { urlRewrite } from '../features/url-rewrite.js';
import type { BackendFilter, RouteFilter } from '../kinds/route-filters.js';
import type { BackendRef, RouteRule } from '../kinds/route-rule.js';
import type { Problem, Result } from '../lib/result.js';
import type { Backend, Match, Rule, Target } from '../model/mesh.js';
import { anyRequest, matchOf } from './match.js';
import { resolveService, type Referents } from './references.js';

/** Where a rule stands. */
export interface RulePlace {
  readonly ref: ObjectRef;
  readonly generation: number;
  readonly index: number;
}

/** A compiled rule with what did not resolve. */
export interface CompiledRule {
  readonly index: number;
  readonly matches: readonly Match[];
  readonly rule: Rule;
  readonly unresolved: readonly Problem[];
}

const present = <T>(value: T | undefined): value is T => value !== undefined;

/** The name of a rule: as written, or by its place. */
export const nameOf = (rule: RouteRule, index: number): string => rule.name ?? `r${String(index)}`;

function filterFeature(filter: RouteFilter): Result<CompiledFeature> | undefined {
  const of = <T>(config: T | undefined, compile: (config: T) => Result<CompiledFeature>): Result<CompiledFeature> | undefined =>
    config === undefined ? undefined : compile(config);
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

function featuresOf(rule: RouteRule): readonly CompiledFeature[] {
  const results = [
    compileFeature(timeouts, rule.timeouts ?? timeoutsDefaults),
    compileFeature(retry, rule.retry ?? retryDefaults),
    ...(rule.filters ?? []).map(filterFeature).filter(present),
  ];
  return results.flatMap((result) => (result.ok ? [result.value] : []));
}

function backendFeature(filter: BackendFilter): CompiledBackendFeature | undefined {
  const config = filter.requestHeaderModifier ?? filter.responseHeaderModifier;
  const feature = filter.type === 'RequestHeaderModifier' ? requestHeaderModifier : responseHeaderModifier;
  return config === undefined ? undefined : { key: feature.key, onBackend: () => feature.onBackend?.(config) ?? {} };
}

function backendOf(backend: BackendRef, place: RulePlace & { readonly path: string }, referents: Referents): Backend {
  const reference = {
    namespace: backend.namespace ?? place.ref.namespace,
    name: backend.name,
    port: backend.port,
    path: place.path,
  };
  const target = resolveService(place.ref, reference, referents);
  if (!target.ok) return { kind: 'invalid', weight: backend.weight, problem: target.error };
  return {
    kind: 'service',
    target: { ...target.value, subset: backend.subset },
    weight: backend.weight,
    features: (backend.filters ?? []).map(backendFeature).filter(present),
  };
}

function mirrorsOf(rule: RouteRule, place: RulePlace, referents: Referents): readonly Result<Target, Problem>[] {
  return (rule.filters ?? []).flatMap((filter, index) => {
    const ref = filter.requestMirror?.backendRef;
    if (ref === undefined) return [];
    const path = `spec.rules[${String(place.index)}].filters[${String(index)}].requestMirror.backendRef`;
    const reference = { namespace: ref.namespace ?? place.ref.namespace, name: ref.name, port: ref.port, path };
    return [resolveService(place.ref, reference, referents)];
  });
}

/** Compiles a rule that passed its schema and holds nothing that is not compiled. */
export function compileRule(rule: RouteRule, place: RulePlace, referents: Referents): CompiledRule {
  const name = nameOf(rule, place.index);
  const path = `spec.rules[${String(place.index)}]`;
  const backends = (rule.backendRefs ?? []).map((backend, index) =>
    backendOf(backend, { ...place, path: `${path}.backendRefs[${String(index)}]` }, referents),
  );
  const broken = backends.flatMap((backend) => (backend.kind === 'invalid' ? [backend.problem] : []));
  const mirrors = mirrorsOf(rule, place, referents);
  const matches = rule.matches ?? [];
  return {
    index: place.index,
    matches: matches.length === 0 ? [anyRequest] : matches.map(matchOf),
    rule: {
      origin: { ref: place.ref, generation: place.generation, part: name },
      name,
      backends,
      references: mirrors.flatMap((mirror) => (mirror.ok ? [mirror.value] : [])),
      features: featuresOf(rule),
    },
    unresolved: [
      ...broken.map(said(`rule '${name}' answers 500 for its share`)),
      ...mirrors.flatMap((mirror) => (mirror.ok ? [] : [mirror.error])).map(said(`the mirror of rule '${name}' is off, requests are served`)),
    ],
  };
}

/** A problem with its consequence. */
const said =
  (consequence: string) =>
  (problem: Problem): Problem => ({ ...problem, message: `${problem.message}; ${consequence}` });

/** How messages name a rule of another object. */
export const describeRule = (rule: Rule): string => `rule '${rule.name}' of ${describeRef(rule.origin.ref)}`;
