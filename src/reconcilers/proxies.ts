// Which proxies there are, and on which ports their pods are called.

import { ports as proxyPorts, type ObjectKey } from '../api/meta.js';
import type { EndpointSlice, Pod, World } from '../kinds/world.js';
import { createInterner } from '../lib/intern.js';
import { listInterner, memoised, memoisedList } from '../lib/memo.js';
import type {
  Capture,
  InboundPort,
  InboundService,
  PolicyInForce,
  Protocol,
  ProxyModel,
  Rule,
  RuleMark,
} from '../model/mesh.js';
import type { Arrivals } from './arrivals.js';
import { hasProxy } from './held-rules.js';
import { limitedRule, limitsAt, providerReach, type LimitedRule } from './limits.js';
import type { PolicyIndex, ServicePortOfPod } from './policies.js';
import { inboundPoliciesOf, outboundPoliciesOf } from './policies-in-force.js';
import { mergePolicies } from './policy-merge.js';
import type { PolicyAttachment } from './policy.js';
import { protocolOf, protocolSaid } from './protocol.js';
import { providersInReach } from './providers.js';
import type { Referents } from './references.js';

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
const noMarks: InboundPort['marks'] = new Map();

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
      marks: noMarks,
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
    outbound: [],
  };
}

const internProxies = createInterner<ProxyModel>(100_000);

/** Readiness and the like are of no concern to the proxy: equal proxies are one object. */
const bareProxyOf = memoised((pod: Pod, called: CalledPorts, mode: Mode): ProxyModel => {
  const proxy = buildProxy(pod, called, mode);
  return internProxies(JSON.stringify(proxy), () => proxy);
});

/** What is said of calls to one inbound port. */
type Inbound = Pick<InboundPort, 'policies' | 'services' | 'marks' | 'protocol'>;

type OnPort = readonly PolicyInForce[];

/** What is spoken there, and how limits know requests of rules. */
type Particulars = Pick<InboundPort, 'marks' | 'protocol'>;

const particulars = memoised(
  (marks: InboundPort['marks'], { protocol }: { readonly protocol: Protocol }): Particulars => ({
    marks,
    protocol,
  }),
);

const inboundFor = memoised((policies: OnPort, services: readonly InboundService[], more: Particulars): Inbound => ({
  policies,
  services,
  ...more,
}));

const spoken = createInterner<{ readonly protocol: Protocol }>(10);

/** What is spoken on a port: a policy knows better than what the port is called. */
function protocolAt({ port, protocol }: InboundPort, reaching: readonly PolicyAttachment[]): Protocol {
  const said = mergePolicies(reaching).blocks.inbound?.ports?.find((one) => one.port === port);
  return said === undefined ? protocol : protocolSaid[said.protocol];
}

/** Streams of gRPC never begin where bodies are buffered. */
const fitting = memoised((policies: OnPort, { protocol }: { readonly protocol: Protocol }): OnPort =>
  protocol === 'grpc' ? policies.filter(({ feature }) => feature.key !== 'maxRequestBytes') : policies,
);

const internInbound = listInterner<Inbound>();

const withPolicies = memoised(
  (proxy: ProxyModel, outbound: ProxyModel['outbound'], ofPorts: readonly Inbound[]): ProxyModel => ({
    ...proxy,
    inbound: proxy.inbound.map((inbound, index) => ({ ...inbound, ...ofPorts[index] })),
    outbound,
  }),
);

/** What says something of calls to pods. */
interface Sources {
  readonly policies: PolicyIndex;
  readonly arrivals: Arrivals;
  readonly pods: World['pods'];
  readonly referents: Referents;
}

const marksOf = memoised((rules: readonly Rule[], limited: readonly LimitedRule[]): InboundPort['marks'] => {
  const marks = limited.map(({ mark }) => mark);
  return new Map(
    rules.flatMap((rule, index): [Rule, RuleMark][] => (marks[index] === undefined ? [] : [[rule, marks[index]]])),
  );
});

/** Rules about which a policy says something where their requests arrive. */
const rulesUnderPolicy = memoised((services: readonly InboundService[]): readonly Rule[] => [
  ...new Set(
    services.flatMap(({ hosts }) =>
      hosts.flatMap(({ entries }) => entries.flatMap(({ rule }) => (rule.heldByPolicy === true ? [rule] : []))),
    ),
  ),
]);

const internLimited = listInterner<LimitedRule>();

interface PortOfPod {
  readonly pod: Pod;
  readonly inbound: InboundPort;
  readonly by: readonly ServicePortOfPod[];
}

function inboundAt({ pod, inbound, by }: PortOfPod, { policies, arrivals, pods, referents }: Sources): Inbound {
  const reaching = policies.reachingPod(pod, by);
  const services = arrivals.at(by);
  const rules = rulesUnderPolicy(services);
  const limited = internLimited(rules.map((rule) => limitedRule(rule, policies.onRoute(rule.origin.ref, rule.name))));
  const providers = providersInReach(providerReach(reaching, limited), referents);
  const protocol = protocolAt(inbound, reaching);
  const speaks = spoken(protocol, () => ({ protocol }));
  return inboundFor(
    fitting(inboundPoliciesOf(reaching, limitsAt(reaching, limited, { pod, pods }), providers), speaks),
    services,
    particulars(rules.length === 0 ? noMarks : marksOf(rules, limited), speaks),
  );
}

function proxyOf(pod: Pod, called: CalledPorts, { mode, ...sources }: Sources & { mode: Mode }): ProxyModel {
  const bare = bareProxyOf(pod, called, mode);
  const ofPorts = bare.inbound.map((inbound) =>
    inboundAt({ pod, inbound, by: called.get(inbound.port)?.by ?? [] }, sources),
  );
  const reaching = sources.policies.reachingPod(pod);
  const outbound = outboundPoliciesOf(reaching, providersInReach(reaching, sources.referents));
  return withPolicies(bare, outbound, internInbound(ofPorts));
}

const modes = { explicit: { capture: 'explicit' }, redirect: { capture: 'redirect' } } as const;

/** A proxy for every pod that has an address and a network of its own. */
export function reconcileProxies(
  world: Pick<World, 'endpointSlices'> & Sources,
  capture: Capture,
): ReadonlyMap<ObjectKey, ProxyModel> {
  const called = calledPorts(everything, [...world.endpointSlices.values()].map(callsOf));
  const proxies = new Map<ObjectKey, ProxyModel>();
  const { policies, arrivals, pods, referents } = world;
  const said = { mode: modes[capture], policies, arrivals, pods, referents };
  for (const [key, pod] of world.pods) {
    if (!hasProxy(pod)) continue;
    proxies.set(key, proxyOf(pod, called.get(key) ?? noPorts, said));
  }
  return proxies;
}
