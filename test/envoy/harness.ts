// A mesh of real parts for tests: the control plane as a process of its own, real Envoys of chosen versions with our
// bootstraps, applications in this process, a folder to edit. Everything is on loopback and stopped by process id,
// also when a test fails.

import { type ChildProcess, execFile } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { askAdmin } from '../../src/sandbox/admin-client.js';
import { envoyArguments } from '../../src/sandbox/envoy.js';
import { freePort } from '../../src/sandbox/loopback.js';
import { podsOf, proxyIdentityOf, type SandboxPod } from '../../src/sandbox/pods.js';
import { readFolder } from '../../src/sources/files.js';
import { createStore } from '../../src/sources/store.js';
import { bootstrapToJson, buildBootstrap } from '../../src/xds/bootstrap.js';
import type { JsonObject } from '../../src/xds/json.js';
import { eventually } from '../support/eventually.js';
import { type Applications, createApplications } from './application.js';
import { type Client, createClient, type Question, type Reply } from './client.js';
import { end, isAlive, launch } from './processes.js';

const run = promisify(execFile);

/** The Envoys that are tested; `ENVOY_VERSIONS=1.39.3` narrows them. */
export const supportedVersions: readonly string[] = process.env['ENVOY_VERSIONS']?.split(',') ?? [
  '1.36.4',
  '1.39.3',
  '1.40.0',
];

/** The version that is used where one is enough. */
export const usualVersion = '1.39.3';

const binaries = new Map<string, string>();

/** Path of an Envoy, installed if need be. */
export async function envoyBinary(version: string): Promise<string> {
  const known = binaries.get(version);
  if (known !== undefined) return known;
  const { stdout } = await run('scripts/install-envoy.sh', [version], { timeout: 300_000 });
  const path = stdout.trim();
  binaries.set(version, path);
  return path;
}

/** Newest change below a folder. */
const newest = (folder: string): number =>
  Math.max(
    ...readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => statSync(join(folder, name)).mtimeMs),
  );

/** The compiled program where it is current, else the sources. */
export const cliArguments = ((): readonly string[] => {
  const compiled = 'dist/cli/main.js';
  const current = existsSync(compiled) && newest('dist') >= newest('src');
  return current ? [compiled] : ['--import', 'tsx', 'src/cli/main.ts'];
})();

/** A line of the control plane's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly level: string; readonly message: string };

/** An object with its conditions, as /status shows it. */
export interface StatusItem {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string; readonly generation: number };
  readonly status: {
    readonly applied?: { readonly proxies: string; readonly rejected: number; readonly pending: number };
    readonly conditions: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
    }[];
    readonly rejections?: readonly {
      readonly rule?: string;
      readonly resource: string;
      readonly message: string;
      readonly envoy?: string;
    }[];
  };
}

/** The condition of an object, as `True Programmed`; empty when it has none. */
export const conditionOf = (
  item: StatusItem | undefined,
  type: string,
): { readonly is: string; readonly message: string } => {
  const found = item?.status.conditions.find((one) => one.type === type);
  return { is: found === undefined ? '' : `${found.status} ${found.reason}`, message: found?.message ?? '' };
};

/** The control plane as a process. */
export interface ControlPlane {
  readonly admin: string;
  readonly xdsPort: number;
  pid(): number;
  /** False once the process has ended by itself or by `kill`. */
  isRunning(): boolean;
  /** Starts it; resolves once it serves. */
  start(): Promise<void>;
  /** SIGKILL; resolves once it is gone. */
  kill(): Promise<void>;
  log(): readonly LogLine[];
  get(path: string): Promise<{ readonly status: number; readonly body: string }>;
}

/** A real Envoy beside a pod. */
export interface RealEnvoy {
  readonly version: string;
  /** The explicit proxy, `host:port`. */
  readonly proxy: string;
  admin(path: string): Promise<string>;
  /** Counters and gauges whose name matches. */
  stats(pattern: RegExp): Promise<ReadonlyMap<string, number>>;
  log(): string;
  isRunning(): boolean;
}

/** An Envoy to start. */
export interface EnvoyOrder {
  /** `namespace/name`. */
  readonly pod: string;
  readonly version?: string;
  readonly protocol?: 'delta' | 'sotw';
}

/** What is to run. */
export interface MeshOptions {
  /** Files of the folder, by name. */
  readonly files: Readonly<Record<string, string>>;
  readonly envoys: readonly EnvoyOrder[];
  readonly controlPlaneArguments?: readonly string[];
}

/** A running mesh. */
export interface Mesh {
  readonly folder: string;
  readonly controlPlane: ControlPlane;
  readonly applications: Applications;
  /** Replaces a file at once. */
  write(name: string, content: string): Promise<void>;
  remove(name: string): Promise<void>;
  envoy(pod: string): RealEnvoy;
  /** Starts an Envoy beside a pod of the folder; resolves once it serves. */
  startEnvoy(order: EnvoyOrder): Promise<RealEnvoy>;
  /** A pod of the folder. */
  placeOf(pod: string): Promise<SandboxPod>;
  /** Starts the Envoy of a pod that need not be there, and does not wait for it. */
  launchEnvoy(order: EnvoyOrder, place: SandboxPod): Promise<RealEnvoy>;
  /** A request as this pod. */
  ask(pod: string, question: Omit<Question, 'proxy'>): Promise<Reply>;
  statuses(): Promise<readonly StatusItem[]>;
  /** `TrafficRoute`, `namespace/name`. */
  statusOf(kind: string, key: string): Promise<StatusItem | undefined>;
  /** Waits until every object that can be programmed is. */
  programmed(): Promise<void>;
  stop(): Promise<void>;
}

async function distinctPorts(): Promise<readonly [number, number]> {
  // Apart for each process: two runs look for their first free port in different places.
  const first = 20_000 + (process.pid % 40) * 100;
  const xds = (await freePort('127.0.0.1', first)) ?? 0;
  return [xds, (await freePort('127.0.0.1', xds + 1)) ?? 0];
}

/** Where a run keeps its files, and where its mesh is. */
export interface Places {
  readonly scratch: string;
  readonly folder: string;
}

/** A control plane that is not started yet, on free ports of loopback. */
export async function createControlPlane(places: Places, extra: readonly string[]): Promise<ControlPlane> {
  const [xdsPort, adminPort] = await distinctPorts();
  const logFile = join(places.scratch, 'control-plane.log');
  const admin = `127.0.0.1:${adminPort}`;
  let child: ChildProcess | undefined;
  const readLog = (): string => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '');
  const get = async (path: string): Promise<{ readonly status: number; readonly body: string }> =>
    (await askAdmin({ address: '127.0.0.1', port: adminPort }, path)) ?? { status: 0, body: '' };
  return {
    admin,
    xdsPort,
    pid: () => child?.pid ?? 0,
    isRunning: () => isAlive(child),
    start: async () => {
      const listen = ['--xds-listen', `127.0.0.1:${xdsPort}`, '--xds-insecure', '--admin-listen', admin];
      const args = [...cliArguments, 'run', '--source', `dir:${places.folder}`, ...listen, '--log-format', 'json'];
      child = launch(process.execPath, [...args, ...extra], logFile);
      await eventually(
        async () => {
          if (!isAlive(child)) throw new Error(`the control plane ended:\n${readLog()}`);
          return (await get('/readyz')).status === 200 || readLog().slice(-2000);
        },
        { what: 'the control plane to serve', deadlineMs: 30_000 },
      );
    },
    kill: () => end(child),
    log: () =>
      readLog()
        .split('\n')
        .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as LogLine] : [])),
    get,
  };
}

/** The bootstrap that a sidecar would have; state of the world is asked for by one field. */
function bootstrapOf(
  pod: SandboxPod,
  options: { xdsPort: number; adminSocket: string; order: EnvoyOrder },
): JsonObject {
  const { address, metricsTo, ...identity } = proxyIdentityOf(pod);
  const bootstrap = buildBootstrap({
    ...{ ...identity, capture: 'explicit', bindAddress: address, adminSocket: options.adminSocket },
    ...(metricsTo === undefined ? {} : { metricsTo }),
    eventLog: '/dev/stdout',
    xds: { transport: 'insecure', address: '127.0.0.1', port: options.xdsPort },
  });
  const text = JSON.stringify(bootstrapToJson(bootstrap, options.order.version ?? usualVersion));
  return JSON.parse(options.order.protocol === 'sotw' ? text.replace('"DELTA_GRPC"', '"GRPC"') : text) as JsonObject;
}

/** An Envoy that was started. */
export function realEnvoy(
  child: ChildProcess,
  at: { version: string; address: string; adminSocket: string; logFile: string },
): RealEnvoy {
  const admin = async (path: string): Promise<string> => (await askAdmin({ socket: at.adminSocket }, path))?.body ?? '';
  return {
    version: at.version,
    proxy: `${at.address}:15001`,
    admin,
    stats: async (pattern) => {
      const lines = (await admin('/stats?type=All')).split('\n').map((line) => /^(.*): (\d+)$/.exec(line));
      return new Map(
        lines.flatMap((line): [string, number][] =>
          line !== null && pattern.test(line[1] ?? '') ? [[line[1] ?? '', Number(line[2])]] : [],
        ),
      );
    },
    log: () => readFileSync(at.logFile, 'utf8'),
    isRunning: () => isAlive(child),
  };
}

/** The pods that a folder has now. */
async function podsIn(folder: string): Promise<ReadonlyMap<string, SandboxPod>> {
  const content = await readFolder([folder], { loopback: true });
  const store = createStore();
  const feed = store.feed();
  for (const event of content.events) feed(event);
  return new Map(podsOf(store.world()).pods.map((pod) => [pod.key, pod]));
}

/** Resolves once an Envoy serves; fails with its log when it ends, or does not in 30 s. */
export async function serves(envoy: RealEnvoy): Promise<void> {
  await eventually(
    async () => {
      if (!envoy.isRunning()) throw new Error(`Envoy ended:\n${envoy.log()}`);
      return (await envoy.admin('/ready')).startsWith('LIVE') || envoy.log().slice(-2000);
    },
    { what: 'an Envoy to serve', deadlineMs: 30_000 },
  );
}

/** Starts everything; resolves once every Envoy serves. */
export async function startMesh(options: MeshOptions): Promise<Mesh> {
  const scratch = await mkdtemp(join(tmpdir(), 'legation-test-'));
  const folder = join(scratch, 'mesh');
  await mkdir(folder);
  const applications = createApplications();
  const client: Client = createClient();
  const envoys = new Map<string, RealEnvoy>();
  const running: ChildProcess[] = [];
  const opened = new Set<string>();
  const controlPlane = await createControlPlane({ scratch, folder }, [
    '--loopback-pods',
    ...(options.controlPlaneArguments ?? []),
  ]);
  let count = 0;

  const write = async (name: string, content: string): Promise<void> => {
    const draft = join(scratch, `draft-${String(count++)}`);
    await writeFile(draft, content);
    await rename(draft, join(folder, name));
  };

  async function openApplications(pods: ReadonlyMap<string, SandboxPod>): Promise<void> {
    for (const [key, { application }] of pods) {
      if (opened.has(key)) continue;
      opened.add(key);
      await applications.open({ pod: key, address: application.address, ports: application.ports });
    }
  }

  async function placeOf(key: string): Promise<SandboxPod> {
    const pods = await podsIn(folder);
    await openApplications(pods);
    const pod = pods.get(key);
    if (pod === undefined) throw new Error(`no pod '${key}' in the folder`);
    return pod;
  }

  async function launchEnvoy(order: EnvoyOrder, pod: SandboxPod): Promise<RealEnvoy> {
    const version = order.version ?? usualVersion;
    const stem = join(scratch, `envoy-${String(count++)}`);
    const [file, adminSocket, logFile] = [`${stem}.json`, `${stem}.sock`, `${stem}.log`];
    await writeFile(file, JSON.stringify(bootstrapOf(pod, { xdsPort: controlPlane.xdsPort, adminSocket, order })));
    const child = launch(await envoyBinary(version), envoyArguments(file), logFile);
    running.push(child);
    const envoy = realEnvoy(child, { version, address: pod.address, adminSocket, logFile });
    envoys.set(order.pod, envoy);
    return envoy;
  }

  const statuses = async (): Promise<readonly StatusItem[]> => {
    const { body } = await controlPlane.get('/status');
    return body === '' ? [] : (JSON.parse(body) as { items: readonly StatusItem[] }).items;
  };

  const stop = async (): Promise<void> => {
    client.close();
    await Promise.all([controlPlane.kill(), ...running.map(end)]);
    await applications.close();
    await rm(scratch, { recursive: true, force: true });
  };

  const envoyOf = (pod: string): RealEnvoy => {
    const found = envoys.get(pod);
    if (found === undefined) throw new Error(`no Envoy beside '${pod}'`);
    return found;
  };

  const mesh: Mesh = {
    folder,
    controlPlane,
    applications,
    write,
    remove: (name) => rm(join(folder, name)),
    envoy: envoyOf,
    startEnvoy: async (order) => {
      const envoy = await launchEnvoy(order, await placeOf(order.pod));
      await serves(envoy);
      return envoy;
    },
    placeOf,
    launchEnvoy,
    ask: (pod, question) => client.ask({ ...question, proxy: envoyOf(pod).proxy }),
    statuses,
    statusOf: async (kind, key) =>
      (await statuses()).find(
        (item) => item.kind === kind && `${item.metadata.namespace}/${item.metadata.name}` === key,
      ),
    programmed: async () => {
      await eventually(
        async () => {
          const late = (await statuses()).filter((item) => conditionOf(item, 'Programmed').is !== 'True Programmed');
          return late.length === 0 || late;
        },
        { what: 'everything to be programmed', deadlineMs: 15_000 },
      );
    },
    stop,
  };

  try {
    for (const [name, content] of Object.entries(options.files)) await write(name, content);
    await controlPlane.start();
    for (const order of options.envoys) await launchEnvoy(order, await placeOf(order.pod));
    for (const order of options.envoys) await serves(envoyOf(order.pod));
    return mesh;
  } catch (error) {
    await stop();
    throw error;
  }
}
