// The EndpointSlices that a cluster's controller would make of Services and pods. Pure, memoised by the identity of a
// Service and of the pods that it selects.

import { keyOf, wellKnownLabels } from '../api/meta.js';
import type { ObjectKey } from '../api/meta.js';
import { optional } from '../kinds/reader.js';
import type { Endpoint, EndpointPort, EndpointSlice, Labelled, Pod, Service, ServicePort } from '../kinds/world.js';

type Zones = ReadonlyMap<string, string>;

const zoneOf = (pod: Pod, zones: Zones): string | undefined =>
  pod.meta.labels[wellKnownLabels.zone] ?? (pod.nodeName === undefined ? undefined : zones.get(pod.nodeName));

const pairOf = (namespace: string, key: string, value: string): string => `${namespace} ${key}=${value}`;

/** Pods by namespace and label: finding the pods of a Service costs what it selects, not the folder. */
function indexByLabel(pods: readonly Pod[]): ReadonlyMap<string, readonly Pod[]> {
  const index = new Map<string, Pod[]>();
  for (const pod of pods) {
    for (const [key, value] of Object.entries(pod.meta.labels)) {
      const pair = pairOf(pod.meta.namespace, key, value);
      const list = index.get(pair);
      if (list === undefined) index.set(pair, [pod]);
      else list.push(pod);
    }
  }
  return index;
}

function selected(service: Service, index: ReadonlyMap<string, readonly Pod[]>): readonly Pod[] {
  const pairs = Object.entries(service.selector ?? {});
  const lists = pairs.map(([key, value]) => index.get(pairOf(service.meta.namespace, key, value)) ?? []);
  const [smallest] = lists.toSorted((left, right) => left.length - right.length);
  return (smallest ?? []).filter(
    (pod) => pod.ips.length > 0 && pairs.every(([key, value]) => pod.meta.labels[key] === value),
  );
}

/** Where a port number goes that may have to move. */
export type Lift = (port: number) => number;

function portOf(port: ServicePort, pod: Pod, lift: Lift): EndpointPort | undefined {
  const { targetPort } = port;
  const named = pod.containerPorts.find(({ name, protocol }) => name === targetPort && protocol === port.protocol);
  const number = typeof targetPort === 'number' ? lift(targetPort) : named?.port;
  if (number === undefined) return undefined;
  return { name: port.name, port: number, ...optional('appProtocol', port.appProtocol) };
}

function endpointOf(service: Service, pod: Pod, zones: Zones): Endpoint {
  const address = pod.ips.find((ip) => !ip.includes(':')) ?? pod.ips[0] ?? '';
  const steady = service.headless && pod.workload.kind === 'StatefulSet';
  const serving = pod.ready || service.publishNotReadyAddresses === true;
  return {
    address,
    ready: serving && (!pod.terminating || service.publishNotReadyAddresses === true),
    serving,
    terminating: pod.terminating,
    ...optional('hostname', steady ? pod.meta.name : undefined),
    ...optional('nodeName', pod.nodeName),
    ...optional('zone', zoneOf(pod, zones)),
    pod: keyOf(pod.meta),
  };
}

interface Group {
  readonly ports: readonly EndpointPort[];
  readonly addressType: 'IPv4' | 'IPv6';
  readonly endpoints: Endpoint[];
}

/** What slices are made with. */
interface Making {
  readonly zones: Zones;
  readonly lift: Lift;
}

function groupsOf(service: Service, pods: readonly Pod[], { zones, lift }: Making): ReadonlyMap<string, Group> {
  const declared = service.ports.filter((port) => port.protocol === 'TCP');
  const groups = new Map<string, Group>();
  for (const pod of pods) {
    const ports = declared.flatMap((port) => portOf(port, pod, lift) ?? []);
    const endpoint = endpointOf(service, pod, zones);
    const addressType = endpoint.address.includes(':') ? 'IPv6' : 'IPv4';
    const numbers = declared.map((port) => String(portOf(port, pod, lift)?.port ?? 'none'));
    const name = [service.meta.name, ...numbers, ...(addressType === 'IPv6' ? ['v6'] : [])].join('-');
    const group = groups.get(name) ?? { ports, addressType, endpoints: [] };
    group.endpoints.push(endpoint);
    groups.set(name, group);
  }
  return groups;
}

function build(service: Service, pods: readonly Pod[], making: Making): readonly EndpointSlice[] {
  const { namespace, name: owner, place } = service.meta;
  return [...groupsOf(service, pods, making)].map(([name, group]) => ({
    kind: 'EndpointSlice',
    meta: {
      name,
      namespace,
      labels: { [wellKnownLabels.service]: owner },
      annotations: {},
      generation: 0,
      ...optional('place', place),
    },
    service: keyOf(service.meta),
    ...group,
  }));
}

interface Built {
  readonly pods: readonly Pod[];
  readonly zones: string;
  readonly slices: readonly EndpointSlice[];
}

const memo = new WeakMap<Service, Built>();

function buildOnce(service: Service, pods: readonly Pod[], making: Making): readonly EndpointSlice[] {
  const written = pods.map((pod) => zoneOf(pod, making.zones) ?? '').join();
  const known = memo.get(service);
  const same = known?.zones === written && known.pods.length === pods.length;
  if (same && known.pods.every((pod, nth) => pod === pods[nth])) return known.slices;
  const slices = build(service, pods, making);
  memo.set(service, { pods, zones: written, slices });
  return slices;
}

/** Slices of every Service that has a selector. */
export function slicesOf(
  services: readonly Service[],
  from: { readonly pods: readonly Pod[]; readonly nodes: readonly Labelled<'Node'>[]; readonly lift: Lift },
): readonly EndpointSlice[] {
  const { pods, nodes, lift } = from;
  const index = indexByLabel(pods);
  const zones = new Map(
    nodes.flatMap(({ meta }): [string, string][] => {
      const zone = meta.labels[wellKnownLabels.zone];
      return zone === undefined ? [] : [[meta.name, zone]];
    }),
  );
  return services
    .filter((service) => service.selector !== undefined)
    .flatMap((service) => buildOnce(service, selected(service, index), { zones, lift }));
}

const readdressedMemo = new WeakMap<EndpointSlice, EndpointSlice>();

/** Written slices with the addresses and ports that their pods have now. */
export function readdress(
  slices: readonly EndpointSlice[],
  { pods, lift }: { readonly pods: readonly Pod[]; readonly lift: Lift },
): readonly EndpointSlice[] {
  const addresses = new Map<ObjectKey, string>();
  for (const pod of pods) if (pod.ips[0] !== undefined) addresses.set(keyOf(pod.meta), pod.ips[0]);
  return slices.map((slice) => {
    const move = (endpoint: Endpoint): Endpoint => {
      const address = endpoint.pod === undefined ? undefined : addresses.get(endpoint.pod);
      return address === undefined || address === endpoint.address ? endpoint : { ...endpoint, address };
    };
    const endpoints = slice.endpoints.map(move);
    const ofPods = endpoints.some(({ pod }) => pod !== undefined && addresses.has(pod));
    const ports = ofPods ? slice.ports.map((port) => ({ ...port, port: lift(port.port) })) : slice.ports;
    const sameAs = (other: EndpointSlice): boolean =>
      endpoints.every((endpoint, nth) => endpoint.address === other.endpoints[nth]?.address) &&
      ports.every((port, nth) => port.port === other.ports[nth]?.port);
    if (sameAs(slice)) return slice;
    const known = readdressedMemo.get(slice);
    if (known !== undefined && sameAs(known)) return known;
    const moved: EndpointSlice = { ...slice, endpoints, ports };
    readdressedMemo.set(slice, moved);
    return moved;
  });
}
