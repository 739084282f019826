// Applications of a test, in its own process on the loopback addresses of their pods: each notes what arrives and
// echoes it. The caller says by headers how it wants to be treated: `x-app-delay: 300` (ms), `x-app-fail: 2` (the first
// two tries of this id fail), `x-app-status: 503`, `x-app-slow: 2` (the first two tries hang), `x-app-hang-after: 1`
// (all but the first hang), `x-app-reply: name=value`. After an upgrade, bytes come back as they are. A gRPC call is
// answered as one, with the same text as its only message. A tunnel is opened to the application itself, which echoes
// every byte in capitals.

import {
  createServer as createHttp1,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttp2, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { systemClock as clock } from '../../src/lib/clock.js';

/** A request as it arrived at a pod. */
export interface Arrival {
  readonly pod: string;
  readonly httpVersion: string;
  readonly method: string;
  readonly path: string;
  /** The authority. */
  readonly host: string;
  readonly headers: IncomingHttpHeaders;
  /** `x-id` of the request, if it has one. */
  readonly id: string;
}

/** Where an application listens. */
export interface ApplicationPlace {
  /** `namespace/name`. */
  readonly pod: string;
  readonly address: string;
  readonly ports: readonly number[];
}

/** The applications of a mesh. */
export interface Applications {
  /** Resolves to what closes this one again, with its connections. */
  open(place: ApplicationPlace): Promise<() => Promise<void>>;
  /** Everything that arrived since the last `forget`. */
  arrivals(): readonly Arrival[];
  /** How often a request with this id arrived. */
  triesOf(id: string): number;
  forget(): void;
  close(): Promise<void>;
}

/** How long a hanging answer takes. */
const hangMs = 5_000;

const numberIn = (headers: IncomingHttpHeaders, name: string): number => Number(headers[name] ?? 0);
const textIn = (headers: IncomingHttpHeaders, name: string): string => String(headers[name] ?? '');

function arrivalOf(pod: string, request: IncomingMessage | Http2ServerRequest): Arrival {
  const { headers, httpVersion, method = '', url = '' } = request;
  const host = textIn(headers, ':authority') || textIn(headers, 'host');
  return { pod, httpVersion, method, path: url, host, id: textIn(headers, 'x-id'), headers: { ...headers } };
}

/** How the caller wants this try to be treated. */
function treatmentOf(headers: IncomingHttpHeaders, count: number) {
  const fails = count <= numberIn(headers, 'x-app-fail');
  const hangs = count <= numberIn(headers, 'x-app-slow') || count > (numberIn(headers, 'x-app-hang-after') || Infinity);
  return {
    delayMs: hangs ? hangMs : numberIn(headers, 'x-app-delay'),
    status: fails ? numberIn(headers, 'x-app-status') || 503 : 200,
    reply: textIn(headers, 'x-app-reply')
      .split(',')
      .flatMap((one) => {
        const at = one.indexOf('=');
        return at < 0 ? [] : [[one.slice(0, at), one.slice(at + 1)] as const];
      }),
  };
}

const isGrpc = (headers: IncomingHttpHeaders): boolean => textIn(headers, 'content-type') === 'application/grpc';

/** One message and the status OK, as a gRPC server frames them. */
function answerCall(response: Http2ServerResponse, text: string): void {
  const message = Buffer.from(text);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  response.setHeader('content-type', 'application/grpc');
  response.addTrailers({ 'grpc-status': '0' });
  response.end(Buffer.concat([frame, message]));
}

function openTunnel(socket: Duplex): void {
  socket.write('HTTP/1.1 200 OK\r\n\r\n');
  socket.on('data', (bytes: Buffer) => socket.write(bytes.toString().toUpperCase()));
  socket.on('error', () => undefined);
  socket.once('end', () => socket.end());
}

/** No applications yet. */
export function createApplications(): Applications {
  let arrivals: Arrival[] = [];
  const tries = new Map<string, number>();
  const closers: (() => Promise<void>)[] = [];

  async function answer(
    pod: string,
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
  ): Promise<void> {
    request.resume();
    const arrival = arrivalOf(pod, request);
    arrivals.push(arrival);
    const count = (tries.get(arrival.id) ?? 0) + 1;
    tries.set(arrival.id, count);
    const { delayMs, status, reply } = treatmentOf(request.headers, count);
    if (delayMs > 0) await clock.sleep(delayMs);
    if (response.destroyed) return;
    response.statusCode = status;
    response.setHeader('content-type', 'application/json');
    for (const [name, value] of reply) response.setHeader(name, value);
    const body = JSON.stringify({ ...arrival, count });
    if (isGrpc(request.headers) && 'stream' in response) {
      answerCall(response, body);
      return;
    }
    if (request.method === 'HEAD') response.end();
    else response.end(body);
  }

  async function listen(pod: string, address: string, port: number): Promise<() => Promise<void>> {
    const http1 = createHttp1((request, response) => void answer(pod, request, response));
    const http2 = createHttp2((request, response) => void answer(pod, request, response));
    http1.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
      arrivals.push(arrivalOf(pod, request));
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nx-pod: ${pod}\r\n\r\n`,
      );
      socket.on('error', () => undefined);
      socket.pipe(socket);
    });
    http1.on('connect', (request, socket) => {
      arrivals.push(arrivalOf(pod, request));
      openTunnel(socket);
    });
    http1.keepAliveTimeout = 0;
    http1.on('clientError', (_error, socket) => socket.destroy());
    http2.on('sessionError', () => undefined);
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      socket.on('error', () => undefined);
      socket.once('data', (first) => {
        socket.pause();
        socket.unshift(first);
        const isHttp2 = first.subarray(0, 3).toString('latin1') === 'PRI';
        (isHttp2 ? http2 : http1).emit('connection', socket);
        if (!isHttp2) socket.resume();
      });
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, address, resolve);
    });
    return () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        for (const socket of sockets) socket.destroy();
      });
  }

  return {
    open: async ({ pod, address, ports }) => {
      const own = await Promise.all(ports.map((port) => listen(pod, address, port)));
      closers.push(...own);
      return async () => {
        await Promise.all(own.map((close) => close()));
      };
    },
    arrivals: () => arrivals,
    triesOf: (id) => tries.get(id) ?? 0,
    forget: () => {
      arrivals = [];
      tries.clear();
    },
    close: async () => {
      await Promise.all(closers.splice(0).map((close) => close()));
    },
  };
}
