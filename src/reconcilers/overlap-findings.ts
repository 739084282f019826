// Which rules of a route lost to others, and which can never match. Knows no parent.

import { isForConnections } from '../kinds/connection-rules.js';
import { describeRule } from './rule.js';
import { servicesOf, type RouteContext } from './parent-findings.js';
import type { Overlap } from './pool.js';
import type { CompiledRoute } from './traffic-route.js';

/** What the route lost: the first rule of each pair of rules, in the order of its rules. */
export function overlapsOf(route: CompiledRoute, context: RouteContext): readonly Overlap[] {
  const own = new Set(route.rules.map(({ rule }) => rule.origin));
  const found = servicesOf(route, context).flatMap(({ overlaps }) =>
    overlaps.filter(({ loser }) => own.has(loser.rule.origin)),
  );
  const distinct = new Map(found.map((one) => [`${one.loser.rule.name} ${describeRule(one.winner.rule)}`, one]));
  return [...distinct.values()].sort((left, right) => left.loser.index - right.loser.index);
}

/** A rule that can match nowhere. */
export interface DeadRule {
  readonly name: string;
  /** It lost to others; else no rule above hands on a request that it could take. */
  readonly lost: boolean;
}

/** Rules that can match nowhere, of a route that is attached somewhere. */
export function deadRules(
  route: CompiledRoute,
  overlaps: readonly Overlap[],
  context: RouteContext,
): readonly DeadRule[] {
  const services = servicesOf(route, context);
  const losers = new Set(overlaps.map(({ loser }) => loser.rule.origin));
  const isBelow = services.length > 0 && context.delegation.descentOf(route).above.length > 0;
  return route.rules
    .filter(({ rule }) => !services.some(({ live }) => live.has(rule.origin)))
    .map(({ rule }) => ({ name: rule.name, lost: losers.has(rule.origin) }))
    .filter(({ lost }) => lost || isBelow);
}

/** As users write them. */
const pathTypes = { exact: 'Exact', prefix: 'PathPrefix', regex: 'RegularExpression' } as const;

/** An overlap in words. */
export function overlapMessage({ loser, winner }: Overlap, route: CompiledRoute): string {
  const { path } = loser.match;
  const older = winner.created < loser.created ? 'older, ' : '';
  const match = isForConnections(route)
    ? 'for the same connections'
    : `equal match ${pathTypes[path.kind]} '${path.value}'`;
  return `Rule '${loser.rule.name}' loses to ${describeRule(winner.rule)} (${older}${match}); it can never match there`;
}
