// Routes that attach to rules of other routes: who is admitted, how deep, and the trees that come of it. A refused
// attachment costs the route its effect there, and nothing else.

import { describeRef, keyOf, type ObjectKey } from '../api/meta.js';
import { memoised, memoisedByKey, memoisedList } from '../lib/memo.js';
import { err, type Problem, type Result } from '../lib/result.js';
import { checkAttachment, type Attached } from './delegation-check.js';
import { compareText } from './precedence.js';
import type { CompiledRule } from './rule.js';
import type { RouteParent } from './route-source.js';
import type { CompiledRoute } from './traffic-route.js';

/** A route with those below its rules. */
export interface RouteTree {
  readonly route: CompiledRoute;
  readonly below: readonly Branch[];
}

/** A route below a rule of another one. */
export interface Branch {
  /** Name of the rule. */
  readonly rule: string;
  readonly tree: RouteTree;
}

/** The routes that a route is below of; its identity changes when they do. */
export interface Descent {
  readonly route: CompiledRoute;
  readonly above: readonly Attached[];
}

/** How the routes of a mesh hang together. */
export interface Delegation {
  readonly treeOf: (route: CompiledRoute) => RouteTree;
  readonly descentOf: (route: CompiledRoute) => Descent;
  /** Why a route has no effect at one of its parents. */
  readonly refusalOf: (route: CompiledRoute, parent: RouteParent) => Problem | undefined;
}

/** Hand-overs between a Service and the rule that answers. */
const deepest = 2;

type Outcome = Result<Attached, Problem> & { readonly parent: RouteParent };
type Outcomes = ReadonlyMap<CompiledRoute, readonly Outcome[]>;

const admittedOf = (outcomes: Outcomes, route: CompiledRoute): readonly Attached[] =>
  (outcomes.get(route) ?? []).flatMap((one) => (one.ok ? [one.value] : []));

const withRefused = (
  outcomes: Outcomes,
  problemOf: (route: CompiledRoute, attached: Attached) => Problem | undefined,
): Outcomes =>
  new Map(
    [...outcomes].map(([route, some]): [CompiledRoute, readonly Outcome[]] => [
      route,
      some.map((one) => {
        const problem = one.ok ? problemOf(route, one.value) : undefined;
        return problem === undefined ? one : { ...err(problem), parent: one.parent };
      }),
    ]),
  );

/** Whether `wanted` is among the routes above `from`, or is it. */
function isAbove(outcomes: Outcomes, from: CompiledRoute, wanted: CompiledRoute): boolean {
  const seen = new Set<CompiledRoute>();
  const open = [from];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next === wanted) return true;
    if (seen.has(next)) continue;
    seen.add(next);
    open.push(...admittedOf(outcomes, next).map(({ to }) => to));
  }
  return false;
}

const refusal = ({ parent }: Attached, message: string): Problem => ({
  path: `spec.parentRefs[${String(parent.index)}]`,
  reason: 'NotAllowedByParent',
  message,
});

const withoutCycles = (outcomes: Outcomes): Outcomes =>
  withRefused(outcomes, (route, attached) =>
    isAbove(outcomes, attached.to, route)
      ? refusal(attached, `${describeRef(attached.to.ref)} is itself below ${describeRef(route.ref)}`)
      : undefined,
  );

/** Expects no cycles. The longest way counts. */
function withoutDeep(outcomes: Outcomes): Outcomes {
  const depths = new Map<CompiledRoute, number>();
  const depthOf = (route: CompiledRoute): number => {
    const known = depths.get(route);
    if (known !== undefined) return known;
    const above = admittedOf(outcomes, route).map(({ to }) => depthOf(to) + 1);
    const depth = Math.max(0, ...above.filter((one) => one <= deepest));
    depths.set(route, depth);
    return depth;
  };
  return withRefused(outcomes, (_route, attached) => {
    if (depthOf(attached.to) < deepest) return undefined;
    const { rule } = attached.rule;
    const fact = `Rule '${rule.name}' of ${describeRef(attached.to.ref)} is ${String(deepest)} rules below a Service already`;
    return refusal(attached, `${fact}; requests are handed on at most ${String(deepest)} times`);
  });
}

const isDelegated = (parent: RouteParent): boolean => parent.ref.kind === 'TrafficRoute';

function outcomesOf(routes: readonly CompiledRoute[], byKey: ReadonlyMap<ObjectKey, CompiledRoute>): Outcomes {
  const own = routes.filter((route) => route.parents.some(isDelegated));
  const checked = own.map((route): [CompiledRoute, readonly Outcome[]] => [
    route,
    route.parents.filter(isDelegated).map((parent) => ({ ...checkAttachment(route, parent, byKey), parent })),
  ]);
  return withoutDeep(withoutCycles(new Map(checked)));
}

const none: readonly never[] = [];

const branch = memoisedByKey((tree: RouteTree, rule: string): Branch => ({ rule, tree }));
const treeWith = memoisedList((route: CompiledRoute, below: readonly Branch[]): RouteTree => ({ route, below }));
const attachedAt = memoised((parent: RouteParent, to: CompiledRoute, rule: CompiledRule): Attached => ({
  parent,
  to,
  rule,
}));
const descentWith = memoisedList((route: CompiledRoute, above: readonly Attached[]): Descent => ({ route, above }));

type Below = ReadonlyMap<CompiledRoute, readonly { readonly route: CompiledRoute; readonly rule: string }[]>;

/** A route without a rule in force is below nothing. */
function belowOf(outcomes: Outcomes): Below {
  const pairs = [...outcomes.keys()]
    .filter((route) => route.rules.length > 0)
    .sort((left, right) => compareText(keyOf(left.ref), keyOf(right.ref)))
    .flatMap((route) => admittedOf(outcomes, route).map(({ to, rule }) => ({ to, route, rule: rule.rule.name })));
  return Map.groupBy(pairs, ({ to }) => to);
}

/** How routes hang together; what did not change keeps its identity. */
export const delegationOf = memoised((routes: readonly CompiledRoute[]): Delegation => {
  const ours = routes.filter((route) => route.ref.kind === 'TrafficRoute');
  const outcomes = outcomesOf(ours, new Map(ours.map((route) => [keyOf(route.ref), route])));
  const below = belowOf(outcomes);
  const branchesOf = (route: CompiledRoute): readonly Branch[] => {
    const here = below.get(route);
    return here === undefined ? none : [...new Set(here.map((one) => branch(treeOf(one.route), one.rule)))];
  };
  const treeOf = (route: CompiledRoute): RouteTree => treeWith(route, branchesOf(route));
  return {
    treeOf,
    descentOf: (route) =>
      descentWith(
        route,
        admittedOf(outcomes, route).map(({ parent, to, rule }) => attachedAt(parent, to, rule)),
      ),
    refusalOf: (route, parent) => {
      const outcome = outcomes.get(route)?.find((one) => one.parent === parent);
      return outcome?.ok === false ? outcome.error : undefined;
    },
  };
});
