// Which proxies there are, and on which ports their pods are called.

import { ports as proxyPorts, type ObjectKey } from '../api/meta.js';
import type { EndpointSlice, Pod, World } from '../kinds/world.js';
import { createInterner } from '../lib/intern.js';
import { listInterner, memoised, memoisedList } from '../lib/memo.js';
import { callerOf } from '../model/caller.js';
import {
  isHttp,
  type Capture,
  type InboundPort,
  type MeshModel,
  type PolicyInForce,
  type Protocol,
  type ProxyModel,
  type ServiceModel,
} from '../model/mesh.js';
import { placeOf, type Place } from '../model/place.js';
import { labelAt, type Placing } from './places.js';
import type { PolicyIndex, ServicePortOfPod } from './policies.js';
import { inboundPoliciesOf } from './policies-in-force.js';
import { protocolOf } from './protocol.js';
import { sourcesFor, type SourceList } from './source.js';

/** One port on which the slices of a Service call a pod. */
type Call = readonly [pod: ObjectKey, port: number, protocol: Protocol, by: ServicePortOfPod];

interface Calls {
  readonly calls: readonly Call[];
}

const internCalls = createInterner<Calls>(100_000);

/** What is spoken on the ports of a Service, by their names. */
interface Spoken {
  readonly service: ObjectKey;
  readonly protocols: ReadonlyMap<string, Protocol>;
}

const internSpoken = createInterner<Spoken>(100_000);

/** Equal answers are one object: rules of a Service are of no concern to the pods behind it. */
const spokenOn = memoised(({ ref, ports }: ServiceModel): Spoken => {
  const service = `${ref.namespace}/${ref.name}`;
  const protocols = ports.map(({ name, protocol }) => [name, protocol] as const);
  return internSpoken(JSON.stringify([service, protocols]), () => ({ service, protocols: new Map(protocols) }));
});

/** By Service. */
export type SpokenTable = ReadonlyMap<ObjectKey, Spoken>;

const everything = {};
const tableOf = memoisedList(
  (_: object, all: readonly Spoken[]): SpokenTable => new Map(all.map((one) => [one.service, one])),
);

/** What is spoken on the ports of all Services; the same table while nothing of it changes. */
export const spokenIn = memoised((services: MeshModel['services']): SpokenTable =>
  tableOf(everything, [...services.values()].map(spokenOn)),
);

const unknown: Spoken = { service: '', protocols: new Map() };

/** What the slices of one Service call; equal answers are one object. */
const callsOf = memoised((slices: readonly EndpointSlice[], { protocols }: Spoken): Calls => {
  const calls = slices.flatMap((slice) => {
    const ports = slice.ports.map(
      ({ name, port, ...words }) =>
        [
          port,
          protocols.get(name) ?? protocolOf({ name, port, ...words }),
          { service: slice.service, portName: name },
        ] as const,
    );
    return slice.endpoints.flatMap(({ pod }) => (pod === undefined ? [] : ports.map((port): Call => [pod, ...port])));
  });
  return internCalls(JSON.stringify(calls), () => ({ calls }));
});

/** A port of a pod as Services call it: a container may listen where it declares nothing. */
interface CalledPort {
  readonly protocol: Protocol;
  readonly by: readonly ServicePortOfPod[];
}

type CalledPorts = ReadonlyMap<number, CalledPort>;

const internPorts = createInterner<CalledPorts>(10_000);

function shared(ports: CalledPorts): CalledPorts {
  const sorted = [...ports].sort(([left], [right]) => left - right);
  return internPorts(JSON.stringify(sorted), () => new Map(sorted));
}

/** Two Services that call one port by different protocols leave it to the proxy to look; one that knows is enough. */
function spokenByBoth(known: Protocol, next: Protocol): Protocol {
  if (known === next || known === 'auto') return next;
  if (next === 'auto') return known;
  return isHttp(known) && isHttp(next) ? 'http' : 'auto';
}

const joined = (known: CalledPort | undefined, protocol: Protocol, by: ServicePortOfPod): CalledPort =>
  known === undefined
    ? { protocol, by: [by] }
    : { protocol: spokenByBoth(known.protocol, protocol), by: [...known.by, by] };

const calledPorts = memoisedList((_: object, all: readonly Calls[]): ReadonlyMap<ObjectKey, CalledPorts> => {
  const byPod = new Map<ObjectKey, Map<number, CalledPort>>();
  for (const [pod, port, protocol, by] of all.flatMap(({ calls }) => calls)) {
    const ports = byPod.get(pod) ?? new Map<number, CalledPort>();
    byPod.set(pod, ports.set(port, joined(ports.get(port), protocol, by)));
  }
  return new Map([...byPod].map(([pod, ports]) => [pod, shared(ports)]));
});

const noPorts: CalledPorts = new Map();

/** Ports of the proxy itself: what an application has there is out of reach anyway. */
const reserved: ReadonlySet<number> = new Set(Object.values(proxyPorts));

function inboundOf(pod: Pod, called: CalledPorts): readonly InboundPort[] {
  const declared = new Map(
    pod.containerPorts.filter((port) => port.protocol === 'TCP').map((port) => [port.port, protocolOf(port)]),
  );
  return [...new Set([...declared.keys(), ...called.keys()])]
    .filter((port) => !reserved.has(port))
    .sort((left, right) => left - right)
    .map((port) => ({ port, protocol: called.get(port)?.protocol ?? declared.get(port) ?? 'auto', policies: [] }));
}

/** What holds for the proxies of all pods. */
export interface Mode {
  readonly capture: Capture;
  readonly sources: SourceList;
  readonly placing: Placing;
}

const workloadName = (pod: Pod): string => `${pod.workload.kind}/${pod.workload.name}.${pod.workload.namespace}`;

function buildProxy(pod: Pod, called: CalledPorts, { capture, sources }: Mode): ProxyModel {
  const workload = workloadName(pod);
  return {
    key: `${pod.meta.namespace}/${pod.meta.name}`,
    caller: callerOf(pod.meta.namespace, sourcesFor(pod, sources)),
    namespace: pod.meta.namespace,
    name: pod.meta.name,
    group: `${workload}|${pod.serviceAccount}|${capture}`,
    workload,
    capture,
    addresses: pod.ips,
    applicationAddress: capture === 'explicit' ? (pod.applicationAddress ?? '127.0.0.1') : undefined,
    inbound: inboundOf(pod, called),
  };
}

const internProxies = createInterner<ProxyModel>(100_000);

/** Readiness and the like are of no concern to the proxy: equal proxies are one object. */
const bareProxyOf = memoised((pod: Pod, called: CalledPorts, mode: Mode): ProxyModel => {
  const proxy = buildProxy(pod, called, mode);
  return internProxies(JSON.stringify(proxy), () => proxy);
});

/** Policies on each of the inbound ports, in their order. */
type PoliciesOfPorts = readonly (readonly PolicyInForce[])[];

const internPolicies = listInterner<PoliciesOfPorts[number]>();

const withPolicies = memoised((proxy: ProxyModel, ofPorts: PoliciesOfPorts): ProxyModel => ({
  ...proxy,
  inbound: proxy.inbound.map((inbound, index) => ({ ...inbound, policies: ofPorts[index] ?? [] })),
}));

const withPlace = memoised((proxy: ProxyModel, place: Place): ProxyModel => ({ ...proxy, place }));

/** Where a pod is, as far as it counts. */
function placed(proxy: ProxyModel, pod: Pod, { nodes, mode }: About): ProxyModel {
  const { keys } = mode.placing;
  if (keys.length === 0) return proxy;
  const node = pod.nodeName === undefined ? undefined : nodes.get(`/${pod.nodeName}`);
  const where = { pod: pod.meta.labels, node: node?.meta.labels ?? {}, nodeName: pod.nodeName };
  return withPlace(
    proxy,
    placeOf((key) => labelAt(where, key), keys),
  );
}

/** What proxies depend on besides their pod. */
interface About {
  readonly mode: Mode;
  readonly policies: PolicyIndex;
  readonly nodes: World['nodes'];
}

function proxyOf(pod: Pod, called: CalledPorts, about: About): ProxyModel {
  const { mode, policies } = about;
  const bare = placed(bareProxyOf(pod, called, mode), pod, about);
  const ofPorts = bare.inbound.map(({ port }) => inboundPoliciesOf(policies.reachingPod(pod, called.get(port)?.by)));
  return ofPorts.every((one) => one.length === 0) ? bare : withPolicies(bare, internPolicies(ofPorts));
}

const modesOf = (capture: Capture) =>
  memoised((sources: SourceList, placing: Placing): Mode => ({ capture, sources, placing }));

/** One object for each mode. */
const modes = { explicit: modesOf('explicit'), redirect: modesOf('redirect') } as const;

/** The mode that these conditions of routes and these preferences of Services ask for. */
export const modeOf = (capture: Capture, sources: SourceList, placing: Placing): Mode =>
  modes[capture](sources, placing);

/** A proxy for every pod that has an address and a network of its own. */
export function reconcileProxies(
  world: Pick<World, 'pods' | 'nodes' | 'endpointSlices'> & {
    readonly spoken: SpokenTable;
    readonly policies: PolicyIndex;
  },
  mode: Mode,
): ReadonlyMap<ObjectKey, ProxyModel> {
  const { policies, nodes } = world;
  const calls = [...world.endpointSlices].map(([key, slices]) => callsOf(slices, world.spoken.get(key) ?? unknown));
  const called = calledPorts(everything, calls);
  const proxies = new Map<ObjectKey, ProxyModel>();
  for (const [key, pod] of world.pods) {
    if (pod.ips.length === 0 || pod.hostNetwork) continue;
    proxies.set(key, proxyOf(pod, called.get(key) ?? noPorts, { mode, policies, nodes }));
  }
  return proxies;
}
