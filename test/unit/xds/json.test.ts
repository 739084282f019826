// What the printer writes for each kind of field, and that it says the same after a trip over the wire.
import { expect } from 'chai';
import { packAny } from '../../../src/features/any.js';
import { encodeMessage } from '../../../src/features/encode.js';
import { messageToJson } from '../../../src/xds/json.js';
import { Bootstrap } from '../../../src/gen/envoy/config/bootstrap/v3/bootstrap.js';
import { Cluster } from '../../../src/gen/envoy/config/cluster/v3/cluster.js';
import { DataSource, Metadata } from '../../../src/gen/envoy/config/core/v3/base.js';
import { RouteConfiguration } from '../../../src/gen/envoy/config/route/v3/route.js';
import { DnsCluster } from '../../../src/gen/envoy/extensions/clusters/dns/v3/dns_cluster.js';
import { BoolValue } from '../../../src/gen/google/protobuf/wrappers.js';

const cluster = Cluster.fromPartial({
  name: 'reviews',
  clusterDiscoveryType: {
    $case: 'clusterType',
    value: {
      name: 'envoy.clusters.dns',
      typedConfig: packAny(
        DnsCluster,
        DnsCluster.fromPartial({ dnsLookupFamily: 2, dnsRefreshRate: { seconds: 30n } }),
      ),
    },
  },
  connectTimeout: { seconds: 0n, nanos: 25_000_000 },
  perConnectionBufferLimitBytes: 0,
  lbPolicy: 1,
  metadata: { filterMetadata: { legation: { nullable: null, list: [1, 'two', { three: true }] } } },
});

const clusterJson = {
  name: 'reviews',
  connect_timeout: '0.025s',
  per_connection_buffer_limit_bytes: 0,
  lb_policy: 'LEAST_REQUEST',
  metadata: { filter_metadata: { legation: { nullable: null, list: [1, 'two', { three: true }] } } },
  cluster_type: {
    name: 'envoy.clusters.dns',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster',
      dns_refresh_rate: '30s',
      dns_lookup_family: 'V4_ONLY',
    },
  },
};

describe('messageToJson', () => {
  it('writes snake case, durations, bare wrappers, enum names, structs and expanded Anys', () => {
    expect(messageToJson(Cluster, cluster)).to.deep.equal(clusterJson);
  });

  it('says the same of the decoded message', () => {
    const decoded = Cluster.decode(encodeMessage(Cluster, cluster));
    expect(messageToJson(Cluster, decoded)).to.deep.equal(clusterJson);
  });

  it('writes bytes as base64', () => {
    const source = DataSource.fromPartial({ specifier: { $case: 'inlineBytes', value: Buffer.from('hello') } });
    expect(messageToJson(DataSource, source)).to.deep.equal({ inline_bytes: 'aGVsbG8=' });
  });

  it('writes a wrapper in an Any with its value', () => {
    const json = messageToJson(
      RouteConfiguration,
      RouteConfiguration.fromPartial({
        typedPerFilterConfig: { 'my.Filter_name': packAny(BoolValue, { value: true }) },
      }),
    );
    expect(json).to.deep.equal({
      typed_per_filter_config: {
        'my.Filter_name': { '@type': 'type.googleapis.com/google.protobuf.BoolValue', value: true },
      },
    });
  });

  it('writes an Any of unknown type as base64', () => {
    const typedConfig = { typeUrl: 'type.googleapis.com/example.Unknown', value: Buffer.from([1]) };
    const json = messageToJson(
      Cluster,
      Cluster.fromPartial({ typedExtensionProtocolOptions: { unknown: typedConfig } }),
    );
    expect(json).to.deep.equal({
      typed_extension_protocol_options: { unknown: { '@type': 'type.googleapis.com/example.Unknown', value: 'AQ==' } },
    });
  });

  it('keeps an empty chosen member of a oneof, and leaves out every default', () => {
    const json = messageToJson(
      Bootstrap,
      Bootstrap.fromPartial({
        dynamicResources: { adsConfig: {}, ldsConfig: { configSourceSpecifier: { $case: 'ads', value: {} } } },
      }),
    );
    expect(json).to.deep.equal({ dynamic_resources: { lds_config: { ads: {} }, ads_config: {} } });
  });
});

describe('encodeMessage', () => {
  const metadataOf = (names: readonly string[]): Metadata =>
    Metadata.fromPartial({
      filterMetadata: Object.fromEntries(names.map((name) => [name, Object.fromEntries(names.map((key) => [key, 1]))])),
    });

  it('does not depend on the order in which maps were filled', () => {
    const [left, right] = [
      encodeMessage(Metadata, metadataOf(['b', 'a', 'c'])),
      encodeMessage(Metadata, metadataOf(['c', 'b', 'a'])),
    ];
    expect(Buffer.from(left).equals(right)).to.equal(true);
  });

  it('sorts maps deep inside lists and oneofs too', () => {
    const routes = (names: readonly string[]): RouteConfiguration =>
      RouteConfiguration.fromPartial({
        virtualHosts: [
          {
            name: 'v',
            routes: [
              { action: { $case: 'route', value: { metadataMatch: metadataOf(names) } }, metadata: metadataOf(names) },
            ],
          },
        ],
      });
    const left = encodeMessage(RouteConfiguration, routes(['x', 'y']));
    const right = encodeMessage(RouteConfiguration, routes(['y', 'x']));
    expect(Buffer.from(left).equals(right)).to.equal(true);
  });

  it('leaves the message as it was', () => {
    const message = metadataOf(['b', 'a']);
    encodeMessage(Metadata, message);
    expect(Object.keys(message.filterMetadata)).to.deep.equal(['b', 'a']);
  });
});
