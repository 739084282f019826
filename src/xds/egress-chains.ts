// What leads to hosts outside of the cluster where connections are redirected. TLS is told by the name that it asks for,
// requests by theirs, and all else by address.

import { FilterChain, type Filter } from '../gen/envoy/config/listener/v3/listener_components.js';
import { FilterConfig as SniForwardProxy } from '../gen/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy.js';
import { packAny } from '../features/any.js';
import type { ChainPatch } from '../features/feature.js';
import { isWildcard, type EgressModel, type ExternalPort } from '../model/egress.js';
import type { Origin } from '../model/delivery.js';
import { chainPatchOf } from './chain-patch.js';
import { dnsCacheConfig, lookUpSlots } from './dynamic-hosts.js';
import { originsOfUnknown, statisticsName } from './external.js';
import { buildHttpManager } from './http-manager.js';
import type { ListenerAudience } from './listeners.js';
import { nameOfExternal, nameOfHosts, unknownHosts } from './names.js';
import { pathTo, tcpProxy } from './tcp.js';
import { hostPortsOf, httpPortsOf } from './redirected-hosts.js';
import { isInspected, type Branch } from './virtual-listeners.js';

/** What policies say of connections, and of requests. */
interface Patches {
  readonly tcp: ChainPatch;
  readonly http: ChainPatch;
}

function patchesFor({ outbound, can }: ListenerAudience): Patches {
  const at = { direction: 'outbound', port: undefined, workload: undefined, can } as const;
  return {
    tcp: chainPatchOf(outbound, { ...at, http: false }),
    http: chainPatchOf(outbound, { ...at, http: true }),
  };
}

interface Connections {
  readonly name: string;
  readonly cluster: string;
  readonly before?: readonly Filter[];
}

const connections = ({ name, cluster, before = [] }: Connections, { tcp }: Patches): FilterChain =>
  FilterChain.fromPartial({
    name,
    filters: [...(tcp.before ?? []), ...before, tcpProxy(pathTo(cluster, statisticsName(name)), tcp.tcp)],
  });

/** Asks DNS for the name that TLS asks for. */
const lookUp = (port: number): Filter => ({
  name: 'envoy.filters.network.sni_dynamic_forward_proxy',
  configType: {
    $case: 'typedConfig',
    value: packAny(
      SniForwardProxy,
      SniForwardProxy.fromPartial({ dnsCacheConfig, portSpecifier: { $case: 'portValue', value: port } }),
    ),
  },
});

function chainOf(external: ExternalPort, patches: Patches): FilterChain {
  const name = nameOfExternal(external);
  if (external.access === 'kept') return connections({ name, cluster: 'blackhole' }, patches);
  if (!isWildcard(external.host)) return connections({ name, cluster: name }, patches);
  return connections({ name, cluster: unknownHosts, before: [lookUp(external.port)] }, patches);
}

function branchOf(external: ExternalPort, patches: Patches): readonly Branch[] {
  const { protocol, port, host, addresses } = external;
  const chain = chainOf(external, patches);
  if (protocol === 'TLS' && isInspected(port)) return [{ port, by: 'name', keys: [host], chain }];
  return addresses.length === 0 ? [] : [{ port, by: 'address', keys: addresses, chain }];
}

/** Requests on a port, to whatever address: their names tell them apart. */
function requests(port: number, egress: EgressModel, { http }: Patches): FilterChain {
  const name = nameOfHosts(port);
  const slots = lookUpSlots(hostPortsOf(egress, port));
  const manager = buildHttpManager({
    ...{ direction: 'outbound', statPrefix: name },
    routes: { kind: 'name', name },
    patch: { ...http, slots: { ...http.slots, ...slots } },
  });
  return FilterChain.fromPartial({ name, filters: [...(http.before ?? []), manager] });
}

/** What leads to hosts that callers may reach, or may not. */
export function egressBranches(egress: EgressModel, audience: ListenerAudience): readonly Branch[] {
  const patches = patchesFor(audience);
  const opaque = egress.ports.filter(({ protocol, access }) => protocol !== 'HTTP' && access !== 'routed');
  return [
    ...opaque.flatMap((one) => branchOf(one, patches)),
    ...httpPortsOf(egress).map((port): Branch => ({
      port,
      by: 'request',
      keys: [],
      chain: requests(port, egress, patches),
    })),
  ];
}

/** Who has a say of what leads outside. */
export const egressOrigins = (egress: EgressModel): readonly Origin[] => [
  ...new Set([...egress.ports.flatMap(({ origins }) => origins), ...originsOfUnknown(egress)]),
];

/** Where everything else goes. */
export const restChain = ({ unknown }: EgressModel, audience: ListenerAudience): FilterChain =>
  connections({ name: 'egress', cluster: unknown === 'Deny' ? 'blackhole' : 'passthrough' }, patchesFor(audience));
