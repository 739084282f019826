// Who acknowledged what. A proxy is one number, the newest revision that it holds whole; an object is the
// revision in which it first appeared. Nothing is kept per object and proxy.

import type { Clock } from '../lib/clock.js';
import type { Delivery } from '../model/delivery.js';

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

/** How many proxies hold which revision. */
interface Reach {
  readonly counts: Map<number, number>;
}

const add = (reach: Reach, revision: number, by: number): void => {
  const count = (reach.counts.get(revision) ?? 0) + by;
  if (count === 0) reach.counts.delete(revision);
  else reach.counts.set(revision, count);
};

const totalOf = (reach: Reach | undefined): number =>
  [...(reach?.counts.values() ?? [])].reduce((sum, count) => sum + count, 0);

const atLeast = (reach: Reach | undefined, revision: number): number => {
  let sum = 0;
  for (const [held, count] of reach?.counts ?? []) if (held >= revision) sum += count;
  return sum;
};

/** A tracker; `onProgrammed` is told when an object is live everywhere. */
export function createDeliveryTracker(deps: {
  readonly clock: Clock;
  readonly onProgrammed: (id: string, progress: Progress) => void;
}): DeliveryTracker {
  const { clock } = deps;
  const proxies = new Map<string, ProxyState>();
  const reaches = new Map<string | undefined, Reach>([[undefined, { counts: new Map() }]]);
  const objects = new Map<string, Tracked>();
  const pending = new Set<string>();

  const reachesOf = (namespace: string): readonly Reach[] => {
    let own = reaches.get(namespace);
    if (own === undefined) reaches.set(namespace, (own = { counts: new Map() }));
    const all = reaches.get(undefined);
    return all === undefined ? [own] : [own, all];
  };

  const move = (state: ProxyState, to: number | undefined, from: number | undefined): void => {
    for (const reach of reachesOf(state.namespace)) {
      if (from !== undefined) add(reach, from, -1);
      if (to !== undefined) add(reach, to, 1);
    }
  };

  const progress = (tracked: Tracked): Progress => {
    const reach = reaches.get(tracked.reach);
    const { latchedAt } = tracked;
    return {
      total: totalOf(reach),
      acknowledged: atLeast(reach, tracked.revision),
      latched: latchedAt !== undefined,
      tookMs: latchedAt === undefined ? undefined : latchedAt - tracked.publishedAt,
      waitedMs: clock.now() - tracked.publishedAt,
    };
  };

  /** Objects that wait are few: only they are looked at when a proxy moves. */
  const settlePending = (): void => {
    for (const id of pending) {
      const tracked = objects.get(id);
      if (tracked === undefined) pending.delete(id);
      else if (isDone(tracked)) {
        pending.delete(id);
        tracked.latchedAt = clock.now();
        deps.onProgrammed(id, progress(tracked));
      }
    }
  };

  const isDone = (tracked: Tracked): boolean => {
    const reach = reaches.get(tracked.reach);
    for (const held of reach?.counts.keys() ?? []) if (held < tracked.revision) return false;
    return totalOf(reach) > 0;
  };

  const onDelivery = (delivery: Delivery): void => {
    const known = proxies.get(delivery.proxy);
    switch (delivery.kind) {
      case 'connected': {
        if (known !== undefined) move(known, undefined, known.revision);
        const state = {
          namespace: delivery.proxy.slice(0, delivery.proxy.indexOf('/')),
          envoy: delivery.envoy,
          revision: -1,
        };
        proxies.set(delivery.proxy, state);
        move(state, -1, undefined);
        return;
      }
      case 'settled':
        if (known === undefined) return;
        move(known, delivery.revision, known.revision);
        known.revision = delivery.revision;
        break;
      case 'disconnected':
        if (known === undefined) return;
        proxies.delete(delivery.proxy);
        move(known, undefined, known.revision);
    }
    if (pending.size > 0) settlePending();
  };

  return {
    onDelivery,
    published: (revision, delivered) => {
      const alive = new Set(delivered.map((one) => one.id));
      for (const id of objects.keys()) if (!alive.has(id)) objects.delete(id);
      for (const { id, token, reach } of delivered) {
        if (objects.get(id)?.token === token) continue;
        objects.set(id, { token, reach, revision, publishedAt: clock.now(), latchedAt: undefined });
        pending.add(id);
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
