// Which endpoints a caller gets, in what order and in which shares: by locality, graded for where the caller is.

import { wellKnownLabels } from '../api/meta.js';
import type { LocalityPolicy } from '../features/locality.js';
import type { EndpointModel, EndpointSet } from '../model/mesh.js';
import type { Place } from '../model/place.js';

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

/** `north/a`; a region alone where no zone is known. */
const nameOf = (region = '', zone = ''): string => (zone === '' ? region : `${region}/${zone}`);

/** What is said for callers of a place: for their zone, else their region, else for all. */
function sharesAt(place: Place, shares: readonly Share[]): Share | undefined {
  const { [wellKnownLabels.region]: region, [wellKnownLabels.zone]: zone } = place;
  const names = [nameOf(region, zone), region ?? '', '*'];
  return names.map((name) => shares.find(({ from }) => from === name)).find((share) => share !== undefined);
}

/** Shares of localities are hundredths of a percent, so that a region can be divided among its zones. */
const fineness = 100;

/** A region shares what it gets by endpoints, in those of its zones that have no share of their own; the rest gets none. */
function distributed(endpoints: readonly EndpointModel[], { to }: Share): readonly Group[] {
  return Object.entries(to).flatMap(([name, percent]) => {
    if (Number(percent) === 0) return [];
    const named = endpoints.filter(({ region, zone }) => {
      const own = nameOf(region, zone);
      return name === own || (name === region && !Object.hasOwn(to, own));
    });
    return byLocality(named).map((group) => ({
      priority: 0,
      weight: Math.max(1, Math.round((Number(percent) * fineness * group.length) / named.length)),
      endpoints: group,
    }));
  });
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
    case 'distribute': {
      const share = sharesAt(place, preference.shares);
      const groups = share === undefined ? [] : distributed(endpoints, share);
      return groups.length === 0 ? alike(endpoints) : groups;
    }
  }
}
