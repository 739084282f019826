// Where callers and endpoints are, as far as it matters to some Service: labels of nodes and pods. There are as many
// places as combinations of those that count, not as many as pods; in a mesh in which none counts, one.

import type { LocalityPolicy } from '../features/locality.js';
import { wellKnownLabels } from '../api/meta.js';
import { createInterner } from '../lib/intern.js';

/** Which endpoints of a Service callers get first, or at all. */
export type Preference =
  /** Those alone that equal the caller in this. */
  { readonly kind: 'same'; readonly key: string } | LocalityPolicy;

/** Labels by key. Equal places are one object, see `placeOf`. */
export type Place = Readonly<Record<string, string>>;

/** Stands in a place for the name of the node; no label can be called so. */
export const nodeName = '.spec.nodeName';

/** Stands in a place for how the pods of the workload are spread, see `spread.ts`; no label can be called so. */
export const spreadOfWorkload = '.spread';

/** What of a place a preference looks at. */
export function keysOf(preference: Preference): readonly string[] {
  switch (preference.kind) {
    case 'same':
      return [preference.key];
    case 'failover':
      return preference.keys;
    case 'distribute':
      return [wellKnownLabels.region, wellKnownLabels.zone];
    case 'zoneAware':
      return [wellKnownLabels.region, wellKnownLabels.zone, spreadOfWorkload];
  }
}

/** Whether those who are far are asked only once those who are near fail. */
export const failsOver = (preference: Preference | undefined): boolean =>
  preference?.kind === 'failover' || preference?.kind === 'zoneAware';

const places = createInterner<Place>(100_000);

/** The part of a place that these keys make up, in the order of the keys. */
export function placeOf(valueOf: (key: string) => string | undefined, keys: readonly string[]): Place {
  const entries = [...keys].sort().flatMap((key): [string, string][] => {
    const value = valueOf(key);
    return value === undefined || value === '' ? [] : [[key, value]];
  });
  return places(JSON.stringify(entries), () => Object.fromEntries(entries));
}

/** Of a caller of whom nothing is known, or where nothing counts. */
export const nowhere: Place = placeOf(() => undefined, []);
