// The part of a bootstrap that pushes metrics to a collector, over OTLP. Must not know who chose the collector.

import { Cluster, Cluster_DiscoveryType } from '../gen/envoy/config/cluster/v3/cluster.js';
import { StatsSink, type TagSpecifier } from '../gen/envoy/config/metrics/v3/stats.js';
import { SinkConfig } from '../gen/envoy/extensions/stat_sinks/open_telemetry/v3/open_telemetry.js';
import { packAny } from '../features/any.js';
import type { ProviderConfig } from '../features/feature.js';
import { grpcServiceOf } from '../features/grpc-service.js';
import { httpOptions, onlyHttp2 } from '../features/http-options.js';
import { endpointsFromAds } from './config-source.js';

/** What a bootstrap has more where metrics are pushed. */
export interface MetricsPush {
  readonly clusters: readonly Cluster[];
  readonly sinks: readonly StatsSink[];
  readonly tags: readonly TagSpecifier[];
}

const noPush: MetricsPush = { clusters: [], sinks: [], tags: [] };

const clusterName = 'metrics-collector';

/** A sink takes no cluster that came over CDS: this one is static, and its endpoints come like those of any Service. */
const clusterOf = ({ cluster }: ProviderConfig): Cluster =>
  Cluster.fromPartial({
    name: clusterName,
    connectTimeout: { seconds: 2n },
    clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { serviceName: cluster, edsConfig: endpointsFromAds },
    typedExtensionProtocolOptions: httpOptions({ upstreamProtocolOptions: onlyHttp2({}) }),
  });

function sinkOf(provider: ProviderConfig): StatsSink {
  const grpcService = grpcServiceOf({ ...provider, cluster: clusterName });
  const config = SinkConfig.fromPartial({ protocolSpecifier: { $case: 'grpcService', value: grpcService } });
  const typedConfig = { $case: 'typedConfig', value: packAny(SinkConfig, config) } as const;
  return StatsSink.fromPartial({ name: 'envoy.stat_sinks.open_telemetry', configType: typedConfig });
}

const always = (tagName: string, value: string): TagSpecifier => ({
  tagName,
  tagValue: { $case: 'fixedValue', value },
});

/** Nothing but tags says to a collector whose counters it gets. */
export const pushTo = (
  provider: ProviderConfig | undefined,
  { nodeId, cluster }: { readonly nodeId: string; readonly cluster: string },
): MetricsPush =>
  provider === undefined
    ? noPush
    : {
        clusters: [clusterOf(provider)],
        sinks: [sinkOf(provider)],
        tags: [always('pod', nodeId), always('workload', cluster)],
      };
