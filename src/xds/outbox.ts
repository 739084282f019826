// Bounds the memory of responses on their way: what is written is copied by the transport, so only so many
// bytes are handed to it at a time. Small responses never wait.

/** Hands out permission to write. */
export interface Outbox {
  /** For what is not small: calls `write` now or later, with a function to call once the bytes have left. */
  submit(size: number, write: (done: () => void) => void): void;
}

const smallBytes = 65_536;

/** Responses of this size are not counted. */
export const isSmall = (size: number): boolean => size < smallBytes;

/** An outbox that lets about `budgetBytes` be on their way at once. */
export function createOutbox(budgetBytes: number): Outbox {
  let underway = 0;
  const waiting: { readonly size: number; readonly write: (done: () => void) => void }[] = [];

  const start = (size: number, write: (done: () => void) => void): void => {
    underway += size;
    let finished = false;
    write(() => {
      if (finished) return;
      finished = true;
      underway -= size;
      next();
    });
  };

  const next = (): void => {
    for (let first = waiting[0]; first !== undefined && underway < budgetBytes; first = waiting[0]) {
      waiting.shift();
      start(first.size, first.write);
    }
  };

  return {
    submit: (size, write) => {
      if (underway < budgetBytes) start(size, write);
      else waiting.push({ size, write });
    },
  };
}
