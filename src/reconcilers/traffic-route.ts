// Routes of every kind to compiled rules with their parents.

import type { ObjectRef } from '../api/meta.js';
import type { ReferenceGrant } from '../kinds/reference-grant.js';
import type { Service, World } from '../kinds/world.js';
import { memoised, memoisedList } from '../lib/memo.js';
import { err, type Problem, type Result } from '../lib/result.js';
import type { RouteProtocol } from './protocol.js';
import type { Referents } from './references.js';
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

type Referent = Service | readonly ReferenceGrant[] | undefined;

const isGrants = (referent: Referent): referent is readonly ReferenceGrant[] => Array.isArray(referent);
const isService = (referent: Referent): referent is Service => referent !== undefined && 'kind' in referent;

/** Referents are the Services that the source names, in order, and then the grants. */
function lookupIn(source: RouteSource, referents: readonly Referent[]): Referents {
  const services = new Map(servicesNamed(source).map((key, index) => [key, referents[index]]));
  return {
    service: (key) => {
      const found = services.get(key);
      return isService(found) ? found : undefined;
    },
    grants: referents.filter(isGrants).flat(),
    wrong: new Map(source.rules.flatMap(({ wrongRefs }) => [...wrongRefs])),
  };
}

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

const compile = memoisedList((source: RouteSource, referents: readonly Referent[]): CompiledRoute => {
  const lookup = lookupIn(source, referents);
  const outcomes = source.rules.map((one) => ({ one, result: compileOne(one, source, lookup) }));
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

/** The grants of a World, as one list with an identity. */
const grantsOf = memoised((table: World['referenceGrants']): readonly ReferenceGrant[] => [...table.values()]);

/** Compiles a route against the Services that it names, and nothing else. */
export function compileRoute(route: AnyRoute, world: Pick<World, 'services' | 'referenceGrants'>): CompiledRoute {
  const source = sourceOf(route);
  const keys = servicesNamed(source);
  const foreign = keys.some((key) => !key.startsWith(`${source.ref.namespace}/`));
  const services = keys.map((key) => world.services.get(key));
  return compile(source, [...services, foreign ? grantsOf(world.referenceGrants) : undefined]);
}
