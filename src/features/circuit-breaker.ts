// Limits of one proxy towards a Service. Knows no kind.

import { integer, object, type Static } from '../api/schema.js';
import { ok } from '../lib/result.js';
import { defineFeature } from './feature.js';

const most = (doc: string, envoy: string) => integer({}, { doc, effective: 'unlimited', envoy });

/** `upstream.circuitBreaker`. */
export const circuitBreakerSchema = object(
  {
    maxConnections: integer(
      { min: 1, max: 1_000_000 },
      {
        doc: 'Connections to the Service from one proxy.',
        effective: 'unlimited',
        envoy: 'Thresholds.max_connections',
      },
    ),
    maxPendingRequests: most('Requests of one proxy that wait for a connection.', 'Thresholds.max_pending_requests'),
    maxRequests: most('Requests of one proxy at once.', 'Thresholds.max_requests'),
    maxRetries: integer(
      {},
      {
        doc: 'Retries of one proxy at once; replaces `retryBudget`.',
        effective: 'retryBudget',
        envoy: 'Thresholds.max_retries',
      },
    ),
    maxConnectionsPerEndpoint: most(
      'Connections to one endpoint from one proxy.',
      'per_host_thresholds.max_connections',
    ),
  },
  { doc: 'Limits of one proxy; unset is unlimited.' },
);

/** Limits after defaults. */
export type CircuitBreaker = Static<typeof circuitBreakerSchema>;

/** `upstream.circuitBreaker`. What is not set stays unlimited. */
export const circuitBreaker = defineFeature<'circuitBreaker', CircuitBreaker, CircuitBreaker>({
  key: 'circuitBreaker',
  summary: 'How much one proxy may ask of a Service at once.',
  compile: (config) => ok(config),
  onCluster: ({ maxConnectionsPerEndpoint, ...limits }) => ({
    thresholds: limits,
    ...(maxConnectionsPerEndpoint === undefined
      ? {}
      : {
          cluster: { circuitBreakers: { perHostThresholds: [{ maxConnections: maxConnectionsPerEndpoint }] } },
        }),
  }),
});
