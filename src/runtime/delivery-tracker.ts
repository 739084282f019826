// Who acknowledged what. A proxy is one number, the newest revision that it holds whole; an object is the
// revision in which it first appeared. Nothing is kept per object and proxy.

import type { Clock } from '../lib/clock.js';
import type { Delivery } from '../model/delivery.js';
import { createReaches } from './reach.js';
import { createWaiting } from './waiting.js';

/** An object that is delivered. */
export interface Delivered {
  /** `TrafficRoute/shop/reviews`. */
  readonly id: string;
  /** Changes when what is delivered for the object changes. */
  readonly token: object;
  /** Namespace of the callers that it concerns; undefined: all. */
  readonly reach: string | undefined;
}

/** How far the delivery of an object is. */
export interface Progress {
  readonly total: number;
  readonly acknowledged: number;
  /** Every proxy in reach at push time acknowledged it, or left. Stays so for proxies that come later. */
  readonly latched: boolean;
  /** From publication to the last acknowledgement; undefined until then. */
  readonly tookMs: number | undefined;
  readonly waitedMs: number;
}

/** The bookkeeping of deliveries. */
export interface DeliveryTracker {
  onDelivery(delivery: Delivery): void;
  published(revision: number, objects: readonly Delivered[]): void;
  progressOf(id: string): Progress | undefined;
  proxies(): readonly { readonly proxy: string; readonly envoy: string; readonly revision: number }[];
  envoyOf(proxy: string): string | undefined;
}

interface ProxyState {
  readonly namespace: string;
  readonly envoy: string;
  revision: number;
}

interface Tracked {
  readonly token: object;
  readonly reach: string | undefined;
  readonly revision: number;
  readonly publishedAt: number;
  latchedAt: number | undefined;
}

/** A tracker; `onProgrammed` is told when an object is live everywhere. */
export function createDeliveryTracker(deps: {
  readonly clock: Clock;
  readonly onProgrammed: (id: string, progress: Progress) => void;
}): DeliveryTracker {
  const { clock } = deps;
  const reaches = createReaches();
  const proxies = new Map<string, ProxyState>();
  const objects = new Map<string, Tracked>();
  const waiting = createWaiting(reaches);
  let last: readonly Delivered[] | undefined;

  const progress = ({ reach, revision, latchedAt, publishedAt }: Tracked): Progress => ({
    total: reaches.total(reach),
    acknowledged: reaches.atLeast(reach, revision),
    latched: latchedAt !== undefined,
    tookMs: latchedAt === undefined ? undefined : latchedAt - publishedAt,
    waitedMs: clock.now() - publishedAt,
  });

  const latch = (id: string): void => {
    const tracked = objects.get(id);
    if (tracked === undefined) return;
    tracked.latchedAt = clock.now();
    deps.onProgrammed(id, progress(tracked));
  };

  const forget = (id: string): void => {
    objects.delete(id);
    waiting.remove(id);
  };

  const connect = ({ proxy, envoy }: Extract<Delivery, { kind: 'connected' }>): void => {
    const known = proxies.get(proxy);
    const state = { envoy, namespace: proxy.slice(0, proxy.indexOf('/')), revision: -1 };
    proxies.set(proxy, state);
    reaches.move(state.namespace, known?.revision, state.revision);
  };

  return {
    onDelivery: (delivery) => {
      if (delivery.kind === 'connected') {
        connect(delivery);
        return;
      }
      const known = proxies.get(delivery.proxy);
      if (known === undefined) return;
      const revision = delivery.kind === 'settled' ? delivery.revision : undefined;
      reaches.move(known.namespace, known.revision, revision);
      if (revision === undefined) proxies.delete(delivery.proxy);
      else known.revision = revision;
      for (const id of waiting.takeDone()) latch(id);
    },
    published: (revision, delivered) => {
      if (delivered === last) return;
      last = delivered;
      const alive = new Set(delivered.map((one) => one.id));
      for (const id of objects.keys()) if (!alive.has(id)) forget(id);
      for (const { id, token, reach } of delivered) {
        if (objects.get(id)?.token === token) continue;
        forget(id);
        const tracked = { token, reach, revision, publishedAt: clock.now(), latchedAt: undefined };
        objects.set(id, tracked);
        waiting.add(id, tracked);
      }
    },
    progressOf: (id) => {
      const tracked = objects.get(id);
      return tracked === undefined ? undefined : progress(tracked);
    },
    proxies: () => [...proxies].map(([proxy, { envoy, revision }]) => ({ proxy, envoy, revision })),
    envoyOf: (proxy) => proxies.get(proxy)?.envoy,
  };
}
