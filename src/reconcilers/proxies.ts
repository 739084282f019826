// Which proxies there are, and on which ports their pods are called.

import { ports as proxyPorts, type ObjectKey } from '../api/meta.js';
import type { EndpointSlice, Pod, World } from '../kinds/world.js';
import { createInterner } from '../lib/intern.js';
import { listInterner, memoised, memoisedList } from '../lib/memo.js';
import type { Capture, ExtensionInForce, InboundPort, PolicyInForce, Protocol, ProxyModel } from '../model/mesh.js';
import { extensionsInForce } from './extensions.js';
import type { PolicyIndex, ServicePortOfPod } from './policies.js';
import { inboundPoliciesOf, outboundPoliciesOf } from './policies-in-force.js';
import type { PolicyAttachment } from './policy.js';
import { providersInReach } from './providers.js';
import { protocolOf } from './protocol.js';
import type { ServiceReferents } from './references.js';

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
    .map((port) => ({ port, protocol: called.get(port)?.protocol ?? declared.get(port) ?? 'auto', policies: [] }));
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
    extensions: [],
    outbound: [],
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

const withPolicies = memoised(
  (proxy: ProxyModel, outbound: ProxyModel['outbound'], ofPorts: PoliciesOfPorts): ProxyModel => ({
    ...proxy,
    inbound: proxy.inbound.map((inbound, index) => ({ ...inbound, policies: ofPorts[index] ?? [] })),
    outbound,
  }),
);

const withExtensions = memoised((proxy: ProxyModel, extensions: readonly ExtensionInForce[]): ProxyModel => ({
  ...proxy,
  extensions,
}));

/** What proxies are told besides what their pods say. */
interface Said {
  readonly mode: Mode;
  readonly policies: PolicyIndex;
  readonly referents: ServiceReferents;
}

function proxyOf(pod: Pod, called: CalledPorts, { mode, policies, referents }: Said): ProxyModel {
  const bare = bareProxyOf(pod, called, mode);
  const inForce = (of: typeof inboundPoliciesOf, reaching: readonly PolicyAttachment[]) =>
    of(reaching, providersInReach(reaching, referents));
  const ofPorts = bare.inbound.map(({ port }) =>
    inForce(inboundPoliciesOf, policies.reachingPod(pod, called.get(port)?.by)),
  );
  const reaching = policies.reachingPod(pod);
  const proxy = withPolicies(bare, inForce(outboundPoliciesOf, reaching), internPolicies(ofPorts));
  const extensions = extensionsInForce(reaching, providersInReach(reaching, referents));
  return extensions.length === 0 ? proxy : withExtensions(proxy, extensions);
}

const modes = { explicit: { capture: 'explicit' }, redirect: { capture: 'redirect' } } as const;

/** A proxy for every pod that has an address and a network of its own. */
export function reconcileProxies(
  world: Pick<World, 'pods' | 'endpointSlices'> & Omit<Said, 'mode'>,
  capture: Capture,
): ReadonlyMap<ObjectKey, ProxyModel> {
  const called = calledPorts(everything, [...world.endpointSlices.values()].map(callsOf));
  const proxies = new Map<ObjectKey, ProxyModel>();
  const said: Said = { mode: modes[capture], policies: world.policies, referents: world.referents };
  for (const [key, pod] of world.pods) {
    if (pod.ips.length === 0 || pod.hostNetwork) continue;
    proxies.set(key, proxyOf(pod, called.get(key) ?? noPorts, said));
  }
  return proxies;
}
