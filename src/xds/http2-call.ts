// One call over a stream of node:http2: what gRPC asks of a server, by hand. A response that many calls send is one
// buffer, framed when it was made, and reaches the socket without a copy; what a turn says leaves in one write.

import { constants, type IncomingHttpHeaders, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { soon, type Clock } from '../lib/clock.js';
import { createFrameReader, encodeStatusMessage, type Framed } from './grpc-frame.js';
import type { Protocol } from './plan.js';
import { limits, methodNames, servicePath, statusCodes, type Call, type FailureCode, type Open } from './transport.js';

/** What a call is served with. */
export interface CallDeps {
  readonly clock: Clock;
  /** Does work at the end of the turn. */
  readonly later: (work: () => void) => void;
  /** Told that the client lives. */
  readonly heard: () => void;
}

const accepted = { ':status': 200, 'content-type': 'application/grpc', 'grpc-accept-encoding': 'identity' } as const;

type Code = FailureCode | 'OK';

const statusOf = (code: Code, message: string): OutgoingHttpHeaders => ({
  'grpc-status': String(statusCodes[code]),
  ...(message === '' ? {} : { 'grpc-message': encodeStatusMessage(message) }),
});

const protocols: Readonly<Record<string, Protocol>> = {
  [`${servicePath}/${methodNames.delta}`]: 'delta',
  [`${servicePath}/${methodNames.sotw}`]: 'sotw',
};

/** Messages as they are, or as protobuf, which is the same here; parameters do not matter. */
const isGrpc = (contentType: string | undefined): boolean =>
  /^application\/grpc(\+proto)?\s*(;|$)/i.test(contentType ?? '');

/** The method that a request calls, or the answer to what is no call of ours. */
export function methodOf(headers: IncomingHttpHeaders): Protocol | OutgoingHttpHeaders {
  const { ':method': verb, ':path': path = '', 'content-type': contentType, te } = headers;
  if (verb !== 'POST') return { ':status': 405, allow: 'POST' };
  if (!isGrpc(contentType)) return { ':status': 415, accept: 'application/grpc' };
  const protocol = protocols[path];
  if (protocol === undefined)
    return { ...accepted, ...statusOf('UNIMPLEMENTED', `method '${path.slice(0, 256)}' is not served`) };
  if (te !== 'trailers')
    return { ...accepted, ...statusOf('INTERNAL', "the header 'te: trailers' is missing: a status would not arrive") };
  return protocol;
}

/** Answers with headers alone, and reads no more. */
export function turnAway(stream: ServerHttp2Stream, headers: OutgoingHttpHeaders): void {
  stream.respond(headers, { endStream: true });
  stream.close(constants.NGHTTP2_NO_ERROR);
}

/** Why a stream is read no further. */
function faultOf(framed: Exclude<Framed, { kind: 'message' }>, encoding: string | undefined): [FailureCode, string] {
  switch (framed.kind) {
    case 'too-long':
      return [
        'RESOURCE_EXHAUSTED',
        `a message of ${String(framed.length)} bytes is longer than the ${String(limits.messageBytes)} that are taken`,
      ];
    case 'malformed':
      return ['INTERNAL', `a message begins with ${String(framed.flag)}; only 0 and 1 are flags of gRPC`];
    case 'compressed':
      return encoding === undefined || encoding === 'identity'
        ? ['INTERNAL', 'a message is compressed, and the header grpc-encoding does not say how']
        : ['UNIMPLEMENTED', `grpc-encoding '${encoding.slice(0, 64)}' is not supported; send identity`];
  }
}

/** How a call ends: once. */
interface Ending {
  readonly isOver: () => boolean;
  readonly finish: (code: Code, message: string) => void;
}

function createEnding(stream: ServerHttp2Stream, { clock }: CallDeps, flush: () => void): Ending {
  let isOver = false;
  const sendStatus = (status: OutgoingHttpHeaders): void => {
    if (!stream.headersSent) {
      turnAway(stream, { ...accepted, ...status });
      return;
    }
    stream.once('wantTrailers', () => {
      stream.sendTrailers(status);
      // Who has not said that it is done is told that nobody listens; but first, the status must leave.
      soon(() => {
        stream.close(constants.NGHTTP2_NO_ERROR);
      });
    });
    stream.end();
    // Who does not read what comes before its status does not get it either.
    const cancel = clock.schedule(limits.farewellMs, () => {
      stream.close(constants.NGHTTP2_CANCEL);
    });
    stream.once('close', cancel);
  };
  return {
    isOver: () => isOver || stream.destroyed || stream.closed,
    finish: (code, message) => {
      if (isOver || stream.destroyed || stream.closed) return;
      flush();
      isOver = true;
      sendStatus(statusOf(code, message));
    },
  };
}

/** Messages that leave together at the end of the turn. */
function createSending(stream: ServerHttp2Stream, { later }: CallDeps) {
  let waiting: { readonly framed: Buffer; readonly done: (() => void) | undefined }[] = [];
  let bytes = 0;
  const flush = (): void => {
    const leaving = waiting;
    if (leaving.length === 0 || stream.destroyed || stream.closed) return;
    waiting = [];
    bytes = 0;
    if (!stream.headersSent) stream.respond(accepted, { waitForTrailers: true });
    if (leaving.length > 1) stream.cork();
    for (const { framed, done } of leaving) stream.write(framed, done);
    if (leaving.length > 1) stream.uncork();
  };
  const write = (framed: Buffer, done?: () => void): boolean => {
    waiting.push({ framed, done });
    bytes += framed.length;
    if (waiting.length === 1) later(flush);
    return stream.writableLength + bytes < stream.writableHighWaterMark;
  };
  return { flush, write };
}

/** Serves a call until it ends. */
export function serveCall(
  { stream, headers }: { readonly stream: ServerHttp2Stream; readonly headers: IncomingHttpHeaders },
  open: Open,
  deps: CallDeps,
): void {
  const sending = createSending(stream, deps);
  const { isOver, finish } = createEnding(stream, deps, sending.flush);
  const call: Call = {
    write: (framed, done) => isOver() || sending.write(framed, done),
    onDrain: (resume) => {
      stream.once('drain', resume);
    },
    fail: finish,
  };
  const receiver = open(call);
  stream.on('error', () => undefined); // told by 'close'
  stream.once('close', () => {
    receiver.gone();
  });
  read({ stream, encoding: headers['grpc-encoding'], isOver, finish, heard: deps.heard }, receiver);
}

interface Reading extends Ending {
  readonly stream: ServerHttp2Stream;
  readonly encoding: string | string[] | undefined;
  readonly heard: () => void;
}

/** Hands on one message after the other; the client waits while one is worked on. */
function read({ stream, encoding, isOver, finish, heard }: Reading, receiver: ReturnType<Open>): void {
  const reader = createFrameReader(limits.messageBytes);
  let busy = false;
  let working = false;
  let ended = false;

  const takeOne = (): boolean => {
    if (busy || isOver()) return false;
    const framed = reader.next();
    if (framed === undefined) return false;
    if (framed.kind !== 'message') {
      finish(...faultOf(framed, encoding === undefined ? undefined : String(encoding)));
      return false;
    }
    busy = true;
    receiver.receive(framed.message, next);
    return true;
  };

  const work = (): void => {
    working = true;
    while (takeOne());
    working = false;
    if (busy) stream.pause();
    else if (ended) conclude();
    else if (stream.isPaused()) stream.resume();
  };

  const next = (): void => {
    busy = false;
    if (!working) work();
  };

  const conclude = (): void => {
    if (reader.isPartial()) finish('INTERNAL', 'the stream ends in the middle of a message');
    else finish('OK', '');
  };

  stream.on('data', (chunk: Buffer) => {
    if (isOver()) return;
    heard();
    reader.push(chunk);
    work();
  });
  stream.on('end', () => {
    ended = true;
    if (!busy) conclude();
  });
}
