// The pipeline, wired: sources feed the store; each World is reconciled, translated and published; deliveries
// come back as status and quarantine. Together with `app.ts` the composition root.

import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import { messageOf } from '../lib/result.js';
import type { Delivery } from '../model/delivery.js';
import { reconcile, type Reconciled } from '../reconcilers/index.js';
import type { ObjectSource, Store } from '../sources/store.js';
import { createStore } from '../sources/store.js';
import { createCache, type Cache } from '../xds/cache.js';
import type { Refusal } from '../xds/connection.js';
import { buildPublication } from '../xds/publication.js';
import { startServer, type Server } from '../xds/server.js';
import type { RunConfig } from './config.js';
import { createDeliveryTracker, type DeliveryTracker } from './delivery-tracker.js';
import { createMetrics, type Metrics } from './metrics.js';
import { createQuarantineKeeper, rejectionOf } from './quarantines.js';
import { createRebuild } from './rebuild.js';
import { createStatusBoard, deliveredOf, type StatusBoard } from './status-board.js';

/** What the pipeline needs. */
export interface PipelineDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly sources: readonly ObjectSource[];
}

/** A running pipeline, before anything listens. */
export interface Pipeline {
  readonly store: Store;
  readonly cache: Cache;
  readonly tracker: DeliveryTracker;
  readonly status: StatusBoard;
  readonly metrics: Metrics;
  /** What the newest World means; undefined before the first build. */
  reconciled(): Reconciled | undefined;
  /** Resolves once every source is synced and the first build is published. */
  readonly ready: Promise<void>;
  serveXds(address: string): Promise<Server>;
}

/** Wires everything and starts reading. Ends when `signal` aborts. */
export function startPipeline(config: Pick<RunConfig, 'capture'>, deps: PipelineDeps, signal: AbortSignal): Pipeline {
  const { clock, log } = deps;
  const store = createStore();
  const cache = createCache();
  const metrics = createMetrics();
  const quarantine = createQuarantineKeeper();
  const tracker = createDeliveryTracker({
    clock,
    onProgrammed: (object, progress) => {
      log.info('programmed', { object, proxies: progress.total, tookMs: progress.tookMs });
      status.touch();
    },
  });
  const status = createStatusBoard({ clock, tracker });
  let reconciled: Reconciled | undefined;
  let revision = 0;
  let resolveReady: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => {
    resolveReady = resolve;
  });

  const build = (): void => {
    const world = store.world();
    const start = performance.now();
    const next = reconcile({ ...world, revision: ++revision }, { capture: config.capture });
    quarantine.prune(() => new Set(next.routes.flatMap((route) => route.rules.map((rule) => rule.rule))));
    const { publication, guilty } = buildPublication(next.model, quarantine.current());
    tracker.published(revision, deliveredOf(next.routes));
    quarantine.published(publication);
    reconciled = next;
    status.update(world, next, [
      ...guilty.flatMap((guilt) => rejectionOf(guilt, '', false)),
      ...quarantine.rejections(),
    ]);
    cache.publish(publication);
    const tookMs = performance.now() - start;
    metrics.built(tookMs);
    log.debug('published', { revision, world: world.revision, tookMs: Math.round(tookMs) });
    resolveReady();
  };

  const safeBuild = (): void => {
    try {
      build();
    } catch (error) {
      // The last good publication stays; nothing is taken from any proxy.
      metrics.buildFailed();
      log.error('build failed', {
        revision,
        error: messageOf(error),
        stack: error instanceof Error ? error.stack : undefined,
      });
    }
  };

  const rebuild = createRebuild({ clock, build: safeBuild });
  store.subscribe(() => {
    if (store.synced()) rebuild.request();
  });
  signal.addEventListener('abort', rebuild.stop, { once: true });

  const onDelivery = (delivery: Delivery): void => {
    metrics.delivered(delivery.kind);
    const envoy = delivery.kind === 'settled' ? tracker.envoyOf(delivery.proxy) : undefined;
    if (delivery.kind === 'settled' && envoy !== undefined) {
      const { proxy, revision: held } = delivery;
      const { changed, trying } = quarantine.settled({ proxy, envoy, revision: held });
      if (changed) rebuild.request();
      // What is withheld until the culprit is found is not live.
      if (trying) return;
    }
    tracker.onDelivery(delivery);
  };

  const onRefused = (refusal: Refusal): void => {
    metrics.refused();
    if (quarantine.refused(refusal)) rebuild.request();
  };

  for (const source of deps.sources) {
    store.attach(source, signal).catch((error: unknown) => {
      log.error('source ended', { error: messageOf(error) });
    });
  }

  return {
    store,
    cache,
    tracker,
    status,
    metrics,
    reconciled: () => reconciled,
    ready,
    serveXds: (address) =>
      startServer(
        {
          cache,
          clock,
          log: log.child({ room: 'xds' }),
          onDelivery,
          onRefused,
          yieldToLoop: (next) => {
            setImmediate(next);
          },
        },
        address,
      ),
  };
}
