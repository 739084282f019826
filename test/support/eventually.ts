// Waiting in tests for what another process does: looks again and again, and says what it last saw when the deadline
// passes. For what this process can be told of, use `until.ts`.

import { systemClock as clock } from '../../src/lib/clock.js';

/** Options of `eventually`. */
export interface EventuallyOptions {
  /** What is waited for, for the message of a failure. */
  readonly what: string;
  readonly deadlineMs?: number;
  readonly everyMs?: number;
}

/** Resolves to the milliseconds that passed until `look` returned true; any other value is what a failure shows. */
export async function eventually(look: () => unknown, options: EventuallyOptions): Promise<number> {
  const start = clock.now();
  const deadline = start + (options.deadlineMs ?? 10_000);
  for (;;) {
    const seen = await look();
    if (seen === true) return clock.now() - start;
    if (clock.now() > deadline) throw new Error(`waited for ${options.what}; last seen: ${shown(seen)}`);
    await clock.sleep(options.everyMs ?? 20);
  }
}

const shown = (value: unknown): string =>
  (typeof value === 'string' ? value : JSON.stringify([value]).slice(1, -1)).slice(0, 4000);
