// Steady load in tests: requests at a fixed rate, each with an id of its own, sent without waiting for the answers of
// others. What was lost is told afterwards, seen from both ends.

import { systemClock as clock } from '../../src/lib/clock.js';
import type { Applications } from './application.js';
import type { Reply } from './client.js';

/** What came of the load. */
export interface LoadResult {
  readonly sent: number;
  /** Requests without a 200, that no application saw, or that one saw twice. */
  readonly lost: readonly string[];
}

/** Load that is running. */
export interface Load {
  /** Resolves once every request was answered. */
  stop(): Promise<LoadResult>;
}

/** What the load consists of. */
export interface LoadOptions {
  readonly perSecond: number;
  /** Sends the request with this number, and this id in `x-id`. */
  readonly send: (nth: number, id: string) => Promise<Reply>;
  /** Where each request is to arrive exactly once; undefined: proxies answer. */
  readonly applications: Pick<Applications, 'triesOf'> | undefined;
}

/** Starts to send. */
export function startLoad({ perSecond, send, applications }: LoadOptions): Load {
  const stem = `load-${String(clock.now())}`;
  const stopping = new AbortController();
  const failures: string[] = [];
  const underway = new Set<Promise<void>>();
  let sent = 0;

  const one = async (nth: number): Promise<void> => {
    const at = clock.now();
    const { status, body } = await send(nth, `${stem}-${String(nth)}`);
    if (status !== 200)
      failures.push(`${stem}-${String(nth)} at ${String(at)}: ${String(status)} ${body.slice(0, 100)}`);
  };

  const sending = (async () => {
    const start = clock.now();
    while (!stopping.signal.aborted) {
      const due = 1 + ((clock.now() - start) * perSecond) / 1000;
      for (; sent < due; sent++) {
        const request = one(sent);
        underway.add(request);
        void request.then(() => underway.delete(request));
      }
      await clock.sleep(2, stopping.signal);
    }
  })();

  return {
    stop: async () => {
      stopping.abort();
      await sending;
      await Promise.all(underway);
      const ids = Array.from({ length: sent }, (_, nth) => `${stem}-${String(nth)}`);
      const unseen = ids
        .filter((id) => applications !== undefined && applications.triesOf(id) !== 1)
        .map((id) => `${id}: ${String(applications?.triesOf(id))} arrivals`);
      return { sent, lost: [...failures, ...unseen] };
    },
  };
}
