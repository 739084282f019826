// What becomes of a TCP connection: where the rules of a port send it, and the network filter that does so.

import type { Filter } from '../gen/envoy/config/listener/v3/listener_components.js';
import { TcpProxy } from '../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.js';
import type { CompiledFeature, ConnectionPatch } from '../features/feature.js';
import type { Backend, HostRules, PortModel, Rule } from '../model/mesh.js';
import { isHttp } from '../model/mesh.js';
import { packAny } from '../features/any.js';
import type { ChainPatch } from '../features/feature.js';
import { silentRule } from '../features/index.js';
import { builtInDefaults, type RouteDefaults } from '../features/route-defaults.js';
import { nameOfBackend, type Owner } from './chains.js';
import { defaultsFor } from './defaults.js';
import { mergePatches, overridden } from './merge.js';
import { nameOfRule, unresolvedCluster } from './names.js';

const patchOf = (features: readonly CompiledFeature[], defaults: RouteDefaults): ConnectionPatch =>
  mergePatches(
    features.map((feature) => feature.onConnection(defaults)),
    'connection',
  ) ?? {};

/** The way of a connection. */
export interface ConnectionPath {
  /** Of its statistics. */
  readonly name: string;
  readonly to: TcpProxy['clusterSpecifier'];
  readonly patch: ConnectionPatch;
}

/** The network filter that sends connections on their way; `policies` is what policies on the chain say. */
export function tcpProxy({ name, to, patch }: ConnectionPath, policies?: ChainPatch['tcp']): Filter {
  const config = TcpProxy.fromPartial(overridden({ statPrefix: name, clusterSpecifier: to, ...patch }, policies));
  return {
    name: 'envoy.filters.network.tcp_proxy',
    configType: { $case: 'typedConfig', value: packAny(TcpProxy, config) },
  };
}

const plain = patchOf(silentRule, builtInDefaults);

/** To one cluster, with what holds where no rule says anything: what policies say of the port, or what is built in. */
export const pathTo = (cluster: string, name: string, port?: PortModel): ConnectionPath => ({
  name,
  to: { $case: 'cluster', value: cluster },
  patch: port === undefined ? plain : patchOf(silentRule, port.policies.defaults),
});

/** Shares connections out by weight. What does not resolve closes its share. */
function destinationOf(rule: Rule, owner: Owner): TcpProxy['clusterSpecifier'] {
  const clusterOf = (backend: Backend): string =>
    backend.kind === 'service' ? nameOfBackend(backend.target, rule, owner) : unresolvedCluster;
  const live = rule.backends.filter(({ weight }) => weight > 0);
  const [first, ...others] = live;
  if (first === undefined) return { $case: 'cluster', value: unresolvedCluster };
  if (others.length === 0) return { $case: 'cluster', value: clusterOf(first) };
  const clusters = live.map((backend) => ({ name: clusterOf(backend), weight: backend.weight }));
  return TcpProxy.fromPartial({ clusterSpecifier: { $case: 'weightedClusters', value: { clusters } } })
    .clusterSpecifier;
}

/** The name of the way that a rule gives. */
export const nameOfPath = ({ name, origin: { ref } }: Rule): string =>
  nameOfRule({ namespace: ref.namespace, route: ref.name, rule: name });

/** As a rule says, under its name. */
export function pathBy(rule: Rule, owner: Owner): ConnectionPath {
  return {
    name: nameOfPath(rule),
    to: destinationOf(rule, owner),
    patch: patchOf(rule.features, defaultsFor(rule, owner.port)),
  };
}

/** Whether some callers of a port have rules for connections: its listener differs by callers then. */
export const hasConnectionRules = ({ protocol, hosts, consumers }: PortModel): boolean =>
  !isHttp(protocol) && [hosts, ...consumers.values()].some((own) => own.some(({ entries }) => entries.length > 0));

/** The rule for a name: all rules of a name match all of its connections, and the first one wins. */
export const ruleOf = (host: HostRules): Rule | undefined => host.entries[0]?.rule;
