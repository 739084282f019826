// One mesh for all tests of an Envoy version, and for each test a view of it: a namespace of its own, objects that are
// gone when the test is, callers, statuses. Waiting is on the status of what was written, never on time.

import type { Arrival } from '../envoy/application.js';
import { conditionOf, type Mesh, type RealEnvoy, startMesh, type StatusItem } from '../envoy/harness.js';
import { fileOf } from '../envoy/objects.js';
import { eventually } from '../support/eventually.js';
import { type Caller, createCaller } from './caller.js';
import type { Body, Shown } from './registry.js';
import {
  apps,
  type BareServer,
  type CallerName,
  callers,
  guests,
  ports,
  type Server,
  sharedObjects,
  sharedPods,
} from './world.js';
import { createWriter } from './writer.js';
import type { Input } from './written.js';

/** A condition as `True Programmed`; empty when the object has none of this type. */
export interface SeenCondition {
  readonly is: string;
  readonly message: string;
}

/** The mesh as one test sees it. */
export interface TestMesh {
  /** Of Envoy: `1.39.3`. */
  readonly version: string;
  /** Namespace of the test; others that begin with it are its own as well. */
  readonly namespace: string;
  /** Where the shared pods live. */
  readonly apps: string;
  /** Where the caller `guest` lives. */
  readonly guests: string;
  /** Replaces all objects of the test, and waits until they are in force; throws if one is not ready. */
  apply(...inputs: readonly Input[]): Promise<void>;
  /** The same for objects of which some are wrong: waits until every one is judged. */
  attempt(...inputs: readonly Input[]): Promise<void>;
  as(caller: CallerName): Caller;
  /** Starts a server without a pod, for this test. */
  openServer(name: string): Promise<BareServer>;
  /** Of an object, by kind and name; in the namespace of the test unless the name is `namespace/name`. */
  statusOf(kind: string, name: string): Promise<StatusItem | undefined>;
  /** `Accepted`, `PartiallyInvalid`, … of an object. */
  condition(kind: string, name: string, type: string): Promise<SeenCondition>;
  /** What the control plane says of objects of the test that it cannot read; they have no status. */
  complaints(): readonly string[];
  /** The Envoy of a shared pod. */
  envoy(pod: CallerName | Server): RealEnvoy;
  /** Requests of this test that arrived at servers. */
  arrivals(): readonly Arrival[];
  /** A value that no other request has: sent as `x-id`, `triesOf` counts how often it arrived. */
  freshId(): string;
  triesOf(id: string): number;
}

/** The shared mesh. */
export interface SharedMesh {
  /** Runs a test in a namespace of its own. */
  run(body: Body): Promise<Shown | undefined>;
  stop(): Promise<void>;
}

/** Clusters are kept for a while; their health checks are requests that the next test would count. */
async function unchecked(mesh: Mesh, pod: string, namespace: string): Promise<void> {
  const own = new RegExp(`^cluster\\.o/${namespace}/`);
  await eventually(async () => (await mesh.envoy(pod).stats(own)).size === 0, {
    what: `the health checks of ${pod} to end`,
    deadlineMs: 20_000,
  });
}

let bareServers = 0;

/** Apart for each run, and never used twice: a stopped server must not be mistaken for a new one. */
function bareAddress(): string {
  bareServers += 1;
  const [third, fourth] = [Math.floor(bareServers / 250), 1 + (bareServers % 250)];
  return `127.${String(80 + (process.pid % 100))}.${String(third)}.${String(fourth)}`;
}

async function openServer(mesh: Mesh, name: string): Promise<BareServer> {
  const address = bareAddress();
  const stop = await mesh.applications.open({ pod: `bare/${name}`, address, ports: Object.values(ports) });
  return { name, address, stop };
}

function viewOf(mesh: Mesh, at: { readonly version: string; readonly namespace: string }): TestMesh & Cleared {
  const { version, namespace } = at;
  const settle = (): Promise<unknown> => Promise.all(sharedPods.map((pod) => unchecked(mesh, pod, namespace)));
  const writer = createWriter(mesh, { file: `${namespace}.yaml`, namespace, isShared: false, settle });
  const opened: BareServer[] = [];
  let ids = 0;
  const statusOf = (kind: string, name: string): Promise<StatusItem | undefined> =>
    mesh.statusOf(kind, name.includes('/') ? name : `${namespace}/${name}`);
  return {
    ...{ version, namespace, apps, guests, statusOf },
    clear: async () => {
      await writer.clear();
      await Promise.all(opened.map((server) => server.stop()));
    },
    openServer: async (name) => {
      const server = await openServer(mesh, name);
      opened.push(server);
      return server;
    },
    apply: (...inputs) => writer.apply(inputs),
    attempt: (...inputs) => writer.attempt(inputs),
    as: (caller) => {
      const pod = callers[caller];
      return createCaller(namespace, mesh.envoy(pod).proxy, (question) => mesh.ask(pod, question));
    },
    condition: async (kind, name, type) => conditionOf(await statusOf(kind, name), type),
    complaints: () =>
      mesh.controlPlane
        .log()
        .filter((line) => String(line['place']).includes(`${namespace}.yaml`))
        .map((line) => String(line['problem'])),
    envoy: (pod) => mesh.envoy(pod === 'web' || pod === 'guest' ? callers[pod] : `${apps}/${pod}-0`),
    arrivals: () => mesh.applications.arrivals(),
    freshId: () => `${namespace}-${String(ids++)}`,
    triesOf: (id) => mesh.applications.triesOf(id),
  };
}

interface Cleared {
  clear(): Promise<void>;
}

/** Starts the mesh of an Envoy version. */
export async function startSharedMesh(version: string): Promise<SharedMesh> {
  const mesh = await startMesh({
    files: { 'shared.yaml': fileOf(sharedObjects) },
    controlPlaneArguments: ['--enable-extensions'],
    envoys: sharedPods.map((pod) => ({ pod, version })),
  });
  let tests = 0;
  return {
    run: async (body) => {
      const view = viewOf(mesh, { version, namespace: `t${String(tests++)}-${process.pid.toString(36)}` });
      mesh.applications.forget();
      try {
        const shown = await body(view);
        return typeof shown === 'string' ? shown : undefined;
      } finally {
        await view.clear();
      }
    },
    stop: () => mesh.stop(),
  };
}
