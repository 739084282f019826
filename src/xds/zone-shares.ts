// How callers of one workload share the endpoints of a Service, so that each stays in its zone as far as every endpoint gets
// the same. It is what Envoy's zone aware balancer does, worked out here: an Envoy would have to know its zone, and its
// peers, when it starts.

import type { Spread } from '../model/spread.js';

/** By locality, as parts of the whole. */
type Parts = ReadonlyMap<string, number>;

function partsOf(counts: Spread): Parts {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return new Map([...counts].map(([name, count]) => [name, count / total]));
}

/**
 * The share of each locality in what callers at `here` ask. All of it is for the own one where it holds as large a part of
 * the endpoints as of the callers; else the rest goes where endpoints are more than callers, by how much they are.
 */
export function zoneShares(here: string, callers: Spread, endpoints: Spread): Parts {
  const [asking, room] = [partsOf(callers), partsOf(endpoints)];
  const [mine, own] = [asking.get(here) ?? 0, room.get(here) ?? 0];
  if (own > 0 && own >= mine) return new Map([[here, 1]]);
  const left = [...room]
    .map(([name, part]) => [name, part - (asking.get(name) ?? 0)] as const)
    .filter(([, part]) => part > 0);
  const all = left.reduce((sum, [, part]) => sum + part, 0);
  const stays = mine === 0 ? 0 : own / mine;
  const goes = left.map(([name, part]): [string, number] => [name, ((1 - stays) * part) / all]);
  return new Map([...goes, [here, stays] as const].filter(([, share]) => share > 0));
}
