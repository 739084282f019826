// A clock that tests move by hand. Timers fire in order, at the times that they were set for.

import type { Clock } from '../../src/lib/clock.js';

/** A clock with its hand. */
export interface FakeClock extends Clock {
  /** Moves the time, firing what is due on the way. */
  readonly advance: (ms: number) => void;
  /** How often the time was read, and who wants to hear of the next time. */
  reads(): number;
  readonly onRead: (listener: () => void) => () => void;
}

/** A clock that stands still. */
export function createFakeClock(start = 1_000_000): FakeClock {
  let now = start;
  let reads = 0;
  const timers = new Set<{ readonly at: number; readonly action: () => void }>();
  const listeners = new Set<() => void>();
  const schedule = (delayMs: number, action: () => void): (() => void) => {
    const timer = { at: now + delayMs, action };
    timers.add(timer);
    return () => timers.delete(timer);
  };
  const fireUntil = (end: number): void => {
    for (;;) {
      const [next] = [...timers].filter((one) => one.at <= end).sort((left, right) => left.at - right.at);
      if (next === undefined) return;
      timers.delete(next);
      now = Math.max(now, next.at);
      next.action();
    }
  };
  return {
    now: () => {
      reads++;
      for (const listener of [...listeners]) listener();
      return now;
    },
    schedule,
    sleep: (delayMs, signal) =>
      new Promise((resolve) => {
        const cancel = schedule(delayMs, resolve);
        signal?.addEventListener('abort', () => {
          cancel();
          resolve();
        });
      }),
    advance: (ms) => {
      const end = now + ms;
      fireUntil(end);
      now = end;
    },
    reads: () => reads,
    onRead: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
