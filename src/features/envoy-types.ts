// The Envoy messages that features patch, under one roof. Types only.

export type { CircuitBreakers_Thresholds as Thresholds } from '../gen/envoy/config/cluster/v3/circuit_breaker.js';
export type { Cluster } from '../gen/envoy/config/cluster/v3/cluster.js';
export type { HealthCheck as EnvoyHealthCheck } from '../gen/envoy/config/core/v3/health_check.js';
export type { Filter as NetworkFilter } from '../gen/envoy/config/listener/v3/listener_components.js';
export type { RouteConfiguration } from '../gen/envoy/config/route/v3/route.js';
export type {
  DirectResponseAction,
  RedirectAction,
  Route,
  RouteAction,
  WeightedCluster_ClusterWeight as WeightedBackend,
} from '../gen/envoy/config/route/v3/route_components.js';
export type {
  HttpConnectionManager,
  HttpFilter,
} from '../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
export type { TcpProxy } from '../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.js';
export type { HttpProtocolOptions } from '../gen/envoy/extensions/upstreams/http/v3/http_protocol_options.js';
