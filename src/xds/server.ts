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

/** Serves ADS in plain text. Throws OperationalError when the address cannot be bound. */
export async function startServer(deps: ServerDeps, address: string): Promise<Server> {
  const { cache, clock, log } = deps;
  const connections = new Set<Connection>();
  const byView = new Map<string, Set<Connection>>();
  const outbox = createOutbox(budgetBytes);
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

  const mark = (connection: Connection): void => {
    dirty.add(connection);
    if (pumping) return;
    pumping = true;
    pump();
  };

  const moved = (connection: Connection, from: string | undefined, to: string): void => {
    if (from !== undefined) byView.get(from)?.delete(connection);
    const streams = byView.get(to) ?? new Set<Connection>();
    byView.set(to, streams.add(connection));
  };

  const unsubscribe = cache.subscribe((change) => {
    for (const key of change.views) for (const connection of byView.get(key) ?? []) dirty.add(connection);
    if (change.proxies.size > 0) {
      for (const connection of connections) if (change.proxies.has(connection.proxy() ?? '')) dirty.add(connection);
    }
    for (const first of dirty) {
      mark(first);
      break;
    }
  });

  const accept = (protocol: Protocol) => (call: grpc.ServerDuplexStream<Buffer, Buffer>): void => {
    const connection = createConnection({ ...deps, outbox, protocol, call, moved });
    connections.add(connection);
    const gone = (): void => {
      connections.delete(connection);
      dirty.delete(connection);
      const key = connection.viewKey();
      if (key !== undefined) byView.get(key)?.delete(connection);
      connection.ended();
    };
    call.on('data', (bytes: Buffer) => {
      connection.receive(bytes);
    });
    call.on('end', () => {
      call.end();
    });
    call.on('error', (error) => {
      log.debug('stream failed', { error: messageOf(error) });
    });
    call.on('close', gone);
    call.on('cancelled', gone);
  };

  const sweep = new AbortController();
  const sweeping = closeOld({ clock, connections, signal: sweep.signal });

  const server = new grpc.Server(options);
  server.addService(
    { StreamAggregatedResources: method('StreamAggregatedResources'), DeltaAggregatedResources: method('DeltaAggregatedResources') },
    { StreamAggregatedResources: accept('sotw'), DeltaAggregatedResources: accept('delta') },
  );
  const port = await bind(server, address);
  return {
    address: `${address.slice(0, address.lastIndexOf(':'))}:${String(port)}`,
    connections: () => connections.size,
    stop: async () => {
      unsubscribe();
      sweep.abort();
      server.forceShutdown();
      await sweeping;
    },
  };
}

/** Old streams are closed, a few at a time, so that clients spread over replicas and prove themselves again. */
async function closeOld(deps: { clock: Clock; connections: ReadonlySet<Connection>; signal: AbortSignal }): Promise<void> {
  while (!deps.signal.aborted) {
    await deps.clock.sleep(1_000, deps.signal);
    const now = deps.clock.now();
    const old = [...deps.connections].filter((one) => now - one.startedAt > streamAgeMs * one.ageFactor());
    for (const connection of old.slice(0, closuresPerSecond)) connection.close(grpc.status.UNAVAILABLE, 'stream age reached');
  }
}

function bind(server: grpc.Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(new OperationalError('AddressInUse', `cannot listen on ${address}: ${error.message}`, { cause: error }));
    });
  });
}
