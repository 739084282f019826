// What the Envoys can do that ever connected. A view is made for each level, so a mesh of equal Envoys has one; the
// first Envoy of another level waits for a build.

import type { Capabilities } from '../features/feature.js';
import { capabilitiesOf } from '../xds/capabilities.js';
import type { Cache } from '../xds/cache.js';

/** The levels of the fleet. */
export interface Fleet {
  readonly levels: () => readonly Capabilities[];
  /** A cache that takes note of who asks, and has what is new built before it answers. */
  noting(cache: Cache, build: () => void): Cache;
}

/** A fleet that nobody joined yet. */
export function createFleet(): Fleet {
  const seen = new Set<Capabilities>();
  return {
    levels: () => [...seen],
    noting: (cache, build) => ({
      ...cache,
      lookup: (proxy, envoy, before) => {
        if (before !== undefined) return cache.lookup(proxy, envoy, before);
        const can = capabilitiesOf(envoy);
        if (!seen.has(can)) {
          seen.add(can);
          build();
        }
        return cache.lookup(proxy, envoy);
      },
    }),
  };
}
