// A client that speaks HTTP/2 as it likes: what grpc-js would never say.

import http2 from 'node:http2';
import { until } from '../support/until.js';

export const deltaPath = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';

/** The headers of a proper call. */
export const properHeaders: http2.OutgoingHttpHeaders = {
  ':method': 'POST',
  ':path': deltaPath,
  'content-type': 'application/grpc',
  te: 'trailers',
};

/** A message behind its flag and length, which may lie. */
export function framed(message: Uint8Array, says: { readonly flag?: number; readonly length?: number } = {}): Buffer {
  const head = Buffer.alloc(5);
  head[0] = says.flag ?? 0;
  head.writeUInt32BE(says.length ?? message.length, 1);
  return Buffer.concat([head, message]);
}

/** A call as its client sees it. */
export interface RawCall {
  readonly stream: http2.ClientHttp2Stream;
  headers(): http2.IncomingHttpHeaders;
  /** Headers and trailers, when there is a status or the call is closed. */
  readonly ended: () => Promise<http2.IncomingHttpHeaders>;
  readonly closed: () => Promise<void>;
  /** Waits for so many whole messages. */
  readonly messages: (count: number) => Promise<readonly Buffer[]>;
}

/** A connection that may misbehave. */
export interface RawClient {
  readonly session: http2.ClientHttp2Session;
  readonly call: (headers?: http2.OutgoingHttpHeaders) => RawCall;
  readonly closed: () => Promise<void>;
}

function messagesIn(bytes: Buffer): readonly Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at + 5 <= bytes.length;) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    if (end > bytes.length) break;
    found.push(bytes.subarray(at + 5, end));
    at = end;
  }
  return found;
}

function callOn(session: http2.ClientHttp2Session, extra: http2.OutgoingHttpHeaders): RawCall {
  const stream = session.request({ ...properHeaders, ...extra }, { endStream: false });
  const listeners = new Set<() => void>();
  const changed = (): void => {
    for (const listener of [...listeners]) listener();
  };
  const subscribe = (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  let headers: http2.IncomingHttpHeaders = {};
  let received = Buffer.alloc(0);
  let isOver = false;
  const take = (more: http2.IncomingHttpHeaders): void => {
    headers = { ...headers, ...more };
    changed();
  };
  stream.on('response', take);
  stream.on('trailers', take);
  stream.on('error', () => undefined);
  stream.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    changed();
  });
  stream.once('close', () => {
    isOver = true;
    changed();
  });
  return {
    stream,
    headers: () => headers,
    ended: async () => {
      await until(() => isOver || 'grpc-status' in headers, subscribe, { what: 'the end of the call' });
      return headers;
    },
    closed: () => until(() => isOver, subscribe, { what: 'the call to be closed' }),
    messages: async (count) => {
      await until(() => messagesIn(received).length >= count, subscribe, { what: `${String(count)} messages` });
      return messagesIn(received);
    },
  };
}

/** Connects to `host:port`. */
export function connectRaw(address: string, options: http2.ClientSessionOptions = {}): RawClient {
  const session = http2.connect(`http://${address}`, options);
  session.on('error', () => undefined);
  let isClosed = false;
  session.once('close', () => {
    isClosed = true;
  });
  return {
    session,
    call: (headers = {}) => callOn(session, headers),
    closed: () =>
      until(
        () => isClosed,
        (listener) => {
          session.on('close', listener);
          return () => session.off('close', listener);
        },
        { what: 'the connection to be closed' },
      ),
  };
}
