// Listeners carry only shape: addresses, protocols, empty slots. What the two captures differ in is here.

import { TrafficDirection } from '../gen/envoy/config/core/v3/base.js';
import { Listener, Listener_DrainType } from '../gen/envoy/config/listener/v3/listener.js';
import { FilterChain, type Filter, type ListenerFilter } from '../gen/envoy/config/listener/v3/listener_components.js';
import { HttpInspector } from '../gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector.js';
import { ports } from '../api/meta.js';
import type { Capabilities, Direction } from '../features/feature.js';
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
import { chainPatchOf, type ChainAt } from './chain-patch.js';
import { socketAddress } from './config-source.js';
import { originsOfUnknown } from './external.js';
import { dynamicSlots, isDynamic } from './dynamic-hosts.js';
import { boundTo } from './families.js';
import { buildHttpManager, scopeHeader } from './http-manager.js';
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
  readonly workload: string | undefined;
  readonly can: Capabilities;
}

const chainAt = ({ direction, number, workload, can }: Port, http: boolean): ChainAt => ({
  ...{ direction, workload, can, http },
  port: number,
});

/** A port of which nobody said what it speaks is looked at, for 200 ms at most: a server may speak first. */
const detection = {
  listenerFilters: [httpInspector],
  listenerFiltersTimeout: { seconds: 0n, nanos: 200_000_000 },
  continueOnListenerFiltersTimeout: true,
};

function httpFilters(port: Port): readonly Filter[] {
  const patch = chainPatchOf(port.policies, chainAt(port, true));
  const { direction, name } = port;
  const manager = buildHttpManager({ direction, statPrefix: name, routes: { kind: 'name', name }, patch });
  return [...(patch.before ?? []), manager];
}

function tcpFilters(port: Port): readonly Filter[] {
  const patch = chainPatchOf(port.policies, chainAt(port, false));
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

/** What proxies have in common that share listeners. */
export interface ListenerAudience {
  /** What policies say of the calls of their pods. */
  readonly outbound: readonly PolicyInForce[];
  readonly can: Capabilities;
}

/** The port of a Service as proxies with these in common call it. */
function outboundPort(service: ServiceModel, port: PortModel, { outbound, can }: ListenerAudience): Port {
  const name = nameOfOutbound({ ...service.ref, port: port.port });
  return {
    ...{ name, cluster: name, can, workload: undefined },
    protocol: port.protocol,
    direction: 'outbound',
    number: port.port,
    policies: [...port.policies.inForce, ...outbound],
  };
}

/** Redirect: one listener for each Service port on the Service's own addresses, reached by hand-off. */
export const buildListeners = (service: ServiceModel, audience: ListenerAudience): readonly Resource<'listener'>[] =>
  service.ports
    .filter((one) => !hasConnectionRules(one))
    .flatMap((one) => {
      const port = outboundPort(service, one, audience);
      return outboundListener(service, port, { chains: chainsOf(port), rules: [] });
    });

/** The same for the ports that have rules for connections, which stand in the listener itself. */
export const buildRuledListeners = (
  service: ServiceModel,
  audience: ListenerAudience,
  rulesFor: (port: PortModel) => readonly HostRules[],
): readonly Resource<'listener'>[] =>
  service.ports.filter(hasConnectionRules).flatMap((one) => {
    const port = outboundPort(service, one, audience);
    const patch = chainPatchOf(port.policies, chainAt(port, false));
    return outboundListener(service, port, ruledChains({ service, port: one, patch }, rulesFor(one)));
  });

function outboundListener(service: ServiceModel, port: Port, content: Chains): readonly Resource<'listener'>[] {
  const [address, ...more] = service.addresses;
  if (address === undefined) return [];
  const { name, number, policies } = port;
  const message = Listener.fromPartial({
    name,
    ...boundTo([address, ...more], number),
    bindToPort: false,
    trafficDirection: TrafficDirection.OUTBOUND,
    drainType: Listener_DrainType.MODIFY_ONLY,
    ...content.chains,
  });
  const origins = [
    service.origin,
    ...content.rules.map((rule) => rule.origin),
    ...policies.map(({ origin }) => origin),
  ];
  return [{ type: 'listener', name, origins, message, parts: content.rules }];
}

/** The proxy that has a listener alone. */
interface Owner {
  readonly proxy: ProxyModel;
  readonly origin: Origin;
  readonly can: Capabilities;
}

/** Explicit: the one listener through which a pod calls out, as an HTTP proxy; Services are scopes of it. */
function buildExplicit(address: string, { proxy, origin, can }: Owner): Resource<'listener'> {
  const { workload, egress, outbound } = proxy;
  const dynamic = isDynamic(egress);
  const patch = chainPatchOf(outbound, { direction: 'outbound', port: undefined, http: true, workload, can });
  const manager = buildHttpManager({
    direction: 'outbound',
    statPrefix: explicitListener,
    routes: { kind: 'scopes', name: explicitListener, key: dynamic ? scopeHeader : ':authority' },
    tunnels: true,
    patch: dynamic ? { ...patch, slots: { ...patch.slots, ...dynamicSlots } } : patch,
  });
  return {
    type: 'listener',
    name: explicitListener,
    origins: [origin, ...originsOfUnknown(egress), ...outbound.map((one) => one.origin)],
    message: Listener.fromPartial({
      name: explicitListener,
      address: socketAddress(address, ports.outbound),
      trafficDirection: TrafficDirection.OUTBOUND,
      drainType: Listener_DrainType.MODIFY_ONLY,
      filterChains: [{ name: 'http', filters: [...(patch.before ?? []), manager] }],
    }),
  };
}

function inboundListener(inbound: InboundPort, { proxy, origin, can }: Owner): readonly Resource<'listener'>[] {
  const [address, ...more] = proxy.addresses;
  if (address === undefined) return [];
  const name = nameOfInbound(inbound.port);
  const message = Listener.fromPartial({
    name,
    ...boundTo([address, ...more], inbound.port),
    ...(proxy.capture === 'redirect' ? { bindToPort: false } : {}),
    trafficDirection: TrafficDirection.INBOUND,
    ...chainsOf({
      ...{ name, cluster: name, can, workload: proxy.workload },
      protocol: inbound.protocol,
      direction: 'inbound',
      number: inbound.port,
      policies: inbound.policies,
    }),
  });
  return [{ type: 'listener', name, origins: [origin, ...inbound.policies.map((one) => one.origin)], message }];
}

/** The listeners of one pod alone. */
export function buildOwnListeners(owner: Owner): readonly Resource<'listener'>[] {
  const { proxy } = owner;
  const [address] = proxy.addresses;
  const explicit = proxy.capture === 'explicit' && address !== undefined ? [buildExplicit(address, owner)] : [];
  return [...explicit, ...proxy.inbound.flatMap((inbound) => inboundListener(inbound, owner))];
}
