// What callers may reach outside of the cluster: hosts that their policies list, hosts that routes send to, and what
// becomes of all others. Equal answers are one object, so that callers with equal answers share what they are served.

import { keyOf, systemNamespace } from '../api/meta.js';
import type { Egress } from '../features/egress.js';
import type { DataObject, Table } from '../kinds/world.js';
import { createInterner } from '../lib/intern.js';
import { memoised } from '../lib/memo.js';
import {
  covers,
  isWildcard,
  type EgressModel,
  type ExternalPort,
  type ExternalTls,
  type HostBackend,
  type Trust,
} from '../model/egress.js';
import { claimsIn, refusalOfHost, type Claims } from './claims.js';
import type { PolicyIndex } from './policies.js';
import { mergePolicies, originOf, type EffectivePolicy } from './policy-merge.js';
import type { CompiledPolicy, PolicyAttachment } from './policy.js';
import { compareText } from './precedence.js';
import type { CompiledRoute } from './traffic-route.js';

type ListedHost = NonNullable<Egress['hosts']>[number];

/** Where the roots of a host stand, as written. */
export const rootsOf = (
  configMaps: Table<DataObject<'ConfigMap'>>,
  namespace: string,
  name: string,
): string | undefined => {
  const bytes = configMaps.get(keyOf({ namespace, name }))?.data.get('ca.crt');
  return bytes === undefined || bytes.length === 0 ? undefined : Buffer.from(bytes).toString('utf8');
};

/** What the answer depends on, beside the policies that reach the caller. */
interface Inputs {
  readonly claims: Claims;
  readonly configMaps: Table<DataObject<'ConfigMap'>>;
  readonly routed: readonly RoutedHost[];
}

/** Roots that are not there trust nobody: the host is not called rather than believed. */
function trustOf({ tls }: ListedHost, by: CompiledPolicy, { configMaps }: Inputs): Trust {
  if (tls?.caConfigMap === undefined) return { kind: 'public' };
  const pem = rootsOf(configMaps, by.ref.namespace, tls.caConfigMap);
  return pem === undefined ? { kind: 'nobody' } : { kind: 'roots', pem };
}

function tlsOf(listed: ListedHost, by: CompiledPolicy, inputs: Inputs): ExternalTls | undefined {
  const { host, tls } = listed;
  if (tls === undefined) return undefined;
  const { sni = host, subjectAltNames = [] } = tls;
  // Without a name to look for, Envoy would believe every certificate of these roots.
  const names = subjectAltNames.length === 0 ? [host] : subjectAltNames;
  return { sni, subjectAltNames: names, trust: trustOf(listed, by, inputs) };
}

function portsOf(listed: ListedHost, by: CompiledPolicy, inputs: Inputs & { namespace: string }): ExternalPort[] {
  const { host, protocol, addresses = [] } = listed;
  const path = `egress.hosts[${host}]`;
  const kept = refusalOfHost(inputs.claims, { host, namespace: inputs.namespace, path }) !== undefined;
  return listed.ports.map((port) => ({
    ...{ host, port, protocol, addresses },
    access: kept ? 'kept' : 'listed',
    tls: tlsOf(listed, by, inputs),
    origins: [originOf(by, path)],
  }));
}

/** The longest wildcard that holds for requests to a host says how it is reached. */
function wildcardOver({ host, port }: HostBackend, { blocks, parts }: EffectivePolicy) {
  const above = (blocks.egress?.hosts ?? [])
    .filter(
      (one) => isWildcard(one.host) && one.protocol === 'HTTP' && covers(one.host, host) && one.ports.includes(port),
    )
    .sort((left, right) => right.host.length - left.host.length)[0];
  const by = above === undefined ? undefined : parts.get(`egress.hosts[${above.host}]`)?.by.policy;
  return above === undefined || by === undefined ? undefined : { listed: { ...above, host, ports: [port] }, by };
}

/** A host that a route names; one that a route is attached to is called by its name. */
function routedPorts(
  routed: RoutedHost,
  effective: EffectivePolicy,
  inputs: Inputs & { namespace: string },
): ExternalPort[] {
  const { host, port, called } = routed;
  const above = wildcardOver(routed, effective);
  if (above !== undefined) return portsOf(above.listed, above.by, inputs);
  const kept = refusalOfHost(inputs.claims, { host, namespace: inputs.namespace, path: '' }) !== undefined;
  const access = called && kept ? 'kept' : called ? 'listed' : 'routed';
  return [{ ...{ host, port, protocol: 'HTTP', addresses: [], tls: undefined, origins: [] }, access }];
}

const byName = (left: ExternalPort, right: ExternalPort): number =>
  compareText(left.host, right.host) || left.port - right.port;

/** What callers are served does not differ by how often a policy was written. */
const withoutGeneration = (name: string, value: unknown): unknown => (name === 'generation' ? undefined : value);

const intern = createInterner<EgressModel>(10_000);

/** Where the mesh denies, a namespace cannot allow. */
function unknownOf({ blocks, parts }: EffectivePolicy, inputs: Inputs & { namespace: string }) {
  const own = parts.get('egress.defaultAction')?.by.policy;
  const said = blocks.egress?.defaultAction;
  const overruled = inputs.namespace === systemNamespace || said === 'Deny' ? undefined : inputs.claims.deniedBy;
  const policy = overruled ?? own;
  if (policy === undefined) return { unknown: 'unsaid', unknownBy: undefined } as const;
  const unknownBy = { policy: keyOf(policy.ref), origin: originOf(policy, 'egress.defaultAction') };
  return { unknown: overruled === undefined ? (said ?? 'unsaid') : 'Deny', unknownBy } as const;
}

function build(effective: EffectivePolicy, inputs: Inputs & { namespace: string }): EgressModel {
  const listed = (effective.blocks.egress?.hosts ?? []).flatMap((one) => {
    const by = effective.parts.get(`egress.hosts[${one.host}]`)?.by.policy;
    return by === undefined ? [] : portsOf(one, by, inputs);
  });
  const known = new Set(listed.map(({ host, port }) => `${host}:${String(port)}`));
  const routed = inputs.routed
    .filter(({ host, port }) => !known.has(`${host}:${String(port)}`))
    .flatMap((one) => routedPorts(one, effective, inputs));
  const ports = [...listed, ...routed].sort(byName);
  const content = { ports, ...unknownOf(effective, inputs) };
  const key = JSON.stringify(content, withoutGeneration);
  return intern(JSON.stringify(content), () => ({ key, ...content }));
}

/** Egress of callers without any policy, whose routes name no host. */
export const openEgress: EgressModel = intern('', () => ({
  key: '',
  ports: [],
  unknown: 'unsaid',
  unknownBy: undefined,
}));

/** A host that a route names. */
interface RoutedHost extends HostBackend {
  /** Whether a route is attached to it, so that callers call it. */
  readonly called: boolean;
}

/** Hosts that routes name, by namespace. */
export type RoutedHosts = ReadonlyMap<string, readonly RoutedHost[]>;

const internRouted = createInterner<RoutedHosts>(100);

/** The same table while routes name the same hosts. */
export const routedIn = memoised((routes: readonly CompiledRoute[]): RoutedHosts => {
  const sentTo = routes.flatMap(({ rules }) =>
    rules.flatMap(({ rule }) => [
      ...rule.backends.flatMap((backend) => (backend.kind === 'host' ? [backend.host] : [])),
      ...rule.hosts,
    ]),
  );
  const attachedTo = routes.flatMap(({ parents, ref: { namespace } }) =>
    parents.flatMap(({ ref, port, problem }): readonly RoutedHost[] =>
      ref.kind !== 'Host' || port === undefined || problem !== undefined
        ? []
        : [{ host: ref.name, port, namespace, called: true }],
    ),
  );
  const all = [...sentTo.map((one): RoutedHost => ({ ...one, called: false })), ...attachedTo];
  const distinct = new Map(all.map((one) => [`${one.namespace} ${one.host} ${String(one.port)}`, one]));
  const key = JSON.stringify([...distinct].sort(([left], [right]) => compareText(left, right)));
  return internRouted(key, () => Map.groupBy(distinct.values(), ({ namespace }) => namespace));
});

/** What callers of a namespace reach whom these policies reach. */
export type EgressOf = (namespace: string, reaching: readonly PolicyAttachment[]) => EgressModel;

/** Answers for all callers of a World; remembers what it said. */
export const egressIn = memoised(
  (policies: PolicyIndex, routed: RoutedHosts, configMaps: Table<DataObject<'ConfigMap'>>): EgressOf => {
    const claims = claimsIn(policies);
    const ofMesh = routed.get(systemNamespace) ?? [];
    const known = new Map<string, WeakMap<readonly PolicyAttachment[], EgressModel>>();
    return (namespace, reaching) => {
      const ofNamespace = known.get(namespace) ?? new WeakMap<readonly PolicyAttachment[], EgressModel>();
      known.set(namespace, ofNamespace);
      const held = ofNamespace.get(reaching);
      if (held !== undefined) return held;
      const named = namespace === systemNamespace ? ofMesh : [...(routed.get(namespace) ?? []), ...ofMesh];
      const effective = mergePolicies(reaching);
      const silent = effective.blocks.egress === undefined && named.length === 0;
      const model = silent ? openEgress : build(effective, { claims, configMaps, routed: named, namespace });
      ofNamespace.set(reaching, model);
      return model;
    };
  },
);
