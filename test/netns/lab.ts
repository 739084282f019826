// A mesh in network namespaces: each pod of a folder with its own network, its application and, where it has one, a
// real Envoy that the kernel redirects its connections to. The control plane is one process on the machine's loopback,
// the only place where it serves plain text; a pod's Envoy finds it on the pod's own loopback, where a port leads to a
// unix socket of this process, and from there to it. Nothing of the mesh touches the machine's network.

import type { ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { World } from '../../src/kinds/world.js';
import { readFolder } from '../../src/sources/files.js';
import { createStore } from '../../src/sources/store.js';
import { redirectRules, type RedirectOptions } from '../../src/webhook/redirect-rules.js';
import { type ControlPlane, type RealEnvoy, type StatusItem, createControlPlane, serves } from '../envoy/harness.js';
import { end } from '../envoy/processes.js';
import { bridge } from './bridge.js';
import { createNetwork, type Network } from './network.js';
import type { Answer, Call, Listening } from './orders.js';
import { type RunningPod, startPod } from './pod.js';
import { binariesFor, proxyUid, startProxy, xdsPort } from './proxy.js';
import { serviceNat } from './service-nat.js';

/** The user of every application: any but the proxy's. */
const applicationUid = 1000;

/** What runs in a namespace. */
export interface Plan {
  readonly serves?: readonly Listening[];
  /** Names that it answers for everybody, as a DNS server: by their ends, with its own addresses. */
  readonly names?: readonly string[];
  /** Version; without one there are neither Envoy nor redirect rules. */
  readonly envoy?: string;
  readonly redirect?: Omit<RedirectOptions, 'proxyUid'>;
}

/** What is to run. */
export interface LabOptions {
  /** Part of the names of namespaces: a run may have several labs. */
  readonly label: string;
  /** Files of the mesh folder, by name. */
  readonly files: Readonly<Record<string, string>>;
  /** By `namespace/name`: pods of the folder, which says where they are. */
  readonly pods: Readonly<Record<string, Plan>>;
  /** Hosts that the folder does not know. */
  readonly strangers: Readonly<Record<string, Plan & { readonly addresses: readonly string[] }>>;
}

/** A running mesh. */
export interface Lab {
  readonly controlPlane: ControlPlane;
  /** Leads an address to a pod that does not have it, as a neighbour on the same wire could. */
  misdirect(address: string, pod: string): void;
  /** Calls as the application of a pod, or as a stranger. */
  call(from: string, asked: Call): Promise<Answer>;
  /** How often a request with each id arrived at a pod. */
  arrivals(pod: string): Promise<ReadonlyMap<string, number>>;
  envoy(pod: string): RealEnvoy;
  /** Replaces a file of the folder at once. */
  write(name: string, content: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** Of everything in the folder. */
  statuses(): Promise<readonly StatusItem[]>;
  stop(): Promise<void>;
}

async function worldOf(folder: string): Promise<World> {
  const store = createStore();
  const feed = store.feed();
  for (const event of (await readFolder([folder])).events) feed(event);
  return store.world();
}

/** A host of the lab. */
interface Host extends Plan {
  readonly key: string;
  /** Part of the names of files and namespaces. */
  readonly slug: string;
  readonly addresses: readonly string[];
}

function hostsOf({ pods, strangers }: LabOptions, world: World): readonly Host[] {
  const known = Object.entries(pods).map(([key, plan]): Host => {
    const pod = world.pods.get(key);
    if (pod === undefined) throw new Error(`no pod '${key}' in the folder`);
    return { ...plan, key, slug: key.replace('/', '-'), addresses: pod.ips };
  });
  return [...known, ...Object.entries(strangers).map(([key, plan]) => ({ ...plan, key, slug: key }))];
}

/** A namespace for each host, with the rules that the init container of its pod would apply. */
function connect(network: Network, hosts: readonly Host[], world: World): void {
  for (const { slug, addresses, envoy, redirect } of hosts) {
    network.add({ name: slug, addresses });
    if (envoy === undefined) continue;
    const rules = redirectRules({ proxyUid, ...redirect });
    network.redirect(slug, rules);
    // When the node restarts a pod, its init containers run again in the namespace that they left.
    network.redirect(slug, rules);
  }
  network.serve(serviceNat(world));
}

const isIpv6 = (address: string): boolean => address.includes(':');

/** Where a proxy at these addresses asks for names: what it cannot reach would cost it seconds. */
const nameServers = (hosts: readonly Host[], own: readonly string[]): string =>
  hosts
    .filter(({ names = [] }) => names.length > 0)
    .flatMap(({ addresses }) => addresses.filter((one) => own.some((other) => isIpv6(other) === isIpv6(one))))
    .map((address) => `nameserver ${address}\n`)
    .join('');

const found = <T>(map: ReadonlyMap<string, T>, key: string): T => {
  const one = map.get(key);
  if (one === undefined) throw new Error(`'${key}' does not run`);
  return one;
};

/** Folders of labs that run: none outlives the process, however it ends. */
const scratches = new Set<string>();
process.once('exit', () => {
  for (const scratch of scratches) rmSync(scratch, { recursive: true, force: true });
});

/** Starts everything; resolves once every Envoy serves. */
export async function startLab(options: LabOptions): Promise<Lab> {
  const scratch = await mkdtemp(join(tmpdir(), 'legation-netns-'));
  scratches.add(scratch);
  // Other users pass through to what is theirs.
  await chmod(scratch, 0o711);
  const folder = join(scratch, 'mesh');
  await mkdir(folder);
  const controlPlane = await createControlPlane({ scratch, folder }, ['--capture', 'redirect']);
  const network = createNetwork(options.label);
  const pods = new Map<string, RunningPod>();
  const envoys = new Map<string, RealEnvoy>();
  const children: ChildProcess[] = [];
  const closers: (() => Promise<void>)[] = [];
  let drafts = 0;

  const write = async (name: string, content: string): Promise<void> => {
    drafts += 1;
    const draft = join(scratch, `draft-${String(drafts)}`);
    await writeFile(draft, content);
    await rename(draft, join(folder, name));
  };

  const stop = async (): Promise<void> => {
    await Promise.all([controlPlane.kill(), ...children.map(end), ...[...pods.values()].map((pod) => pod.stop())]);
    await Promise.all(closers.map((close) => close()));
    network.close();
    await rm(scratch, { recursive: true, force: true });
    scratches.delete(scratch);
  };

  const startApplication = async (host: Host, socket: string): Promise<void> => {
    const { key, slug, addresses, envoy } = host;
    const forward = envoy === undefined ? undefined : { port: xdsPort, socket };
    const order = {
      name: key,
      addresses,
      serves: host.serves ?? [],
      names: host.names ?? [],
      uid: applicationUid,
      forward,
    };
    pods.set(key, await startPod(network.namespaceOf(slug), order, join(scratch, `${slug}.log`)));
  };

  const startEnvoys = async (hosts: readonly Host[]): Promise<void> => {
    const meshed = hosts.flatMap((host) => (host.envoy === undefined ? [] : [{ ...host, envoy: host.envoy }]));
    const binaries = await binariesFor(new Set(meshed.map(({ envoy }) => envoy)), scratch);
    await Promise.all(
      meshed.map(async ({ key, slug, addresses, envoy: version }) => {
        const resolver = join(scratch, `${slug}.resolv.conf`);
        await writeFile(resolver, nameServers(hosts, addresses));
        const [binary, namespace, home] = [found(binaries, version), network.namespaceOf(slug), join(scratch, slug)];
        const { envoy, child } = await startProxy({ pod: key, version, binary, namespace, resolver, folder, home });
        children.push(child);
        envoys.set(key, envoy);
      }),
    );
    await Promise.all([...envoys.values()].map(serves));
  };

  try {
    for (const [name, content] of Object.entries(options.files)) await write(name, content);
    const world = await worldOf(folder);
    const hosts = hostsOf(options, world);
    connect(network, hosts, world);
    const socket = join(scratch, 'xds.sock');
    closers.push(await bridge(socket, controlPlane.xdsPort));
    await Promise.all([controlPlane.start(), ...hosts.map((host) => startApplication(host, socket))]);
    await startEnvoys(hosts);
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    controlPlane,
    misdirect: (address, pod) => {
      network.misdirect(address, pod.replace('/', '-'));
    },
    call: (from, asked) => found(pods, from).call(asked),
    arrivals: (pod) => found(pods, pod).arrivals(),
    envoy: (pod) => found(envoys, pod),
    write,
    remove: (name) => rm(join(folder, name)),
    statuses: async () =>
      (JSON.parse((await controlPlane.get('/status')).body) as { readonly items: readonly StatusItem[] }).items,
    stop,
  };
}
