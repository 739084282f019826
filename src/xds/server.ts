// The gRPC binding: performs what the stream reducer decides and reports deliveries. Bytes in, bytes out.
// It is woken by: 1. a request, 2. a publication of the cache, 3. a timer that a reducer asked for,
// 4. the once-a-second sweep for streams that are old.

import * as grpc from '@grpc/grpc-js';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import { messageOf, OperationalError } from '../lib/result.js';
import type { Delivery } from '../model/delivery.js';
import type { Cache } from './cache.js';
import { createConnection, type Connection, type Refusal } from './connection.js';
import { createOutbox } from './outbox.js';
import type { Protocol } from './plan.js';
import type { Call } from './writer.js';

/** What the server needs. */
export interface ServerDeps {
  readonly cache: Cache;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onDelivery: (delivery: Delivery) => void;
  readonly onRefused: (refusal: Refusal) => void;
  /** Lets other work run between slices of a large publication. */
  readonly yieldToLoop: (next: () => void) => void;
}

/** A listening ADS server. */
export interface Server {
  /** `127.0.0.1:18000`, with the port that was chosen. */
  readonly address: string;
  connections(): number;
  stop(): Promise<void>;
}

const servicePath = '/envoy.service.discovery.v3.AggregatedDiscoveryService';
const passBytes = (bytes: Buffer): Buffer => bytes;

const method = (name: string): grpc.MethodDefinition<Buffer, Buffer> => ({
  path: `${servicePath}/${name}`,
  requestStream: true,
  responseStream: true,
  requestSerialize: passBytes,
  requestDeserialize: passBytes,
  responseSerialize: passBytes,
  responseDeserialize: passBytes,
});

const options: grpc.ServerOptions = {
  'grpc.enable_channelz': 0,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
  'grpc.max_concurrent_streams': 16,
};

const sliceMs = 8;
const budgetBytes = 24 * 1024 * 1024;
const streamAgeMs = 30 * 60_000;
const closuresPerSecond = 20;

/** The live streams: which view each follows, and what a publication means to them. */
interface Streams {
  add(connection: Connection): void;
  remove(connection: Connection): void;
  readonly moved: (connection: Connection, from: string | undefined, to: string) => void;
  readonly all: ReadonlySet<Connection>;
  stop(): void;
}

function createStreams(deps: Pick<ServerDeps, 'cache' | 'yieldToLoop'>): Streams {
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
function createSpokesman(onDelivery: ServerDeps['onDelivery']): (stream: object, delivery: Delivery) => void {
  const newest = new Map<string, object>();
  return (stream, delivery) => {
    if (delivery.kind === 'connected') newest.set(delivery.proxy, stream);
    if (newest.get(delivery.proxy) !== stream) return;
    if (delivery.kind === 'disconnected') newest.delete(delivery.proxy);
    onDelivery(delivery);
  };
}

const callOf = (call: grpc.ServerDuplexStream<Buffer, Buffer>): Call => ({
  write: (bytes, done) => call.write(bytes, done),
  onDrain: (resume) => call.once('drain', resume),
  fail: (code, message) => call.emit('error', Object.assign(new Error(message), { code, details: message })),
});

/** Serves ADS in plain text. Throws OperationalError when the address cannot be bound. */
export async function startServer(deps: ServerDeps, address: string): Promise<Server> {
  const { clock, log } = deps;
  const streams = createStreams(deps);
  const outbox = createOutbox(budgetBytes);
  const deliver = createSpokesman(deps.onDelivery);

  const accept =
    (protocol: Protocol) =>
    (raw: grpc.ServerDuplexStream<Buffer, Buffer>): void => {
      const call = callOf(raw);
      const onDelivery = (delivery: Delivery): void => {
        deliver(call, delivery);
      };
      const connection = createConnection({ ...deps, outbox, protocol, call, moved: streams.moved, onDelivery });
      streams.add(connection);
      const gone = (): void => {
        streams.remove(connection);
        connection.ended();
      };
      raw.on('data', (bytes: Buffer) => {
        connection.receive(bytes);
      });
      raw.on('end', () => {
        raw.end();
      });
      raw.on('error', (error) => {
        log.debug('stream failed', { error: messageOf(error) });
        gone();
      });
      raw.on('close', gone);
      raw.on('cancelled', gone);
    };

  const server = new grpc.Server(options);
  server.addService(
    {
      StreamAggregatedResources: method('StreamAggregatedResources'),
      DeltaAggregatedResources: method('DeltaAggregatedResources'),
    },
    { StreamAggregatedResources: accept('sotw'), DeltaAggregatedResources: accept('delta') },
  );
  const port = await bind(server, address);
  const sweep = new AbortController();
  const sweeping = closeOld({ clock, connections: streams.all, signal: sweep.signal });
  return {
    address: `${address.slice(0, address.lastIndexOf(':'))}:${String(port)}`,
    connections: () => streams.all.size,
    stop: async () => {
      streams.stop();
      sweep.abort();
      server.forceShutdown();
      await sweeping;
    },
  };
}

/** Old streams are closed, a few at a time, so that clients spread over replicas and prove themselves again. */
async function closeOld(deps: {
  clock: Clock;
  connections: ReadonlySet<Connection>;
  signal: AbortSignal;
}): Promise<void> {
  while (!deps.signal.aborted) {
    await deps.clock.sleep(1_000, deps.signal);
    const now = deps.clock.now();
    const old = [...deps.connections].filter((one) => one.isOld(now, streamAgeMs));
    for (const connection of old.slice(0, closuresPerSecond))
      connection.close(grpc.status.UNAVAILABLE, 'stream age reached');
  }
}

function bind(server: grpc.Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else
        reject(new OperationalError('AddressInUse', `cannot listen on ${address}: ${error.message}`, { cause: error }));
    });
  });
}
