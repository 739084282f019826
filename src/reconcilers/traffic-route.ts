// TrafficRoutes and HTTPRoutes to compiled rules with their parents. Both come through here, as one shape.

import { keyOf, refOf, type ObjectKey, type ObjectRef } from '../api/meta.js';
import type { HTTPRoute, ReferenceGrant } from '../kinds/gateway.js';
import type { RouteRule } from '../kinds/route-rule.js';
import { trafficRouteProblems, type TrafficRoute } from '../kinds/traffic-route.js';
import { unsupportedInRule, unsupportedOutsideRules } from '../kinds/unsupported.js';
import type { Service, World } from '../kinds/world.js';
import { listInterner, memoised, memoisedList } from '../lib/memo.js';
import { err, type Problem, type Result } from '../lib/result.js';
import type { PolicyIndex } from './policies.js';
import { holdsOnArrival, ruleDefaultsOf } from './policies-in-force.js';
import type { PolicyAttachment } from './policy.js';
import type { Referents } from './references.js';
import { holdRule, unknowable } from './held-rules.js';
import { compileRule, nameOf, type CompiledRule } from './rule.js';

/** A parent that a route asks for. */
export interface RouteParent {
  readonly index: number;
  readonly ref: ObjectRef;
  readonly port: number | undefined;
  readonly sectionName: string | undefined;
}

/** A route with everything that can be said of it alone. */
export interface CompiledRoute {
  readonly ref: ObjectRef;
  readonly generation: number;
  readonly created: string;
  /** Names that the route applies to; empty: all. */
  readonly hostnames: readonly string[];
  readonly parents: readonly RouteParent[];
  readonly rules: readonly CompiledRule[];
  /** Why the whole route is not in force. */
  readonly refused: readonly Problem[];
  /** Rules that are absent, and why. */
  readonly dropped: readonly RuleProblem[];
  /** Rules that answer 500 to all that they match, and why. */
  readonly failing: readonly RuleProblem[];
}

/** A rule that is not in force as written. */
export interface RuleProblem {
  readonly name: string;
  readonly problem: Problem;
}

interface SourceRule {
  readonly index: number;
  readonly rule: RouteRule;
  /** With any of these the rule is absent. */
  readonly problems: readonly Problem[];
  /** With this it answers 500. */
  readonly failure?: Problem | undefined;
}

/** The two kinds in one shape. */
interface Source {
  readonly ref: ObjectRef;
  readonly generation: number;
  readonly created: string;
  readonly hostnames: readonly string[];
  readonly parents: readonly RouteParent[];
  readonly refused: readonly Problem[];
  readonly rules: readonly SourceRule[];
  readonly absent: readonly Problem[];
}

const parentOf = (
  parent: { readonly name: string; readonly namespace?: string; readonly port?: number; readonly sectionName?: string },
  index: number,
  namespace: string,
): RouteParent => ({
  index,
  ref: { kind: 'Service', namespace: parent.namespace ?? namespace, name: parent.name },
  port: parent.port,
  sectionName: parent.sectionName,
});

function headOf(object: TrafficRoute | HTTPRoute): Pick<Source, 'ref' | 'generation' | 'created'> {
  return { ref: refOf(object), generation: object.meta.generation, created: object.meta.creationTimestamp ?? '' };
}

const fromTrafficRoute = (route: TrafficRoute): Source => {
  const { spec, meta } = route;
  return {
    ...headOf(route),
    hostnames: spec.hostnames ?? [],
    parents: spec.parentRefs.flatMap((parent, index) =>
      parent.kind === 'Service' ? [parentOf(parent, index, meta.namespace)] : [],
    ),
    refused: unsupportedOutsideRules(spec),
    rules: spec.rules.map((rule, index) => ({ index, rule, problems: unsupportedInRule(rule, index) })),
    absent: [],
  };
};

/** What is checked of a TrafficRoute beyond its schema holds for the rules of an HTTPRoute, too. */
function ruleProblems(rule: RouteRule, index: number): readonly Problem[] {
  const own = (text: string): string => text.replaceAll('spec.rules[0]', `spec.rules[${String(index)}]`);
  return trafficRouteProblems({ parentRefs: [], protocol: 'HTTP', distribution: 'Learned', rules: [rule] }).map(
    (problem) => ({ ...problem, path: own(problem.path), message: own(problem.message) }),
  );
}

/** Hostnames of an HTTPRoute are ignored for Service parents, as Gateway API says for meshes. */
const fromHttpRoute = (route: HTTPRoute): Source => {
  const { spec, meta } = route;
  return {
    ...headOf(route),
    hostnames: [],
    parents: spec.parentRefs.flatMap((parent, index) => (parent.ours ? [parentOf(parent, index, meta.namespace)] : [])),
    refused: [],
    rules: spec.rules.map((rule) => ({
      index: rule.index,
      rule,
      problems: [...unsupportedInRule(rule, rule.index), ...ruleProblems(rule, rule.index)],
      failure: rule.problem,
    })),
    absent: spec.absent,
  };
};

const sourceOf = memoised((route: TrafficRoute | HTTPRoute): Source =>
  route.kind === 'TrafficRoute' ? fromTrafficRoute(route) : fromHttpRoute(route),
);

/** Keys of the Services that a route's rules name. */
const servicesNamed = memoised((source: Source): readonly ObjectKey[] => {
  const own = source.ref.namespace;
  const refs = source.rules.flatMap(({ rule }) => [
    ...(rule.backendRefs ?? []),
    ...(rule.filters ?? []).flatMap((filter) => filter.requestMirror?.backendRef ?? []),
  ]);
  return [...new Set(refs.map((ref) => keyOf({ namespace: ref.namespace ?? own, name: ref.name })))];
});

/** Policies on one of the rules, in the order of the rules. */
interface RulePolicies {
  readonly ofRules: readonly (readonly PolicyAttachment[])[];
}

type Referent = Service | readonly ReferenceGrant[] | RulePolicies | undefined;

const isGrants = (referent: Referent): referent is readonly ReferenceGrant[] => Array.isArray(referent);
const isService = (referent: Referent): referent is Service => referent !== undefined && 'kind' in referent;
const isPolicies = (referent: Referent): referent is RulePolicies => referent !== undefined && 'ofRules' in referent;

/** Referents are the Services that the source names, in order, then the grants and the policies. */
function lookupIn(source: Source, referents: readonly Referent[]): Referents {
  const services = new Map(servicesNamed(source).map((key, index) => [key, referents[index]]));
  return {
    service: (key) => {
      const found = services.get(key);
      return isService(found) ? found : undefined;
    },
    grants: referents.filter(isGrants).flat(),
  };
}

/** A rule with its problems, or compiled. */
function compileOne({ rule, index, problems }: SourceRule, source: Source, referents: Referents): Result<CompiledRule> {
  if (problems.length > 0) return err(problems);
  return compileRule(rule, { ref: source.ref, generation: source.generation, index }, referents);
}

/** A rule with what policies on it say where it says nothing. */
function withDefaults(compiled: CompiledRule, policies: readonly PolicyAttachment[]): CompiledRule {
  const defaults = ruleDefaultsOf(policies);
  return defaults === undefined ? compiled : { ...compiled, rule: { ...compiled.rule, defaults } };
}

/** The same, and whether one of them holds where requests of the rule arrive. */
function withPolicies(plain: CompiledRule, policies: readonly PolicyAttachment[], source: Source): CompiledRule {
  const compiled = withDefaults(plain, policies);
  if (!holdsOnArrival(policies)) return compiled;
  const outOfReach = unknowable(compiled.rule, source);
  return outOfReach === undefined
    ? { ...compiled, rule: { ...compiled.rule, heldByPolicy: true } }
    : { ...compiled, outOfReach };
}

const compile = memoisedList((source: Source, referents: readonly Referent[]): CompiledRoute => {
  const lookup = lookupIn(source, referents);
  const policies = referents.find(isPolicies)?.ofRules ?? [];
  const outcomes = source.rules.map((one, index) => {
    const result = compileOne(one, source, lookup);
    return {
      one,
      result: result.ok ? holdRule(withPolicies(result.value, policies[index] ?? [], source), source) : result,
    };
  });
  const dropped = outcomes.flatMap(({ one, result }) =>
    result.ok ? [] : result.error.slice(0, 1).map((problem) => ({ name: nameOf(one.rule, one.index), problem })),
  );
  const { ref, generation, created, hostnames, parents, refused } = source;
  return {
    ref,
    generation,
    created,
    hostnames,
    parents,
    rules: refused.length > 0 ? [] : outcomes.flatMap(({ result }) => (result.ok ? [result.value] : [])),
    refused,
    dropped: [...dropped, ...source.absent.map((problem) => ({ name: problem.path, problem }))],
    failing: source.rules.flatMap(({ rule, index, failure }) =>
      failure === undefined ? [] : [{ name: nameOf(rule, index), problem: failure }],
    ),
  };
});

const internRules = listInterner<readonly PolicyAttachment[]>();
const rulePolicies = memoised((ofRules: RulePolicies['ofRules']): RulePolicies => ({ ofRules }));

/** The grants of a World, as one list with an identity. */
const grantsOf = memoised((table: World['referenceGrants']): readonly ReferenceGrant[] => [...table.values()]);

/** Compiles a route against the Services that it names, and nothing else. */
export function compileRoute(
  route: TrafficRoute | HTTPRoute,
  world: Pick<World, 'services' | 'referenceGrants'> & { readonly policies: PolicyIndex },
): CompiledRoute {
  const source = sourceOf(route);
  const keys = servicesNamed(source);
  const foreign = keys.some((key) => !key.startsWith(`${source.ref.namespace}/`));
  const services = keys.map((key) => world.services.get(key));
  const ofRules = internRules(
    source.rules.map(({ rule, index }) => world.policies.onRoute(source.ref, nameOf(rule, index))),
  );
  return compile(source, [...services, foreign ? grantsOf(world.referenceGrants) : undefined, rulePolicies(ofRules)]);
}
