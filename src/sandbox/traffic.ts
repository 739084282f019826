// Steady gentle traffic: calls made as the pods that say which, evenly spaced. Must not know where the calls go.

import type { Clock } from '../lib/clock.js';
import type { SandboxPod } from './pods.js';
import { createCaller } from './proxied-call.js';

/** What was sent; a failed call had no answer or a 5xx. */
export interface TrafficCount {
  readonly sent: number;
  readonly failed: number;
}

/** Calls that go on until told otherwise. */
export interface Traffic {
  /** The pods whose entries are called from now on. */
  apply(pods: readonly SandboxPod[]): void;
  count(): TrafficCount;
  /** Sends until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** More calls than this at once are not gentle: the next ones wait. */
const maxInFlight = 50;

interface Turn {
  readonly proxy: string;
  readonly url: string;
}

/** Traffic of `perSecond` calls for each pod with an entry. */
export function createTraffic(deps: { readonly perSecond: number; readonly clock: Clock }): Traffic {
  const caller = createCaller();
  let pods: readonly (readonly Turn[])[] = [];
  let sent = 0;
  let failed = 0;
  let inFlight = 0;
  let round = 0;

  async function send(turn: Turn): Promise<void> {
    inFlight += 1;
    const { status } = await caller.call(turn);
    inFlight -= 1;
    sent += 1;
    if (status === 0 || status >= 500) failed += 1;
  }

  function sendRound(): void {
    for (const turns of pods) {
      const turn = turns[round % turns.length];
      if (turn !== undefined && inFlight < maxInFlight) void send(turn);
    }
    round += 1;
  }

  return {
    apply: (next) => {
      pods = next
        .filter((pod) => pod.entries.length > 0)
        .map((pod) => pod.entries.map((url) => ({ proxy: pod.application.proxy, url })));
    },
    count: () => ({ sent, failed }),
    run: async (signal) => {
      const startedAt = deps.clock.now();
      while (!signal.aborted) {
        sendRound();
        const nextAt = startedAt + (round * 1000) / deps.perSecond;
        await deps.clock.sleep(Math.max(1, nextAt - deps.clock.now()), signal);
      }
      caller.close();
    },
  };
}
