// Pods, and what makes pods: the pod templates of workloads, which a folder holds in place of pods. Knows nothing of
// addresses that nobody wrote: expand.ts gives those.

import type { ObjectMeta } from '../api/meta.js';
import { optional, portBounds } from '../kinds/reader.js';
import type { Fields, Reader } from '../kinds/reader.js';
import type { ContainerPort, Pod, WorkloadRef } from '../kinds/world.js';
import type { Reduction } from './reduce.js';

/** Kinds whose pods a folder implies. */
export const workloadKinds = ['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet'] as const;
export type WorkloadKind = (typeof workloadKinds)[number];

/** A Deployment, ReplicaSet, StatefulSet or DaemonSet of a folder. */
export interface Workload {
  readonly kind: WorkloadKind;
  readonly meta: ObjectMeta;
  readonly replicas: number;
  /** The controller of this object, where it has one: a Deployment for its ReplicaSet. */
  readonly owner?: WorkloadRef;
  readonly template: PodTemplate;
}

/** What pods of one workload share. */
export interface PodTemplate {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  readonly containerPorts: readonly ContainerPort[];
  readonly hostNetwork: boolean;
  readonly nodeName?: string;
}

const protocols = ['TCP', 'UDP', 'SCTP'] as const;

function containerPorts(read: Reader, containers: unknown, path: string): readonly ContainerPort[] {
  return read.list(containers, path).flatMap((container, index) => {
    const at = `${path}[${String(index)}].ports`;
    return read.list(read.fields(container, at)?.['ports'], at).flatMap((value, nth) => {
      const where = `${at}[${String(nth)}]`;
      const raw = read.fields(value, where) ?? {};
      const port = read.integer(raw['containerPort'], `${where}.containerPort`, portBounds);
      if (port === undefined) return [];
      const protocol = read.oneOf(raw['protocol'], `${where}.protocol`, protocols) ?? 'TCP';
      return { name: read.text(raw['name'], `${where}.name`) ?? '', port, protocol };
    });
  });
}

// Native sidecars are init containers; their ports count, those of other init containers are long closed.
function nativeSidecars(read: Reader, spec: Fields, path: string): readonly unknown[] {
  return read
    .list(spec['initContainers'], path)
    .filter((item) => read.fields(item, path)?.['restartPolicy'] === 'Always');
}

function reducePodSpec(read: Reader, spec: Fields, path: string): Omit<PodTemplate, 'labels' | 'annotations'> {
  const account = read.text(spec['serviceAccountName'], `${path}.serviceAccountName`);
  const node = read.text(spec['nodeName'], `${path}.nodeName`);
  return {
    serviceAccount: account === undefined || account === '' ? 'default' : account,
    containerPorts: [
      ...containerPorts(read, spec['containers'], `${path}.containers`),
      ...containerPorts(read, nativeSidecars(read, spec, `${path}.initContainers`), `${path}.initContainers`),
    ],
    hostNetwork: read.flag(spec['hostNetwork'], `${path}.hostNetwork`) ?? false,
    ...optional('nodeName', node === '' ? undefined : node),
  };
}

function controllerOf(read: Reader, raw: Fields, namespace: string): WorkloadRef | undefined {
  const path = 'metadata.ownerReferences';
  const metadata = read.fields(raw['metadata'], 'metadata') ?? {};
  const owner = read
    .list(metadata['ownerReferences'], path)
    .map((item) => read.fields(item, path) ?? {})
    .find((item) => item['controller'] === true);
  if (owner === undefined) return undefined;
  const kind = read.text(owner['kind'], `${path}.kind`);
  const name = read.text(owner['name'], `${path}.name`);
  return kind === undefined || name === undefined ? undefined : { kind, namespace, name };
}

// The Deployment controller names a ReplicaSet `<deployment>-<hash>` and labels its pods with the hash.
function topmost(owner: WorkloadRef, labels: Readonly<Record<string, string>>): WorkloadRef {
  const suffix = `-${labels['pod-template-hash'] ?? ''}`;
  if (owner.kind !== 'ReplicaSet' || suffix === '-' || !owner.name.endsWith(suffix)) return owner;
  return { ...owner, kind: 'Deployment', name: owner.name.slice(0, -suffix.length) };
}

function podIPs(read: Reader, status: Fields): readonly string[] {
  // An address of a pod that ran to its end may be another pod's by now.
  if (status['phase'] === 'Succeeded' || status['phase'] === 'Failed') return [];
  const first = read.text(status['podIP'], 'status.podIP');
  const all = read.list(status['podIPs'], 'status.podIPs').flatMap((item, index) => {
    const path = `status.podIPs[${String(index)}]`;
    return read.text(read.fields(item, path)?.['ip'], `${path}.ip`) ?? [];
  });
  return [...new Set([...(first === undefined || first === '' ? [] : [first]), ...all])];
}

function isReady(reduction: Reduction, status: Fields): boolean {
  const { read, readyByDefault } = reduction;
  const condition = read
    .list(status['conditions'], 'status.conditions')
    .map((item) => read.fields(item, 'status.conditions') ?? {})
    .find((item) => item['type'] === 'Ready');
  return condition === undefined ? readyByDefault : condition['status'] === 'True';
}

/** A Pod of the World from a raw one. */
export function reducePod(reduction: Reduction): Pod {
  const { raw, meta, read } = reduction;
  const metadata = read.fields(raw['metadata'], 'metadata') ?? {};
  const status = read.fields(raw['status'], 'status') ?? {};
  const owner = controllerOf(read, raw, meta.namespace);
  return {
    kind: 'Pod',
    meta,
    ips: podIPs(read, status),
    workload:
      owner === undefined ? { kind: 'Pod', namespace: meta.namespace, name: meta.name } : topmost(owner, meta.labels),
    ready: isReady(reduction, status),
    terminating: metadata['deletionTimestamp'] !== undefined && metadata['deletionTimestamp'] !== null,
    ...reducePodSpec(read, read.fields(raw['spec'], 'spec') ?? {}, 'spec'),
  };
}

/** A workload from a raw Deployment, ReplicaSet, StatefulSet or DaemonSet. */
export function reduceWorkload(kind: WorkloadKind, { raw, meta, read }: Reduction): Workload {
  const spec = read.fields(raw['spec'], 'spec') ?? {};
  const template = read.fields(spec['template'], 'spec.template') ?? {};
  const metadata = read.fields(template['metadata'], 'spec.template.metadata') ?? {};
  const podSpec = read.fields(template['spec'], 'spec.template.spec') ?? {};
  const replicas = read.integer(spec['replicas'], 'spec.replicas', { min: 0, max: 1_000_000_000 }) ?? 1;
  return {
    kind,
    meta,
    replicas: kind === 'DaemonSet' ? 1 : replicas,
    ...optional('owner', controllerOf(read, raw, meta.namespace)),
    template: {
      labels: read.texts(metadata['labels'], 'spec.template.metadata.labels') ?? {},
      annotations: read.texts(metadata['annotations'], 'spec.template.metadata.annotations') ?? {},
      ...reducePodSpec(read, podSpec, 'spec.template.spec'),
    },
  };
}
