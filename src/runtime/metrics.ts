// The control plane's own Prometheus metrics.

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from '@prometheus-io/client';
import type { Delivery } from '../model/delivery.js';

/** What is counted. */
export interface Metrics {
  built(tookMs: number): void;
  buildFailed(): void;
  delivered(kind: Delivery['kind']): void;
  refused(): void;
  /** Reads gauges when they are asked for. */
  observe(read: {
    readonly proxies: () => number;
    readonly malformed: () => number;
    readonly revision: () => number;
  }): void;
  /** Prometheus text. */
  text(): Promise<string>;
  readonly contentType: string;
  /** 99th percentile of the event loop's delay since the last call, in milliseconds. */
  loopDelayMs(): number;
}

/** A registry of its own: nothing is global. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'legation_' });
  const registers = [registry];
  const builds = new Histogram({
    name: 'legation_build_seconds',
    help: 'Time from a World to its publication.',
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3],
    registers,
  });
  const failures = new Counter({
    name: 'legation_build_failures_total',
    help: 'Builds that threw; the last good one stayed.',
    registers,
  });
  const deliveries = new Counter({
    name: 'legation_xds_events_total',
    help: 'What happened on streams, by kind.',
    labelNames: ['kind'],
    registers,
  });
  // Bound once: acknowledgements are the most frequent thing that happens.
  const byKind = {
    connected: deliveries.labels({ kind: 'connected' }),
    settled: deliveries.labels({ kind: 'settled' }),
    disconnected: deliveries.labels({ kind: 'disconnected' }),
  } as const satisfies Record<Delivery['kind'], unknown>;
  const rejections = new Counter({
    name: 'legation_xds_rejections_total',
    help: 'Resources that an Envoy refused.',
    registers,
  });
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  return {
    built: (tookMs) => {
      builds.observe(tookMs / 1000);
    },
    buildFailed: () => {
      failures.inc();
    },
    delivered: (kind) => {
      byKind[kind].inc();
    },
    refused: () => {
      rejections.inc();
    },
    observe: (read) => {
      const gauge = (name: string, help: string, value: () => number): void => {
        const created: Gauge = new Gauge({
          name,
          help,
          registers,
          collect: () => {
            created.set(value());
          },
        });
      };
      gauge('legation_proxies_connected', 'Proxies with a live stream.', read.proxies);
      gauge('legation_objects_malformed', 'Objects that failed their schema.', read.malformed);
      gauge('legation_revision', 'Newest published revision.', read.revision);
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
    loopDelayMs: () => {
      const value = delay.percentile(99) / 1e6;
      delay.reset();
      return value;
    },
  };
}
