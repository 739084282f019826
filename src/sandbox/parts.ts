// The processes of a sandbox: guard, control plane, applications, Envoys. Starts them in order, keeps each running,
// stops all of them. Must not know why a pod is there, only that it is.

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { extensionsFlag } from '../kinds/gates.js';
import type { Clock } from '../lib/clock.js';
import { applicationOrder } from './application-orders.js';
import { type Child, type ChildEvent, type ChildSpec, startChild } from './child.js';
import type { EnvoyBinary } from './envoy.js';
import { guardOrder } from './guard.js';
import type { SandboxPod } from './pods.js';
import type { RunFolder } from './run-folder.js';
import { type Sidecars, createSidecars } from './sidecars.js';

/** How this program itself is run, so that its children run the same way. */
export interface NodeProgram {
  readonly execPath: string;
  readonly execArguments: readonly string[];
  /** The script that understands `run`. */
  readonly script: string;
}

/** What the processes depend on. */
export interface PartsOptions {
  readonly folder: string;
  readonly xdsPort: number;
  readonly adminPort: number;
  readonly highPorts: boolean;
  readonly enableExtensions: boolean;
  readonly run: RunFolder;
  readonly envoy: EnvoyBinary;
  readonly program: NodeProgram;
}

/** The running processes. */
export interface Parts {
  /** Makes applications and Envoys equal to `pods`. */
  apply(pods: readonly SandboxPod[]): void;
  readonly sidecars: Sidecars;
  /** How often the control plane was started again. */
  controlPlaneRestarts(): number;
  stop(): Promise<void>;
}

/** Loopback: nobody else may talk to a sandbox. */
export const sandboxHost = '127.0.0.1';

const names = { guard: 'guard', controlPlane: 'control plane', applications: 'applications' } as const;
/** An application serves on while the others learn that its pod is gone. */
const lingerMs = 2000;

/** Starts guard, control plane and applications; Envoys follow with `apply`. */
export function startParts(
  options: PartsOptions,
  deps: { readonly clock: Clock; readonly onEvent: (event: ChildEvent) => void },
): Parts {
  const pids = new Set<number>();
  const started = new Map<string, Child>();
  let orders = applicationOrder([]);
  let restarts = 0;

  function follow(event: ChildEvent): void {
    if (event.name !== names.guard) tellGuard(event);
    if (event.kind === 'started') onStart(event);
    deps.onEvent(event);
  }

  function tellGuard(event: ChildEvent): void {
    if (event.pid === undefined) return;
    if (event.kind === 'started') pids.add(event.pid);
    else pids.delete(event.pid);
    const order = event.kind === 'started' ? guardOrder.watch : guardOrder.forget;
    started.get(names.guard)?.send(order(event.pid));
  }

  function onStart(event: Extract<ChildEvent, { kind: 'started' }>): void {
    if (event.name === names.controlPlane) {
      restarts = event.restarts;
      writeFileSync(join(options.run.path, 'control-plane.pid'), `${event.pid}\n`);
    }
    // A new process knows nothing of what the one before it was told.
    if (event.name === names.applications) started.get(names.applications)?.send(orders);
    if (event.name === names.guard) for (const pid of pids) started.get(names.guard)?.send(guardOrder.watch(pid));
  }

  function start(spec: ChildSpec): Child {
    const child = startChild(spec, { spawn, clock: deps.clock, onEvent: follow });
    started.set(spec.name, child);
    return child;
  }

  const guard = start(nodeSpec(names.guard, [entryOf('guard-main'), options.run.path, options.run.sockets], options));
  const controlPlane = start(controlPlaneSpec(options));
  const applications = start(nodeSpec(names.applications, [entryOf('application-main'), options.run.path], options));
  const sidecars = createSidecars({
    envoy: options.envoy,
    xds: { transport: 'insecure', address: sandboxHost, port: options.xdsPort },
    runFolder: options.run.path,
    socketFolder: options.run.sockets,
    clock: deps.clock,
    startChild: start,
  });
  const order = orderApplications(deps.clock, (line) => {
    orders = line;
    applications.send(line);
  });

  return {
    apply: (pods) => {
      order(pods);
      sidecars.apply(pods);
    },
    sidecars,
    controlPlaneRestarts: () => restarts,
    stop: async () => {
      await Promise.all([sidecars.stop(), controlPlane.stop(), applications.stop()]);
      await guard.stop();
    },
  };
}

/** Tells the applications which pods there are, keeping those that left for a moment longer. */
function orderApplications(clock: Clock, send: (line: string) => void): (pods: readonly SandboxPod[]) => void {
  let present: readonly SandboxPod[] = [];
  const leaving = new Set<SandboxPod>();
  const tell = (): void => {
    const kept = [...leaving].filter((pod) => !present.some((each) => each.key === pod.key));
    send(applicationOrder([...present, ...kept].map((pod) => pod.application)));
  };
  return (pods) => {
    const gone = present.filter((pod) => !pods.some((each) => each.key === pod.key));
    present = pods;
    for (const pod of gone) {
      leaving.add(pod);
      clock.schedule(lingerMs, () => {
        leaving.delete(pod);
        tell();
      });
    }
    tell();
  };
}

function controlPlaneSpec(options: PartsOptions): ChildSpec {
  const { program } = options;
  const xds = `${sandboxHost}:${options.xdsPort}`;
  const admin = `${sandboxHost}:${options.adminPort}`;
  return {
    name: names.controlPlane,
    command: program.execPath,
    args: [
      ...program.execArguments,
      program.script,
      'run',
      ...['--source', `dir:${options.folder}`],
      ...['--xds-listen', xds, '--xds-insecure'],
      ...['--admin-listen', admin],
      '--loopback-pods',
      ...(options.highPorts ? ['--high-ports'] : []),
      ...(options.enableExtensions ? [extensionsFlag] : []),
    ],
    input: 'none',
    logFile: join(options.run.path, 'control-plane.log'),
  };
}

/** The folder among the arguments also shows in the process list to which sandbox a process belongs. */
function nodeSpec(name: string, entry: readonly string[], options: PartsOptions): ChildSpec {
  const { program, run } = options;
  const args = [...program.execArguments, ...entry];
  return { name, command: program.execPath, args, input: 'orders', logFile: join(run.path, `${name}.log`) };
}

/** The file of a child's entry: compiled or not, as this file is. */
function entryOf(name: string): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return fileURLToPath(new URL(`./${name}.${extension}`, import.meta.url));
}
