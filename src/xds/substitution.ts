// The rules of a port for some callers, and what stands in for those that must not be sent.

import { compareMatches } from '../model/match-order.js';
import type { Caller, HostRules, Match, PortModel, RouteEntry, Rule } from '../model/mesh.js';
import type { Part } from './resources.js';

/** Whether a part of a resource is a rule. */
export const isRule = (part: Part): part is Rule => 'backends' in part;

/** Which rule stands in for a rule: itself, its last good version, or nothing. */
export type Substitute = (rule: Rule) => Rule | undefined;

/**
 * Where an entry belongs that takes the place of the one at `from`. Entries come as one or two ordered lists, those for
 * the name and those for all names; an entry does not leave its list.
 */
function placeOf(match: Match, entries: readonly RouteEntry[], from: number): number {
  const isAfter = (left: Match, right: RouteEntry | undefined): boolean =>
    right !== undefined && compareMatches(left, right.match) > 0;
  const isBefore = (left: Match, right: RouteEntry | undefined): boolean =>
    right !== undefined && compareMatches(left, right.match) < 0;
  const isListEnd = (at: number): boolean => {
    const before = entries[at - 1];
    return before !== undefined && isAfter(before.match, entries[at]);
  };
  let at = from;
  while (!isListEnd(at) && isBefore(match, entries[at - 1])) at--;
  while (!isListEnd(at) && isAfter(match, entries[at])) at++;
  return at;
}

/** A last good rule comes with its own matches: those of its successor may be what was refused. */
function substituted(hosts: readonly HostRules[], substitute: Substitute): readonly HostRules[] {
  return hosts.map((host) => {
    const entries: RouteEntry[] = [];
    const standIns = new Map<Rule, number>();
    for (const entry of host.entries) {
      const rule = substitute(entry.rule);
      if (rule === entry.rule) entries.push(entry);
      else if (rule !== undefined && !standIns.has(rule)) standIns.set(rule, entries.length);
    }
    // From the last to the first, so that the noted places stay true.
    for (const [rule, from] of [...standIns].reverse()) {
      for (const match of rule.matches.toReversed()) entries.splice(placeOf(match, entries, from), 0, { match, rule });
    }
    return { ...host, entries };
  });
}

/** The rules of a port for callers of a namespace; not all of them need be for this class of callers. */
export function rulesFor(port: PortModel, caller: Caller, substitute: Substitute | undefined): readonly HostRules[] {
  const written = port.consumers.get(caller.namespace) ?? port.hosts;
  return substitute === undefined ? written : substituted(written, substitute);
}
