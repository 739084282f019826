// Writes the responses of one stream in order, no faster than the client reads.

import { isSmall, type Outbox } from './outbox.js';
import type { Call } from './transport.js';

/** A response that is made when it can leave. */
export interface Outgoing {
  /** About how many bytes it has. */
  readonly size: number;
  /** The message, framed. */
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

  const write = (response: Outgoing, done?: () => void): void => {
    writing = !deps.call.write(response.encode(), done);
    if (writing) deps.call.onDrain(resume);
  };

  /** Writes once the outbox allows it. */
  const submit = (response: Outgoing): void => {
    writing = true;
    deps.outbox.submit(response.size, (done) => {
      if (!open) {
        done();
        return;
      }
      lent.add(done);
      write(response, () => {
        lent.delete(done);
        done();
      });
      next();
    });
  };

  const next = (): void => {
    while (!writing && open) {
      const response = queue.shift();
      if (response === undefined) return;
      if (isSmall(response.size)) write(response);
      else submit(response);
    }
  };

  return {
    send: (response) => {
      if (!open) return;
      if (!writing && queue.length === 0 && isSmall(response.size)) {
        write(response);
        return;
      }
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
