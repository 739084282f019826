// Which proxies there are, and on which ports their pods are called.

import { keyOf, ports as proxyPorts, type ObjectKey } from '../api/meta.js';
import type { EndpointSlice, Pod, World } from '../kinds/world.js';
import { createInterner } from '../lib/intern.js';
import { listInterner, memoised, memoisedList } from '../lib/memo.js';
import { callerOf } from '../model/caller.js';
import type { EgressModel } from '../model/egress.js';
import {
  isHttp,
  type Capture,
  type ExtensionInForce,
  type InboundPort,
  type MeshModel,
  type Protocol,
  type ProxyModel,
  type ServiceModel,
} from '../model/mesh.js';
import type { Place } from '../model/place.js';
import { placeOfCaller } from './caller-place.js';
import { extensionsInForce } from './extensions.js';
import { hasProxy } from './held-rules.js';
import { openEgress, type EgressOf } from './egress.js';
import { inboundAt, noMarks, type Inbound, type Sources } from './inbound.js';
import type { Placing } from './places.js';
import type { ServicePortOfPod } from './policies.js';
import { outboundPoliciesOf } from './policies-in-force.js';
import { providersInReach } from './providers.js';
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

const declaredPorts = (pod: Pod): ReadonlyMap<number, Protocol> =>
  new Map(pod.containerPorts.filter((port) => port.protocol === 'TCP').map((port) => [port.port, protocolOf(port)]));

/** Ports on which a pod is called. */
const portsOf = (declared: ReadonlyMap<number, Protocol>, called: CalledPorts): readonly number[] =>
  [...new Set([...declared.keys(), ...called.keys()])]
    .filter((port) => !reserved.has(port))
    .sort((left, right) => left - right);

function inboundOf(pod: Pod, called: CalledPorts): readonly InboundPort[] {
  const declared = declaredPorts(pod);
  return portsOf(declared, called).map((port) => ({
    port,
    protocol: called.get(port)?.protocol ?? declared.get(port) ?? 'auto',
    policies: [],
    services: [],
    marks: noMarks,
  }));
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
    extensions: [],
    outbound: [],
    egress: openEgress,
  };
}

const internProxies = createInterner<ProxyModel>(100_000);

/** Readiness and the like are of no concern to the proxy: equal proxies are one object. */
const bareProxyOf = memoised((pod: Pod, called: CalledPorts, mode: Mode): ProxyModel => {
  const proxy = buildProxy(pod, called, mode);
  return internProxies(JSON.stringify(proxy), () => proxy);
});

const internInbound = listInterner<Inbound>();

/** What is said of the calls that a pod makes. */
type Outgoing = Pick<ProxyModel, 'outbound' | 'egress'>;

const outgoing = memoised((outbound: Outgoing['outbound'], egress: EgressModel): Outgoing => ({ outbound, egress }));

const withSaid = memoised((proxy: ProxyModel, calls: Outgoing, ofPorts: readonly Inbound[]): ProxyModel => ({
  ...proxy,
  inbound: proxy.inbound.map((inbound, index) => ({ ...inbound, ...ofPorts[index] })),
  ...calls,
}));

const withExtensions = memoised((proxy: ProxyModel, extensions: readonly ExtensionInForce[]): ProxyModel => ({
  ...proxy,
  extensions,
}));

/** What is said of calls to pods, and by them, and of the nodes that they are on. */
type Said = Sources & Pick<World, 'nodes'> & { readonly egressOf: EgressOf };

const withPlace = memoised((proxy: ProxyModel, place: Place): ProxyModel => ({ ...proxy, place }));

function proxyOf(pod: Pod, called: CalledPorts, { mode, ...sources }: Said & { mode: Mode }): ProxyModel {
  const { policies, referents, egressOf } = sources;
  const { placing } = mode;
  const everywhere = bareProxyOf(pod, called, mode);
  const bare = placing.keys.length === 0 ? everywhere : withPlace(everywhere, placeOfCaller(pod, sources, placing));
  const ofPorts = bare.inbound.map((inbound) =>
    inboundAt({ pod, inbound, by: called.get(inbound.port)?.by ?? [] }, sources),
  );
  const reaching = policies.reachingPod(pod);
  const inReach = providersInReach(reaching, referents);
  const calls = outgoing(outboundPoliciesOf(reaching, inReach), egressOf(pod.meta.namespace, reaching));
  const proxy = withSaid(bare, calls, internInbound(ofPorts));
  const extensions = extensionsInForce(reaching, inReach);
  return extensions.length === 0 ? proxy : withExtensions(proxy, extensions);
}

const modesOf = (capture: Capture) =>
  memoised((sources: SourceList, placing: Placing): Mode => ({ capture, sources, placing }));

/** One object for each mode. */
const modes = { explicit: modesOf('explicit'), redirect: modesOf('redirect') } as const;

/** The mode that these conditions of routes and these preferences of Services ask for. */
export const modeOf = (capture: Capture, sources: SourceList, placing: Placing): Mode =>
  modes[capture](sources, placing);

const callsIn = (slices: World['endpointSlices'], spoken: SpokenTable): ReadonlyMap<ObjectKey, CalledPorts> =>
  calledPorts(
    spoken,
    [...slices].map(([key, list]) => callsOf(list, spoken.get(key) ?? unknown)),
  );

const nothingSpoken: SpokenTable = new Map();

/** Ports on which pods are called, and the Services that call each of them. */
export function servicesCalling(
  slices: World['endpointSlices'],
): (pod: Pod) => ReadonlyMap<number, readonly ServicePortOfPod[]> {
  const calls = callsIn(slices, nothingSpoken);
  return (pod) => {
    const called = calls.get(keyOf(pod.meta)) ?? noPorts;
    return new Map(portsOf(declaredPorts(pod), called).map((port) => [port, called.get(port)?.by ?? []]));
  };
}

/** Equal proxies are one table: most of what changes in a mesh is of no concern to them. */
const proxyTableOf = memoisedList(
  (_mode: Mode, proxies: readonly ProxyModel[]): ReadonlyMap<ObjectKey, ProxyModel> =>
    new Map(proxies.map((proxy) => [proxy.key, proxy])),
);

/** A proxy for every pod that has an address and a network of its own. */
export function reconcileProxies(
  world: Pick<World, 'endpointSlices'> & Said & { readonly spoken: SpokenTable },
  mode: Mode,
): ReadonlyMap<ObjectKey, ProxyModel> {
  const { spoken, endpointSlices, ...said } = world;
  const called = callsIn(endpointSlices, spoken);
  const proxies: ProxyModel[] = [];
  for (const [key, pod] of said.pods) {
    if (!hasProxy(pod)) continue;
    proxies.push(proxyOf(pod, called.get(key) ?? noPorts, { mode, ...said }));
  }
  return proxyTableOf(mode, proxies);
}
