// Two ways to talk to the server: to the pure reducer, and over a real socket. A scenario cannot tell them apart.

import * as grpc from '@grpc/grpc-js';
import { silentLogger } from '../../src/lib/logger.js';
import { createCache } from '../../src/xds/cache.js';
import type { Protocol } from '../../src/xds/plan.js';
import { typeOfUrl } from '../../src/xds/resources.js';
import { startServer } from '../../src/xds/server.js';
import type { TransportName } from '../../src/xds/transport.js';
import { messageIn } from '../../src/xds/wire.js';
import { newStream, reduce } from '../../src/xds/stream.js';
import type { StreamInput } from '../../src/xds/stream-state.js';
import { decodeRequest } from '../../src/xds/wire-read.js';
import { createFakeClock } from '../support/fake-clock.js';
import { until } from '../support/until.js';
import { readResponse, requestOf, type Received, type Said } from './client.js';
import { publicationOf, theProxy, type Spec } from './world.js';

/** A server as one client sees it. */
export interface Peer {
  readonly received: Received[];
  readonly settled: number[];
  readonly refused: string[];
  say(said: Said): Promise<void>;
  serve(revision: number, spec: Spec, own?: Spec): void;
  readonly advance: (ms: number) => void;
  /** Resolves when this many responses have come. */
  hears(count: number): Promise<void>;
  reconnect(): Promise<void>;
  /** Resolves when nothing more can come on this stream. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

/** The pure reducer, with its timers in a list. */
export function createReducerPeer(protocol: Protocol): Peer {
  const cache = createCache();
  const fresh = () => newStream({ protocol, names: cache.names });
  let state = fresh();
  let first = true;
  let now = 1_000_000;
  let wakes: number[] = [];
  const peer = { received: [] as Received[], settled: [] as number[], refused: [] as string[] };

  const step = (input: StreamInput): void => {
    const { state: next, effects } = reduce(state, input);
    state = next;
    for (const effect of effects) {
      if (effect.kind === 'send') peer.received.push(readResponse(protocol, messageIn(effect.push.encode())));
      else if (effect.kind === 'settled') peer.settled.push(effect.revision);
      else if (effect.kind === 'refused') peer.refused.push(effect.culprit.resource.name);
      else if (effect.kind === 'wake') {
        if (effect.at <= now) throw new Error('a wake-up in the past');
        wakes.push(effect.at);
      }
    }
  };
  const look = (): void => {
    const found = cache.lookup(theProxy, '');
    if (found !== undefined) step({ kind: 'view', view: found.view, own: found.own, now });
  };
  return {
    ...peer,
    say: (said) => {
      if (first) look();
      const request = decodeRequest(requestOf(protocol, said, first), protocol);
      first = false;
      const type = typeOfUrl(request.typeUrl);
      if (type !== undefined) step({ kind: 'request', type, request, now });
      return Promise.resolve();
    },
    serve: (revision, spec, own) => {
      cache.publish(publicationOf(revision, spec, own));
      if (!first) look();
    },
    advance: (ms) => {
      const end = now + ms;
      for (let ticks = 0; ; ticks++) {
        const next = Math.min(...wakes);
        if (next > end) break;
        if (ticks > 200) throw new Error('a storm of wake-ups');
        now = next;
        wakes = wakes.filter((at) => at !== next);
        step({ kind: 'tick', now });
      }
      now = end;
    },
    hears: () => Promise.resolve(),
    reconnect: () => {
      state = fresh();
      first = true;
      wakes = [];
      return Promise.resolve();
    },
    finish: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

const pass = (bytes: Buffer): Buffer => bytes;
const methodOf = { delta: 'DeltaAggregatedResources', sotw: 'StreamAggregatedResources' } as const;

/** A real server and a real client, with a clock that is moved by hand. */
export async function createSocketPeer(protocol: Protocol, transport: TransportName): Promise<Peer> {
  const cache = createCache();
  const clock = createFakeClock();
  const listeners = new Set<() => void>();
  const received: Received[] = [];
  const settled: number[] = [];
  const refused: string[] = [];
  let gone = 0;
  const changed = (): void => {
    for (const listener of [...listeners]) listener();
  };
  const server = await startServer(
    {
      cache,
      clock,
      log: silentLogger,
      onDelivery: (delivery) => {
        if (delivery.kind === 'settled') settled.push(delivery.revision);
        if (delivery.kind === 'disconnected') {
          gone++;
          changed();
        }
      },
      onRefused: (refusal) => refused.push(refusal.resource.name),
      yieldToLoop: (next) => {
        next();
      },
      transport,
    },
    '127.0.0.1:0',
  );
  const client = new grpc.Client(server.address, grpc.credentials.createInsecure());
  const subscribe = (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  let ended = false;
  let first = true;
  let readsAtOpen = 0;
  const open = (): grpc.ClientDuplexStream<Buffer, Buffer> => {
    const path = `/envoy.service.discovery.v3.AggregatedDiscoveryService/${methodOf[protocol]}`;
    const call = client.makeBidiStreamRequest(path, pass, pass);
    ended = false;
    first = true;
    readsAtOpen = clock.reads();
    call.on('data', (bytes: Buffer) => {
      received.push(readResponse(protocol, bytes));
      changed();
    });
    call.on('error', () => undefined);
    call.on('status', () => {
      ended = true;
      changed();
    });
    return call;
  };
  let call = open();
  const finish = async (): Promise<void> => {
    call.end();
    await until(() => ended, subscribe, { what: 'the end of the stream' });
  };
  return {
    received,
    settled,
    refused,
    say: async (said) => {
      // A first request reads the clock for the stream, its view and itself.
      const reads = first ? readsAtOpen + 3 : clock.reads() + 1;
      call.write(requestOf(protocol, said, first));
      first = false;
      await until(() => clock.reads() >= reads, clock.onRead, { what: 'the server to have read a request' });
    },
    serve: (revision, spec, own) => {
      cache.publish(publicationOf(revision, spec, own));
    },
    advance: clock.advance,
    hears: (count) => until(() => received.length >= count, subscribe, { what: `${String(count)} responses` }),
    reconnect: async () => {
      const before = gone;
      await finish();
      await until(() => gone > before, subscribe, { what: 'the server to have seen the end' });
      call = open();
    },
    finish,
    close: async () => {
      client.close();
      await server.stop();
    },
  };
}
