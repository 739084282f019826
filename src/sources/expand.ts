// What a cluster would have added to the objects of a folder: pods of workloads, addresses of pods and Services,
// EndpointSlices. Pure, and memoised by the identity of its inputs: unchanged inputs give the same objects again.

import { keyOf } from '../api/meta.js';
import type { ObjectKey } from '../api/meta.js';
import type { EndpointSlice, Labelled, Pod, Service, WorldObject } from '../kinds/world.js';
import { optional } from '../kinds/reader.js';
import { allocate, applicationRange, podRange, serviceRange } from './addresses.js';
import { readdress, slicesOf, type Lift } from './expand-slices.js';
import { idOfWorkload } from './parse-object.js';
import type { Workload } from './reduce-pod.js';
import { workloadKinds } from './reduce-pod.js';

/** What a folder holds. */
export interface FolderObjects {
  readonly objects: readonly WorldObject[];
  readonly workloads: readonly Workload[];
}

/** How to expand. */
export interface ExpandOptions {
  /** Replaces written pod addresses that are not on loopback, also in slices: for a mesh on one machine. */
  readonly loopback?: boolean;
  /** Moves container ports below 1024 up, in pods and slices, for who may not bind them. Service ports stay. */
  readonly highPorts?: boolean;
}

/** Something that the expansion left out, and for whom. */
export interface ExpansionNote {
  readonly workload: Workload;
  readonly message: string;
}

/** The objects of the folder and those that a cluster would have added. */
export interface Expansion {
  readonly objects: readonly WorldObject[];
  readonly notes: readonly ExpansionNote[];
}

/** More pods than this of one workload prove nothing on one machine. */
export const maxReplicas = 1000;

interface Sorted {
  readonly pods: readonly Pod[];
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly nodes: readonly Labelled<'Node'>[];
  readonly others: readonly WorldObject[];
}

function sort(objects: readonly WorldObject[]): Sorted {
  const pods: Pod[] = [];
  const services: Service[] = [];
  const slices: EndpointSlice[] = [];
  const nodes: Labelled<'Node'>[] = [];
  const others: WorldObject[] = [];
  for (const object of objects) {
    if (object.kind === 'Pod') pods.push(object);
    else if (object.kind === 'Service') services.push(object);
    else if (object.kind === 'EndpointSlice') slices.push(object);
    else others.push(object);
    if (object.kind === 'Node') nodes.push(object);
  }
  return { pods, services, slices, nodes, others };
}

function podOf(workload: Workload, ordinal: number): Pod {
  const { kind, meta, owner, template } = workload;
  const { labels, annotations, ...rest } = template;
  return {
    kind: 'Pod',
    meta: {
      name: `${meta.name}-${String(ordinal)}`,
      namespace: meta.namespace,
      labels,
      annotations,
      generation: 0,
      ...(meta.place === undefined ? {} : { place: meta.place }),
    },
    ips: [],
    workload: owner ?? { kind, namespace: meta.namespace, name: meta.name },
    ready: true,
    terminating: false,
    ...rest,
  };
}

const podMemo = new WeakMap<Workload, readonly Pod[]>();

function podsOf(workload: Workload): readonly Pod[] {
  const known = podMemo.get(workload);
  if (known !== undefined) return known;
  const count = Math.min(workload.replicas, maxReplicas);
  const pods = Array.from({ length: count }, (_, ordinal) => podOf(workload, ordinal));
  podMemo.set(workload, pods);
  return pods;
}

// A dump of a cluster holds the Deployment, its ReplicaSet and their pods: only one of the three makes pods.
function makers(workloads: readonly Workload[], written: readonly Pod[]): readonly Workload[] {
  const present = new Set(workloads.map(idOfWorkload));
  const populated = new Set(written.map(({ workload }) => `${workload.kind}/${workload.namespace}/${workload.name}`));
  return workloads.filter(({ kind, meta, owner }) => {
    const names = [{ kind, namespace: meta.namespace, name: meta.name }, ...(owner === undefined ? [] : [owner])];
    const ids = names.map((ref) => `${ref.kind}/${ref.namespace}/${ref.name}`);
    return !ids.some((id, nth) => populated.has(id) || (nth > 0 && present.has(id)));
  });
}

function addPods(workloads: readonly Workload[], written: readonly Pod[]): { pods: Pod[]; notes: ExpansionNote[] } {
  const rank = (workload: Workload): number => workloadKinds.indexOf(workload.kind);
  const ordered = makers(workloads, written).toSorted((left, right) => rank(left) - rank(right));
  const names = new Set<ObjectKey>(written.map((pod) => keyOf(pod.meta)));
  const pods: Pod[] = [];
  const notes: ExpansionNote[] = [];
  for (const workload of ordered) {
    const all = podsOf(workload);
    const fresh = all.filter((pod) => !names.has(keyOf(pod.meta)));
    for (const pod of fresh) names.add(keyOf(pod.meta));
    pods.push(...fresh);
    const lost = all.length - fresh.length;
    if (lost > 0)
      notes.push({ workload, message: `${String(lost)} of its pods are left out: other pods have their names` });
    if (workload.replicas > maxReplicas) {
      notes.push({
        workload,
        message: `has ${String(workload.replicas)} replicas; only ${String(maxReplicas)} are added`,
      });
    }
  }
  return { pods, notes };
}

/** How far ports move that may not be bound. */
const lowPortShift = 20_000;

const stay: Lift = (port) => port;
const lifted: Lift = (port) => (port < 1024 ? port + lowPortShift : port);
const liftFor = (options: ExpandOptions): Lift => (options.highPorts === true ? lifted : stay);

const isLoopback = (ip: string): boolean => ip.startsWith('127.') || ip === '::1';

const addressedMemo = new WeakMap<Pod, Pod>();

interface Place {
  readonly address: string | undefined;
  readonly applicationAddress: string | undefined;
  readonly lift: Lift;
}

function withAddress(pod: Pod, { address, applicationAddress, lift }: Place): Pod {
  const ips = address === undefined ? pod.ips : [address];
  const known = addressedMemo.get(pod);
  if (known !== undefined && known.ips[0] === ips[0] && known.applicationAddress === applicationAddress) return known;
  const containerPorts = pod.containerPorts.map((port) => ({ ...port, port: lift(port.port) }));
  const addressed: Pod = { ...pod, ips, containerPorts, ...optional('applicationAddress', applicationAddress) };
  addressedMemo.set(pod, addressed);
  return addressed;
}

function addressPods(pods: readonly Pod[], options: ExpandOptions): readonly Pod[] {
  const holds = (pod: Pod): boolean =>
    pod.ips.length > 0 && (options.loopback !== true || pod.ips.every((ip) => isLoopback(ip)));
  const taken = new Set(pods.filter(holds).flatMap((pod) => pod.ips));
  const names = pods.filter((pod) => !holds(pod)).map((pod) => keyOf(pod.meta));
  const given = allocate(names, taken, podRange);
  const applications = allocate(
    pods.map((pod) => keyOf(pod.meta)),
    taken,
    applicationRange,
  );
  const lift = liftFor(options);
  return pods.map((pod) => {
    const key = keyOf(pod.meta);
    return withAddress(pod, { address: given.get(key), applicationAddress: applications.get(key), lift });
  });
}

const virtualMemo = new WeakMap<Service, Service>();

function withVirtualIP(service: Service, address: string | undefined): Service {
  if (address === undefined) return service;
  const known = virtualMemo.get(service);
  if (known?.clusterIPs[0] === address) return known;
  const addressed: Service = { ...service, clusterIPs: [address] };
  virtualMemo.set(service, addressed);
  return addressed;
}

function addressServices(services: readonly Service[]): readonly Service[] {
  const taken = new Set(services.flatMap((service) => service.clusterIPs));
  const wants = (service: Service): boolean =>
    service.type !== 'ExternalName' && !service.headless && service.clusterIPs.length === 0;
  const given = allocate(
    services.filter(wants).map((service) => keyOf(service.meta)),
    taken,
    serviceRange,
  );
  return services.map((service) => withVirtualIP(service, given.get(keyOf(service.meta))));
}

/** The objects of a folder, with what a cluster would have added. Never throws. */
export function expand(folder: FolderObjects, options: ExpandOptions = {}): Expansion {
  const written = sort(folder.objects);
  const added = addPods(folder.workloads, written.pods);
  const pods = addressPods([...written.pods, ...added.pods], options);
  const services = addressServices(written.services);
  const described = new Set(written.slices.map((slice) => slice.service));
  const made = slicesOf(
    services.filter((service) => !described.has(keyOf(service.meta))),
    { pods, nodes: written.nodes, lift: liftFor(options) },
  );
  const isMoved = options.loopback === true || options.highPorts === true;
  const slices = isMoved ? readdress(written.slices, { pods, lift: liftFor(options) }) : written.slices;
  return { objects: [...written.others, ...services, ...pods, ...slices, ...made], notes: added.notes };
}
