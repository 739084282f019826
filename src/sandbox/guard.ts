// The guard's part of the bargain that nothing outlives the sandbox: the supervisor tells it over a pipe which
// processes run, and when that pipe ends, however the supervisor ended, the guard ends them. Must not know what
// they are.

import type { Clock } from '../lib/clock.js';

/** How the guard reaches processes. */
export interface GuardDeps {
  readonly clock: Clock;
  /** False when there is no such process any more. */
  readonly signal: (pid: number, name: 'SIGTERM' | 'SIGKILL' | 0) => boolean;
}

const graceMs = 3000;
const pollMs = 50;

/** Order lines of the supervisor: a process started, or it ended. */
export const guardOrder = {
  watch: (pid: number): string => `+${String(pid)}`,
  forget: (pid: number): string => `-${String(pid)}`,
} as const;

/** Follows order lines until they end, then ends every process still named: SIGTERM, after three seconds SIGKILL. */
export async function guard(orders: AsyncIterable<string>, deps: GuardDeps): Promise<void> {
  const pids = new Set<number>();
  for await (const order of orders) follow(order, pids);
  for (const pid of pids) deps.signal(pid, 'SIGTERM');
  const deadline = deps.clock.now() + graceMs;
  while (remaining(pids, deps).length > 0 && deps.clock.now() < deadline) await deps.clock.sleep(pollMs);
  for (const pid of remaining(pids, deps)) deps.signal(pid, 'SIGKILL');
}

function follow(order: string, pids: Set<number>): void {
  const pid = Number(order.slice(1));
  // 0, 1 and negative ids mean groups or init: never ours.
  if (!Number.isInteger(pid) || pid <= 1) return;
  if (order.startsWith('+')) pids.add(pid);
  else pids.delete(pid);
}

function remaining(pids: ReadonlySet<number>, deps: GuardDeps): readonly number[] {
  return [...pids].filter((pid) => deps.signal(pid, 0));
}
