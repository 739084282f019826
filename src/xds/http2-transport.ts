// The default transport: gRPC over node:http2 by hand. Half the cost of grpc-js, which copies each response for each
// stream and writes each by itself. This file keeps connections: their bounds, their life and their end. TLS is
// `createSecureServer` with the same options and the same handlers.

import { createServer, type Http2Server, type ServerHttp2Session, type ServerOptions } from 'node:http2';
import { soon, type Clock } from '../lib/clock.js';
import { OperationalError } from '../lib/result.js';
import { methodOf, serveCall, turnAway, type CallDeps } from './http2-call.js';
import { limits, type Listen, type Transport, type TransportDeps } from './transport.js';

/** What a client may have on its way to us before it must wait: a statement of thousands of resources in one go. */
const windowBytes = 1024 * 1024;

const options: ServerOptions = {
  settings: {
    maxConcurrentStreams: limits.streamsPerSession,
    initialWindowSize: windowBytes,
    maxHeaderListSize: 16 * 1024,
    enablePush: false,
  },
  maxHeaderListPairs: 64,
  /** Megabytes of streams, headers and what is acknowledged: a session beyond them gets no further streams. */
  maxSessionMemory: 8,
  /** Streams over the number allowed, broken frames, and settings in one frame, before the session is closed. */
  maxSessionRejectedStreams: 64,
  maxSessionInvalidFrames: 64,
  maxSettings: 16,
  /** Rapid reset: streams that a client may open and reset in a row, and each second from then on. */
  streamResetBurst: 64,
  streamResetRate: 8,
};

/** Time is told in steps of this length. */
const stepMs = 1_000;
const keepaliveSteps = limits.keepaliveMs / stepMs;
const timeoutSteps = limits.keepaliveTimeoutMs / stepMs;
const idleSteps = limits.idleMs / stepMs;

/** One connection. */
interface Link {
  readonly session: ServerHttp2Session;
  calls: number;
  /** Steps since there was a call. */
  idle: number;
  /** Steps until the next ping; what an unanswered one has left is negative. */
  untilPing: number;
}

/** Pings who is silent; gives up who does not answer, and sends away who asks for nothing. */
function step(link: Link): void {
  const { session } = link;
  if (session.destroyed) return;
  link.idle = link.calls > 0 ? 0 : link.idle + 1;
  if (link.idle === idleSteps) session.close();
  link.untilPing--;
  if (link.untilPing <= -timeoutSteps) session.destroy();
  if (link.untilPing !== 0) return;
  session.ping(() => {
    link.untilPing = keepaliveSteps;
  });
}

async function keepAlive(links: ReadonlySet<Link>, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(stepMs, signal);
    for (const link of links) step(link);
  }
}

/** Does work of a turn at its end, all at once. */
function createLater(): CallDeps['later'] {
  let waiting: (() => void)[] = [];
  const run = (): void => {
    const due = waiting;
    waiting = [];
    for (const work of due) work();
  };
  return (work) => {
    if (waiting.length === 0) soon(run);
    waiting.push(work);
  };
}

/** The connections of a server, while they live. */
function keepLinks(server: Http2Server, { opens, clock }: TransportDeps): ReadonlySet<Link> {
  const links = new Set<Link>();
  const bySession = new WeakMap<object, Link>();
  const later = createLater();
  let accepted = 0;
  server.on('session', (session) => {
    // Thousands that connect at once are not to be pinged at once.
    const link = { session, calls: 0, idle: 0, untilPing: 1 + (accepted++ % keepaliveSteps) };
    links.add(link);
    bySession.set(session, link);
    session.setLocalWindowSize(windowBytes);
    session.once('close', () => links.delete(link));
  });
  server.on('stream', (stream, headers) => {
    const link = stream.session === undefined ? undefined : bySession.get(stream.session);
    const method = methodOf(headers);
    if (typeof method !== 'string' || link === undefined) {
      stream.on('error', () => undefined);
      turnAway(stream, typeof method === 'string' ? { ':status': 503 } : method);
      return;
    }
    link.calls++;
    stream.once('close', () => link.calls--);
    const heard = (): void => {
      link.untilPing = keepaliveSteps;
    };
    serveCall({ stream, headers }, opens[method], { clock, later, heard });
  });
  return links;
}

/** Serves by node:http2. */
export const listenHttp2: Listen = async (deps, address): Promise<Transport> => {
  const { clock, log } = deps;
  const server = createServer(options);
  server.on('sessionError', (error: Error) => {
    log.debug('connection failed', { error: error.message });
  });
  const links = keepLinks(server, deps);
  const port = await bind(server, address);
  const ending = new AbortController();
  const keeping = keepAlive(links, clock, ending.signal);
  return {
    port,
    stop: async () => {
      const left = new AbortController();
      server.close(() => {
        left.abort();
      });
      for (const { session } of links) session.close();
      await clock.sleep(limits.farewellMs, left.signal);
      for (const { session } of links) session.destroy();
      ending.abort();
      await keeping;
    },
  };
};

function bind(server: Http2Server, address: string): Promise<number> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  return new Promise((resolve, reject) => {
    server.once('error', (error: Error) => {
      reject(new OperationalError('AddressInUse', `cannot listen on ${address}: ${error.message}`, { cause: error }));
    });
    server.listen(Number(address.slice(colon + 1)), host, () => {
      const bound = server.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : 0);
    });
  });
}
