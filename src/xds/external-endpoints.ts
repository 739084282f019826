// Where a host outside of the cluster is: fixed addresses, or what DNS says.

import { DnsLookupFamily } from '../gen/envoy/extensions/clusters/common/dns/v3/dns.js';
import { Cluster_DiscoveryType } from '../gen/envoy/config/cluster/v3/cluster.js';
import { DnsCluster } from '../gen/envoy/extensions/clusters/dns/v3/dns_cluster.js';
import { packAny } from '../features/any.js';
import type { HostTarget } from '../model/egress.js';
import { durationOfSeconds, socketAddress } from './config-source.js';

/** A name is asked for again when its time is over, and soon where nobody answered. */
const dnsCluster = packAny(
  DnsCluster,
  DnsCluster.fromPartial({
    dnsLookupFamily: DnsLookupFamily.V4_PREFERRED,
    respectDnsTtl: true,
    dnsRefreshRate: durationOfSeconds(30),
    dnsFailureRefreshRate: { baseInterval: durationOfSeconds(2), maxInterval: durationOfSeconds(30) },
  }),
);

const assignment = (clusterName: string, addresses: readonly string[], { host, port }: HostTarget) => ({
  loadAssignment: {
    clusterName,
    endpoints: [
      {
        lbEndpoints: addresses.map((address) => ({
          hostIdentifier: {
            $case: 'endpoint',
            value: { address: socketAddress(address, port), hostname: host },
          } as const,
        })),
      },
    ],
  },
});

/** At what DNS says. */
export const byDns = (name: string, target: HostTarget) =>
  ({
    clusterDiscoveryType: { $case: 'clusterType', value: { name: 'envoy.cluster.dns', typedConfig: dnsCluster } },
    ...assignment(name, [target.host], target),
  }) as const;

/** At these addresses. */
export const byAddresses = (name: string, target: HostTarget & { readonly addresses: readonly string[] }) =>
  ({
    clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.STATIC },
    ...assignment(name, target.addresses, target),
  }) as const;

/** The authority by which a host is called: with the port, where it is not the usual one of HTTP or HTTPS. */
export const authorityOf = ({ host, port }: HostTarget): string =>
  port === 80 || port === 443 ? host : `${host}:${String(port)}`;
