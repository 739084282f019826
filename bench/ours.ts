// Our own contender: Legation's pipeline and its real ADS server, with Kubernetes objects from memory as its source.
//
// Everything that the bench needs of Legation is the interface `Legation` below; `startLegation` is the only place that
// knows how to get it. It must wire what `legation run` wires, with its defaults, except the source of objects:
//   - plain text on 127.0.0.1, any port;
//   - `change` feeds the objects as a watch would (parsed, compared, published) and resolves once what follows from
//     them is in the cache from which streams are served; it does not wait for proxies;
//   - the clients say they are the Pods of `presentation` (objects.ts); `perProxy` there matches the names of
//     resources that differ from proxy to proxy.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import type { ObjectRef } from '../src/api/meta.js';
import type * as meta from '../src/api/meta.js';
import type * as clock from '../src/lib/clock.js';
import type * as freeze from '../src/lib/deep-freeze.js';
import type * as logger from '../src/lib/logger.js';
import type * as pipelines from '../src/runtime/pipeline.js';
import type * as reading from '../src/sources/parse-object.js';
import type { ObjectEvent, Parsed } from '../src/sources/store.js';
import { initialObjects, objectsOf, presentation, type KubeJson, type ObjectChange } from './objects.js';
import type * as transports from '../src/xds/transport.js';
import type { TransportName } from '../src/xds/transport.js';
import type { DoneLine, Op, ReadyLine } from './protocol.js';

/** What is measured is what is shipped: the modules of dist/, with the types of their sources. */
const dist = (path: string): string => new URL(`../dist/${path}`, import.meta.url).href;
const { refOf } = (await import(dist('api/meta.js'))) as typeof meta;
const { systemClock } = (await import(dist('lib/clock.js'))) as typeof clock;
const { disableFreezing } = (await import(dist('lib/deep-freeze.js'))) as typeof freeze;
const { silentLogger } = (await import(dist('lib/logger.js'))) as typeof logger;
const { startPipeline } = (await import(dist('runtime/pipeline.js'))) as typeof pipelines;
const { readObject } = (await import(dist('sources/parse-object.js'))) as typeof reading;
const { transportNames } = (await import(dist('xds/transport.js'))) as typeof transports;
disableFreezing();

/** A running Legation. */
interface Legation {
  readonly port: number;
  readonly change: (change: ObjectChange) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** An object as a watch reports it. */
const parsed = (raw: KubeJson): Parsed => {
  const reading = readObject(raw, { folder: false });
  if (reading.kind !== 'object')
    throw new Error(`the bench made an object that is not read: ${JSON.stringify(reading)}`);
  return reading.parsed;
};

const refOfParsed = (object: Parsed): ObjectRef => (object.ok ? refOf(object.object) : object.malformed.ref);

/** A source that says what the driver says. */
const createMemorySource = (objects: ObjectChange['apply']) => {
  const queue: ObjectEvent[] = [
    { kind: 'init' },
    ...objects.map((raw): ObjectEvent => ({ kind: 'initApply', object: parsed(raw) })),
    { kind: 'initDone' },
  ];
  let wake = (): void => undefined;
  const source = async function* (signal: AbortSignal): AsyncGenerator<ObjectEvent> {
    while (!signal.aborted) {
      yield* queue.splice(0);
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const push = (events: readonly ObjectEvent[]): void => {
    queue.push(...events);
    wake();
  };
  return { source, push };
};

const startLegation = async (objects: ObjectChange['apply'], xdsTransport: TransportName): Promise<Legation> => {
  const stopping = new AbortController();
  const { source, push } = createMemorySource(objects);
  const deps = { clock: systemClock, log: silentLogger, sources: [source] };
  const pipeline = startPipeline({ capture: 'explicit', xdsTransport }, deps, stopping.signal);
  await pipeline.ready;
  const server = await pipeline.serveXds('127.0.0.1:0');
  const published = (): Promise<void> =>
    new Promise((resolve) => {
      const end = pipeline.cache.subscribe(() => {
        end();
        resolve();
      });
    });
  return {
    port: Number(server.address.slice(server.address.lastIndexOf(':') + 1)),
    change: async ({ apply, remove }) => {
      const done = published();
      push([
        ...apply.map((raw): ObjectEvent => ({ kind: 'apply', object: parsed(raw) })),
        ...remove.map((raw): ObjectEvent => ({ kind: 'delete', ref: refOfParsed(parsed(raw)) })),
      ]);
      await done;
    },
    stop: async () => {
      await server.stop();
      stopping.abort();
    },
  };
};

type Line = Op | { readonly op: 'stats' } | { readonly op: 'gc' } | { readonly op: 'quit' };

const OPS: readonly string[] = [
  ...['endpoint', 'route', 'workloadPolicy', 'meshPolicy', 'addService', 'removeService'],
  ...['stats', 'gc', 'quit'],
];

/** The driver is trusted to fill in the rest. */
const isLine = (value: unknown): value is Line =>
  typeof value === 'object' && value !== null && 'op' in value && OPS.includes(String(value.op));

const print = (line: ReadyLine | DoneLine): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

const PARAMETERS = {
  services: { type: 'string', default: '10' },
  endpoints: { type: 'string', default: '10' },
  proxies: { type: 'string', default: '10' },
  routes: { type: 'string', default: '1' },
  transport: { type: 'string', default: transportNames[0] },
} as const;

/** Finer would cost CPU that the driver would count. */
const RESOLUTION_MS = 20;

/** Returns a function that gives the p99 of the event-loop delay since its last call. */
const startDelayMonitor = (): (() => number) => {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  return () => {
    const p99 = delay.percentile(99) / 1e6;
    delay.reset();
    return Math.max(0, p99 - RESOLUTION_MS);
  };
};

const main = async (): Promise<void> => {
  const { values } = parseArgs({ options: PARAMETERS });
  const size = {
    services: Number(values.services),
    endpoints: Number(values.endpoints),
    proxies: Number(values.proxies),
    routes: Number(values.routes),
  };
  const transport = transportNames.find((name) => name === values.transport);
  if (transport === undefined) throw new Error(`unknown transport ${values.transport}`);
  const legation = await startLegation(initialObjects(size), transport);
  const takeDelay = startDelayMonitor();
  print({ ready: true, port: legation.port, pid: process.pid, ...presentation });
  for await (const text of createInterface({ input: process.stdin })) {
    const line: unknown = JSON.parse(text);
    if (!isLine(line)) throw new Error(`unknown line: ${text}`);
    if (line.op === 'quit') break;
    if (line.op === 'stats') {
      print({ done: line.op, eventLoopDelayP99Ms: takeDelay() });
      continue;
    }
    if (line.op === 'gc') globalThis.gc?.();
    else await legation.change(objectsOf(line, size));
    print({ done: line.op });
  }
  await legation.stop();
};

await main();
process.exit(0);
