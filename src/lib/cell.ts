// The latest value of something, and who wants to hear of the next one.

/** A value that changes. Equal values do not notify. */
export interface Cell<T> {
  get(): T;
  set(next: T): void;
  /** Calls `listener` after each change; the returned function ends it. */
  subscribe(listener: (value: T) => void): () => void;
}

/** A cell with a first value. */
export function createCell<T>(initial: T): Cell<T> {
  let value = initial;
  const listeners = new Set<(value: T) => void>();
  return {
    get: () => value,
    set: (next) => {
      if (Object.is(next, value)) return;
      value = next;
      for (const listener of [...listeners]) listener(next);
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
