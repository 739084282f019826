// The ready file: what a script needs to use the sandbox, written once everything is programmed. It appears whole or
// not at all.

import { rename, writeFile } from 'node:fs/promises';
import { ports } from '../api/meta.js';
import type { SandboxPod } from './pods.js';

/** One pod of the ready file. `address` is an IP address, the others are `host:port`. */
export interface ReadyPod {
  readonly namespace: string;
  readonly name: string;
  readonly workload: string;
  /** Where the pod's Envoy takes inbound calls, on the container's ports. */
  readonly address: string;
  /** The application itself, behind its sidecar's back; absent where no port is declared. */
  readonly app?: string;
  /** `curl -x`. */
  readonly proxy: string;
  /** GET /ready. */
  readonly ready: string;
  /** GET /stats/prometheus. */
  readonly metrics: string;
}

/** The content of the file. */
export interface ReadyContent {
  readonly xds: string;
  readonly admin: string;
  readonly pods: readonly ReadyPod[];
}

/** The content for a set of pods. */
export function readyContent(input: {
  readonly xds: string;
  readonly admin: string;
  readonly pods: readonly SandboxPod[];
}): ReadyContent {
  return { xds: input.xds, admin: input.admin, pods: input.pods.map(readyPod) };
}

/** Writes the file by renaming a complete one into its place. */
export async function writeReadyFile(path: string, content: ReadyContent): Promise<void> {
  const scratch = `${path}.tmp`;
  await writeFile(scratch, `${JSON.stringify(content, null, 2)}\n`);
  await rename(scratch, path);
}

function readyPod(pod: SandboxPod): ReadyPod {
  const { namespace, name, proxy, address, ports: applicationPorts } = pod.application;
  const [port] = applicationPorts;
  return {
    namespace,
    name,
    workload: pod.workload,
    address: pod.address,
    ...(port === undefined ? {} : { app: `${address}:${port}` }),
    proxy,
    ready: `${pod.address}:${ports.readiness}`,
    metrics: `${pod.address}:${ports.metrics}`,
  };
}
