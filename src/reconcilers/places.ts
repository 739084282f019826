// Where pods and endpoints are, from what slices, pods and nodes say; and which Services care.

import { wellKnownLabels, type ObjectKey } from '../api/meta.js';
import { localityOfDistribution } from '../features/locality.js';
import type { Service } from '../kinds/world.js';
import { createInterner } from '../lib/intern.js';
import { memoised, memoisedList } from '../lib/memo.js';
import type { MeshModel, ServiceModel, ServicePolicies } from '../model/mesh.js';
import { keysOf, nodeName, type Preference } from '../model/place.js';

type Labels = Readonly<Record<string, string>>;

/** What is known of where something is. */
export interface Whereabouts {
  readonly pod: Labels;
  readonly node: Labels;
  readonly nodeName: string | undefined;
  /** As a slice says it. */
  readonly zone?: string | undefined;
}

/** The closest one to speak is believed: the slice, the pod, its node. */
export function labelAt(where: Whereabouts, key: string): string | undefined {
  if (key === nodeName) return where.nodeName;
  const said = where.pod[key] ?? where.node[key];
  if (key === wellKnownLabels.zone) return where.zone ?? said;
  return key === wellKnownLabels.hostname ? (said ?? where.nodeName) : said;
}

/** Whom callers of a port get first: the Service may bind them to their node, then policies say, then the Service. */
export function preferenceOf(service: Service, { locality }: ServicePolicies): Preference | undefined {
  if (service.internalTrafficPolicy === 'Local') return { kind: 'same', key: nodeName };
  if (locality === 'none') return undefined;
  return locality ?? localityOfDistribution(service.trafficDistribution);
}

/** Preferences of the ports of a Service; equal lists are one object. */
export interface PreferenceList {
  readonly service: ObjectKey;
  readonly byPort: ReadonlyMap<number, Preference>;
}

const internList = createInterner<PreferenceList>(100_000);

const listOf = memoised(({ ref, ports }: ServiceModel): PreferenceList => {
  const service = `${ref.namespace}/${ref.name}`;
  const found = ports.flatMap(({ port, preference }) =>
    preference === undefined ? [] : [[port, preference] as const],
  );
  return internList(JSON.stringify([service, found]), () => ({ service, byPort: new Map(found) }));
});

/** By Service; those that prefer nobody are not there. */
export type PreferenceTable = ReadonlyMap<ObjectKey, PreferenceList>;

const everything = {};
const tableOf = memoisedList(
  (_: object, lists: readonly PreferenceList[]): PreferenceTable =>
    new Map(lists.filter(({ byPort }) => byPort.size > 0).map((list) => [list.service, list])),
);

/** What all Services prefer; the same table while nothing of it changes. */
export const preferencesIn = memoised((services: MeshModel['services']): PreferenceTable =>
  tableOf(everything, [...services.values()].map(listOf)),
);

/** What of the place of a caller counts, anywhere in the mesh. */
export interface Placing {
  readonly keys: readonly string[];
}

const internPlacing = createInterner<Placing>(1_000);

/** Equal answers are one object. */
export const placingOf = memoised((table: PreferenceTable): Placing => {
  const preferences = [...table.values()].flatMap(({ byPort }) => [...byPort.values()]);
  const keys = [...new Set(preferences.flatMap(keysOf))].sort();
  return internPlacing(keys.join(), () => ({ keys }));
});
