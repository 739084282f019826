// What is said of a route: where it is attached, which of its rules are in force, what they refer to. One
// finding for each condition, and one for each parent. Messages start with the fact and name what is allowed.

import type { Reason } from '../api/conditions.js';
import { describeRef } from '../api/meta.js';
import type { Finding } from '../model/finding.js';
import { arrivalOf, isHeldAtDestination } from './arrival.js';
import { holdsRules } from './arrivals.js';
import { describeDisplacement } from './contest.js';
import { judge, more, reasonOf, refusal, type Judgement } from './judgement.js';
import { deadRules, overlapMessage, overlapsOf, type DeadRule } from './overlap-findings.js';
import { lostInPart, parentFinding, servicesOf, type RouteContext } from './parent-findings.js';
import type { Overlap } from './pool.js';
import { redirectFindings } from './redirect-findings.js';
import { describeRule, lossOf } from './rule.js';
import { subsetFindings } from './subset-findings.js';
import type { CompiledRoute, RuleProblem } from './traffic-route.js';

const list = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(', ');
const plural = (word: string, count: number): string => (count === 1 ? word : `${word}s`);

function conflictFindings(
  route: CompiledRoute,
  overlaps: readonly Overlap[],
  context: RouteContext,
): readonly Judgement[] {
  const [first] = overlaps;
  const lost = route.parents.flatMap((parent) => lostInPart(route, parent, context));
  const [displaced] = lost;
  const common = { condition: 'Conflicted', status: 'True' } as const;
  if (first !== undefined) {
    const message = `${overlapMessage(first, route)}${more(overlaps.length)}`;
    return [{ ...common, reason: 'RuleOverlap', message, path: `spec.rules[${String(first.loser.index)}]` }];
  }
  if (displaced === undefined) return [];
  return [{ ...common, reason: displaced.reason, message: `${describeDisplacement(displaced)}${more(lost.length)}` }];
}

const reasonOfDead = (dead: readonly DeadRule[]): Reason =>
  dead.some(({ lost }) => lost) ? 'RuleOverlap' : 'NotAllowedByParent';

function deadSentences(dead: readonly DeadRule[]): readonly string[] {
  const said = (lost: boolean, why: string): readonly string[] => {
    const names = dead.filter((one) => one.lost === lost).map(({ name }) => name);
    return names.length === 0 ? [] : [`${plural('Rule', names.length)} ${list(names)} can never match${why}`];
  };
  return [...said(true, ''), ...said(false, ': the rule above hands on no such request')];
}

function partFindings(route: CompiledRoute, dead: readonly DeadRule[]): readonly Judgement[] {
  const { failing } = route;
  const said = (what: string, problems: readonly RuleProblem[]): readonly string[] =>
    problems.slice(0, 1).map(({ problem }) => {
      const names = problems.map(({ name }) => name);
      return `${plural('Rule', names.length)} ${list(names)} ${what}: ${problem.message}`;
    });
  const sentences = [
    ...said('left out', route.dropped),
    ...said(lossOf(route.protocol, 500), failing),
    ...deadSentences(dead),
  ];
  if (sentences.length === 0) return [];
  const problem = [...route.dropped, ...failing][0]?.problem;
  return [
    {
      condition: 'PartiallyInvalid',
      status: 'True',
      reason: problem === undefined ? reasonOfDead(dead) : reasonOf(problem.reason, 'Invalid'),
      message: sentences.join('; '),
      ...(problem === undefined ? {} : { path: problem.path }),
    },
  ];
}

function resolvedFinding(route: CompiledRoute): Judgement {
  const unresolved = route.rules.flatMap((rule) => rule.unresolved);
  const [first] = unresolved;
  if (first === undefined) {
    return { condition: 'ResolvedRefs', status: 'True', reason: 'ResolvedRefs', message: 'All references resolve' };
  }
  const { path, reason, message } = first;
  return {
    condition: 'ResolvedRefs',
    status: 'False',
    reason: reasonOf(reason, 'BackendNotFound'),
    message: `${message}${more(unresolved.length)}`,
    path,
  };
}

/** Rules that proxies would have to know again, to tell their requests from those of rules that hold where they arrive. */
function unknownOnArrival(route: CompiledRoute, context: RouteContext): readonly string[] {
  const holds = servicesOf(route, context).some(({ model }) => holdsRules(model));
  if (!holds) return [];
  return route.rules
    .filter(({ rule }) => !isHeldAtDestination(rule) && rule.backends.length > 0)
    .filter(({ rule }) => rule.matches.some((match) => arrivalOf({ match, rule }) === undefined))
    .map(
      ({ rule }) => `Requests of rule '${rule.name}' cannot be told where they arrive; other rules may hold for them`,
    );
}

function weakenedFindings(route: CompiledRoute, context: RouteContext): readonly Judgement[] {
  const messages = [
    ...route.rules.flatMap(({ weakened }) => weakened.map(({ message }) => message)),
    ...unknownOnArrival(route, context),
  ];
  const [first] = messages;
  if (first === undefined) return [];
  const message = `${first}${more(messages.length)}`;
  return [{ condition: 'Degraded', status: 'True', reason: 'FallbackActive', message }];
}

/** Why nothing of the route is in force, or undefined where something is. */
function whollyRefused(route: CompiledRoute): Judgement | undefined {
  const [refused] = route.refused;
  if (refused !== undefined) return { ...refusal(refused), message: `${refused.message}${more(route.refused.length)}` };
  const { failing } = route;
  if (failing.length < route.rules.length) return undefined;
  const problems = [...route.dropped, ...failing].map(({ problem }) => problem);
  const [first] = problems;
  return first === undefined ? undefined : { ...refusal(first), message: `${first.message}${more(problems.length)}` };
}

/** Why no rule of the route can match, or undefined where one can. */
function whollyDead(
  route: CompiledRoute,
  found: { readonly dead: readonly DeadRule[]; readonly overlaps: readonly Overlap[] },
  context: RouteContext,
): Judgement | undefined {
  const { dead, overlaps } = found;
  if (dead.length === 0 || dead.length < route.rules.length) return undefined;
  const common = { condition: 'Accepted', status: 'False' } as const;
  const [overlap] = overlaps;
  if (overlap !== undefined && dead.every(({ lost }) => lost)) {
    const message = `All rules duplicate rules of ${describeRef(overlap.winner.rule.origin.ref)}`;
    return { ...common, reason: 'Conflicted', message };
  }
  const [above] = context.delegation.descentOf(route).above;
  if (above === undefined) return undefined;
  const message = `No rule of this route can match a request that ${describeRule(above.rule.rule)} hands on`;
  return { ...common, reason: 'NotAllowedByParent', message };
}

/** Everything that is to be said of a route. */
export function routeFindings(route: CompiledRoute, context: RouteContext): readonly Finding[] {
  const refused = whollyRefused(route);
  if (refused !== undefined) return [judge(route, refused)];
  const overlaps = overlapsOf(route, context);
  const dead = deadRules(route, overlaps, context);
  const allDead = whollyDead(route, { dead, overlaps }, context);
  const judgements = [
    ...(allDead === undefined ? route.parents.map((parent) => parentFinding(route, parent, context)) : [allDead]),
    ...partFindings(route, allDead === undefined ? dead : []),
    ...conflictFindings(route, overlaps, context),
    resolvedFinding(route),
    ...subsetFindings(route, context),
    ...weakenedFindings(route, context),
    ...redirectFindings(route, context),
  ];
  return judgements.map((one) => judge(route, one));
}
