// A rule as the proxy that receives its requests can know it again: by the request as it arrives, after what the
// caller's proxy did to it, and never by a mark that a caller could set itself.

import type { RequestOnTheWay } from '../features/feature.js';
import { compareMatches } from '../model/match-order.js';
import type { HostRules, Match, RouteEntry, Rule } from '../model/mesh.js';
import { matchKey } from './precedence.js';

/** How requests of one match of a rule look when they arrive. */
export interface Arrival {
  readonly match: Match;
  /** The host that they name; undefined: as the caller wrote it. */
  readonly host: string | undefined;
}

/** Whether something of a rule is done by the proxy that receives its requests. */
export const isHeldAtDestination = ({ features, fallsBack, heldByPolicy }: Rule): boolean =>
  heldByPolicy === true ||
  features.some(({ heldAt }) => heldAt === 'destination' || (heldAt === 'either' && fallsBack !== true));

/** Undefined: who receives such a request cannot tell that it was one. */
export function arrivalOf({ match, rule }: RouteEntry): Arrival | undefined {
  const ofBackends = rule.backends.flatMap((backend) => (backend.kind === 'service' ? backend.features : []));
  const lookedAt = match.headers.map(({ name }) => name.toLowerCase());
  const request = [...rule.features, ...ofBackends].reduce<RequestOnTheWay | undefined>(
    (known, feature) => (known === undefined ? undefined : feature.onRequest(known)),
    { path: match.path, host: undefined, lookedAt },
  );
  return request === undefined ? undefined : { match: { ...match, path: request.path }, host: request.host };
}

interface Arriving extends RouteEntry {
  readonly hostnames: readonly string[];
}

function arriving(entry: RouteEntry, hostnames: readonly string[]): readonly Arriving[] {
  const arrival = arrivalOf(entry);
  if (arrival === undefined) return [];
  return [
    { rule: entry.rule, match: arrival.match, hostnames: arrival.host === undefined ? hostnames : [arrival.host] },
  ];
}

/** The first of equal matches, in the order of precedence: a rewrite can make two rules look alike. */
function inOrder(entries: readonly RouteEntry[]): readonly RouteEntry[] {
  const first = new Map<string, RouteEntry>();
  for (const { match, rule } of entries) {
    const key = matchKey(match);
    if (!first.has(key)) first.set(key, { match, rule });
  }
  return [...first.values()].sort((left, right) => compareMatches(left.match, right.match));
}

/** The rules of a port as the proxies behind it try them. */
export function onArrival(hosts: readonly HostRules[]): readonly HostRules[] {
  const byHost = new Map<string, Arriving[]>();
  for (const entry of hosts.flatMap(({ hostnames, entries }) => entries.flatMap((one) => arriving(one, hostnames)))) {
    const key = entry.hostnames.join();
    byHost.set(key, [...(byHost.get(key) ?? []), entry]);
  }
  return [...byHost.values()].map((entries) => ({
    hostnames: entries[0]?.hostnames ?? [],
    entries: inOrder(entries),
  }));
}
