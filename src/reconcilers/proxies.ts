// Which proxies there are, and on which ports their pods are called.

import { ports as proxyPorts, type ObjectKey } from '../api/meta.js';
import type { EndpointSlice, Pod, World } from '../kinds/world.js';
import { createInterner } from '../lib/intern.js';
import { listInterner, memoised, memoisedList } from '../lib/memo.js';
import type { Capture, InboundPort, InboundService, PolicyInForce, Protocol, ProxyModel } from '../model/mesh.js';
import type { Arrivals } from './arrivals.js';
import { hasProxy } from './held-rules.js';
import type { PolicyIndex, ServicePortOfPod } from './policies.js';
import { inboundPoliciesOf } from './policies-in-force.js';
import { protocolOf } from './protocol.js';

/** One port on which the slices of a Service call a pod. */
type Call = readonly [pod: ObjectKey, port: number, protocol: Protocol, by: ServicePortOfPod];

interface Calls {
  readonly calls: readonly Call[];
}

const internCalls = createInterner<Calls>(100_000);

/** What the slices of one Service call; equal answers are one object. */
const callsOf = memoised((slices: readonly EndpointSlice[]): Calls => {
  const calls = slices.flatMap((slice) => {
    const ports = slice.ports.map(
      (port) => [port.port, protocolOf(port), { service: slice.service, portName: port.name }] as const,
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

/** Two Services that call one port by different protocols leave it to the proxy to look. */
const joined = (known: CalledPort | undefined, next: Protocol, by: ServicePortOfPod): CalledPort => ({
  protocol: known === undefined || known.protocol === next ? next : 'auto',
  by: [...(known?.by ?? []), by],
});

const everything = {};
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
    .map((port) => ({
      port,
      protocol: called.get(port)?.protocol ?? declared.get(port) ?? 'auto',
      policies: [],
      services: [],
    }));
}

interface Mode {
  readonly capture: Capture;
}

const workloadName = (pod: Pod): string => `${pod.workload.kind}/${pod.workload.name}.${pod.workload.namespace}`;

function buildProxy(pod: Pod, called: CalledPorts, { capture }: Mode): ProxyModel {
  const workload = workloadName(pod);
  return {
    key: `${pod.meta.namespace}/${pod.meta.name}`,
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

/** What is said of calls to one inbound port. */
type Inbound = Pick<InboundPort, 'policies' | 'services'>;

const inboundFor = memoised((policies: readonly PolicyInForce[], services: readonly InboundService[]): Inbound => ({
  policies,
  services,
}));

const internInbound = listInterner<Inbound>();

const withInbound = memoised((proxy: ProxyModel, ofPorts: readonly Inbound[]): ProxyModel => ({
  ...proxy,
  inbound: proxy.inbound.map((inbound, index) => ({ ...inbound, ...ofPorts[index] })),
}));

/** What says something of calls to pods. */
interface Sources {
  readonly policies: PolicyIndex;
  readonly arrivals: Arrivals;
}

function proxyOf(pod: Pod, called: CalledPorts, { mode, policies, arrivals }: Sources & { mode: Mode }): ProxyModel {
  const bare = bareProxyOf(pod, called, mode);
  const ofPorts = bare.inbound.map(({ port }) => {
    const by = called.get(port)?.by ?? [];
    return inboundFor(inboundPoliciesOf(policies.reachingPod(pod, by)), arrivals.at(by));
  });
  const silent = ofPorts.every((one) => one.policies.length === 0 && one.services.length === 0);
  return silent ? bare : withInbound(bare, internInbound(ofPorts));
}

const modes = { explicit: { capture: 'explicit' }, redirect: { capture: 'redirect' } } as const;

/** A proxy for every pod that has an address and a network of its own. */
export function reconcileProxies(
  world: Pick<World, 'pods' | 'endpointSlices'> & Sources,
  capture: Capture,
): ReadonlyMap<ObjectKey, ProxyModel> {
  const called = calledPorts(everything, [...world.endpointSlices.values()].map(callsOf));
  const proxies = new Map<ObjectKey, ProxyModel>();
  for (const [key, pod] of world.pods) {
    if (!hasProxy(pod)) continue;
    const { policies, arrivals } = world;
    proxies.set(key, proxyOf(pod, called.get(key) ?? noPorts, { mode: modes[capture], policies, arrivals }));
  }
  return proxies;
}
