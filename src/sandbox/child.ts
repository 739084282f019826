// One child process, kept alive: started, restarted with a growing pause, stopped by its own id. Its output goes
// to a file. Must not know what the child does.

import type { ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Clock } from '../lib/clock.js';
import { messageOf } from '../lib/result.js';

/** What to run. */
export interface ChildSpec {
  /** For people: `control plane`, `envoy shop/web-0`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** `orders`: standard input is a pipe for `send`, and its end tells the child that we are gone. */
  readonly input: 'none' | 'orders';
  /** Standard output and error are appended here. */
  readonly logFile: string;
}

/** What happens to a child. */
export type ChildEvent =
  | { readonly kind: 'started'; readonly name: string; readonly pid: number; readonly restarts: number }
  | {
      readonly kind: 'ended';
      readonly name: string;
      readonly pid: number | undefined;
      /** `exit code 1`, `signal SIGKILL`, or why it could not be started. */
      readonly how: string;
      /** True when it was told to stop. */
      readonly wanted: boolean;
      readonly logFile: string;
    };

/** A child under supervision. */
export interface Child {
  readonly name: string;
  /** Undefined while it is not running. */
  pid(): number | undefined;
  /** Writes one line to the child's standard input; lost while it is not running. */
  send(line: string): void;
  /** SIGTERM, and SIGKILL after five seconds. Resolves when the process is gone; never rejects. */
  stop(): Promise<void>;
}

/** What supervision needs. */
export interface ChildDeps {
  readonly spawn: typeof spawn;
  readonly clock: Clock;
  readonly onEvent: (event: ChildEvent) => void;
}

const graceMs = 5000;
const longestPauseMs = 10_000;
/** A child that lived this long is healthy: its next end counts as the first again. */
const healthyAfterMs = 10_000;

/** The pause before restart number `quickEnds` in a row: none the first time, then 0.25 s doubling to 10 s. */
export function restartPauseMs(quickEnds: number): number {
  return quickEnds <= 1 ? 0 : Math.min(longestPauseMs, 250 * 2 ** (quickEnds - 2));
}

interface Running {
  readonly process: ChildProcess;
  readonly startedAt: number;
  readonly gone: Promise<void>;
}

/** Starts a child and keeps it running until `stop`. */
export function startChild(spec: ChildSpec, deps: ChildDeps): Child {
  let running: Running | undefined;
  let stopping = false;
  let starts = 0;
  let quickEnds = 0;
  let cancelRestart = (): void => undefined;

  function ended(how: string, from: Running): void {
    running = undefined;
    const lived = deps.clock.now() - from.startedAt;
    quickEnds = lived >= healthyAfterMs ? 1 : quickEnds + 1;
    if (!stopping) cancelRestart = deps.clock.schedule(restartPauseMs(quickEnds), start);
    const { name, logFile } = spec;
    deps.onEvent({ kind: 'ended', name, pid: from.process.pid, how, wanted: stopping, logFile });
  }

  function start(): void {
    if (stopping) return;
    const child = launch(spec, deps.spawn);
    const { promise: gone, resolve } = Promise.withResolvers<undefined>();
    const current: Running = { process: child, startedAt: deps.clock.now(), gone };
    running = current;
    const settle = (how: string): void => {
      if (running === current) ended(how, current);
      resolve(undefined);
    };
    child.once('exit', (code, signal) => {
      settle(signal === null ? `exit code ${String(code)}` : `signal ${signal}`);
    });
    child.on('error', (error) => {
      if (child.pid === undefined) settle(messageOf(error));
    });
    // A child that ends closes the pipe; that it ended is reported by `exit`.
    child.stdin?.on('error', () => undefined);
    starts += 1;
    if (child.pid === undefined) return;
    deps.onEvent({ kind: 'started', name: spec.name, pid: child.pid, restarts: starts - 1 });
  }

  start();
  return {
    name: spec.name,
    pid: () => running?.process.pid,
    send: (line) => {
      running?.process.stdin?.write(`${line}\n`);
    },
    stop: async () => {
      stopping = true;
      cancelRestart();
      if (running !== undefined) await endProcess(running, deps.clock);
    },
  };
}

function launch(spec: ChildSpec, spawnProcess: typeof spawn): ChildProcess {
  const log = openSync(spec.logFile, 'a');
  const stdin = spec.input === 'orders' ? 'pipe' : 'ignore';
  // Its own session, so that Ctrl-C in the terminal reaches the supervisor alone, which then stops all in order.
  const child = spawnProcess(spec.command, [...spec.args], { detached: true, stdio: [stdin, log, log] });
  closeSync(log);
  return child;
}

async function endProcess(running: Running, clock: Clock): Promise<void> {
  running.process.kill('SIGTERM');
  const cancel = clock.schedule(graceMs, () => {
    running.process.kill('SIGKILL');
  });
  await running.gone;
  cancel();
}
