// Listeners carry only shape: addresses, protocols, empty slots. What the two captures differ in is here.

import { TrafficDirection } from '../gen/envoy/config/core/v3/base.js';
import { Listener, Listener_DrainType } from '../gen/envoy/config/listener/v3/listener.js';
import { FilterChain, type Filter, type ListenerFilter } from '../gen/envoy/config/listener/v3/listener_components.js';
import { HttpInspector } from '../gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector.js';
import { TcpProxy } from '../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.js';
import { ports } from '../api/meta.js';
import type { ChainContext, ChainPatch, Direction } from '../features/feature.js';
import type { Origin } from '../model/delivery.js';
import {
  isHttp,
  type InboundPort,
  type PolicyInForce,
  type PortModel,
  type Protocol,
  type ProxyModel,
  type ServiceModel,
} from '../model/mesh.js';
import { packAny } from '../features/any.js';
import { durationOfSeconds, socketAddress } from './config-source.js';
import { buildHttpManager } from './http-manager.js';
import { mergePatches, overridden } from './merge.js';
import { explicitListener, nameOfCluster, nameOfInbound, nameOfOutbound } from './names.js';
import { providerOf } from './providers.js';
import type { Resource } from './resources.js';

function tcpProxy(statPrefix: string, cluster: string, patch?: ChainPatch['tcp']): Filter {
  const base = {
    statPrefix,
    clusterSpecifier: { $case: 'cluster', value: cluster },
    idleTimeout: durationOfSeconds(3_600),
    maxConnectAttempts: 3,
  } as const;
  const config = TcpProxy.fromPartial(overridden(base, patch));
  return {
    name: 'envoy.filters.network.tcp_proxy',
    configType: { $case: 'typedConfig', value: packAny(TcpProxy, config) },
  };
}

const httpInspector: ListenerFilter = {
  name: 'envoy.filters.listener.http_inspector',
  configType: { $case: 'typedConfig', value: packAny(HttpInspector, HttpInspector.fromPartial({})) },
  filterDisabled: undefined,
};

interface Port {
  readonly name: string;
  readonly cluster: string;
  readonly protocol: Protocol;
  readonly direction: Direction;
  /** What policies say of its chains. */
  readonly policies: readonly PolicyInForce[];
  readonly number: number;
}

type ChainAt = Omit<ChainContext, 'providerOf'>;

/** What policies say of a chain, joined. */
function patchOf(policies: readonly PolicyInForce[], chain: ChainAt): ChainPatch {
  const patches = policies.map((policy) => policy.feature.onChain({ ...chain, providerOf: providerOf(policy) }));
  return mergePatches(patches, 'chain') ?? {};
}

const chainAt = ({ direction, number }: Port, http: boolean): ChainAt => ({ direction, port: number, http });

/** A port of which nobody said what it speaks is looked at, for 200 ms at most: a server may speak first. */
const detection = {
  listenerFilters: [httpInspector],
  listenerFiltersTimeout: { seconds: 0n, nanos: 200_000_000 },
  continueOnListenerFiltersTimeout: true,
};

function httpFilters(port: Port): readonly Filter[] {
  const patch = patchOf(port.policies, chainAt(port, true));
  const { direction, name } = port;
  const manager = buildHttpManager({ direction, statPrefix: name, routes: { kind: 'name', name }, patch });
  return [...(patch.before ?? []), manager];
}

function tcpFilters(port: Port): readonly Filter[] {
  const patch = patchOf(port.policies, chainAt(port, false));
  return [...(patch.before ?? []), tcpProxy(port.name, port.cluster, patch.tcp)];
}

function chainsOf(port: Port): Partial<Listener> {
  const [http, tcp] = [httpFilters(port), tcpFilters(port)];
  if (port.protocol !== 'auto') {
    return {
      filterChains: [
        FilterChain.fromPartial({
          name: isHttp(port.protocol) ? 'http' : 'tcp',
          filters: isHttp(port.protocol) ? http : tcp,
        }),
      ],
    };
  }
  return {
    ...detection,
    filterChains: [
      FilterChain.fromPartial({
        name: 'http',
        filterChainMatch: { applicationProtocols: ['http/1.0', 'http/1.1', 'h2c'] },
        filters: http,
      }),
    ],
    defaultFilterChain: FilterChain.fromPartial({ name: 'tcp', filters: tcp }),
  };
}

/** Redirect: one listener for each Service port on the Service's own addresses, reached by hand-off. */
export function buildListeners(service: ServiceModel): readonly Resource<'listener'>[] {
  const [address, ...more] = service.addresses;
  if (address === undefined) return [];
  return service.ports.map((port) => outboundListener(service, port, [address, ...more]));
}

function outboundListener(
  service: ServiceModel,
  port: PortModel,
  addresses: readonly [string, ...string[]],
): Resource<'listener'> {
  const name = nameOfOutbound({ ...service.ref, port: port.port });
  const cluster = nameOfCluster({ ...service.ref, port: port.port });
  return {
    type: 'listener',
    name,
    origins: [service.origin, ...port.policies.inForce.map(({ origin }) => origin)],
    message: Listener.fromPartial({
      name,
      ...boundTo(addresses, port.port),
      bindToPort: false,
      trafficDirection: TrafficDirection.OUTBOUND,
      drainType: Listener_DrainType.MODIFY_ONLY,
      ...chainsOf({
        name,
        cluster,
        protocol: port.protocol,
        direction: 'outbound',
        number: port.port,
        policies: port.policies.inForce,
      }),
    }),
  };
}

/** Only these two fields: a whole message here would reset what stands before it. */
function boundTo([first, ...more]: readonly [string, ...string[]], port: number) {
  return {
    address: socketAddress(first, port),
    additionalAddresses: more.map((address) => ({ address: socketAddress(address, port) })),
  };
}

/** Explicit: the one listener through which a pod calls out, as an HTTP proxy; Services are scopes of it. */
function buildExplicit(address: string, proxy: ProxyModel, origin: Origin): Resource<'listener'> {
  const patch = patchOf(proxy.outbound, { direction: 'outbound', port: undefined, http: true });
  const manager = buildHttpManager({
    direction: 'outbound',
    statPrefix: explicitListener,
    routes: { kind: 'scopes', name: explicitListener },
    patch,
  });
  return {
    type: 'listener',
    name: explicitListener,
    origins: [origin, ...proxy.outbound.map((one) => one.origin)],
    message: Listener.fromPartial({
      name: explicitListener,
      address: socketAddress(address, ports.outbound),
      trafficDirection: TrafficDirection.OUTBOUND,
      drainType: Listener_DrainType.MODIFY_ONLY,
      filterChains: [{ name: 'http', filters: [...(patch.before ?? []), manager] }],
    }),
  };
}

function inboundListener(proxy: ProxyModel, inbound: InboundPort, origin: Origin): readonly Resource<'listener'>[] {
  const [address, ...more] = proxy.addresses;
  if (address === undefined) return [];
  const name = nameOfInbound(inbound.port);
  // An explicit proxy is called by HTTP alone: there is nothing to detect.
  const protocol = proxy.capture === 'explicit' && inbound.protocol === 'auto' ? 'http' : inbound.protocol;
  const message = Listener.fromPartial({
    name,
    ...boundTo([address, ...more], inbound.port),
    ...(proxy.capture === 'redirect' ? { bindToPort: false } : {}),
    trafficDirection: TrafficDirection.INBOUND,
    ...chainsOf({
      name,
      cluster: name,
      protocol,
      direction: 'inbound',
      number: inbound.port,
      policies: inbound.policies,
    }),
  });
  return [{ type: 'listener', name, origins: [origin, ...inbound.policies.map((one) => one.origin)], message }];
}

/** The listeners of one pod alone. */
export function buildOwnListeners(proxy: ProxyModel, origin: Origin): readonly Resource<'listener'>[] {
  const [address] = proxy.addresses;
  const explicit = proxy.capture === 'explicit' && address !== undefined ? [buildExplicit(address, proxy, origin)] : [];
  return [...explicit, ...proxy.inbound.flatMap((inbound) => inboundListener(proxy, inbound, origin))];
}

/** The address that redirected connections arrive at, before they are handed to the listener they meant. */
function virtualListener(
  name: string,
  options: { port: number; cluster: string; bind: readonly [string, string]; direction: TrafficDirection },
): Listener {
  return Listener.fromPartial({
    name,
    ...boundTo(options.bind, options.port),
    useOriginalDst: true,
    trafficDirection: options.direction,
    drainType: Listener_DrainType.MODIFY_ONLY,
    filterChains: [
      // Dialled directly, it would call itself.
      {
        name: 'blackhole',
        filterChainMatch: { destinationPort: options.port },
        filters: [tcpProxy('blackhole', 'blackhole')],
      },
    ],
    defaultFilterChain: {
      name: 'passthrough',
      filters: [tcpProxy(options.cluster.replaceAll('-', '_'), options.cluster)],
    },
  });
}

/** Redirect: the two listeners that every proxy has. */
export const virtualListeners: readonly Listener[] = [
  virtualListener('virtualInbound', {
    port: ports.inbound,
    cluster: 'inbound-passthrough',
    bind: ['0.0.0.0', '::'],
    direction: TrafficDirection.INBOUND,
  }),
  virtualListener('virtualOutbound', {
    port: ports.outbound,
    cluster: 'passthrough',
    bind: ['127.0.0.1', '::1'],
    direction: TrafficDirection.OUTBOUND,
  }),
];
