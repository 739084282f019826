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
  // Who called is decided for each caller, and is no part of the request.
  if (match.sources.length > 0) return undefined;
  const ofBackends = rule.backends.flatMap((backend) => (backend.kind === 'service' ? backend.features : []));
  const lookedAt = match.headers.map(({ name }) => name.toLowerCase());
  const request = [...rule.features, ...ofBackends].reduce<RequestOnTheWay | undefined>(
    (known, feature) => (known === undefined ? undefined : feature.onRequest(known)),
    { path: match.path, host: undefined, lookedAt },
  );
  if (request === undefined) return undefined;
  if (request.path !== match.path && match.within !== undefined && match.within.length > 0) return undefined;
  return { match: { ...match, path: request.path }, host: request.host };
}

interface Arriving extends RouteEntry {
  readonly hostnames: readonly string[];
  /** The list in whose order it still stands; undefined: a rewrite has moved it. */
  readonly list: HostRules | undefined;
}

function arriving(entry: RouteEntry, host: HostRules): readonly Arriving[] {
  const arrival = arrivalOf(entry);
  if (arrival === undefined) return [];
  const { match } = arrival;
  const isMoved = arrival.host !== undefined || match.path !== entry.match.path;
  const hostnames = arrival.host === undefined ? host.hostnames : [arrival.host];
  return [{ rule: entry.rule, match, hostnames, list: isMoved ? undefined : host }];
}

/**
 * The first of equal matches: a rewrite can make two rules look alike. Rules of one list keep their order, which is not
 * that of matches where routes stand below rules; others have the order of precedence.
 */
function inOrder(entries: readonly Arriving[]): readonly RouteEntry[] {
  const first = new Map<string, RouteEntry>();
  for (const { match, rule } of entries) {
    const key = matchKey(match);
    if (!first.has(key)) first.set(key, { match, rule });
  }
  const list = entries[0]?.list;
  if (list !== undefined && entries.every((one) => one.list === list)) return [...first.values()];
  return [...first.values()].sort((left, right) => compareMatches(left.match, right.match));
}

/** The rules of a port as the proxies behind it try them. */
export function onArrival(hosts: readonly HostRules[]): readonly HostRules[] {
  const byHost = new Map<string, Arriving[]>();
  for (const entry of hosts.flatMap((host) => host.entries.flatMap((one) => arriving(one, host)))) {
    const key = entry.hostnames.join();
    byHost.set(key, [...(byHost.get(key) ?? []), entry]);
  }
  return [...byHost.values()].map((entries) => ({
    hostnames: entries[0]?.hostnames ?? [],
    entries: inOrder(entries),
  }));
}
