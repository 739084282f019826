// A caller in tests: requests through a pod's own Envoy as an explicit proxy, over HTTP/1.1 with kept connections, or
// over HTTP/2. Never retries, so that what is lost shows.

import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:http2';
import type { Arrival } from './application.js';

/** A request. */
export interface Question {
  /** The Envoy of the calling pod, `host:port`. */
  readonly proxy: string;
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** An answer; status 0: none came, and `body` says why. */
export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** What the application says of the request, if one answered. */
  readonly seen: Arrival | undefined;
}

/** Asks; never rejects. */
export interface Client {
  ask(question: Question): Promise<Reply>;
  close(): void;
}

function replyOf(status: number, headers: IncomingHttpHeaders, body: string): Reply {
  const fromApplication = headers['content-type'] === 'application/json' && body !== '';
  return { status, headers, body, seen: fromApplication ? (JSON.parse(body) as Arrival) : undefined };
}

/** A client with its own connections. */
export function createClient(): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const ask = (question: Question): Promise<Reply> =>
    new Promise((resolve) => {
      const url = new URL(question.url);
      const [host, port] = question.proxy.split(':');
      const failed = (error: Error): void => {
        resolve(replyOf(0, {}, error.message));
      };
      const outgoing = request({
        agent,
        host,
        port,
        path: url.href,
        method: question.method ?? 'GET',
        headers: { host: url.host, ...question.headers },
        timeout: 15_000,
      });
      outgoing.once('timeout', () => outgoing.destroy(new Error('no answer in time')));
      outgoing.once('error', failed);
      outgoing.once('response', (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (body += chunk));
        response.once('error', failed);
        response.once('end', () => {
          resolve(replyOf(response.statusCode ?? 0, response.headers, body));
        });
      });
      outgoing.end(question.body);
    });
  return {
    ask,
    close: () => {
      agent.destroy();
    },
  };
}

/** One request over HTTP/2 with prior knowledge. */
export function askHttp2(question: Question): Promise<Reply> {
  return new Promise((resolve) => {
    const url = new URL(question.url);
    const session = connect(`http://${question.proxy}`);
    const failed = (error: Error): void => {
      session.destroy();
      resolve(replyOf(0, {}, error.message));
    };
    session.once('error', failed);
    const stream = session.request({
      ':method': question.method ?? 'GET',
      ':authority': url.host,
      ':path': `${url.pathname}${url.search}`,
      ...question.headers,
    });
    let headers: IncomingHttpHeaders = {};
    let body = '';
    stream.once('error', failed);
    stream.once('response', (received) => {
      headers = { ...received };
    });
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => (body += chunk));
    stream.once('end', () => {
      session.close();
      resolve(replyOf(Number(headers[':status'] ?? 0), headers, body));
    });
    stream.end(question.body);
  });
}

/** Asks for an upgrade to WebSocket; then sends bytes, and resolves to as many that came back. */
export function askUpgrade(question: Question, bytes: string): Promise<Reply> {
  return new Promise((resolve) => {
    const url = new URL(question.url);
    const [host, port] = question.proxy.split(':');
    const headers = { host: url.host, connection: 'upgrade', upgrade: 'websocket', ...question.headers };
    const outgoing = request({ host, port, path: url.href, headers });
    outgoing.once('error', (error) => {
      resolve(replyOf(0, {}, error.message));
    });
    outgoing.once('response', (response) => {
      response.resume();
      resolve(replyOf(response.statusCode ?? 0, response.headers, ''));
    });
    outgoing.once('upgrade', (response, socket) => {
      let body = '';
      socket.setEncoding('utf8');
      socket.on('error', () => undefined);
      socket.on('data', (chunk: string) => {
        body += chunk;
        if (body.length < bytes.length) return;
        socket.destroy();
        resolve(replyOf(response.statusCode ?? 0, response.headers, body));
      });
      socket.write(bytes);
    });
    outgoing.end();
  });
}

/** The same over HTTP/2, where an upgrade is a CONNECT that names its protocol. */
export function askUpgradeHttp2(question: Question, bytes: string): Promise<Reply> {
  return new Promise((resolve) => {
    const url = new URL(question.url);
    const session = connect(`http://${question.proxy}`);
    const failed = (error: Error): void => {
      session.destroy();
      resolve(replyOf(0, {}, error.message));
    };
    session.once('error', failed);
    session.once('remoteSettings', () => {
      const target = { ':scheme': 'http', ':authority': url.host, ':path': url.pathname };
      const stream = session.request(
        { ':method': 'CONNECT', ':protocol': 'websocket', ...target },
        { endStream: false },
      );
      let headers: IncomingHttpHeaders = {};
      let body = '';
      const done = (): void => {
        session.destroy();
        resolve(replyOf(Number(headers[':status'] ?? 0), headers, body));
      };
      stream.once('error', failed);
      stream.once('response', (received) => {
        headers = { ...received };
      });
      stream.setEncoding('utf8');
      stream.on('data', (chunk: string) => {
        body += chunk;
        if (body.length >= bytes.length) done();
      });
      stream.once('end', done);
      stream.write(bytes);
    });
  });
}

/** Runs `task` for 0 … count − 1, some at a time. */
export async function inParallel<T>(
  count: number,
  width: number,
  task: (index: number) => Promise<T>,
): Promise<readonly T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) results[index] = await task(index);
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}
