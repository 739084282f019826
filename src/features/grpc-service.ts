// How a proxy asks a provider by gRPC. One form for all features.

import { GrpcService } from '../gen/envoy/config/core/v3/grpc_service.js';
import { durationOf } from './envoy-values.js';
import type { ProviderConfig } from './feature.js';

/** Without an authority Envoy would send the name of the cluster, whose slashes servers refuse. */
export const grpcServiceOf = ({ cluster, authority, timeout }: ProviderConfig): GrpcService =>
  GrpcService.fromPartial({
    targetSpecifier: { $case: 'envoyGrpc', value: { clusterName: cluster, authority } },
    timeout: durationOf(timeout),
  });
