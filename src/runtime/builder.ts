// One build: the newest World is reconciled, translated and published, and everybody is told. A build that
// throws leaves the last good one in force.

import type { Capabilities } from '../features/feature.js';
import type { Gates } from '../kinds/gates.js';
import type { Logger } from '../lib/logger.js';
import { messageOf } from '../lib/result.js';
import { partsIn } from '../model/mesh.js';
import { reconcile, type Reconciled } from '../reconcilers/index.js';
import type { Store } from '../sources/store.js';
import type { Cache } from '../xds/cache.js';
import { buildPublication } from '../xds/publication.js';
import type { RunConfig } from './config.js';
import type { DeliveryTracker } from './delivery-tracker.js';
import type { Metrics } from './metrics.js';
import { rejectionOf, type QuarantineKeeper } from './quarantines.js';
import { deliveredOf, type StatusBoard } from './status-board.js';

export interface BuilderDeps {
  readonly store: Store;
  readonly cache: Cache;
  readonly tracker: DeliveryTracker;
  readonly quarantine: QuarantineKeeper;
  readonly status: StatusBoard;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly capture: RunConfig['capture'];
  readonly gates: Gates;
  /** What the Envoys can do that ever connected. */
  readonly fleet: () => readonly Capabilities[];
}

/** Builds on demand. */
export interface Builder {
  /** False when the build failed. */
  build(): boolean;
  /** What the newest World means; undefined before the first build. */
  readonly reconciled: () => Reconciled | undefined;
}

/** A builder that has built nothing yet. */
export function createBuilder(deps: BuilderDeps): Builder {
  const { store, cache, tracker, quarantine, status, metrics, log } = deps;
  let reconciled: Reconciled | undefined;
  let revision = 0;

  const publish = (): void => {
    const world = store.world();
    const start = performance.now();
    const next = reconcile({ ...world, revision: ++revision }, { capture: deps.capture, gates: deps.gates });
    quarantine.prune(() => partsIn(next.model));
    const { publication, guilty } = buildPublication(next.model, quarantine.current(), deps.fleet());
    tracker.published(revision, deliveredOf(next.routes, { delegation: next.delegation, policies: next.policies }));
    quarantine.published(publication);
    reconciled = next;
    const heldBack = guilty.flatMap((guilt) => rejectionOf(guilt, '', false));
    status.update(world, next, [...heldBack, ...quarantine.rejections()]);
    cache.publish(publication);
    const tookMs = performance.now() - start;
    metrics.built(tookMs);
    log.debug('published', { revision, world: world.revision, tookMs: Math.round(tookMs) });
  };

  return {
    build: () => {
      try {
        publish();
        return true;
      } catch (error) {
        // Nothing is taken from any proxy.
        metrics.buildFailed();
        const stack = error instanceof Error ? error.stack : undefined;
        log.error('build failed', { revision, error: messageOf(error), stack });
        return false;
      }
    },
    reconciled: () => reconciled,
  };
}
