// `legation sandbox`: a folder of YAML as a running mesh on loopback. Puts the parts together, follows the folder,
// says when everything is programmed, shows what goes on, and ends with everything it started.

import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { ports } from '../api/meta.js';
import type { World } from '../kinds/world.js';
import type { Clock } from '../lib/clock.js';
import { type Result, err, ok } from '../lib/result.js';
import type { ChildEvent } from './child.js';
import { type EnvoyBinary, findEnvoy } from './envoy.js';
import { type FollowedFolder, followFolder, isFolder } from './folder.js';
import { type Journal, createJournal } from './journal.js';
import { bindFailure, freePort, mayBindLowPorts } from './loopback.js';
import { type Monitor, createMonitor } from './monitor.js';
import { type NodeProgram, type Parts, sandboxHost, startParts } from './parts.js';
import { type SandboxPod, podsOf } from './pods.js';
import { readyContent, writeReadyFile } from './ready-file.js';
import { type RunFolder, openRunFolder } from './run-folder.js';
import { type Output, type Screen, createScreen } from './screen.js';
import { type Traffic, createTraffic } from './traffic.js';
import { commandsToTry, showSandbox } from './presenter.js';

/** What the command line says. */
export interface SandboxOptions {
  readonly folder: string;
  readonly readyFile?: string;
  readonly envoy?: string;
  /** Calls per second for each pod with an entry; absent: none. */
  readonly trafficPerSecond?: number;
  /** Keeps logs and bootstraps; absent: a temporary folder. */
  readonly runFolder?: string;
  /** False: only what must be said. */
  readonly view: boolean;
  /** Whether policies may bring code and patches of their own. */
  readonly enableExtensions: boolean;
}

/** What the sandbox needs of its surroundings. */
export interface SandboxDeps {
  readonly clock: Clock;
  readonly output: Output;
  /** One line for standard error. */
  readonly complain: (line: string) => void;
  readonly program: NodeProgram;
  readonly environment: { readonly path: string; readonly envoy: string | undefined; readonly temporary: string };
}

/** What `--traffic` alone means. */
export const gentleTrafficPerSecond = 10;

/** 0: it ran until it was told to stop; 1: it could not run; 2: the folder is none. */
export type SandboxExitCode = 0 | 1 | 2;

const firstXdsPort = 18000;
const firstAdminPort = 19000;
const settlePollMs = 100;

/** Runs the sandbox until `signal` aborts. */
export async function runSandbox(
  options: SandboxOptions,
  deps: SandboxDeps,
  signal: AbortSignal,
): Promise<SandboxExitCode> {
  if (!(await isFolder(options.folder))) {
    deps.complain(`'${options.folder}' is not a folder`);
    return 2;
  }
  const envoy = await findEnvoy({
    option: options.envoy,
    variable: deps.environment.envoy,
    path: deps.environment.path,
    installScript: fileURLToPath(new URL('../../scripts/install-envoy.sh', import.meta.url)),
  });
  if (!envoy.ok) {
    deps.complain(envoy.error);
    return 1;
  }
  if (options.readyFile !== undefined) await rm(options.readyFile, { force: true });
  const run = await openRunFolder(options.runFolder, deps.environment.temporary);
  try {
    return await runIn(run, envoy.value, { options, deps, signal });
  } finally {
    if (options.readyFile !== undefined) await rm(options.readyFile, { force: true });
    await run.remove();
  }
}

interface Invocation {
  readonly options: SandboxOptions;
  readonly deps: SandboxDeps;
  readonly signal: AbortSignal;
}

async function runIn(run: RunFolder, envoy: EnvoyBinary, invocation: Invocation): Promise<SandboxExitCode> {
  const { options, deps } = invocation;
  const ended = new AbortController();
  const signal = AbortSignal.any([invocation.signal, ended.signal]);
  const highPorts = !(await mayBindLowPorts(sandboxHost));
  const folder = await followFolder({ path: options.folder, highPorts }, deps.clock, signal);
  const places = await freePlaces(folder.world());
  if (!places.ok) {
    deps.complain(places.error);
    ended.abort();
    return 1;
  }
  const mesh = startMesh({ folder, places: places.value, run, envoy, highPorts }, invocation);
  mesh.screen.print(`sandbox ${options.folder}: starting; logs are in ${run.path}`);
  try {
    await serve(mesh, { ...invocation, signal });
    return 0;
  } finally {
    ended.abort();
    mesh.screen.print('stopping');
    await mesh.parts.stop();
  }
}

function startMesh(
  input: {
    readonly folder: FollowedFolder;
    readonly places: Places;
    readonly run: RunFolder;
    readonly envoy: EnvoyBinary;
    readonly highPorts: boolean;
  },
  { options, deps }: Invocation,
): Mesh {
  const { clock, output, program } = deps;
  const { folder, places, run, envoy, highPorts } = input;
  const screen = createScreen(output, options.view && output.isTerminal);
  const journal = createJournal(clock, (line) => {
    screen.print(line);
  });
  const onEvent = (event: ChildEvent): void => {
    journal.noteChild(event);
  };
  const { enableExtensions } = options;
  const where = { folder: options.folder, ...places, highPorts, enableExtensions };
  const parts = startParts({ ...where, run, envoy, program }, { clock, onEvent });
  const admin = { address: sandboxHost, port: places.adminPort };
  const monitor = createMonitor({ admin, sidecars: parts.sidecars, clock });
  const perSecond = options.trafficPerSecond;
  const traffic = perSecond === undefined ? undefined : createTraffic({ perSecond, clock });
  const mesh: Mesh = { parts, monitor, traffic, screen, journal, folder, ...places };
  const follow = (): void => {
    applyFolder(mesh);
  };
  folder.onChange(follow);
  follow();
  return mesh;
}

interface Mesh extends Places {
  readonly parts: Parts;
  readonly monitor: Monitor;
  readonly traffic: Traffic | undefined;
  readonly screen: Screen;
  readonly journal: Journal;
  readonly folder: FollowedFolder;
}

function applyFolder(mesh: Mesh): void {
  const { pods, problems } = podsOf(mesh.folder.world());
  mesh.journal.noteProblems(problems);
  mesh.parts.apply(pods);
  mesh.traffic?.apply(pods);
}

async function serve(mesh: Mesh, invocation: Invocation): Promise<void> {
  const { options, deps, signal } = invocation;
  const showing = options.view
    ? showSandbox(mesh, { folder: options.folder, output: deps.output, clock: deps.clock, signal })
    : undefined;
  await untilSettled(mesh.monitor, deps.clock, signal);
  if (!signal.aborted) await announce(mesh, invocation);
  await Promise.all([showing, mesh.traffic?.run(signal), untilAborted(signal)]);
}

async function announce(mesh: Mesh, { options }: Invocation): Promise<void> {
  const pods = podsOf(mesh.folder.world()).pods;
  if (options.readyFile !== undefined) {
    const xds = `${sandboxHost}:${mesh.xdsPort}`;
    const admin = `${sandboxHost}:${mesh.adminPort}`;
    await writeReadyFile(options.readyFile, readyContent({ xds, admin, pods }));
  }
  const { objects } = mesh.monitor.latest();
  mesh.screen.print(`ready: ${pods.length} pods, ${objects.length} objects`);
  for (const pod of pods) mesh.screen.print(podLine(pod));
  for (const line of commandsToTry(mesh.folder.world(), pods, mesh.adminPort)) mesh.screen.print(line);
}

function podLine(pod: SandboxPod): string {
  const { ports, proxy } = pod.application;
  return `  ${pod.key} at ${pod.address} (ports ${ports.join(', ') || 'none'}), proxy http://${proxy}`;
}

async function untilSettled(monitor: Monitor, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await monitor.look();
    if (monitor.isSettled()) return;
    await clock.sleep(settlePollMs, signal);
  }
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  signal.addEventListener(
    'abort',
    () => {
      resolve(undefined);
    },
    { once: true },
  );
  await promise;
}

interface Places {
  readonly xdsPort: number;
  readonly adminPort: number;
}

async function freePlaces(world: World): Promise<Result<Places, string>> {
  const [pod] = podsOf(world).pods;
  const failure = pod === undefined ? undefined : await bindFailure(pod.address, ports.outbound);
  if (failure !== undefined) {
    return err(`pod addresses cannot be used: ${failure}; is another sandbox running, or is this not Linux?`);
  }
  const xdsPort = await freePort(sandboxHost, firstXdsPort);
  const adminPort = await freePort(sandboxHost, firstAdminPort);
  if (xdsPort === undefined || adminPort === undefined) return err('no free ports on 127.0.0.1');
  return ok({ xdsPort, adminPort });
}
