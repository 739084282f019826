// The pipeline, wired: sources feed the store; each World is reconciled, translated and published; deliveries
// come back as status and quarantine. Together with `app.ts` the composition root.

import { gatesOf } from '../kinds/gates.js';
import { soon, type Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import { messageOf } from '../lib/result.js';
import type { Delivery } from '../model/delivery.js';
import type { Reconciled } from '../reconcilers/index.js';
import { createStore, type ObjectSource, type Store } from '../sources/store.js';
import { createCache, type Cache } from '../xds/cache.js';
import { startServer, type Server, type ServerDeps } from '../xds/server.js';
import { createBuilder } from './builder.js';
import type { RunConfig } from './config.js';
import { createDeliveryTracker, type DeliveryTracker } from './delivery-tracker.js';
import { createFleet } from './fleet.js';
import { createMetrics, type Metrics } from './metrics.js';
import { createQuarantineKeeper, type QuarantineKeeper } from './quarantines.js';
import { createRebuild, type Rebuild } from './rebuild.js';
import { createStatusBoard, type StatusBoard } from './status-board.js';

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
  readonly reconciled: () => Reconciled | undefined;
  /** Resolves once every source is synced and the first build is published. */
  readonly ready: Promise<void>;
  serveXds(address: string): Promise<Server>;
}

/** A promise with its handle. */
function createGate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** What of a configuration the pipeline heeds. */
type PipelineConfig = Pick<RunConfig, 'capture' | 'xdsTransport'> & Partial<Pick<RunConfig, 'enableExtensions'>>;

/** Wires everything and starts reading. Ends when `signal` aborts. */
export function startPipeline(config: PipelineConfig, deps: PipelineDeps, signal: AbortSignal): Pipeline {
  const { clock, log } = deps;
  const { capture, xdsTransport: transport } = config;
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
  const gate = createGate();
  const fleet = createFleet();
  const outputs = { cache, tracker, quarantine, status, metrics };
  const builder = createBuilder({
    ...{ store, ...outputs, log },
    capture,
    gates: gatesOf({ extensions: config.enableExtensions === true }),
    fleet: fleet.levels,
  });
  const rebuild = createRebuild({
    clock,
    build: () => {
      if (builder.build()) gate.open();
    },
  });
  store.subscribe(() => {
    if (store.synced()) rebuild.request();
  });
  signal.addEventListener('abort', rebuild.stop, { once: true });
  for (const source of deps.sources) {
    store.attach(source, signal).catch((error: unknown) => {
      log.error('source ended', { error: messageOf(error) });
    });
  }
  const listen = listenTo({ tracker, quarantine, metrics, rebuild });
  const served = fleet.noting(cache, () => {
    if (store.synced()) builder.build();
  });
  const toServer = { ...listen, cache: served, clock, log: log.child({ room: 'xds' }), yieldToLoop: soon, transport };
  return {
    store,
    cache,
    tracker,
    status,
    metrics,
    reconciled: builder.reconciled,
    ready: gate.opened,
    serveXds: (address) => startServer(toServer, address),
  };
}

interface Listening {
  readonly tracker: DeliveryTracker;
  readonly quarantine: QuarantineKeeper;
  readonly metrics: Metrics;
  readonly rebuild: Rebuild;
}

/** What the server is to do with what it hears. */
function listenTo({ tracker, quarantine, metrics, rebuild }: Listening): Pick<ServerDeps, 'onDelivery' | 'onRefused'> {
  /** False while what the proxy settled on is not what is to be: something is withheld until the culprit is found. */
  const isFinal = ({ proxy, revision }: Extract<Delivery, { kind: 'settled' }>): boolean => {
    const envoy = tracker.envoyOf(proxy);
    if (envoy === undefined) return true;
    const { changed, trying } = quarantine.settled({ proxy, envoy, revision });
    if (changed) rebuild.request();
    return !trying;
  };
  return {
    onDelivery: (delivery) => {
      metrics.delivered(delivery.kind);
      if (delivery.kind !== 'settled' || isFinal(delivery)) tracker.onDelivery(delivery);
    },
    onRefused: (refusal) => {
      metrics.refused();
      if (quarantine.refused(refusal)) rebuild.request();
    },
  };
}
