// Applications of a test, in its own process on the loopback addresses of their pods: each notes what arrives and
// echoes it. The caller says by headers how it wants to be treated: `x-app-delay: 300` (ms), `x-app-fail: 2` (the first
// two tries of this id fail), `x-app-status: 503`, `x-app-slow: 2` (the first two tries hang), `x-app-hang-after: 1`
// (all but the first hang), `x-app-reply: name=value`; `x-app-at: v2` addresses one pod alone. Health checks, which have
// no headers, say the same in their query. After an upgrade, bytes come back as they are. A gRPC call is answered as one,
// with the same text as its only message; one for health is answered well by pods whose name begins with the service
// that is asked about. A tunnel is opened to the application itself, which echoes every byte in capitals. A PROXY header
// ahead of everything is understood.

import {
  createServer as createHttp1,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttp2, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { systemClock as clock } from '../../src/lib/clock.js';
import { proxyHeaderOf } from './proxy-header.js';

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
  /** Port of the peer: requests on one connection have the same. */
  readonly peerPort: number;
  /** HTTP/2: how many bytes of an answer the peer takes ahead of time. */
  readonly window?: number;
  /** `address:port` of the caller as a PROXY header names it. */
  readonly proxied?: string;
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

const textIn = (headers: IncomingHttpHeaders, name: string): string => String(headers[name] ?? '');

/** Callers as PROXY headers name them, by connection. */
const callers = new WeakMap<Socket, string>();

function arrivalOf(pod: string, request: IncomingMessage | Http2ServerRequest): Arrival {
  const { headers, httpVersion, method = '', url = '' } = request;
  const host = textIn(headers, ':authority') || textIn(headers, 'host');
  const session = 'stream' in request ? request.stream.session : undefined;
  const socket = session === undefined ? request.socket : session.socket;
  const window = session?.remoteSettings.initialWindowSize;
  const proxied = callers.get(socket);
  return {
    ...{ pod, httpVersion, method, path: url, host, id: textIn(headers, 'x-id'), headers: { ...headers } },
    peerPort: socket.remotePort ?? 0,
    ...(window === undefined ? {} : { window }),
    ...(proxied === undefined ? {} : { proxied }),
  };
}

/** How the caller wants this try to be treated. */
function treatmentOf({ pod, path, headers }: Arrival, count: number) {
  const query = new URL(path, 'http://any').searchParams;
  const isMeant = pod.includes(`/${textIn(headers, 'x-app-at') || (query.get('x-app-at') ?? '')}`);
  const orderOf = (name: string): string => (isMeant ? textIn(headers, name) || (query.get(name) ?? '') : '');
  const numberOf = (name: string): number => Number(orderOf(name));
  const fails = count <= numberOf('x-app-fail');
  const hangs = count <= numberOf('x-app-slow') || count > (numberOf('x-app-hang-after') || Infinity);
  return {
    delayMs: hangs ? hangMs : numberOf('x-app-delay'),
    status: fails ? numberOf('x-app-status') || 503 : 200,
    reply: orderOf('x-app-reply')
      .split(',')
      .flatMap((one) => {
        const at = one.indexOf('=');
        return at < 0 ? [] : [[one.slice(0, at), one.slice(at + 1)] as const];
      }),
  };
}

const isGrpc = (headers: IncomingHttpHeaders): boolean => textIn(headers, 'content-type') === 'application/grpc';

/** Envoys check on, of their own accord, while another test has begun: it is not told. */
const isCheck = ({ headers }: Arrival): boolean => textIn(headers, 'user-agent') === 'Envoy/HC';

const isHealthCall = ({ path }: Arrival): boolean => path === '/grpc.health.v1.Health/Check';

/** The answer to `grpc.health.v1.Health/Check`: SERVING or NOT_SERVING. */
async function healthOf(pod: string, request: Http2ServerRequest): Promise<Buffer> {
  // A frame of five bytes, then field 1: its tag, its length, and the name of a service.
  const service = (await buffer(request)).subarray(7).toString();
  return Buffer.from([0x08, pod.includes(`/${service}`) ? 1 : 2]);
}

/** One message and the status OK, as a gRPC server frames them. */
function answerCall(response: Http2ServerResponse, message: Buffer): void {
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

  const note = (arrival: Arrival): void => {
    if (!isCheck(arrival)) arrivals.push(arrival);
  };

  async function answer(
    pod: string,
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
  ): Promise<void> {
    const arrival = arrivalOf(pod, request);
    note(arrival);
    if (isHealthCall(arrival) && 'stream' in request && 'stream' in response) {
      answerCall(response, await healthOf(pod, request));
      return;
    }
    request.resume();
    const count = (tries.get(arrival.id) ?? 0) + 1;
    tries.set(arrival.id, count);
    const { delayMs, status, reply } = treatmentOf(arrival, count);
    if (delayMs > 0) await clock.sleep(delayMs);
    if (response.destroyed) return;
    response.statusCode = status;
    response.setHeader('content-type', 'application/json');
    for (const [name, value] of reply) response.setHeader(name, value);
    const body = JSON.stringify({ ...arrival, count });
    if (isGrpc(request.headers) && 'stream' in response) {
      answerCall(response, Buffer.from(body));
      return;
    }
    // Node leaves it out where the method is HEAD.
    response.end(body);
  }

  async function listen(pod: string, address: string, port: number): Promise<() => Promise<void>> {
    const http1 = createHttp1((request, response) => void answer(pod, request, response));
    const http2 = createHttp2(
      { settings: { enableConnectProtocol: true } },
      (request, response) => void answer(pod, request, response),
    );
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
    http2.on('connect', (request: Http2ServerRequest, { stream }: Http2ServerResponse) => {
      arrivals.push(arrivalOf(pod, request));
      stream.respond({ 'x-pod': pod });
      stream.pipe(stream);
    });
    http1.keepAliveTimeout = 0;
    http1.on('clientError', (_error, socket) => socket.destroy());
    http2.on('sessionError', () => undefined);
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      socket.on('error', () => undefined);
      const begin = (first: Buffer): void => {
        const header = proxyHeaderOf(first);
        if (header !== undefined) {
          callers.set(socket, header.caller);
          if (header.rest.length === 0) socket.once('data', begin);
          else begin(header.rest);
          return;
        }
        socket.pause();
        socket.unshift(first);
        const isHttp2 = first.subarray(0, 3).toString('latin1') === 'PRI';
        (isHttp2 ? http2 : http1).emit('connection', socket);
        if (!isHttp2) socket.resume();
      };
      socket.once('data', begin);
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
