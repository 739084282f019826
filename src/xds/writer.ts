// Writes the responses of one stream in order, no faster than the client reads.

import type { Outbox } from './outbox.js';

/** The server's side of a call, as far as a stream needs it. */
export interface Call {
  /** False: wait for `onDrain` before the next. `done` is called once the bytes have left. */
  write(bytes: Buffer, done: () => void): boolean;
  onDrain(resume: () => void): void;
  /** Ends the call with a status, after what was written. */
  fail(code: number, message: string): void;
}

/** A response that is made when it can leave. */
export interface Outgoing {
  /** About how many bytes it has. */
  readonly size: number;
  encode(): Buffer;
}

/** Responses of one stream on their way out. */
export interface Writer {
  send(response: Outgoing): void;
  /** Forgets what was not written, and gives back what the outbox lent. */
  stop(): void;
}

/** Responses that may wait for a client that does not read. */
const waitingAllowed = 256;

/** A writer; `overflow` is called when the client has stopped reading. */
export function createWriter(deps: { readonly call: Call; readonly outbox: Outbox }, overflow: () => void): Writer {
  const queue: Outgoing[] = [];
  const lent = new Set<() => void>();
  let writing = false;
  let open = true;

  const resume = (): void => {
    writing = false;
    next();
  };

  const write = (response: Outgoing, done: () => void): void => {
    if (!open) {
      done();
      return;
    }
    lent.add(done);
    const flowing = deps.call.write(response.encode(), () => {
      lent.delete(done);
      done();
    });
    if (flowing) resume();
    else deps.call.onDrain(resume);
  };

  const next = (): void => {
    if (writing || !open) return;
    const response = queue.shift();
    if (response === undefined) return;
    writing = true;
    deps.outbox.submit(response.size, (done) => {
      write(response, done);
    });
  };

  return {
    send: (response) => {
      if (!open) return;
      queue.push(response);
      next();
      if (queue.length > waitingAllowed) overflow();
    },
    stop: () => {
      open = false;
      queue.length = 0;
      for (const done of lent) done();
      lent.clear();
    },
  };
}
