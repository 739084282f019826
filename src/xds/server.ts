// The ADS server: joins a transport to the streams, and reports deliveries. Knows neither gRPC nor sockets.
// It is woken by: 1. a request, 2. a publication of the cache, 3. a timer that a reducer asked for,
// 4. the once-a-second sweep for streams that are old.

import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import type { Delivery } from '../model/delivery.js';
import type { Cache } from './cache.js';
import { createConnection, type Connection, type Refusal } from './connection.js';
import { createOutbox } from './outbox.js';
import { createPace } from './pace.js';
import type { Protocol } from './plan.js';
import { createRequestReader } from './requests.js';
import { createSpokesman, createStreams, type Streams } from './streams.js';
import type { Listen, Open, TransportName } from './transport.js';

/** What the server needs. */
export interface ServerDeps {
  readonly cache: Cache;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onDelivery: (delivery: Delivery) => void;
  readonly onRefused: (refusal: Refusal) => void;
  /** Lets other work run between slices of a large publication. */
  readonly yieldToLoop: (next: () => void) => void;
  readonly transport: TransportName;
}

/** A listening ADS server. */
export interface Server {
  /** `127.0.0.1:18000`, with the port that was chosen. */
  readonly address: string;
  connections(): number;
  stop(): Promise<void>;
}

const budgetBytes = 24 * 1024 * 1024;
const streamAgeMs = 30 * 60_000;
const closuresPerSecond = 20;

/** Only the one in use is loaded. */
const transports: Readonly<Record<TransportName, () => Promise<Listen>>> = {
  http2: async () => (await import('./http2-transport.js')).listenHttp2,
  'grpc-js': async () => (await import('./grpc-transport.js')).listenGrpc,
};

/** Opens a connection for each call of a protocol. */
function createOpening(deps: ServerDeps, streams: Streams): (protocol: Protocol) => Open {
  const outbox = createOutbox(budgetBytes);
  const deliver = createSpokesman(deps.onDelivery);
  const pace = createPace(deps.yieldToLoop);
  return (protocol) => {
    const read = createRequestReader(protocol);
    return (call) => {
      const onDelivery = (delivery: Delivery): void => {
        deliver(call, delivery);
      };
      const connection = createConnection({ ...deps, outbox, protocol, call, read, moved: streams.moved, onDelivery });
      streams.add(connection);
      return {
        receive: (message, next) => {
          pace(() => {
            connection.receive(message);
            next();
          });
        },
        gone: () => {
          streams.remove(connection);
          connection.ended();
        },
      };
    };
  };
}

/** Serves ADS in plain text. Throws OperationalError when the address cannot be bound. */
export async function startServer(deps: ServerDeps, address: string): Promise<Server> {
  const { clock, log } = deps;
  const streams = createStreams(deps);
  const opening = createOpening(deps, streams);
  const listen = await transports[deps.transport]();
  const opens = { delta: opening('delta'), sotw: opening('sotw') };
  const transport = await listen({ opens, clock, log }, address);
  const sweep = new AbortController();
  const sweeping = closeOld({ clock, connections: streams.all, signal: sweep.signal });
  return {
    address: `${address.slice(0, address.lastIndexOf(':'))}:${String(transport.port)}`,
    connections: () => streams.all.size,
    stop: async () => {
      streams.stop();
      sweep.abort();
      for (const connection of streams.all) connection.close('UNAVAILABLE', 'the control plane stops');
      await transport.stop();
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
