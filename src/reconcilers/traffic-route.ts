// Routes of every kind to compiled rules with their parents.

import { keyOf, type ObjectRef } from '../api/meta.js';
import type { ReferenceGrant } from '../kinds/reference-grant.js';
import type { Service, World } from '../kinds/world.js';
import { listInterner, memoised, memoisedList } from '../lib/memo.js';
import { err, type Problem, type Result } from '../lib/result.js';
import type { PolicyIndex } from './policies.js';
import { holdsOnArrival, ruleDefaultsOf, servicePoliciesOf } from './policies-in-force.js';
import type { PolicyAttachment } from './policy.js';
import type { RouteProtocol } from './protocol.js';
import type { Referents } from './references.js';
import { holdRule, unknowable } from './held-rules.js';
import {
  servicesNamed,
  sourceOf,
  type AnyRoute,
  type RouteParent,
  type RouteSource,
  type SourceRule,
} from './route-source.js';
import { compileRule, nameOf, type CompiledRule } from './rule.js';

/** A route with everything that can be said of it alone. */
export interface CompiledRoute {
  readonly ref: ObjectRef;
  readonly generation: number;
  readonly created: string;
  readonly protocol: RouteProtocol;
  /** Names that the route applies to; empty: all. */
  readonly hostnames: readonly string[];
  readonly parents: readonly RouteParent[];
  readonly rules: readonly CompiledRule[];
  /** Why the whole route is not in force. */
  readonly refused: readonly Problem[];
  /** Rules that are absent, and why. */
  readonly dropped: readonly RuleProblem[];
  /** Rules that answer a failure to all that they match, and why. */
  readonly failing: readonly RuleProblem[];
}

/** A rule that is not in force as written. */
export interface RuleProblem {
  readonly name: string;
  readonly problem: Problem;
}

type Lists = readonly (readonly PolicyAttachment[])[];

/** Policies on each of the rules, and on each port of the Services that they name. */
interface Policies {
  readonly kind: 'Policies';
  readonly ofRules: Lists;
  readonly ofServices: readonly Lists[];
}

type Referent = Service | ReferenceGrant | Policies | undefined;

/** Referents are the Services that the source names, those that there are, the grants of their namespaces, and policies. */
function lookupIn(source: RouteSource, referents: readonly Referent[]): Referents {
  const services = referents.flatMap((one) => (one?.kind === 'Service' ? [one] : []));
  const byKey = new Map(services.map((service) => [keyOf(service.meta), service]));
  const { ofServices } = policiesIn(referents);
  return {
    service: (key) => byKey.get(key),
    grants: referents.flatMap((one) => (one?.kind === 'ReferenceGrant' ? [one] : [])),
    policiesOf: (target) => {
      const place = servicesNamed(source).indexOf(keyOf(target));
      const port = byKey.get(keyOf(target))?.ports.findIndex((one) => one.port === target.port) ?? -1;
      return servicePoliciesOf(ofServices[place]?.[port] ?? noPolicies).inForce;
    },
    wrong: new Map(source.rules.flatMap(({ wrongRefs }) => [...wrongRefs])),
  };
}

const policiesIn = (referents: readonly Referent[]): Pick<Policies, 'ofRules' | 'ofServices'> =>
  referents.find((one) => one?.kind === 'Policies') ?? { ofRules: [], ofServices: [] };

/** A rule with its problems, or compiled. */
function compileOne(
  { rule, index, problems }: SourceRule,
  source: RouteSource,
  referents: Referents,
): Result<CompiledRule> {
  if (problems.length > 0) return err(problems);
  const { ref, generation, protocol } = source;
  return compileRule(rule, { ref, generation, index, protocol }, referents);
}

/** A rule with what policies on it say where it says nothing. */
function withDefaults(compiled: CompiledRule, policies: readonly PolicyAttachment[]): CompiledRule {
  const defaults = ruleDefaultsOf(policies);
  return defaults === undefined ? compiled : { ...compiled, rule: { ...compiled.rule, defaults } };
}

/** The same, and whether one of them holds where requests of the rule arrive. */
function withPolicies(plain: CompiledRule, policies: readonly PolicyAttachment[], source: RouteSource): CompiledRule {
  const compiled = withDefaults(plain, policies);
  if (!holdsOnArrival(policies)) return compiled;
  const outOfReach = unknowable(compiled, source);
  return outOfReach === undefined
    ? { ...compiled, rule: { ...compiled.rule, heldByPolicy: true } }
    : { ...compiled, outOfReach };
}

const compile = memoisedList((source: RouteSource, referents: readonly Referent[]): CompiledRoute => {
  const lookup = lookupIn(source, referents);
  const { ofRules } = policiesIn(referents);
  const outcomes = source.rules.map((one, index) => {
    const result = compileOne(one, source, lookup);
    return {
      one,
      result: result.ok ? holdRule(withPolicies(result.value, ofRules[index] ?? noPolicies, source), source) : result,
    };
  });
  const dropped = outcomes.flatMap(({ one, result }) =>
    result.ok ? [] : result.error.slice(0, 1).map((problem) => ({ name: nameOf(one.rule, one.index), problem })),
  );
  const { ref, generation, created, protocol, hostnames, parents, refused } = source;
  return {
    ref,
    generation,
    created,
    protocol,
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

const noPolicies: readonly PolicyAttachment[] = [];
const internLists = listInterner<Lists[number]>();
const internServices = listInterner<Lists>();
const policiesFor = memoised((ofRules: Lists, ofServices: readonly Lists[]): Policies => ({
  kind: 'Policies',
  ofRules,
  ofServices,
}));

/** The grants of a World by their namespace. */
const grantsOf = memoised((table: World['referenceGrants']): ReadonlyMap<string, readonly ReferenceGrant[]> =>
  Map.groupBy(table.values(), (grant) => grant.meta.namespace),
);

/** Compiles a route against the Services that it names and what their namespaces grant, and nothing else. */
export function compileRoute(
  route: AnyRoute,
  world: Pick<World, 'services' | 'referenceGrants'> & { readonly policies: PolicyIndex },
): CompiledRoute {
  const source = sourceOf(route);
  const keys = servicesNamed(source);
  const named = new Set(keys.map((key) => key.slice(0, key.indexOf('/'))));
  const foreign = [...named].filter((namespace) => namespace !== source.ref.namespace);
  const grants = foreign.flatMap((namespace) => grantsOf(world.referenceGrants).get(namespace) ?? []);
  const services = keys.map((key) => world.services.get(key));
  const policies = policiesFor(
    internLists(source.rules.map(({ rule, index }) => world.policies.onRoute(source.ref, nameOf(rule, index)))),
    internServices(
      keys.map((key, index) =>
        internLists((services[index]?.ports ?? []).map((port) => world.policies.reachingService(key, port.name))),
      ),
    ),
  );
  return compile(source, [...services, ...grants, policies]);
}
