// The live streams of a server: what a publication means to them, and who speaks for a proxy.

import type { Delivery } from '../model/delivery.js';
import type { Cache } from './cache.js';
import type { Connection } from './connection.js';

/** Longest time of a slice in which streams take a publication, in milliseconds. */
const sliceMs = 8;

/** The live streams: which view each follows, and what a publication means to them. */
export interface Streams {
  add(connection: Connection): void;
  remove(connection: Connection): void;
  readonly moved: (connection: Connection, from: string | undefined, to: string) => void;
  readonly all: ReadonlySet<Connection>;
  stop(): void;
}

/** No streams yet. */
export function createStreams(deps: {
  readonly cache: Cache;
  readonly yieldToLoop: (next: () => void) => void;
}): Streams {
  const all = new Set<Connection>();
  const byView = new Map<string, Set<Connection>>();
  const dirty = new Set<Connection>();
  let pumping = false;

  const pump = (): void => {
    const end = performance.now() + sliceMs;
    for (const connection of dirty) {
      dirty.delete(connection);
      connection.refresh();
      if (performance.now() > end) break;
    }
    pumping = dirty.size > 0;
    if (pumping) deps.yieldToLoop(pump);
  };

  const leave = (connection: Connection, key: string): void => {
    const streams = byView.get(key);
    streams?.delete(connection);
    if (streams?.size === 0) byView.delete(key);
  };

  const unsubscribe = deps.cache.subscribe((change) => {
    for (const key of change.views) for (const connection of byView.get(key) ?? []) dirty.add(connection);
    if (change.proxies.size > 0) {
      for (const connection of all) if (change.proxies.has(connection.proxy() ?? '')) dirty.add(connection);
    }
    if (pumping || dirty.size === 0) return;
    pumping = true;
    pump();
  });

  return {
    all,
    add: (connection) => all.add(connection),
    remove: (connection) => {
      all.delete(connection);
      dirty.delete(connection);
      const key = connection.viewKey();
      if (key !== undefined) leave(connection, key);
    },
    moved: (connection, from, to) => {
      if (from !== undefined) leave(connection, from);
      const streams = byView.get(to) ?? new Set<Connection>();
      byView.set(to, streams.add(connection));
    },
    stop: unsubscribe,
  };
}

/** Speaks for the newest stream of each proxy: an older one, cut off unnoticed, must not declare it gone. */
export function createSpokesman(
  onDelivery: (delivery: Delivery) => void,
): (stream: object, delivery: Delivery) => void {
  const newest = new Map<string, object>();
  return (stream, delivery) => {
    if (delivery.kind === 'connected') newest.set(delivery.proxy, stream);
    if (newest.get(delivery.proxy) !== stream) return;
    if (delivery.kind === 'disconnected') newest.delete(delivery.proxy);
    onDelivery(delivery);
  };
}
