// One listening port that speaks HTTP/1.1 and HTTP/2 with prior knowledge, told apart by the first bytes of a
// connection. What is answered is the caller's business.

import { createServer as createHttp1Server, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';
import { type Result, err, messageOf, ok } from '../lib/result.js';
import type { Headers } from './forwarded-headers.js';

/** A request as the application sees it. */
export interface EchoRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
}

/** Where to listen, and what to say. `answer` never rejects. */
export interface EchoListener {
  readonly address: string;
  readonly port: number;
  readonly answer: (request: EchoRequest) => Promise<{ readonly status: number; readonly body: unknown }>;
}

/** An open port. */
export interface EchoServer {
  readonly port: number;
  /** Stops listening and cuts open connections. */
  close(): Promise<void>;
}

/** Opens a port; the error says why that failed. */
export async function listenForEcho(listener: EchoListener): Promise<Result<EchoServer, string>> {
  const http1 = createHttp1Server((request, response) => void serve(request, response, listener.answer));
  const http2 = createHttp2Server((request, response) => void serve(request, response, listener.answer));
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // Peers go away in the middle of things; there is nobody to tell.
    socket.on('error', () => undefined);
    socket.once('data', (first) => {
      socket.pause();
      socket.unshift(first);
      // 'PRI' begins the preface of HTTP/2 and is no method of HTTP/1.
      const isHttp2 = first.subarray(0, 3).toString('latin1') === 'PRI';
      (isHttp2 ? http2 : http1).emit('connection', socket);
      if (!isHttp2) socket.resume();
    });
  });
  // Envoy keeps connections for an hour; closing one under it would lose the request that it sends just then.
  http1.keepAliveTimeout = 0;
  http2.on('sessionError', () => undefined);
  http1.on('clientError', (_error, socket) => socket.destroy());
  const failure = await listen(server, listener);
  if (failure !== undefined) return err(failure);
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : listener.port;
  return ok({ port, close: () => closeServer(server, sockets) });
}

async function listen(
  server: Server,
  at: { readonly address: string; readonly port: number },
): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  server.once('error', (error) => {
    resolve(messageOf(error));
  });
  server.listen(at.port, at.address, () => {
    resolve(undefined);
  });
  return promise;
}

async function closeServer(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  server.close(() => {
    resolve(undefined);
  });
  for (const socket of sockets) socket.destroy();
  await promise;
}

async function serve(
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
  answer: EchoListener['answer'],
): Promise<void> {
  request.resume();
  const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !name.startsWith(':')));
  const { status, body } = await answer({ method: request.method ?? 'GET', path: request.url ?? '/', headers });
  if (response.destroyed) return;
  const text = `${JSON.stringify(body)}\n`;
  response.statusCode = status;
  response.setHeader('content-type', 'application/json');
  if (hasBody(request.method, status)) {
    response.setHeader('content-length', Buffer.byteLength(text));
    response.end(text);
  } else {
    response.end();
  }
}

function hasBody(method: string | undefined, status: number): boolean {
  return method !== 'HEAD' && ![204, 205, 304].includes(status);
}
