// Pods that are called by names of their own: those behind a headless Service whose slices give them host names, as they
// do for StatefulSets.

import type { ObjectKey } from '../api/meta.js';
import type { EndpointSlice, Service, World } from '../kinds/world.js';
import { createInterner } from '../lib/intern.js';
import { memoised, memoisedList } from '../lib/memo.js';

/** Host names of one Service's pods. */
export interface InstanceList {
  readonly instances: readonly string[];
}

const internInstances = createInterner<InstanceList>(10_000);

/** Sorted; equal lists are one object. */
export const instancesOf = memoised((service: Service, slices: readonly EndpointSlice[]): InstanceList => {
  const named = service.headless ? slices.flatMap(({ endpoints }) => endpoints.map(({ hostname }) => hostname)) : [];
  const instances = [...new Set(named.filter((name) => name !== undefined))].sort();
  return internInstances(instances.join('\n'), () => ({ instances }));
});

/** A Service with its instances; one object for each pair. */
interface Named {
  readonly service: Service;
  readonly list: InstanceList;
}

const namedOf = memoised((service: Service, list: InstanceList): Named => ({ service, list }));

const everything = {};
const tableOf = memoisedList(
  (_: object, all: readonly Named[]): ReadonlyMap<Service, InstanceList> =>
    new Map(all.map(({ service, list }) => [service, list])),
);

const noSlices: readonly EndpointSlice[] = [];

/** Of all Services that have such pods; the same table while pods only come and go under known names. */
export const instancesIn = memoised(
  (
    services: World['services'],
    endpointSlices: ReadonlyMap<ObjectKey, readonly EndpointSlice[]>,
  ): ReadonlyMap<Service, InstanceList> => {
    const all = [...services].flatMap(([key, service]) => {
      if (!service.headless) return [];
      const list = instancesOf(service, endpointSlices.get(key) ?? noSlices);
      return list.instances.length === 0 ? [] : [namedOf(service, list)];
    });
    return tableOf(everything, all);
  },
);
