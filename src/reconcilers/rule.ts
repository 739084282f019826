// One rule of a route: matches, features and backends, compiled for the model. A rule that cannot be
// compiled is absent as a whole; a backend that does not resolve costs its share.

import type { ObjectRef } from '../api/meta.js';
import { describeRef } from '../api/meta.js';
import type { CompiledFeature } from '../features/feature.js';
import { backendFeatures, filterFeatures, ruleFeatures } from '../features/index.js';
import type { BackendRef, RouteRule } from '../kinds/route-rule.js';
import { collect, err, ok, type Problem, type Result } from '../lib/result.js';
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
  /** What is in force otherwise than written. */
  readonly weakened: readonly Problem[];
  /** Why policies on the rule cannot hold where its requests arrive; absent: none tries, or they do. */
  readonly outOfReach?: string;
}

/** The name of a rule: as written, or by its place. */
export const nameOf = (rule: RouteRule, index: number): string => rule.name ?? `r${String(index)}`;

type Compiled = Result<CompiledFeature> | undefined;

/** All of them, or what is wrong with them, at their place in the object. */
function inPlace(results: readonly (readonly Compiled[])[], path: string): Result<readonly CompiledFeature[]> {
  return collect(
    results.flatMap((ofItem, index) =>
      ofItem.flatMap((result): Result<CompiledFeature>[] => {
        if (result === undefined) return [];
        if (result.ok) return [result];
        const here = `${path}[${String(index)}]`;
        return [err(result.error.map((problem) => ({ ...problem, path: `${here}.${problem.path}` })))];
      }),
    ),
  );
}

function featuresOf(rule: RouteRule, path: string): Result<readonly CompiledFeature[]> {
  const own = ruleFeatures.flatMap((feature) => feature.from(rule) ?? []);
  const ofFilters = (rule.filters ?? []).map((filter) => filterFeatures.map((feature) => feature.from(filter)));
  const all = collect([...own.map((one) => (one.ok ? ok([one.value]) : one)), inPlace(ofFilters, `${path}.filters`)]);
  return all.ok ? ok(all.value.flat()) : all;
}

type Place = RulePlace & { readonly path: string };

function backendOf(backend: BackendRef, place: Place, referents: Referents): Result<Backend> {
  const ofFilters = (backend.filters ?? []).map((filter) => backendFeatures.map((feature) => feature.from(filter)));
  const features = inPlace(ofFilters, `${place.path}.filters`);
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
  const matches = written.length === 0 ? [anyRequest] : written.map(matchOf);
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
      ...broken.map(said(`rule '${name}' answers 500 for its share`)),
      ...mirrors
        .flatMap((mirror) => (mirror.ok ? [] : [mirror.error]))
        .map(said(`the mirror of rule '${name}' is off, requests are served`)),
    ],
    weakened: [],
  };
}

/** A problem with its consequence. */
const said =
  (consequence: string) =>
  (problem: Problem): Problem => ({ ...problem, message: `${problem.message}; ${consequence}` });

/** How messages name a rule of any object. */
export const describeRule = (rule: Rule): string => `rule '${rule.name}' of ${describeRef(rule.origin.ref)}`;
