// The Envoys of the sandbox: one for each pod, started a few at a time, stopped when their pod is gone. Must not
// know what they are configured with; the control plane does that.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../lib/clock.js';
import type { XdsPeer } from '../xds/bootstrap-static.js';
import { bootstrapToJson, buildBootstrap } from '../xds/bootstrap.js';
import { askAdmin } from './admin-client.js';
import type { Child, ChildSpec } from './child.js';
import { type EnvoyBinary, envoyArguments } from './envoy.js';
import { type ProxyIdentity, type SandboxPod, proxyIdentityOf } from './pods.js';

/** A running sidecar. */
export interface Sidecar {
  /** `namespace/name` of its pod. */
  readonly key: string;
  /** Path of its admin socket. */
  readonly adminSocket: string;
  readonly identity: ProxyIdentity;
}

/** The sidecars of all pods. */
export interface Sidecars {
  /** Makes the sidecars equal to `pods`. Returns at once; starts and stops go on behind it. */
  apply(pods: readonly SandboxPod[]): void;
  list(): readonly Sidecar[];
  /** Asks every Envoy; the sidecars that do not serve yet. */
  unready(): Promise<readonly Sidecar[]>;
  stop(): Promise<void>;
}

/** What sidecars need. */
export interface SidecarDeps {
  readonly envoy: EnvoyBinary;
  readonly xds: XdsPeer;
  /** Bootstraps and logs go here. */
  readonly runFolder: string;
  /** Admin sockets go here: their paths must be short. */
  readonly socketFolder: string;
  readonly clock: Clock;
  readonly startChild: (spec: ChildSpec) => Child;
}

interface Running extends Sidecar {
  child: Child | undefined;
  gone: boolean;
}

/** A few start at once, and each has this long to become ready before it is the next one's turn. */
const maxStarting = 3;
const startTimeoutMs = 4000;
const pollMs = 50;
/** A pod that is gone serves on while the others learn of it. */
const lingerMs = 1500;

/** Sidecars of no pods yet. */
export function createSidecars(deps: SidecarDeps): Sidecars {
  const running = new Map<string, Running>();
  const leaving = new Set<Running>();
  const waiting: Running[] = [];
  const stopped = new AbortController();
  let starting = 0;

  function add(pod: SandboxPod): void {
    const identity = proxyIdentityOf(pod);
    const adminSocket = join(deps.socketFolder, `${identity.address}.sock`);
    const sidecar: Running = { key: pod.key, adminSocket, identity, child: undefined, gone: false };
    running.set(pod.key, sidecar);
    waiting.push(sidecar);
    startNext();
  }

  function startNext(): void {
    while (starting < maxStarting && !stopped.signal.aborted) {
      const next = waiting.shift();
      if (next === undefined) return;
      if (next.gone) continue;
      starting += 1;
      next.child = deps.startChild(specOf(next, deps));
      void untilReady(next).then(() => {
        starting -= 1;
        startNext();
      });
    }
  }

  async function untilReady(sidecar: Running): Promise<void> {
    const deadline = deps.clock.now() + startTimeoutMs;
    while (!sidecar.gone && deps.clock.now() < deadline && !(await isReady(sidecar))) {
      await deps.clock.sleep(pollMs, stopped.signal);
      if (stopped.signal.aborted) return;
    }
  }

  async function remove(sidecar: Running): Promise<void> {
    running.delete(sidecar.key);
    leaving.add(sidecar);
    await deps.clock.sleep(lingerMs, stopped.signal);
    sidecar.gone = true;
    await sidecar.child?.stop();
    leaving.delete(sidecar);
  }

  return {
    apply: (pods) => {
      const wanted = new Map(pods.map((pod) => [pod.key, proxyIdentityOf(pod)]));
      for (const sidecar of [...running.values()]) {
        if (!isSame(sidecar.identity, wanted.get(sidecar.key))) void remove(sidecar);
      }
      for (const pod of pods) if (!running.has(pod.key)) add(pod);
    },
    list: () => [...running.values()],
    unready: async () => {
      const asked = await Promise.all([...running.values()].map(async (each) => ((await isReady(each)) ? [] : [each])));
      return asked.flat();
    },
    stop: async () => {
      stopped.abort();
      await Promise.all([...running.values(), ...leaving].map(async (sidecar) => sidecar.child?.stop()));
    },
  };
}

async function isReady(sidecar: Running): Promise<boolean> {
  if (sidecar.child?.pid() === undefined) return false;
  return (await askAdmin({ socket: sidecar.adminSocket }, '/ready'))?.status === 200;
}

/** Whom metrics are pushed to is decided at the start: another collector needs another pod. */
function isSame(left: ProxyIdentity, right: ProxyIdentity | undefined): boolean {
  return left.nodeId === right?.nodeId && left.cluster === right.cluster && left.address === right.address;
}

function specOf(sidecar: Sidecar, deps: SidecarDeps): ChildSpec {
  const { nodeId, cluster, address, metricsTo } = sidecar.identity;
  const folder = join(deps.runFolder, 'pods', nodeId);
  mkdirSync(folder, { recursive: true });
  const bootstrap = buildBootstrap({
    nodeId,
    cluster,
    xds: deps.xds,
    capture: 'explicit',
    bindAddress: address,
    adminSocket: sidecar.adminSocket,
    eventLog: '/dev/stdout',
    ...(metricsTo === undefined ? {} : { metricsTo }),
  });
  const file = join(folder, 'bootstrap.json');
  writeFileSync(file, `${JSON.stringify(bootstrapToJson(bootstrap, deps.envoy.version), null, 2)}\n`);
  return {
    name: `envoy ${sidecar.key}`,
    command: deps.envoy.path,
    args: envoyArguments(file),
    input: 'none',
    logFile: join(folder, 'envoy.log'),
  };
}
