// Endpoints that fail are left out for a while. Knows no kind.

import { dur, pct } from '../api/fields.js';
import { integer, object, type Static } from '../api/schema.js';
import { ok } from '../lib/result.js';
import { durationOf } from './envoy-values.js';
import { defineFeature, type ClusterPatch } from './feature.js';

/** `upstream.outlierDetection`. */
export const outlierDetectionSchema = object(
  {
    consecutive5xx: integer(
      { max: 1000 },
      {
        doc: 'Server errors in a row that eject an endpoint; 0 switches it off.',
        default: 5,
        envoy: 'OutlierDetection.consecutive_5xx',
      },
    ),
    consecutiveGatewayErrors: integer(
      { max: 1000 },
      {
        doc: 'Gateway errors in a row that eject an endpoint; 0 switches it off.',
        default: 0,
        envoy: 'OutlierDetection.consecutive_gateway_failure',
      },
    ),
    consecutiveLocalErrors: integer(
      { max: 1000 },
      {
        doc: 'Failed connects and resets in a row that eject an endpoint; 0 switches it off.',
        default: 5,
        envoy: 'OutlierDetection.consecutive_local_origin_failure',
      },
    ),
    interval: dur(
      { min: '100ms' },
      { doc: 'How often endpoints are judged.', default: '10s', envoy: 'OutlierDetection.interval' },
    ),
    baseEjectionTime: dur(
      { min: '1ms' },
      {
        doc: 'How long the first ejection lasts; later ones last longer.',
        default: '30s',
        envoy: 'OutlierDetection.base_ejection_time',
      },
    ),
    maxEjectionPercent: pct({
      doc: 'Share of endpoints that may be ejected at once.',
      default: 50,
      envoy: 'OutlierDetection.max_ejection_percent',
    }),
  },
  { doc: 'Leave out endpoints that fail.' },
);

/** Outlier detection after defaults. */
export type OutlierDetection = Static<typeof outlierDetectionSchema>;

/** What holds where endpoints must be known to fail, and no policy says how. */
export const usualDetection: OutlierDetection = {
  consecutive5xx: 5,
  consecutiveGatewayErrors: 0,
  consecutiveLocalErrors: 5,
  interval: '10s',
  baseEjectionTime: '30s',
  maxEjectionPercent: 50,
};

/**
 * Outlier detection of a cluster. Envoy's own errors count apart from those of the endpoint, because only these say that
 * it cannot be reached. One endpoint may always be ejected: of three, 10 % would be none.
 */
export const detection = (config: OutlierDetection): NonNullable<ClusterPatch['cluster']> => ({
  outlierDetection: {
    splitExternalLocalOriginErrors: true,
    consecutive5xx: config.consecutive5xx,
    enforcingConsecutive5xx: config.consecutive5xx === 0 ? 0 : 100,
    consecutiveGatewayFailure: config.consecutiveGatewayErrors,
    enforcingConsecutiveGatewayFailure: config.consecutiveGatewayErrors === 0 ? 0 : 100,
    consecutiveLocalOriginFailure: config.consecutiveLocalErrors,
    enforcingConsecutiveLocalOriginFailure: config.consecutiveLocalErrors === 0 ? 0 : 100,
    // Statistical ejection is not offered: what is not written does not happen.
    enforcingSuccessRate: 0,
    enforcingLocalOriginSuccessRate: 0,
    interval: durationOf(config.interval),
    baseEjectionTime: durationOf(config.baseEjectionTime),
    maxEjectionPercent: config.maxEjectionPercent,
    alwaysEjectOneHost: config.maxEjectionPercent > 0,
  },
});

/** `upstream.outlierDetection`. */
export const outlierDetection = defineFeature<'outlierDetection', OutlierDetection, OutlierDetection>({
  key: 'outlierDetection',
  summary: 'Leave out endpoints that fail.',
  compile: (config) => ok(config),
  onCluster: (config) => ({ cluster: detection(config) }),
});
