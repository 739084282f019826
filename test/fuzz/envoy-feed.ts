// Running Envoys that are fed one snapshot after the other over ADS, as a control plane would, and say whether they take
// it. Everything is on loopback and stopped by process id.

import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { soon, systemClock as clock } from '../../src/lib/clock.js';
import { silentLogger } from '../../src/lib/logger.js';
import type { Capture } from '../../src/model/mesh.js';
import { envoyArguments } from '../../src/sandbox/envoy.js';
import { podsOf, proxyIdentityOf } from '../../src/sandbox/pods.js';
import { bootstrapToJson, buildBootstrap } from '../../src/xds/bootstrap.js';
import { createCache, type Publication, type Section } from '../../src/xds/cache.js';
import type { EncodedResource } from '../../src/xds/resources.js';
import { startServer } from '../../src/xds/server.js';
import { transportNames } from '../../src/xds/transport.js';
import { envoyBinary } from '../envoy/harness.js';
import { end, isAlive, launch } from '../envoy/processes.js';
import { capabilitiesOf } from '../../src/xds/capabilities.js';
import { createCompiler } from './compile.js';
import type { Raw } from './objects.js';

/** What Envoys say of one snapshot. */
export interface Verdict {
  /** Each refusal: who, of what, in which words. */
  readonly refused: readonly string[];
}

/** Running Envoys, one of each version. */
export interface EnvoyFeed {
  /** Publishes a mesh; resolves once every Envoy has acknowledged or refused all of it. */
  offer(raws: readonly Raw[]): Promise<Verdict>;
  stop(): Promise<void>;
}

const longestMs = 60_000;

/** The pods that the Envoys stand beside; addresses of this process alone, so that runs do not meet. */
const probes = (count: number): readonly Raw[] =>
  Array.from({ length: count }, (_, index) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `probe-${String(index)}`, namespace: 'shop', labels: { app: 'web', v: '1' } },
    spec: { containers: [{ name: 'main', ports: [{ containerPort: 8080 }] }] },
    status: {
      podIP: `127.${String(100 + (process.pid % 100))}.${String(Math.floor(process.pid / 100) % 250)}.${String(index + 1)}`,
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  }));

/** Differs from snapshot to snapshot: what is the same again would not be sent, and so not be acknowledged. */
const marker = (count: number): Raw => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'marker', namespace: 'shop' },
  spec: { selector: { app: 'marker' }, ports: [{ name: 'http', port: 10_000 + (count % 20_000), targetPort: 8080 }] },
});

const kept = new WeakMap<readonly EncodedResource[], readonly EncodedResource[]>();

/** Without the two listeners of every redirecting proxy that bind ports which this machine has once. */
function withoutBound(layer: readonly EncodedResource[]): readonly EncodedResource[] {
  const known = kept.get(layer);
  if (known !== undefined) return known;
  const rest = layer.filter(({ name }) => name !== 'virtualInbound' && name !== 'virtualOutbound');
  kept.set(layer, rest);
  return rest;
}

const unbound = (section: Section): Section =>
  new Map([...section].map(([key, layer]) => [key, key === 'common' ? withoutBound(layer) : layer]));

const withoutVirtual = (publication: Publication): Publication => ({
  ...publication,
  views: new Map([...publication.views].map(([key, sections]) => [key, sections.map(unbound)])),
});

/** Starts Envoys of these versions; resolves once they hold a first snapshot. */
export async function startEnvoyFeed(versions: readonly string[], capture: Capture): Promise<EnvoyFeed> {
  const scratch = await mkdtemp(join(tmpdir(), 'legation-fuzz-'));
  const cache = createCache();
  const compiler = createCompiler([...new Set(versions.map(capabilitiesOf))]);
  const settled = new Map<string, number>();
  const running: ChildProcess[] = [];
  let refused: string[] = [];
  let revision = 0;
  let woken = (): void => undefined;

  const server = await startServer(
    {
      cache,
      clock,
      log: silentLogger,
      yieldToLoop: soon,
      transport: transportNames[0],
      onDelivery: (delivery) => {
        if (delivery.kind === 'settled') settled.set(delivery.proxy, delivery.revision);
        woken();
      },
      onRefused: ({ envoy, resource, message }) => {
        refused.push(`Envoy ${envoy} refuses ${resource.type} ${resource.name}: ${message}`);
      },
    },
    '127.0.0.1:0',
  );

  const pods = probes(versions.length);
  const proxies = versions.map((_, index) => `shop/probe-${String(index)}`);
  const logOf = (index: number): string => join(scratch, `envoy-${String(index)}.log`);

  function publish(raws: readonly Raw[]): ReturnType<typeof podsOf> {
    revision += 1;
    const { built, world } = compiler([...raws, ...pods, marker(revision)], capture);
    cache.publish({ ...withoutVirtual(built.publication), revision });
    return podsOf(world);
  }

  async function arrival(): Promise<void> {
    const wanted = revision;
    const isThere = (proxy: string): boolean => (settled.get(proxy) ?? 0) >= wanted;
    const deadline = clock.now() + longestMs;
    while (!proxies.every(isThere)) {
      const dead = running.findIndex((child) => !isAlive(child));
      if (dead !== -1) throw new Error(`Envoy ended:\n${readFileSync(logOf(dead), 'utf8').slice(-4000)}`);
      if (clock.now() > deadline) throw new Error(`not settled: ${proxies.filter((one) => !isThere(one)).join(', ')}`);
      const wake = new AbortController();
      woken = () => {
        wake.abort();
      };
      await clock.sleep(500, wake.signal);
    }
  }

  const stop = async (): Promise<void> => {
    await Promise.all(running.map(end));
    await server.stop();
    await rm(scratch, { recursive: true, force: true });
  };

  async function launchBeside(index: number, pod: ReturnType<typeof podsOf>['pods'][number]): Promise<void> {
    const version = versions[index] ?? '';
    const { nodeId, cluster, address } = proxyIdentityOf(pod);
    const [, port = '0'] = server.address.split(':');
    const xds = { transport: 'insecure', address: '127.0.0.1', port: Number(port) } as const;
    const adminSocket = join(scratch, `envoy-${String(index)}.sock`);
    const bootstrap = buildBootstrap({ nodeId, cluster, capture, bindAddress: address, adminSocket, xds });
    const file = join(scratch, `envoy-${String(index)}.json`);
    await writeFile(file, JSON.stringify(bootstrapToJson(bootstrap, version)));
    running.push(launch(await envoyBinary(version), envoyArguments(file), logOf(index)));
  }

  try {
    const first = publish([]);
    for (const [index, key] of proxies.entries()) {
      const pod = first.pods.find((one) => one.key === key);
      if (pod === undefined) throw new Error(`no pod '${key}'`);
      await launchBeside(index, pod);
    }
    await arrival();
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    offer: async (raws) => {
      refused = [];
      publish(raws);
      await arrival();
      return { refused };
    },
    stop,
  };
}
