// The pods of a World as the sandbox plays them: names, addresses, ports, behaviour. Pure.

import { keyOf, ports as proxyPorts } from '../api/meta.js';
import type { ProviderConfig } from '../features/feature.js';
import type { Pod, World } from '../kinds/world.js';
import { metricsProviderIn } from '../reconcilers/metrics-provider.js';
import { configOf } from '../xds/providers.js';
import type { ApplicationPod } from './application.js';
import { parseBehaviour } from './behaviour.js';

/** One pod: an application and its sidecar. */
export interface SandboxPod {
  /** `namespace/name`. */
  readonly key: string;
  /** `Deployment/web`. */
  readonly workload: string;
  /** Where its Envoy binds. */
  readonly address: string;
  readonly application: ApplicationPod;
  readonly metricsTo: ProviderConfig | undefined;
  /** URLs that steady traffic calls as this pod. */
  readonly entries: readonly string[];
}

/** The pods that can be played, in name order, and what is wrong with their annotations. */
export interface SandboxPods {
  readonly pods: readonly SandboxPod[];
  readonly problems: readonly string[];
}

/** What an Envoy depends on; a pod whose other properties change keeps its process. */
export interface ProxyIdentity {
  readonly nodeId: string;
  readonly cluster: string;
  readonly address: string;
  /** Whom it pushes its metrics to. */
  readonly metricsTo: ProviderConfig | undefined;
}

/** Reads the pods of a World. */
export function podsOf(world: World): SandboxPods {
  const all = [...world.pods.values()].sort((left, right) => (keyOf(left.meta) < keyOf(right.meta) ? -1 : 1));
  const provider = metricsProviderIn(world);
  const metricsTo = provider === undefined ? undefined : configOf(provider);
  const problems: string[] = [];
  const pods: SandboxPod[] = [];
  for (const pod of all) {
    const read = readPod(pod);
    if (read === undefined) continue;
    pods.push({ ...read.pod, metricsTo });
    problems.push(...read.problems.map((problem) => `Pod '${read.pod.key}': ${problem}`));
  }
  return { pods, problems };
}

function readPod(
  pod: Pod,
): { readonly pod: Omit<SandboxPod, 'metricsTo'>; readonly problems: readonly string[] } | undefined {
  const [address] = pod.ips;
  if (address === undefined || pod.applicationAddress === undefined || pod.terminating) return undefined;
  const { name, namespace, labels, annotations } = pod.meta;
  const { behaviour, entries, problems } = parseBehaviour(annotations);
  const tcp = pod.containerPorts.filter((port) => port.protocol === 'TCP').map((port) => port.port);
  const application = {
    namespace,
    name,
    labels,
    address: pod.applicationAddress,
    ports: [...new Set(tcp)],
    proxy: `${address}:${proxyPorts.outbound}`,
    behaviour,
  };
  const workload = `${pod.workload.kind}/${pod.workload.name}`;
  return { pod: { key: keyOf(pod.meta), workload, address, application, entries }, problems };
}

/** What the pod's Envoy is called and where it binds. */
export function proxyIdentityOf(pod: SandboxPod): ProxyIdentity {
  const { application, workload, address, metricsTo } = pod;
  const { name, namespace } = application;
  return { nodeId: `${name}.${namespace}`, cluster: `${workload}.${namespace}`, address, metricsTo };
}
