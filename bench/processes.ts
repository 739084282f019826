// Child processes of the bench: starting them on a core of their own, and reading what they cost from /proc.
import { spawn, spawnSync, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { systemClock } from '../src/lib/clock.js';

/** The cores of the control plane and of the clients, or undefined to let the kernel choose. */
export interface Cores {
  readonly server: number;
  readonly clients: number;
}

/** The pinning in use; undefined without taskset or a second core. */
export const findCores = (wanted: boolean): Cores | undefined => {
  if (!wanted) return undefined;
  const cores = { server: 0, clients: 1 };
  const probe = spawnSync('taskset', ['-c', `${String(cores.server)},${String(cores.clients)}`, 'true']);
  return probe.status === 0 ? cores : undefined;
};

/** Keeps the driver off the core of the control plane. */
export const pinSelf = (cores: Cores): void => {
  spawnSync('taskset', ['-a', '-p', '-c', String(cores.clients), String(process.pid)]);
};

/** Spawns a command, pinned to a core if one is given; the pid is the command's own. */
export const spawnOn = (core: number | undefined, command: readonly string[], options: SpawnOptions): ChildProcess => {
  const [program = '', ...args] = core === undefined ? command : ['taskset', '-c', String(core), ...command];
  return spawn(program, args, options);
};

const readOrEmpty = (path: string): string => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // the process has ended
  }
};

const familyOf = (pid: number): readonly number[] => {
  const children = readOrEmpty(`/proc/${String(pid)}/task/${String(pid)}/children`);
  const pids = children.split(' ').filter((text) => text.trim() !== '');
  return [pid, ...pids.flatMap((text) => familyOf(Number(text)))];
};

const TICKS_PER_SECOND = 100;

/** CPU seconds (user and system) of a process and its children. */
export const cpuSeconds = (pid: number): number =>
  familyOf(pid).reduce((sum, member) => {
    const stat = readOrEmpty(`/proc/${String(member)}/stat`);
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return sum + (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS_PER_SECOND;
  }, 0);

const MIB = 1024;

/** Resident memory of a process and its children in MiB: now, and the highest so far. */
export const memoryMib = (pid: number): { readonly now: number; readonly peak: number } => {
  const total = (key: string): number =>
    familyOf(pid).reduce((sum, member) => {
      const found = new RegExp(`${key}:\\s+(\\d+)`).exec(readOrEmpty(`/proc/${String(member)}/status`));
      return sum + Number(found?.[1] ?? 0) / MIB;
    }, 0);
  return { now: total('VmRSS'), peak: total('VmHWM') };
};

const POLL_MS = 60;
const QUIET_POLLS = 2;
const SETTLE_POLLS = 60;

/** Waits until a process uses no CPU, a few seconds at most, and returns its CPU seconds. */
export const settle = async (pid: number): Promise<number> => {
  let used = cpuSeconds(pid);
  let quiet = 0;
  for (let i = 0; i < SETTLE_POLLS && quiet < QUIET_POLLS; i += 1) {
    await systemClock.sleep(POLL_MS);
    const now = cpuSeconds(pid);
    quiet = now === used ? quiet + 1 : 0;
    used = now;
  }
  return used;
};

/** The result of a promise, or an error after a time. */
export const within = async <T>(promise: Promise<T>, limitMs: number, what: string): Promise<T> => {
  const ended = new AbortController();
  const late = systemClock.sleep(limitMs, ended.signal).then((): T => {
    throw new Error(`${what}: no answer within ${String(limitMs / 1000)} s`);
  });
  late.catch(() => undefined); // loses the race as a rule
  try {
    return await Promise.race([promise, late]);
  } finally {
    ended.abort();
  }
};

/** Ends a process that we started, and waits for it. */
export const endProcess = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve) =>
    child.once('exit', () => {
      resolve();
    }),
  );
  child.kill('SIGTERM');
  await Promise.race([exited, systemClock.sleep(2000)]);
  child.kill('SIGKILL');
  await exited;
};
