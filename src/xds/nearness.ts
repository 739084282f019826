// Which endpoints a caller gets, in what order and in which shares: by locality, graded for where the caller is.

import { wellKnownLabels } from '../api/meta.js';
import type { LocalityPolicy } from '../features/locality.js';
import type { EndpointModel, EndpointSet } from '../model/mesh.js';
import { spreadOfWorkload, type Place } from '../model/place.js';
import { nameOfLocality, readSpread, type Spread } from '../model/spread.js';
import { zoneShares } from './zone-shares.js';

/** Endpoints of one locality that count alike. */
export interface Group {
  /** 0 is asked first; no number below the highest is left out. */
  readonly priority: number;
  /** Against other groups of the same priority; at least 1. */
  readonly weight: number;
  readonly endpoints: readonly EndpointModel[];
}

type Share = Extract<LocalityPolicy, { kind: 'distribute' }>['shares'][number];

function groupedBy<Key extends string | number>(
  endpoints: readonly EndpointModel[],
  keyOf: (endpoint: EndpointModel) => Key,
): readonly (readonly [Key, readonly EndpointModel[]])[] {
  const groups = new Map<Key, EndpointModel[]>();
  for (const endpoint of endpoints) {
    const key = keyOf(endpoint);
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    group.push(endpoint);
  }
  return [...groups].sort(([left], [right]) => (left < right ? -1 : 1));
}

const byLocality = (endpoints: readonly EndpointModel[]) =>
  groupedBy(endpoints, ({ region, zone }) => `${region}\n${zone}`).map(([, group]) => group);

/** A locality weighs as many endpoints as it has: every endpoint gets an equal share. */
const alike = (endpoints: readonly EndpointModel[], priority = 0): readonly Group[] =>
  byLocality(endpoints).map((group) => ({ priority, weight: group.length, endpoints: group }));

const isSame = (endpoint: EndpointModel, place: Place, key: string): boolean =>
  place[key] !== undefined && endpoint.place?.[key] === place[key];

/** The place of the first key that is equal: the lower, the nearer. */
function gradeOf(endpoint: EndpointModel, place: Place, keys: readonly string[]): number {
  const first = keys.findIndex((key) => isSame(endpoint, place, key));
  return first < 0 ? keys.length : first;
}

const nearestFirst = (endpoints: readonly EndpointModel[], place: Place, keys: readonly string[]): readonly Group[] =>
  groupedBy(endpoints, (one) => gradeOf(one, place, keys)).flatMap(([, group], priority) => alike(group, priority));

/** The locality of callers at a place. */
const localityAt = ({ [wellKnownLabels.region]: region, [wellKnownLabels.zone]: zone }: Place): string =>
  nameOfLocality(region, zone);

/** What is said for callers of a place: for their zone, else their region, else for all. */
function sharesAt(place: Place, shares: readonly Share[]): Share | undefined {
  const names = [localityAt(place), place[wellKnownLabels.region] ?? '', '*'];
  return names.map((name) => shares.find(({ from }) => from === name)).find((share) => share !== undefined);
}

/** Shares of localities are hundredths of a percent, so that a region can be divided among its zones. */
const fineness = 100;

/** A region shares what it gets by endpoints, in those of its zones that have no share of their own; the rest gets none. */
function distributed(endpoints: readonly EndpointModel[], { to }: Share): readonly Group[] {
  return Object.entries(to).flatMap(([name, percent]) => {
    if (Number(percent) === 0) return [];
    const named = endpoints.filter(({ region, zone }) => {
      const own = nameOfLocality(region, zone);
      return name === own || (name === region && !Object.hasOwn(to, own));
    });
    return byLocality(named).map((group) => ({
      priority: 0,
      weight: Math.max(1, Math.round((Number(percent) * fineness * group.length) / named.length)),
      endpoints: group,
    }));
  });
}

const localityOf = ({ region, zone }: EndpointModel): string => nameOfLocality(region, zone);

/** What takes no new requests is no room for any. */
const roomIn = (endpoints: readonly EndpointModel[]): Spread =>
  new Map(
    groupedBy(
      endpoints.filter(({ draining }) => !draining),
      localityOf,
    ).map(([name, { length }]) => [name, length]),
  );

/** The own zone as far as it has room, the rest where there is room; who has no share is asked when these fail. */
function zonesFirst(endpoints: readonly EndpointModel[], place: Place): readonly Group[] {
  const shares = zoneShares(localityAt(place), readSpread(place[spreadOfWorkload]), roomIn(endpoints));
  const first = byLocality(endpoints).flatMap((group) => {
    const share = shares.get(group[0] === undefined ? '' : localityOf(group[0])) ?? 0;
    return share === 0
      ? []
      : [{ priority: 0, weight: Math.max(1, Math.round(share * 100 * fineness)), endpoints: group }];
  });
  const others = endpoints.filter((one) => !shares.has(localityOf(one)));
  const later = nearestFirst(others, place, [wellKnownLabels.region]);
  return [...first, ...later.map((group) => ({ ...group, priority: group.priority + Math.min(1, first.length) }))];
}

/** The endpoints of a set for callers at a place. Where nobody is left that they should get, they get all. */
export function groupsFor({ endpoints, preference }: EndpointSet, place: Place): readonly Group[] {
  switch (preference?.kind) {
    case undefined:
      return alike(endpoints);
    case 'same':
      return alike(endpoints.filter((one) => isSame(one, place, preference.key)));
    case 'failover':
      return nearestFirst(endpoints, place, preference.keys);
    case 'zoneAware':
      return zonesFirst(endpoints, place);
    case 'distribute': {
      const share = sharesAt(place, preference.shares);
      const groups = share === undefined ? [] : distributed(endpoints, share);
      return groups.length === 0 ? alike(endpoints) : groups;
    }
  }
}
