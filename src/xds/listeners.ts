// Listeners carry only shape: addresses, protocols, empty slots. What the two captures differ in is here.

import { TrafficDirection } from '../gen/envoy/config/core/v3/base.js';
import { Listener, Listener_DrainType } from '../gen/envoy/config/listener/v3/listener.js';
import { FilterChain, type ListenerFilter } from '../gen/envoy/config/listener/v3/listener_components.js';
import { HttpInspector } from '../gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector.js';
import { ports } from '../api/meta.js';
import type { Origin } from '../model/delivery.js';
import {
  isHttp,
  type HostRules,
  type InboundPort,
  type PortModel,
  type Protocol,
  type ProxyModel,
  type ServiceModel,
} from '../model/mesh.js';
import { packAny } from './any.js';
import { socketAddress } from './config-source.js';
import { buildHttpManager, type Direction } from './http-manager.js';
import { explicitListener, nameOfInbound, nameOfOutbound } from './names.js';
import type { Resource } from './resources.js';
import { hasConnectionRules, pathTo, tcpProxy } from './tcp.js';
import { ruledChains, type Chains } from './tcp-chains.js';

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
}

/** A port of which nobody said what it speaks is looked at, for 200 ms at most: a server may speak first. */
const detection = {
  listenerFilters: [httpInspector],
  listenerFiltersTimeout: { seconds: 0n, nanos: 200_000_000 },
  continueOnListenerFiltersTimeout: true,
};

function chainsOf(port: Port): Partial<Listener> {
  const http = buildHttpManager({
    direction: port.direction,
    statPrefix: port.name,
    routes: { kind: 'name', name: port.name },
  });
  const tcp = tcpProxy(pathTo(port.cluster, port.name));
  if (port.protocol !== 'auto') {
    return {
      filterChains: [
        FilterChain.fromPartial({
          name: isHttp(port.protocol) ? 'http' : 'tcp',
          filters: [isHttp(port.protocol) ? http : tcp],
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
        filters: [http],
      }),
    ],
    defaultFilterChain: FilterChain.fromPartial({ name: 'tcp', filters: [tcp] }),
  };
}

/** Redirect: one listener for each Service port on the Service's own addresses, reached by hand-off. */
export function buildListeners(service: ServiceModel): readonly Resource<'listener'>[] {
  return service.ports
    .filter((port) => !hasConnectionRules(port))
    .flatMap((port) => {
      const name = nameOfOutbound({ ...service.ref, port: port.port });
      const chains = chainsOf({ name, cluster: name, protocol: port.protocol, direction: 'outbound' });
      return outboundListener(service, port, { chains, rules: [] });
    });
}

/** The same for the ports that have rules for connections, which stand in the listener itself. */
export const buildRuledListeners = (
  service: ServiceModel,
  rulesFor: (port: PortModel) => readonly HostRules[],
): readonly Resource<'listener'>[] =>
  service.ports
    .filter(hasConnectionRules)
    .flatMap((port) => outboundListener(service, port, ruledChains({ service, port }, rulesFor(port))));

function outboundListener(service: ServiceModel, port: PortModel, content: Chains): readonly Resource<'listener'>[] {
  const [address, ...more] = service.addresses;
  if (address === undefined) return [];
  const name = nameOfOutbound({ ...service.ref, port: port.port });
  const message = Listener.fromPartial({
    name,
    ...boundTo([address, ...more], port.port),
    bindToPort: false,
    trafficDirection: TrafficDirection.OUTBOUND,
    drainType: Listener_DrainType.MODIFY_ONLY,
    ...content.chains,
  });
  const origins = [service.origin, ...content.rules.map((rule) => rule.origin)];
  return [{ type: 'listener', name, origins, message, parts: content.rules }];
}

/** Only these two fields: a whole message here would reset what stands before it. */
function boundTo([first, ...more]: readonly [string, ...string[]], port: number) {
  return {
    address: socketAddress(first, port),
    additionalAddresses: more.map((address) => ({ address: socketAddress(address, port) })),
  };
}

/** Explicit: the one listener through which a pod calls out, as an HTTP proxy; Services are scopes of it. */
function buildExplicit(address: string, origin: Origin): Resource<'listener'> {
  return {
    type: 'listener',
    name: explicitListener,
    origins: [origin],
    message: Listener.fromPartial({
      name: explicitListener,
      address: socketAddress(address, ports.outbound),
      trafficDirection: TrafficDirection.OUTBOUND,
      drainType: Listener_DrainType.MODIFY_ONLY,
      filterChains: [
        {
          name: 'http',
          filters: [
            buildHttpManager({
              direction: 'outbound',
              statPrefix: explicitListener,
              routes: { kind: 'scopes', name: explicitListener },
              tunnels: true,
            }),
          ],
        },
      ],
    }),
  };
}

function inboundListener(proxy: ProxyModel, inbound: InboundPort, origin: Origin): readonly Resource<'listener'>[] {
  const [address, ...more] = proxy.addresses;
  if (address === undefined) return [];
  const name = nameOfInbound(inbound.port);
  const message = Listener.fromPartial({
    name,
    ...boundTo([address, ...more], inbound.port),
    ...(proxy.capture === 'redirect' ? { bindToPort: false } : {}),
    trafficDirection: TrafficDirection.INBOUND,
    ...chainsOf({ name, cluster: name, protocol: inbound.protocol, direction: 'inbound' }),
  });
  return [{ type: 'listener', name, origins: [origin], message }];
}

/** The listeners of one pod alone. */
export function buildOwnListeners(proxy: ProxyModel, origin: Origin): readonly Resource<'listener'>[] {
  const [address] = proxy.addresses;
  const explicit = proxy.capture === 'explicit' && address !== undefined ? [buildExplicit(address, origin)] : [];
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
        filters: [tcpProxy(pathTo('blackhole', 'blackhole'))],
      },
    ],
    defaultFilterChain: {
      name: 'passthrough',
      filters: [tcpProxy(pathTo(options.cluster, options.cluster.replaceAll('-', '_')))],
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
