// The two listeners at which redirected connections arrive. Most are handed to the listener of the Service that was
// dialled. The matcher of `virtualOutbound` tells the others apart: pods of headless Services by address, hosts outside of
// the cluster by name or address, and the rest. Its edits leave connections alone, and so do new chains beside old ones.

import { TrafficDirection } from '../gen/envoy/config/core/v3/base.js';
import { Listener, Listener_DrainType } from '../gen/envoy/config/listener/v3/listener.js';
import { FilterChain, type ListenerFilter } from '../gen/envoy/config/listener/v3/listener_components.js';
import { OriginalDst } from '../gen/envoy/extensions/filters/listener/original_dst/v3/original_dst.js';
import { TlsInspector } from '../gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.js';
import type { Matcher_OnMatch as OnMatch } from '../gen/xds/type/matcher/v3/matcher.js';
import { ports } from '../api/meta.js';
import { packAny } from '../features/any.js';
import type { Origin } from '../model/delivery.js';
import { namedPorts } from '../model/egress.js';
import { durationOfSeconds } from './config-source.js';
import { boundTo, type Families, type Places } from './families.js';
import { byAddress, byPort, byServerName, toChain, toMatcher, unlessTls } from './matchers.js';
import type { Resource } from './resources.js';
import { pathTo, tcpProxy } from './tcp.js';

const anyAddress: Readonly<Record<Families, Places>> = { ipv4: ['0.0.0.0'], ipv6: ['::'], both: ['0.0.0.0', '::'] };
/** What is redirected on its way out arrives on loopback: nobody outside of the pod can dial it. */
const loopback: Readonly<Record<Families, Places>> = {
  ipv4: ['127.0.0.1'],
  ipv6: ['::1'],
  both: ['127.0.0.1', '::1'],
};

/** Dialled directly, a virtual listener would call itself. */
const blackhole = FilterChain.fromPartial({ name: 'blackhole', filters: [tcpProxy(pathTo('blackhole', 'blackhole'))] });

/** What arrives is handed to the listener of the pod's port that was meant. */
export const virtualInbound = (families: Families): Listener =>
  Listener.fromPartial({
    name: 'virtualInbound',
    ...boundTo(anyAddress[families], ports.inbound),
    useOriginalDst: true,
    trafficDirection: TrafficDirection.INBOUND,
    drainType: Listener_DrainType.MODIFY_ONLY,
    filterChains: [{ ...blackhole, filterChainMatch: { destinationPort: ports.inbound } }],
    defaultFilterChain: {
      name: 'passthrough',
      filters: [tcpProxy(pathTo('inbound-passthrough', 'inbound_passthrough'))],
    },
  });

/** Whether connections to a port are asked for their name. */
export const isInspected = (port: number): boolean => namedPorts.includes(port);

/** The port that was dialled is known to the filters behind it; what hands connections over runs last. */
const originalDestination: ListenerFilter = {
  name: 'envoy.filters.listener.original_dst',
  configType: { $case: 'typedConfig', value: packAny(OriginalDst, OriginalDst.fromPartial({})) },
  filterDisabled: undefined,
};

/** Elsewhere no server that speaks first waits. It never changes: a change of it would end all connections. */
const tlsInspector: ListenerFilter = {
  name: 'envoy.filters.listener.tls_inspector',
  configType: { $case: 'typedConfig', value: packAny(TlsInspector, TlsInspector.fromPartial({})) },
  filterDisabled: {
    rule: {
      $case: 'notMatch',
      value: {
        rule: {
          $case: 'orMatch',
          value: {
            rules: namedPorts.map((port) => ({
              rule: { $case: 'destinationPortRange', value: { start: port, end: port + 1 } },
            })),
          },
        },
      },
    },
  },
};

/** A chain of `virtualOutbound`, and what leads to it. */
export interface Branch {
  /** That was dialled. */
  readonly port: number;
  /** `request`: whatever is not TLS. */
  readonly by: 'address' | 'name' | 'request';
  /** Addresses, or names. */
  readonly keys: readonly string[];
  readonly chain: FilterChain;
}

/** By address before name, and by name before the rest. */
function wayAt(port: number, branches: readonly Branch[], rest: OnMatch): OnMatch {
  const by = (kind: Branch['by']): readonly Branch[] => branches.filter((one) => one.by === kind);
  const [request] = by('request').map(({ chain }) => toChain(chain.name));
  const plain = request !== undefined && isInspected(port) ? toMatcher(unlessTls(request, rest)) : (request ?? rest);
  const names = by('name').flatMap(({ keys, chain }) => keys.map((key) => [key, toChain(chain.name)] as const));
  const named = byServerName(new Map(names), plain) ?? plain;
  const places = by('address').map(({ keys, chain }) => [keys, toChain(chain.name)] as const);
  return places.length === 0 ? named : toMatcher(byAddress(places, named));
}

/** What is dialled that is no address of a Service. `rest` is the chain of what no branch takes. */
export function buildVirtualOutbound(
  families: Families,
  { branches, rest }: { readonly branches: readonly Branch[]; readonly rest: FilterChain },
  origins: readonly Origin[],
): Resource<'listener'> {
  const otherwise = toChain(rest.name);
  const byNumber = Map.groupBy(branches, ({ port }) => port);
  const ways = [...byNumber].map(([port, those]) => [port, wayAt(port, those, otherwise)] as const);
  const chains = new Map(branches.map(({ chain }) => [chain.name, chain]));
  const message = Listener.fromPartial({
    name: 'virtualOutbound',
    ...boundTo(loopback[families], ports.outbound),
    useOriginalDst: true,
    trafficDirection: TrafficDirection.OUTBOUND,
    drainType: Listener_DrainType.MODIFY_ONLY,
    listenerFilters: [originalDestination, tlsInspector],
    listenerFiltersTimeout: durationOfSeconds(1),
    continueOnListenerFiltersTimeout: true,
    filterChainMatcher: byPort(new Map([[ports.outbound, toChain(blackhole.name)], ...ways]), otherwise),
    filterChains: [blackhole, rest, ...chains.values()],
  });
  return { type: 'listener', name: message.name, message, origins };
}
