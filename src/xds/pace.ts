// Keeps turns of the event loop short: what does not fit into a turn waits, in order, for the next ones. A thousand
// clients that connect at once must not keep timers, health checks and each other waiting for seconds.

/** Longest time that a turn works on what clients say, in milliseconds. */
const turnMs = 8;

/** Does work now, or in one of the next turns: in the order in which it was given. */
export type Pace = (work: () => void) => void;

/** A pace; `yieldToLoop` calls back in the next turn of the event loop. */
export function createPace(yieldToLoop: (next: () => void) => void): Pace {
  const waiting: (() => void)[] = [];
  let at = 0;
  let end = -Infinity;
  let turning = false;

  const turn = (): void => {
    turning = false;
    end = -Infinity;
    while (at < waiting.length && hasTime()) waiting[at++]?.();
    if (at < waiting.length) return;
    waiting.length = 0;
    at = 0;
  };

  /** Whether this turn has time left. The clock of a turn starts with its first work. */
  const hasTime = (): boolean => {
    const now = performance.now();
    if (!turning) {
      turning = true;
      yieldToLoop(turn);
      end = now + turnMs;
    }
    return now < end;
  };

  return (work) => {
    if (at === waiting.length && hasTime()) work();
    else waiting.push(work);
  };
}
