// Connections in tests: servers that speak first or speak TLS, and tunnels through the explicit proxy of a pod.

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { promisify } from 'node:util';
import { systemClock as clock } from '../../src/lib/clock.js';

const run = promisify(execFile);

/** A loopback address of this run alone, outside of the mesh. */
export const ownAddress = (last: number): string => `127.79.${String(1 + (process.pid % 250))}.${String(last)}`;

/** A key with a certificate that it signed itself. */
export interface KeyPair {
  readonly key: string;
  readonly cert: string;
}

/** Makes a certificate for a name. */
export async function selfSigned(name: string): Promise<KeyPair> {
  const folder = await mkdtemp(join(tmpdir(), 'legation-test-'));
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const names = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`];
  await run('openssl', ['req', '-x509', ...curve, ...names, '-keyout', keyFile, '-out', certFile]);
  const pair = { key: await readFile(keyFile, 'utf8'), cert: await readFile(certFile, 'utf8') };
  await rm(folder, { recursive: true });
  return pair;
}

/** Servers of a test, all of which `close` ends. */
export interface Servers {
  /** Says `hello from <name>` to everybody who connects, and then echoes. */
  greeter(name: string, address: string, port: number): Promise<void>;
  /** Speaks TLS, and says its name inside. */
  tls(name: string, place: { readonly address: string; readonly port: number }, keys: KeyPair): Promise<void>;
  close(): Promise<void>;
}

/** No servers yet. */
export function createServers(): Servers {
  const servers = new Set<Server>();
  const sockets = new Set<Socket>();
  const listen = (server: Server, address: string, port: number): Promise<void> => {
    servers.add(server);
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      socket.on('error', () => undefined);
    });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, address, resolve);
    });
  };
  return {
    greeter: (name, address, port) =>
      listen(
        createServer((socket) => {
          socket.write(`hello from ${name}\n`);
          socket.pipe(socket);
        }),
        address,
        port,
      ),
    tls: (name, { address, port }, keys) =>
      listen(
        createTlsServer({ ...keys }, (socket) => {
          socket.on('error', () => undefined);
          socket.end(`hello from ${name}\n`);
        }),
        address,
        port,
      ),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await Promise.all([...servers].map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

/** A tunnel; without a socket the proxy refused it. */
export interface Tunnel {
  readonly status: number;
  readonly socket: Socket | undefined;
}

/** Asks the explicit proxy of a pod for a tunnel to an authority. */
export function openTunnel(proxy: string, authority: string): Promise<Tunnel> {
  return new Promise((resolve, reject) => {
    const [host, port] = proxy.split(':');
    const asking = request({ host, port, method: 'CONNECT', path: authority, headers: { host: authority } });
    asking.once('error', reject);
    asking.once('connect', (response, socket, head) => {
      const status = response.statusCode ?? 0;
      socket.on('error', () => undefined);
      if (head.length > 0) socket.unshift(head);
      if (status !== 200) socket.destroy();
      resolve({ status, socket: status === 200 ? socket : undefined });
    });
    asking.end();
  });
}

/** What comes until the first end of line; empty where the connection was closed before. */
export function lineFrom(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const done = (): void => {
      socket.removeAllListeners('data');
      resolve(text.trim());
    };
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('\n')) done();
    });
    socket.once('close', done);
    socket.once('error', done);
  });
}

/** The first line that a server says through a tunnel; the status where there was no tunnel, `closed` where no line. */
export async function greetingThrough(proxy: string, authority: string): Promise<string> {
  const { status, socket } = await openTunnel(proxy, authority);
  if (socket === undefined) return String(status);
  const line = await lineFrom(socket);
  socket.destroy();
  return line === '' ? 'closed' : line;
}

/** Speaks TLS over a connection that is there, and reads a line; where `ca` is given only from who has its key. */
export async function lineOverTls(socket: Socket, servername: string, ca?: string): Promise<string> {
  const secure = connectTls({ socket, servername, ...(ca === undefined ? { rejectUnauthorized: false } : { ca }) });
  const line = await lineFrom(secure);
  secure.destroy();
  return line;
}

/** Milliseconds until a connection is closed by the other side. */
export function lifetimeOf(socket: Socket): Promise<number> {
  const start = clock.now();
  return new Promise((resolve) => {
    socket.resume();
    socket.once('close', () => {
      resolve(clock.now() - start);
    });
  });
}
