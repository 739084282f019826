// When to build: the first change after quiet at once, a burst in a window that grows with the cost of a build.

import type { Clock } from '../lib/clock.js';

/** Asks for builds. */
export interface Rebuild {
  /** A build is due: now, or with the next one. */
  readonly request: () => void;
  readonly stop: () => void;
}

const windowLimitMs = 500;

/** Coalesces requests. `build` runs on a fresh turn of the event loop, never twice at once. */
export function createRebuild(deps: { readonly clock: Clock; readonly build: () => void }): Rebuild {
  const { clock, build } = deps;
  let cancel: (() => void) | undefined;
  let notBefore = 0;
  let stopped = false;

  const run = (): void => {
    cancel = undefined;
    if (stopped) return;
    const start = performance.now();
    build();
    const cost = performance.now() - start;
    notBefore = clock.now() + Math.min(windowLimitMs, Math.round(cost));
  };

  return {
    request: () => {
      if (cancel !== undefined || stopped) return;
      cancel = clock.schedule(Math.max(0, notBefore - clock.now()), run);
    },
    stop: () => {
      stopped = true;
      cancel?.();
    },
  };
}
