// Waiting in tests: for an event, never for a time. The deadline only turns a hang into a failure with a name.

import { systemClock } from '../../src/lib/clock.js';

/** Anything that says when it changed; the returned function ends the subscription. */
export type Subscribe = (listener: () => void) => () => void;

/** Options of `until`. */
export interface UntilOptions {
  /** What is waited for, for the message of a failure. */
  readonly what: string;
  readonly deadlineMs?: number;
}

/** Resolves as soon as `condition` holds, looking at once and after each change. */
export function until(condition: () => boolean, subscribe: Subscribe, options: UntilOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const deadlineMs = options.deadlineMs ?? 5000;
    const finish = (settle: () => void): void => {
      cancel();
      unsubscribe();
      settle();
    };
    const cancel = systemClock.schedule(deadlineMs, () => {
      finish(() => {
        reject(new Error(`waited ${String(deadlineMs)} ms for ${options.what}`));
      });
    });
    const look = (): void => {
      if (condition()) finish(resolve);
    };
    const unsubscribe = subscribe(look);
    look();
  });
}
