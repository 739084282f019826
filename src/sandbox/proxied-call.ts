// One HTTP request made as a pod: through the pod's sidecar, as an explicit proxy. Used by applications, by steady
// traffic and by nobody else. Must not know what the request is for.

import { Agent, type IncomingMessage, request } from 'node:http';
import { messageOf } from '../lib/result.js';

/** What to ask, and through whom. */
export interface ProxiedCall {
  /** The sidecar, `host:port`. */
  readonly proxy: string;
  /** An `http://` URL. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** What came back; status 0 means that no answer did, and `body` says why. */
export interface ProxiedAnswer {
  readonly status: number;
  readonly body: string;
}

/** Makes calls over kept connections; `close` ends them. */
export interface Caller {
  call(call: ProxiedCall): Promise<ProxiedAnswer>;
  close(): void;
}

const maxBodyBytes = 64 * 1024;
const defaultTimeoutMs = 15_000;

/** A caller with its own connections. It never rejects. */
export function createCaller(): Caller {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  return {
    call: (call) => callOnce(call, agent),
    close: () => {
      agent.destroy();
    },
  };
}

async function callOnce(call: ProxiedCall, agent: Agent): Promise<ProxiedAnswer> {
  try {
    const response = await responseTo(call, agent);
    return { status: response.statusCode ?? 0, body: await readBody(response) };
  } catch (thrown) {
    return { status: 0, body: messageOf(thrown) };
  }
}

async function responseTo(call: ProxiedCall, agent: Agent): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const separator = call.proxy.lastIndexOf(':');
  const url = new URL(call.url);
  const outgoing = request({
    agent,
    host: call.proxy.slice(0, separator),
    port: Number(call.proxy.slice(separator + 1)),
    // Absolute form: what makes it a request to a proxy.
    path: url.href,
    headers: { ...call.headers, host: url.host },
    timeout: call.timeoutMs ?? defaultTimeoutMs,
  });
  outgoing.once('timeout', () => outgoing.destroy(new Error('no answer in time')));
  outgoing.on('error', reject);
  outgoing.once('response', resolve);
  outgoing.end();
  return promise;
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  // The rest is read and dropped, so that the connection can be used again.
  for await (const chunk of response) {
    const bytes: Buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    if (size < maxBodyBytes) chunks.push(bytes);
    size += bytes.length;
  }
  return Buffer.concat(chunks).toString('utf8', 0, Math.min(size, maxBodyBytes));
}
