// What listens in a pod: applications, and the way to the control plane.

import { createServer as createHttp, type IncomingHttpHeaders } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTls } from 'node:tls';
import { systemClock as clock } from '../../src/lib/clock.js';
import type { Echo, Listening, PodOrder } from './orders.js';

/** A secret that both ends of TLS know and no proxy does: no certificates are needed to show who ends it. */
export const sharedKey = { identity: 'test', psk: Buffer.from('6c65676174696f6e', 'hex') };
/** Ciphers with a shared key are of 1.2. */
export const tlsOptions = { ciphers: 'PSK', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;

/** An answer takes its time. */
export const slowPath = '/slow';
/** How often a request with each id arrived in this process. */
export const arrivals = new Map<string, number>();

function note({ 'x-id': id }: IncomingHttpHeaders): void {
  if (typeof id === 'string') arrivals.set(id, (arrivals.get(id) ?? 0) + 1);
}

function echoOf(pod: string, socket: Socket, said: { name: string; headers: IncomingHttpHeaders }): string {
  const echo: Echo = { pod, from: socket.remoteAddress ?? '', to: socket.localAddress ?? '', ...said };
  return JSON.stringify(echo);
}

function serverOf(pod: string, { manner }: Listening): Server {
  if (manner === 'http') {
    return createHttp(({ url, headers, socket }, response) => {
      note(headers);
      response.setHeader('content-type', 'application/json');
      const echo = echoOf(pod, socket, { name: headers.host ?? '', headers });
      void clock.sleep(url === slowPath ? 1_500 : 0).then(() => response.end(echo));
    });
  }
  if (manner === 'banner') {
    return createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.write(`${echoOf(pod, socket, { name: '', headers: {} })}\n`);
      socket.pipe(socket);
    });
  }
  const server = createTls({ ...tlsOptions, pskCallback: () => sharedKey.psk }, (socket) => {
    socket.on('error', () => socket.destroy());
    const name = typeof socket.servername === 'string' ? socket.servername : '';
    socket.end(`${echoOf(pod, socket, { name, headers: {} })}\n`);
  });
  return server.on('tlsClientError', (_error, socket) => socket.destroy());
}

const listening = (server: Server, address: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, resolve);
  });

/** Opens the applications of a pod: on its addresses, never on all, so that what bypasses them shows. */
export const applications = ({ name, addresses, serves }: PodOrder): readonly Promise<void>[] =>
  serves.flatMap((one) => addresses.map((address) => listening(serverOf(name, one), address, one.port)));

/** Opens a port on loopback that leads to a unix socket. */
export function forward({ port, socket }: { readonly port: number; readonly socket: string }): Promise<void> {
  const server = createServer((incoming) => {
    const outgoing = connect(socket);
    incoming.on('error', () => outgoing.destroy()).on('close', () => outgoing.destroy());
    outgoing.on('error', () => incoming.destroy()).on('close', () => incoming.destroy());
    incoming.pipe(outgoing).pipe(incoming);
  });
  return listening(server, '127.0.0.1', port);
}
