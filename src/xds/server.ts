// The gRPC binding: performs what the stream reducer decides and reports deliveries. Bytes in, bytes out.
// It is woken by: 1. a request, 2. a publication of the cache, 3. a timer that a reducer asked for,
// 4. the once-a-second sweep for streams that are old.

import * as grpc from '@grpc/grpc-js';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import { OperationalError } from '../lib/result.js';
import type { Delivery } from '../model/delivery.js';
import type { Cache } from './cache.js';
import { createConnection, type Connection, type Refusal } from './connection.js';
import { createOutbox } from './outbox.js';
import { createPace, type Pace } from './pace.js';
import type { Protocol } from './plan.js';
import { createRequestReader } from './requests.js';
import { createSpokesman, createStreams } from './streams.js';
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

const budgetBytes = 24 * 1024 * 1024;
const streamAgeMs = 30 * 60_000;
const closuresPerSecond = 20;

/** Messages that may be on their way before a stream waits. */
const underwayAllowed = 16;

function callOf(call: grpc.ServerInterceptingCallInterface): Call {
  let underway = 0;
  let drained: (() => void) | undefined;
  return {
    write: (bytes, done) => {
      underway++;
      call.sendMessage(bytes, () => {
        underway--;
        done?.();
        if (underway > 0 || drained === undefined) return;
        const resume = drained;
        drained = undefined;
        resume();
      });
      return underway < underwayAllowed;
    },
    onDrain: (resume) => {
      drained = resume;
    },
    fail: (code, message) => {
      call.sendStatus({ code: grpc.status[code], details: message });
    },
  };
}

/** Opens a connection on a call. */
type Open = (call: Call) => Connection & { readonly gone: () => void };

/**
 * Takes a call over from grpc-js before it makes a stream of it: streams of objects, with their events and buffers,
 * would cost more than all that we do with a message. The handler of the method is never called.
 */
const takingOver =
  (open: Open, pace: Pace) =>
  (call: grpc.ServerInterceptingCallInterface): grpc.ServerInterceptingCall => {
    const start = (): void => {
      const connection = open(callOf(call));
      call.start({
        onReceiveMetadata: () => {
          call.startRead();
        },
        onReceiveMessage: (bytes: Buffer) => {
          pace(() => {
            connection.receive(bytes);
            call.startRead();
          });
        },
        onReceiveHalfClose: () => {
          call.sendStatus({ code: grpc.status.OK, details: '' });
        },
        onCancel: connection.gone,
      });
    };
    return new grpc.ServerInterceptingCall(call, { start });
  };

const neverCalled = (call: grpc.ServerDuplexStream<Buffer, Buffer>): void => {
  call.emit('error', { code: grpc.status.INTERNAL });
};

/** Serves ADS in plain text. Throws OperationalError when the address cannot be bound. */
export async function startServer(deps: ServerDeps, address: string): Promise<Server> {
  const { clock } = deps;
  const streams = createStreams(deps);
  const outbox = createOutbox(budgetBytes);
  const deliver = createSpokesman(deps.onDelivery);

  const opening = (protocol: Protocol): Open => {
    const read = createRequestReader(protocol);
    return (call) => {
      const onDelivery = (delivery: Delivery): void => {
        deliver(call, delivery);
      };
      const connection = createConnection({ ...deps, outbox, protocol, call, read, moved: streams.moved, onDelivery });
      streams.add(connection);
      const gone = (): void => {
        streams.remove(connection);
        connection.ended();
      };
      return { ...connection, gone };
    };
  };
  const pace = createPace(deps.yieldToLoop);
  const takeOver = { delta: takingOver(opening('delta'), pace), sotw: takingOver(opening('sotw'), pace) };

  const server = new grpc.Server({
    ...options,
    interceptors: [({ path }, call) => takeOver[path.endsWith('/DeltaAggregatedResources') ? 'delta' : 'sotw'](call)],
  });
  server.addService(
    {
      StreamAggregatedResources: method('StreamAggregatedResources'),
      DeltaAggregatedResources: method('DeltaAggregatedResources'),
    },
    { StreamAggregatedResources: neverCalled, DeltaAggregatedResources: neverCalled },
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
    for (const connection of old.slice(0, closuresPerSecond)) connection.close('UNAVAILABLE', 'stream age reached');
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
