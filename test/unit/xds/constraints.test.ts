// One test per kind of rule: what Envoy refuses by rule is refused by us first, with the path of the field.
import { expect } from 'chai';
import { packAny } from '../../../src/features/any.js';
import { checkConstraints } from '../../../src/xds/constraints.js';
import { Cluster } from '../../../src/gen/envoy/config/cluster/v3/cluster.js';
import { SocketAddress } from '../../../src/gen/envoy/config/core/v3/address.js';
import { HeaderValue } from '../../../src/gen/envoy/config/core/v3/base.js';
import { HealthCheck } from '../../../src/gen/envoy/config/core/v3/health_check.js';
import { ClusterLoadAssignment } from '../../../src/gen/envoy/config/endpoint/v3/endpoint.js';
import { Listener } from '../../../src/gen/envoy/config/listener/v3/listener.js';
import { Policy, RBAC } from '../../../src/gen/envoy/config/rbac/v3/rbac.js';
import { RouteConfiguration } from '../../../src/gen/envoy/config/route/v3/route.js';
import { HttpConnectionManager } from '../../../src/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';

interface Case {
  readonly title: string;
  readonly type: { readonly $type: string };
  readonly message: unknown;
  readonly want: readonly string[];
}

const manager = HttpConnectionManager.fromPartial({
  routeSpecifier: {
    $case: 'rds',
    value: { configSource: { configSourceSpecifier: { $case: 'ads', value: {} } }, routeConfigName: 'r' },
  },
});

const cases: readonly Case[] = [
  {
    title: 'a sound cluster',
    type: Cluster,
    message: Cluster.fromPartial({ name: 'c', connectTimeout: { seconds: 1n } }),
    want: [],
  },
  {
    title: 'string min_len: a cluster without a name',
    type: Cluster,
    message: Cluster.fromPartial({}),
    want: ['name: must be at least 1 character'],
  },
  {
    title: 'duration gt: a connect timeout of zero',
    type: Cluster,
    message: Cluster.fromPartial({ name: 'c', connectTimeout: {} }),
    want: ['connect_timeout: must be greater than 0s'],
  },
  {
    title: 'number lte: a port beyond 65535',
    type: SocketAddress,
    message: SocketAddress.fromPartial({ address: '::1', portSpecifier: { $case: 'portValue', value: 65536 } }),
    want: ['port_value: must be at most 65535'],
  },
  {
    title: 'oneof required: an address without a port',
    type: SocketAddress,
    message: SocketAddress.fromPartial({ address: '::1' }),
    want: ['port_specifier: is required: one of its members must be set'],
  },
  {
    title: 'enum defined_only',
    type: Cluster,
    message: { ...Cluster.fromPartial({ name: 'c' }), lbPolicy: 99 },
    want: [
      'lb_policy: must be one of ROUND_ROBIN, LEAST_REQUEST, RING_HASH, RANDOM, MAGLEV, CLUSTER_PROVIDED, LOAD_BALANCING_POLICY_CONFIG',
    ],
  },
  {
    title: 'nested in lists: a virtual host without a name',
    type: RouteConfiguration,
    message: RouteConfiguration.fromPartial({ name: 'r', virtualHosts: [{ domains: ['*'] }] }),
    want: ['virtual_hosts[0].name: must be at least 1 character'],
  },
  {
    title: 'repeated min_items and message required',
    type: RouteConfiguration,
    message: RouteConfiguration.fromPartial({
      virtualHosts: [
        {
          name: 'v',
          routes: [{ action: { $case: 'route', value: { clusterSpecifier: { $case: 'cluster', value: 'c' } } } }],
        },
      ],
    }),
    want: ['virtual_hosts[0].domains: must have at least 1 item', 'virtual_hosts[0].routes[0].match: is required'],
  },
  {
    title: 'strict header names in lists',
    type: RouteConfiguration,
    message: RouteConfiguration.fromPartial({ name: 'r', internalOnlyHeaders: ['ok', 'a\nb'] }),
    want: ['internal_only_headers[1]: must not contain a line break or a NUL character'],
  },
  {
    title: 'string max_bytes',
    type: HeaderValue,
    message: HeaderValue.fromPartial({ key: 'k', value: 'é'.repeat(8193) }),
    want: ['value: must be at most 16384 bytes'],
  },
  {
    title: 'map min_pairs and values: an empty policy',
    type: RBAC,
    message: RBAC.fromPartial({ policies: { p: Policy.fromPartial({}) } }),
    want: ['policies[p].permissions: must have at least 1 item', 'policies[p].principals: must have at least 1 item'],
  },
  {
    title: 'wrappers: a limit below its least value, only when set',
    type: ClusterLoadAssignment,
    message: ClusterLoadAssignment.fromPartial({
      clusterName: 'c',
      endpoints: [{ loadBalancingWeight: 0, lbEndpoints: [{}] }, {}],
      policy: { overprovisioningFactor: 0 },
    }),
    want: [
      'endpoints[0].load_balancing_weight: must be at least 1',
      'policy.overprovisioning_factor: must be greater than 0',
    ],
  },
  {
    title: 'duration required',
    type: HealthCheck,
    message: HealthCheck.fromPartial({
      unhealthyThreshold: 1,
      healthyThreshold: 1,
      healthChecker: { $case: 'tcpHealthCheck', value: {} },
    }),
    want: ['timeout: is required', 'interval: is required'],
  },
  {
    title: 'packed messages: a connection manager without a prefix inside a listener',
    type: Listener,
    message: Listener.fromPartial({
      filterChains: [
        {
          filters: [
            { name: 'hcm', configType: { $case: 'typedConfig', value: packAny(HttpConnectionManager, manager) } },
          ],
        },
      ],
    }),
    want: ['filter_chains[0].filters[0].typed_config.stat_prefix: must be at least 1 character'],
  },
];

describe('checkConstraints', () => {
  for (const { title, type, message, want } of cases) {
    it(title, () => {
      const found = checkConstraints(type.$type, message).map((violation) => `${violation.path}: ${violation.message}`);
      expect(found).to.deep.equal(want);
    });
  }

  it('leaves types that it does not know alone', () => {
    expect(checkConstraints('example.Unknown', { name: '' })).to.deep.equal([]);
  });
});
