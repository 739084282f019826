// The rules of all routes at one port, pooled by host name and put in order. A name of its own comes before a
// wildcard, and that before routes for all names; inside these tiers the one precedence decides. Rules below a rule
// that hands its requests on stand in its place, in the order of what they say themselves.

import { keyOf } from '../api/meta.js';
import type { Origin } from '../model/delivery.js';
import type { HostRules } from '../model/mesh.js';
import type { RouteTree } from './delegation.js';
import { inheriting } from './inherit.js';
import { matchBelow } from './match-below.js';
import { inOrder, matchKey, type RankedEntry } from './precedence.js';
import type { CompiledRule } from './rule.js';
import type { CompiledRoute } from './traffic-route.js';

/** A rule that loses one of its matches to a rule of equal rank. */
export interface Overlap {
  readonly loser: RankedEntry;
  readonly winner: RankedEntry;
}

/** Rules by host name, with what was lost on the way. */
export interface Pool {
  readonly hosts: readonly HostRules[];
  readonly overlaps: readonly Overlap[];
  /** Origins of rules that can match somewhere. */
  readonly live: ReadonlySet<Origin>;
}

/** A match of a rule with the route that it is from. */
interface Candidate extends RankedEntry {
  readonly tree: RouteTree;
  readonly compiled: CompiledRule;
}

/** An entry where a proxy tries it. */
interface Placed {
  readonly entry: RankedEntry;
  /** Tier among the routes for the host name, then among the routes below each rule on the way. */
  readonly tiers: readonly number[];
  /** What handed the request on. */
  readonly above: readonly RankedEntry[];
}

const candidatesOf = (tree: RouteTree, upper: CompiledRule | undefined): readonly Candidate[] =>
  tree.route.rules.flatMap((own) => {
    const compiled = upper === undefined ? own : inheriting(own, upper);
    const { created, ref } = tree.route;
    const common = { rule: compiled.rule, created, object: keyOf(ref), index: own.index, tree, compiled };
    return own.matches.map((match) => ({ match, ...common }));
  });

/** How close a route's names come to a name; higher is closer, undefined: not for it. */
function closeness(route: CompiledRoute, name: string): number | undefined {
  if (route.hostnames.length === 0) return 0;
  if (route.hostnames.includes(name)) return Number.POSITIVE_INFINITY;
  const wildcards = route.hostnames.filter((host) => host.startsWith('*.') && name.endsWith(host.slice(1)));
  return wildcards.length === 0 ? undefined : Math.max(...wildcards.map((host) => host.length));
}

/** Candidates for one name, closest routes first. */
function tiersOf(trees: readonly RouteTree[], name: string, upper?: CompiledRule): readonly (readonly Candidate[])[] {
  const tiers = new Map<number, RouteTree[]>();
  for (const tree of trees) {
    const tier = closeness(tree.route, name);
    if (tier !== undefined) tiers.set(tier, [...(tiers.get(tier) ?? []), tree]);
  }
  return [...tiers]
    .sort(([left], [right]) => (left === right ? 0 : right - left))
    .map(([, own]) => inOrder(own.flatMap((tree) => candidatesOf(tree, upper))));
}

/** A rule that hands on is still tried after those below it: it answers what none of them takes. */
function placed(candidate: Candidate, name: string, tiers: readonly number[]): readonly Placed[] {
  const { compiled, tree } = candidate;
  const self: Placed = { entry: candidate, tiers, above: [] };
  if (compiled.delegate === undefined) return [self];
  const trees = tree.below.filter(({ rule }) => rule === compiled.rule.name).map((branch) => branch.tree);
  const below = tiersOf(trees, name, compiled).flatMap((candidates, tier) =>
    candidates.flatMap((lower) => {
      const match = matchBelow(candidate.match, lower.match);
      return match === undefined ? [] : placed({ ...lower, match }, name, [...tiers, tier]);
    }),
  );
  return [...below.map((one) => ({ ...one, above: [...one.above, candidate] })), self];
}

interface Kept {
  readonly entries: readonly RankedEntry[];
  readonly overlaps: readonly Overlap[];
  readonly live: readonly Origin[];
}

/** Losing to a closer name is no conflict, nor is losing to oneself or to what is below oneself. */
function isConflict(loser: Placed, winner: Placed): boolean {
  const depth = Math.min(loser.tiers.length, winner.tiers.length);
  const sameTier = loser.tiers.slice(0, depth).every((tier, at) => tier === winner.tiers[at]);
  return sameTier && loser.entry.rule.origin !== winner.entry.rule.origin && !winner.above.includes(loser.entry);
}

/** An entry with the match of a better one can never fire. */
function withoutDead(all: readonly Placed[]): Kept {
  const winners = new Map<string, Placed>();
  const overlaps: Overlap[] = [];
  const live: Origin[] = [];
  const entries = all.filter((one) => {
    const key = matchKey(one.entry.match);
    const winner = winners.get(key);
    if (winner === undefined) winners.set(key, one);
    else if (isConflict(one, winner)) overlaps.push({ loser: one.entry, winner: winner.entry });
    if (winner === undefined || winner.above.includes(one.entry)) live.push(one.entry.rule.origin);
    return winner === undefined;
  });
  return { entries: entries.map(({ entry }) => entry), overlaps, live };
}

const hostnamesIn = (trees: readonly RouteTree[]): readonly string[] =>
  trees.flatMap(({ route, below }) => [...route.hostnames, ...hostnamesIn(below.map(({ tree }) => tree))]);

/** Pools routes with all that is below their rules; the routes of one parent may be there twice. */
export function pool(all: readonly RouteTree[]): Pool {
  const trees = [...new Set(all)];
  const names = [...new Set(hostnamesIn(trees))].sort();
  const kept = [...names, '*'].map((name) => {
    const entries = tiersOf(trees, name).flatMap((candidates, tier) =>
      candidates.flatMap((candidate) => placed(candidate, name, [tier])),
    );
    return { name, ...withoutDead(entries) };
  });
  return {
    hosts: kept.map(({ name, entries }) => ({ hostnames: [name], entries })),
    overlaps: kept.flatMap(({ overlaps }) => overlaps),
    live: new Set(kept.flatMap(({ live }) => live)),
  };
}
