// One rule of a route: matches, features and backends, compiled for the model. A rule that cannot be
// compiled is absent as a whole; a backend that does not resolve costs its share.

import type { ObjectRef } from '../api/meta.js';
import { describeRef, keyOf } from '../api/meta.js';
import type { CompiledFeature } from '../features/feature.js';
import { directResponse } from '../features/direct-response.js';
import { backendFeatures, filterFeatures, ruleFeatures, silentRule } from '../features/index.js';
import { isForConnections } from '../kinds/connection-rules.js';
import type { BackendRef, RouteRule } from '../kinds/route-rule.js';
import { collect, err, ok, type Problem, type Result } from '../lib/result.js';
import type { HostBackend } from '../model/egress.js';
import type { Backend, Match, Rule, Target } from '../model/mesh.js';
import { liveWeights, type LiveWeights } from './live-weights.js';
import { anyOf, matchOf } from './match.js';
import type { RouteProtocol } from './protocol.js';
import { resolveHost, resolveReference, type Referents } from './references.js';

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
  /** Features that the author asked for; those of `rule` include what is inherited, and defaults. */
  readonly written: readonly CompiledFeature[];
  /** Who decides the weights of the backends; absent: the spec. */
  readonly weightsFrom?: string | undefined;
  /** Namespaces whose routes may attach to the rule, or `*`; absent: it hands nothing on. */
  readonly delegate?: readonly string[] | undefined;
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

function writtenFeatures(rule: RouteRule, path: string): Result<readonly CompiledFeature[]> {
  const faults = (rule.filters ?? []).flatMap((filter) => filter.fault ?? []);
  const holder = { ...rule, fault: faults.length === 0 ? undefined : faults };
  const written = ruleFeatures.flatMap((feature) =>
    holder[feature.key] === undefined ? [] : (feature.from(holder) ?? []),
  );
  const ofFilters = (rule.filters ?? []).map((filter) => filterFeatures.map((feature) => feature.from(filter)));
  const all = collect([
    ...written.map((one) => (one.ok ? ok([one.value]) : one)),
    inPlace(ofFilters, `${path}.filters`),
  ]);
  return all.ok ? ok(all.value.flat()) : all;
}

/** What answers a request that no rule below takes. */
const noRuleBelow = [directResponse.from({ directResponse: { statusCode: 404 } })].flatMap((one) =>
  one?.ok === true ? [one.value] : [],
);

/** Features in force: what was written, and defaults for the rest. */
export function featuresInForce(written: readonly CompiledFeature[], delegates: boolean): readonly CompiledFeature[] {
  const keys = new Set(written.map(({ key }) => key));
  return [...written, ...(delegates ? noRuleBelow : []), ...silentRule.filter(({ key }) => !keys.has(key))];
}

type Place = RulePlace & { readonly path: string };

/** What has no pods has no subsets. */
function subsetProblem(backend: BackendRef, place: Place, referents: Referents): Problem | undefined {
  const { kind, name, namespace = place.ref.namespace } = backend;
  const service = kind === 'Service' ? referents.service(keyOf({ namespace, name })) : undefined;
  if (subsetOf(backend) === undefined || (kind === 'Service' && service?.type !== 'ExternalName')) return undefined;
  const message = `\`${place.path}.subset\` may not be used with ${kind} '${name}', which has no pods`;
  return { path: `${place.path}.subset`, reason: 'Invalid', message };
}

/** Where a backend leads, or why nowhere. */
function destinationOf(
  backend: BackendRef,
  features: readonly CompiledFeature[],
  { place, referents }: { readonly place: Place; readonly referents: Referents },
): Backend {
  const { name, port, fallback } = backend;
  const weight = fallback ? 0 : backend.weight;
  const invalid = (problem: Problem): Backend => ({ kind: 'invalid', weight, fallback, problem });
  const misplaced = subsetProblem(backend, place, referents);
  if (misplaced !== undefined) return invalid(misplaced);
  if (backend.kind === 'Host') {
    const host = hostOf(backend, place, referents);
    return host.ok ? { kind: 'host', host: host.value, weight, fallback, features } : invalid(host.error);
  }
  const namespace = backend.namespace ?? place.ref.namespace;
  const target = resolveReference(place.ref, { namespace, name, port, path: place.path }, referents);
  if (!target.ok) return invalid(target.error);
  return {
    kind: 'service',
    target: { ...target.value, subset: subsetOf(backend) },
    ...{ weight, fallback, features },
    policies: referents.policiesOf(target.value),
  };
}

function backendOf(backend: BackendRef, place: Place, referents: Referents): Result<Backend> {
  const ofFilters = (backend.filters ?? []).map((filter) => backendFeatures.map((feature) => feature.from(filter)));
  const features = inPlace(ofFilters, `${place.path}.filters`);
  if (!features.ok) return features;
  if (backend.fallback && (backend.filters ?? []).length > 0) {
    const path = `${place.path}.filters`;
    const message = `\`${path}\` must not be set on a fallback; filters of the rule hold for it, too`;
    return err([{ path, reason: 'UnsupportedValue', message }]);
  }
  return ok(destinationOf(backend, features.value, { place, referents }));
}

/** A host is always used from the namespace of the route. */
function hostOf(
  { name, port }: { readonly name: string; readonly port?: number },
  { ref, path, protocol }: Place,
  referents: Referents,
): Result<HostBackend, Problem> {
  if (isForConnections({ protocol })) {
    const message = `\`${path}.kind\` may not be 'Host' in a route with protocol '${protocol}'; list the host in \`egress.hosts\``;
    return err({ path, reason: 'UnsupportedValue', message });
  }
  return resolveHost({ host: name, namespace: ref.namespace, port, path }, referents);
}

/** No labels select every pod: that is no subset. */
const subsetOf = ({ subset }: BackendRef): Target['subset'] =>
  subset === undefined || Object.keys(subset).length === 0 ? undefined : subset;

type Mirror = { readonly kind: 'service'; readonly to: Target } | { readonly kind: 'host'; readonly to: HostBackend };

const mirrorTo = <T, Kind extends string>(kind: Kind, to: Result<T, Problem>) =>
  to.ok ? ok({ kind, to: to.value }) : to;

function mirrorsOf(rule: RouteRule, place: RulePlace, referents: Referents): readonly Result<Mirror, Problem>[] {
  return (rule.filters ?? []).flatMap((filter, index): readonly Result<Mirror, Problem>[] => {
    const ref = filter.requestMirror?.backendRef;
    if (ref === undefined) return [];
    const path = `spec.rules[${String(place.index)}].filters[${String(index)}].requestMirror.backendRef`;
    if (ref.kind === 'Host') return [mirrorTo('host', hostOf(ref, { ...place, path }, referents))];
    const reference = { namespace: ref.namespace ?? place.ref.namespace, name: ref.name, port: ref.port, path };
    return [mirrorTo('service', resolveReference(place.ref, reference, referents))];
  });
}

/** The prefix that a rule below matched is another than the one that was meant here. */
const delegateProblems = (rule: RouteRule, path: string): readonly Problem[] =>
  (rule.filters ?? []).flatMap((filter, index) => {
    if (rule.delegate === undefined || filter.urlRewrite?.path?.type !== 'ReplacePrefixMatch') return [];
    const field = `${path}.filters[${String(index)}].urlRewrite.path.replacePrefixMatch`;
    const message = `\`${field}\` may not be used beside \`delegate\`; write the rewrite into the routes that attach to this rule`;
    return [{ path: field, reason: 'Invalid', message }];
  });

/** Members of an aggregate share one host name: a host outside of the cluster expects its own. */
function fallbackProblems({ backendRefs = [] }: RouteRule, path: string): readonly Problem[] {
  if (!backendRefs.some(({ kind }) => kind === 'Host')) return [];
  return backendRefs.flatMap(({ fallback }, index) => {
    if (!fallback) return [];
    const field = `${path}.backendRefs[${String(index)}].fallback`;
    const message = `\`${field}\` may not be used in a rule with a backend of kind 'Host'; use \`weight\``;
    return [{ path: field, reason: 'UnsupportedValue', message }];
  });
}

/** Compiles a rule that holds nothing that is not compiled; its problems cost the rule, and only the rule. */
export function compileRule(rule: RouteRule, place: RulePlace, referents: Referents): Result<CompiledRule> {
  const path = `spec.rules[${String(place.index)}]`;
  const refused = [...delegateProblems(rule, path), ...fallbackProblems(rule, path)];
  if (refused.length > 0) return err(refused);
  const written = writtenFeatures(rule, path);
  const backends = collect(
    (rule.backendRefs ?? []).map((backend, index) => {
      const result = backendOf(backend, { ...place, path: `${path}.backendRefs[${String(index)}]` }, referents);
      return result.ok ? ok([result.value]) : result;
    }),
  );
  if (!written.ok) return written;
  if (!backends.ok) return backends;
  return ok(
    assemble(rule, place, {
      written: written.value,
      weights: liveWeights({ rule, path, ref: place.ref }, backends.value.flat(), referents.deliveryOf),
      mirrors: mirrorsOf(rule, place, referents),
    }),
  );
}

interface Parts {
  readonly written: readonly CompiledFeature[];
  readonly weights: LiveWeights;
  readonly mirrors: readonly Result<Mirror, Problem>[];
}

function assemble(rule: RouteRule, place: RulePlace, { written, weights, mirrors }: Parts): CompiledRule {
  const name = nameOf(rule, place.index);
  const some = rule.matches ?? [];
  const matches = some.length === 0 ? [anyOf(place.protocol)] : some.map((one) => matchOf(one, place.protocol));
  const { backends } = weights;
  const broken = backends.filter((backend) => backend.kind === 'invalid');
  const weighted = backends.filter(({ weight }) => weight > 0);
  const loss = lossOf(place.protocol, 500);
  const scattered = weighted.length > 1 && written.some(({ keepsEndpoint }) => keepsEndpoint);
  return {
    index: place.index,
    matches,
    rule: {
      origin: { ref: place.ref, generation: place.generation, part: name },
      name,
      matches,
      backends,
      references: mirrors.flatMap((one) => (one.ok && one.value.kind === 'service' ? [one.value.to] : [])),
      hosts: mirrors.flatMap((one) => (one.ok && one.value.kind === 'host' ? [one.value.to] : [])),
      features: featuresInForce(written, rule.delegate !== undefined),
    },
    written,
    weightsFrom: weights.from,
    delegate: rule.delegate?.namespaces,
    unresolved: [
      ...(weights.problem === undefined ? [] : [weights.problem]),
      ...broken.map(({ problem, fallback }) =>
        said(fallback ? `rule '${name}' has no such fallback` : `rule '${name}' ${loss} for its share`)(problem),
      ),
      ...mirrors
        .flatMap((mirror) => (mirror.ok ? [] : [mirror.error]))
        .map(said(`the mirror of rule '${name}' is off, requests are served`)),
    ],
    weakened: scattered ? [scatteredSession(name, place)] : [],
  };
}

/** A backend is drawn for each request, before its endpoint. */
const scatteredSession = (name: string, { index }: RulePlace): Problem => ({
  path: `spec.rules[${String(index)}].sessionPersistence`,
  reason: 'FallbackActive',
  message: `Sessions of rule '${name}' hold inside of a backend only: its weights are drawn for each request`,
});

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
