// What kube-proxy would do on the node: addresses of Services lead to a ready endpoint of the same family, each with an
// equal chance, and a pod that is sent to itself sees the node as its caller. Pure: objects in, rules out.

import type { EndpointSlice, World } from '../../src/kinds/world.js';
import type { RedirectRules } from '../../src/webhook/redirect-rules.js';

interface Way {
  readonly address: string;
  readonly port: number;
  readonly endpoints: readonly string[];
}

const isIpv6 = (address: string): boolean => address.includes(':');
const endpointText = (address: string, port: number): string =>
  `${isIpv6(address) ? `[${address}]` : address}:${String(port)}`;

function endpointsAt(slices: readonly EndpointSlice[], portName: string, six: boolean): readonly string[] {
  const ofFamily = slices.filter((slice) => (slice.addressType === 'IPv6') === six);
  return ofFamily.flatMap((slice) => {
    const port = slice.ports.find(({ name }) => name === portName)?.port;
    return port === undefined
      ? []
      : slice.endpoints.filter(({ ready }) => ready).map(({ address }) => endpointText(address, port));
  });
}

function waysOf(world: World, six: boolean): readonly Way[] {
  return [...world.services].flatMap(([key, service]) =>
    service.clusterIPs
      .filter((address) => isIpv6(address) === six)
      .flatMap((address) =>
        service.ports.map(({ name, port }) => ({
          address,
          port,
          endpoints: endpointsAt(world.endpointSlices.get(key) ?? [], name, six),
        })),
      ),
  );
}

const rulesOfWay = ({ address, port, endpoints }: Way): readonly string[] =>
  endpoints.map((endpoint, index) => {
    const chance = (1 / (endpoints.length - index)).toFixed(6);
    return `-A LAB_SERVICES -d ${address} -p tcp --dport ${String(port)} -m statistic --mode random --probability ${chance} -j DNAT --to-destination ${endpoint}`;
  });

function rulesOf(world: World, six: boolean): string {
  const pods = [...world.pods.values()].flatMap(({ ips }) => ips).filter((ip) => isIpv6(ip) === six);
  return [
    '*nat',
    ':LAB_SERVICES - [0:0]',
    ':LAB_HAIRPIN - [0:0]',
    '-A PREROUTING -j LAB_SERVICES',
    '-A POSTROUTING -j LAB_HAIRPIN',
    ...waysOf(world, six).flatMap(rulesOfWay),
    ...pods.map((ip) => `-A LAB_HAIRPIN -s ${ip} -d ${ip} -j MASQUERADE`),
    'COMMIT',
    '',
  ].join('\n');
}

/** NAT rules for the node. */
export const serviceNat = (world: World): RedirectRules => ({
  ipv4: rulesOf(world, false),
  ipv6: rulesOf(world, true),
});
