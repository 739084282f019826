// The rules of all routes at one port, pooled by host name and put in order. A name of its own comes before a
// wildcard, and that before routes for all names; inside these tiers the one precedence decides.

import { keyOf } from '../api/meta.js';
import type { HostRules, Rule } from '../model/mesh.js';
import { inOrder, matchKey, type RankedEntry } from './precedence.js';
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
  /** Rules that can match somewhere. */
  readonly live: ReadonlySet<Rule>;
}

const entriesOf = (route: CompiledRoute): readonly RankedEntry[] =>
  route.rules.flatMap(({ rule, matches, index }) =>
    matches.map((match) => ({ match, rule, created: route.created, object: keyOf(route.ref), index })),
  );

/** How close a route's names come to a name; higher is closer, undefined: not for it. */
function closeness(route: CompiledRoute, name: string): number | undefined {
  if (route.hostnames.length === 0) return 0;
  if (route.hostnames.includes(name)) return Number.POSITIVE_INFINITY;
  const wildcards = route.hostnames.filter((host) => host.startsWith('*.') && name.endsWith(host.slice(1)));
  return wildcards.length === 0 ? undefined : Math.max(...wildcards.map((host) => host.length));
}

/** Entries for one name, closest routes first. */
function tiersOf(routes: readonly CompiledRoute[], name: string): readonly (readonly RankedEntry[])[] {
  const tiers = new Map<number, CompiledRoute[]>();
  for (const route of routes) {
    const tier = closeness(route, name);
    if (tier !== undefined) tiers.set(tier, [...(tiers.get(tier) ?? []), route]);
  }
  return [...tiers]
    .sort(([left], [right]) => (left === right ? 0 : right - left))
    .map(([, own]) => inOrder(own.flatMap(entriesOf)));
}

interface Kept {
  readonly entries: readonly RankedEntry[];
  readonly overlaps: readonly Overlap[];
}

/** An entry with the match of a better one can never fire. Losing to a closer name is no conflict. */
function withoutDead(tiers: readonly (readonly RankedEntry[])[]): Kept {
  const winners = new Map<string, { readonly entry: RankedEntry; readonly tier: number }>();
  const overlaps: Overlap[] = [];
  const entries = tiers.flatMap((entriesOfTier, tier) =>
    entriesOfTier.filter((entry) => {
      const key = matchKey(entry.match);
      const winner = winners.get(key);
      if (winner === undefined) winners.set(key, { entry, tier });
      else if (winner.tier === tier && winner.entry.rule !== entry.rule) {
        overlaps.push({ loser: entry, winner: winner.entry });
      }
      return winner === undefined;
    }),
  );
  return { entries, overlaps };
}

/** Pools routes; the routes of one parent may be there twice. */
export function pool(all: readonly CompiledRoute[]): Pool {
  const routes = [...new Set(all)];
  const names = [...new Set(routes.flatMap((route) => route.hostnames))].sort();
  const kept = [...names, '*'].map((name) => ({ name, ...withoutDead(tiersOf(routes, name)) }));
  return {
    hosts: kept.map(({ name, entries }) => ({ hostnames: [name], entries })),
    overlaps: kept.flatMap(({ overlaps }) => overlaps),
    live: new Set(kept.flatMap(({ entries }) => entries.map(({ rule }) => rule))),
  };
}
