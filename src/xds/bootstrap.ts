// The bootstrap of an Envoy that Legation configures: a sidecar, or a proxy somebody else runs. It names the
// control plane and opens readiness and metrics; everything else comes over ADS. It must not know what a mesh
// routes, only how a proxy finds its way home and where it may bind.

import {
  Admin,
  Bootstrap,
  Bootstrap_DynamicResources,
  ClusterManager,
} from '../gen/envoy/config/bootstrap/v3/bootstrap.js';
import { ApiConfigSource_ApiType, ApiVersion, ConfigSource } from '../gen/envoy/config/core/v3/config_source.js';
import { OverloadAction, OverloadManager, type ResourceMonitor } from '../gen/envoy/config/overload/v3/overload.js';
import { DownstreamConnectionsConfig } from '../gen/envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections.js';
import { FixedHeapConfig } from '../gen/envoy/extensions/resource_monitors/fixed_heap/v3/fixed_heap.js';
import { StringMatcher } from '../gen/envoy/type/matcher/v3/string.js';
import type { Any } from '../gen/google/protobuf/any.js';
import { packAny } from '../features/any.js';
import type { ProviderConfig } from '../features/feature.js';
import {
  type XdsPeer,
  adminAddress,
  adminCluster,
  metricsListener,
  readinessListener,
  xdsCluster,
  xdsClusterName,
} from './bootstrap-static.js';
import { type JsonObject, messageToJson } from './json.js';
import { pushTo } from './metrics-sink.js';

/** What a bootstrap depends on. */
export interface BootstrapOptions {
  /** `<pod>.<namespace>`. */
  readonly nodeId: string;
  /** `<Kind>/<workload>.<namespace>`. */
  readonly cluster: string;
  readonly xds: XdsPeer;
  /** `explicit`: all sockets are bound to `bindAddress`, also those of outgoing connections. */
  readonly capture: 'explicit' | 'redirect';
  /** Where readiness (15021) and metrics (15090) listen: the pod's address, or 0.0.0.0. */
  readonly bindAddress: string;
  /** Path of the unix socket of Envoy's own admin interface. */
  readonly adminSocket: string;
  /** File that events of outlier detection are written to; `/dev/stdout` where this user may open it. */
  readonly eventLog?: string;
  /** Whom metrics are pushed to, over OTLP. */
  readonly metricsTo?: ProviderConfig;
  /** Sheds load when the heap nears this size; 90 % of the container's limit. */
  readonly maxHeapBytes?: number;
}

const maxDownstreamConnections = 50_000n;
const heapMonitor = 'envoy.resource_monitors.fixed_heap';
const staticRuntime = { 're2.max_program_size.error_level': 1024 };

/** What of Envoy's thousands of statistics is kept. */
const keptStatistics = {
  prefixes: ['mesh.', 'server.', 'listener_manager.', 'cluster_manager.', 'control_plane.'],
  parts: [
    // `cluster.o/….upstream_rq_…` and `vhost.….route.….upstream_rq_…` alike.
    'upstream_rq_',
    'upstream_cx_',
    'membership_',
    'outlier_detection',
    '.rbac.',
    'rate_limit.',
    'ratelimit.',
    'connection_limit.',
    '.ssl.',
    'update_rejected',
    'no_filter_chain_match',
  ],
} as const;

/** Counters of rate limits in mode Audit, `audit/shop/tried/all.http_local_rate_limit.…`: whose they are is no part of the name. */
const auditTags = [
  { tagName: 'policy', tagValue: { $case: 'regex', value: '^audit(/([^/]+/[^/]+))/[^/.]+\\.' } },
  { tagName: 'rule', tagValue: { $case: 'regex', value: '^audit/[^/]+/[^/]+(/([^/.]+))\\.' } },
] as const;

/** Series of `mesh.` that nobody used for so long are forgotten; a multiple of the flush interval. */
const evictionInterval = '3600s';

const latencyBucketsMs = [0.5, 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000];

/** Admin paths that may be asked for; Envoy before 1.37 cannot restrict them. */
const adminPaths = [
  { exact: '/ready' },
  { prefix: '/stats' },
  { exact: '/server_info' },
  { prefix: '/config_dump' },
  { prefix: '/clusters' },
  { prefix: '/listeners' },
  { exact: '/certs' },
  { exact: '/memory' },
  { prefix: '/drain_listeners' },
  { exact: '/healthcheck/fail' },
] as const;

/** The bootstrap of one proxy. */
export function buildBootstrap(options: BootstrapOptions): Bootstrap {
  const push = pushTo(options.metricsTo, options);
  return Bootstrap.fromPartial({
    node: { id: options.nodeId, cluster: options.cluster },
    admin: { address: adminAddress(options.adminSocket), ignoreGlobalConnLimit: true },
    dynamicResources: dynamicResources(),
    clusterManager: clusterManager(options),
    deferredStatOptions: { enableDeferredCreationStats: true },
    statsFlushInterval: { seconds: 10n },
    statsSinks: push.sinks,
    statsConfig: {
      statsMatcher: { statsMatcher: { $case: 'inclusionList', value: { patterns: statisticsPatterns() } } },
      statsTags: [...auditTags, ...push.tags],
      histogramBucketSettings: [
        { match: { matchPattern: { $case: 'contains', value: 'upstream_rq_time' } }, buckets: latencyBucketsMs },
        { match: { matchPattern: { $case: 'contains', value: 'request_duration_ms' } }, buckets: latencyBucketsMs },
      ],
    },
    layeredRuntime: { layers: [{ name: 'static', layerSpecifier: { $case: 'staticLayer', value: staticRuntime } }] },
    overloadManager: overloadManager(options.maxHeapBytes),
    staticResources: {
      clusters: [xdsCluster(options.xds), adminCluster(options.adminSocket), ...push.clusters],
      listeners: [readinessListener(options.bindAddress), metricsListener(options.bindAddress)],
    },
  });
}

/** The JSON that `envoy -c` reads. The version decides what Envoy would not understand: there, unknown fields are fatal. */
export function bootstrapToJson(bootstrap: Bootstrap, envoyVersion: string): JsonObject {
  // Newer than the API that our types are made from, as is `allow_paths`.
  const json = { ...messageToJson(Bootstrap, bootstrap), stats_eviction_interval: evictionInterval };
  if (bootstrap.admin === undefined || !isAtLeast(envoyVersion, { major: 1, minor: 37 })) return json;
  return { ...json, admin: { ...messageToJson(Admin, bootstrap.admin), allow_paths: adminPaths } };
}

function isAtLeast(version: string, least: { readonly major: number; readonly minor: number }): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > least.major || (major === least.major && minor >= least.minor);
}

function dynamicResources(): Bootstrap_DynamicResources {
  // Listeners open when the first round is complete, however long the control plane takes.
  const overAds = ConfigSource.fromPartial({
    configSourceSpecifier: { $case: 'ads', value: {} },
    initialFetchTimeout: {},
    resourceApiVersion: ApiVersion.V3,
  });
  // Without a cap a restarted control plane is found after up to 30 s; what changed is to be live 2 s after its return.
  const retryBackOff = { baseInterval: { nanos: 200_000_000 }, maxInterval: { seconds: 1n } };
  return Bootstrap_DynamicResources.fromPartial({
    adsConfig: {
      apiType: ApiConfigSource_ApiType.DELTA_GRPC,
      transportApiVersion: ApiVersion.V3,
      setNodeOnFirstMessageOnly: true,
      grpcServices: [
        {
          targetSpecifier: {
            $case: 'envoyGrpc',
            value: { clusterName: xdsClusterName, retryPolicy: { retryBackOff } },
          },
        },
      ],
    },
    cdsConfig: overAds,
    ldsConfig: overAds,
  });
}

function clusterManager(options: BootstrapOptions): ClusterManager {
  const { eventLog } = options;
  const common = {
    enableDeferredClusterCreation: true,
    ...(eventLog === undefined ? {} : { outlierDetection: { eventLogPath: eventLog } }),
  };
  if (options.capture === 'redirect') return ClusterManager.fromPartial(common);
  // Peers see the pod that calls, although all pods share one machine.
  const sourceAddress = { address: options.bindAddress, portSpecifier: { $case: 'portValue', value: 0 } } as const;
  return ClusterManager.fromPartial({ ...common, upstreamBindConfig: { sourceAddress } });
}

function statisticsPatterns(): readonly StringMatcher[] {
  const prefixes = keptStatistics.prefixes.map((value) => ({ $case: 'prefix', value }) as const);
  const parts = keptStatistics.parts.map((value) => ({ $case: 'contains', value }) as const);
  return [...prefixes, ...parts].map((matchPattern) => StringMatcher.fromPartial({ matchPattern }));
}

function overloadManager(maxHeapBytes: number | undefined): OverloadManager {
  const connections = packAny(DownstreamConnectionsConfig, {
    maxActiveDownstreamConnections: maxDownstreamConnections,
  });
  const refreshInterval = { nanos: 250_000_000 };
  const byConnections = monitor('envoy.resource_monitors.global_downstream_max_connections', connections);
  if (maxHeapBytes === undefined) {
    return OverloadManager.fromPartial({ refreshInterval, resourceMonitors: [byConnections] });
  }
  const heap = packAny(FixedHeapConfig, FixedHeapConfig.fromPartial({ maxHeapSizeBytes: maxHeapBytes }));
  return OverloadManager.fromPartial({
    refreshInterval,
    resourceMonitors: [monitor(heapMonitor, heap), byConnections],
    actions: [
      atHeap('envoy.overload_actions.shrink_heap', 0.95),
      atHeap('envoy.overload_actions.stop_accepting_requests', 0.98),
    ],
  });
}

function monitor(name: string, typedConfig: Any): ResourceMonitor {
  return { name, configType: { $case: 'typedConfig', value: typedConfig } };
}

function atHeap(name: string, share: number): OverloadAction {
  const threshold = { $case: 'threshold', value: { value: share } } as const;
  return OverloadAction.fromPartial({ name, triggers: [{ name: heapMonitor, triggerOneof: threshold }] });
}
