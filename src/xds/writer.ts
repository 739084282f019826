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

/** Responses of one stream on their way out. */
export interface Writer {
  send(bytes: Buffer): void;
  /** Forgets what was not written, and gives back what the outbox lent. */
  stop(): void;
}

/** Responses that may wait for a client that does not read. */
const waitingAllowed = 256;

/** A writer; `overflow` is called when the client has stopped reading. */
export function createWriter(deps: { readonly call: Call; readonly outbox: Outbox }, overflow: () => void): Writer {
  const queue: Buffer[] = [];
  const lent = new Set<() => void>();
  let writing = false;
  let open = true;

  const resume = (): void => {
    writing = false;
    next();
  };

  const write = (bytes: Buffer, done: () => void): void => {
    if (!open) {
      done();
      return;
    }
    lent.add(done);
    const flowing = deps.call.write(bytes, () => {
      lent.delete(done);
      done();
    });
    if (flowing) resume();
    else deps.call.onDrain(resume);
  };

  const next = (): void => {
    if (writing || !open) return;
    const bytes = queue.shift();
    if (bytes === undefined) return;
    writing = true;
    deps.outbox.submit(bytes.length, (done) => {
      write(bytes, done);
    });
  };

  return {
    send: (bytes) => {
      if (!open) return;
      queue.push(bytes);
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
