// Listeners carry only shape: addresses, protocols, empty slots. What the two captures differ in is here.

import { TrafficDirection } from '../gen/envoy/config/core/v3/base.js';
import { Listener, Listener_DrainType } from '../gen/envoy/config/listener/v3/listener.js';
import { FilterChain, type Filter, type ListenerFilter } from '../gen/envoy/config/listener/v3/listener_components.js';
import { HttpInspector } from '../gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector.js';
import { ports } from '../api/meta.js';
import type { ChainPatch, Direction } from '../features/feature.js';
import type { Origin } from '../model/delivery.js';
import {
  isHttp,
  type HostRules,
  type InboundPort,
  type PolicyInForce,
  type PortModel,
  type Protocol,
  type ProxyModel,
  type ServiceModel,
} from '../model/mesh.js';
import { packAny } from '../features/any.js';
import { socketAddress } from './config-source.js';
import { buildHttpManager } from './http-manager.js';
import { mergePatches } from './merge.js';
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
  /** What policies say of its chains. */
  readonly policies: readonly PolicyInForce[];
  readonly number: number;
}

/** What policies say of a chain, joined. */
function patchOf({ policies, direction, number }: Port, http: boolean): ChainPatch {
  const patches = policies.map(({ feature }) => feature.onChain({ direction, port: number, http }));
  return mergePatches(patches, 'chain') ?? {};
}

/** A port of which nobody said what it speaks is looked at, for 200 ms at most: a server may speak first. */
const detection = {
  listenerFilters: [httpInspector],
  listenerFiltersTimeout: { seconds: 0n, nanos: 200_000_000 },
  continueOnListenerFiltersTimeout: true,
};

function httpFilters(port: Port): readonly Filter[] {
  const patch = patchOf(port, true);
  const { direction, name } = port;
  const manager = buildHttpManager({ direction, statPrefix: name, routes: { kind: 'name', name }, patch });
  return [...(patch.before ?? []), manager];
}

function tcpFilters(port: Port): readonly Filter[] {
  const patch = patchOf(port, false);
  return [...(patch.before ?? []), tcpProxy(pathTo(port.cluster, port.name), patch.tcp)];
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
  return service.ports
    .filter((port) => !hasConnectionRules(port))
    .flatMap((port) => {
      const name = nameOfOutbound({ ...service.ref, port: port.port });
      const chains = chainsOf({
        name,
        cluster: name,
        protocol: port.protocol,
        direction: 'outbound',
        number: port.port,
        policies: port.policies.inForce,
      });
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
  const origins = [
    service.origin,
    ...content.rules.map((rule) => rule.origin),
    ...port.policies.inForce.map(({ origin }) => origin),
  ];
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
    ...chainsOf({
      name,
      cluster: name,
      protocol: inbound.protocol,
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
  const explicit = proxy.capture === 'explicit' && address !== undefined ? [buildExplicit(address, origin)] : [];
  return [...explicit, ...proxy.inbound.flatMap((inbound) => inboundListener(proxy, inbound, origin))];
}

/** The kinds of addresses that a pod has. Where it lacks one, nothing of that kind can be bound. */
export type Families = 'ipv4' | 'ipv6' | 'both';

/** The kinds among these addresses. */
export function familiesOf(addresses: readonly string[]): Families {
  const sixes = addresses.filter((address) => address.includes(':')).length;
  if (sixes === 0) return 'ipv4';
  return sixes === addresses.length ? 'ipv6' : 'both';
}

type Places = readonly [string, ...string[]];

const anyAddress: Readonly<Record<Families, Places>> = { ipv4: ['0.0.0.0'], ipv6: ['::'], both: ['0.0.0.0', '::'] };
/** What is redirected on its way out arrives on loopback: nobody outside of the pod can dial it. */
const loopback: Readonly<Record<Families, Places>> = {
  ipv4: ['127.0.0.1'],
  ipv6: ['::1'],
  both: ['127.0.0.1', '::1'],
};

/** The address that redirected connections arrive at, before they are handed to the listener they meant. */
function virtualListener(
  name: string,
  options: { port: number; cluster: string; bind: Places; direction: TrafficDirection },
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
export const virtualListeners = (families: Families): readonly Listener[] => [
  virtualListener('virtualInbound', {
    port: ports.inbound,
    cluster: 'inbound-passthrough',
    bind: anyAddress[families],
    direction: TrafficDirection.INBOUND,
  }),
  virtualListener('virtualOutbound', {
    port: ports.outbound,
    cluster: 'passthrough',
    bind: loopback[families],
    direction: TrafficDirection.OUTBOUND,
  }),
];
