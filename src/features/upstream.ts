// How callers reach a Service: balancing, ejection, limits, health, connections. Each child is taken whole
// from one policy. Knows no kind.

import { dur } from '../api/fields.js';
import { integer, list, object, oneOf, type Rule, type Static } from '../api/schema.js';
import { circuitBreakerSchema } from './circuit-breaker.js';
import { connectionSchema } from './connection.js';
import { healthCheckSchema } from './health-check.js';
import { loadBalancerSchema } from './load-balancer.js';
import { localitySchema } from './locality.js';
import { outlierDetectionSchema } from './outlier-detection.js';
import { retryConditions } from './retry.js';
import { retryBudgetSchema } from './retry-budget.js';

const upstreamRules: readonly Rule[] = [
  {
    id: 'MP7',
    rule: "!has(self.locality) || !has(self.locality.mode) || !(self.locality.mode in ['Failover', 'ZoneAware']) || !has(self.outlierDetection) || self.outlierDetection.consecutive5xx > 0 || self.outlierDetection.consecutiveLocalErrors > 0",
    messageExpression: `"\`locality.mode\` '%s' must have \`consecutive5xx\` or \`consecutiveLocalErrors\` above 0".format([self.locality.mode])`,
  },
  {
    id: 'MP13',
    rule: '!(has(self.circuitBreaker) && has(self.circuitBreaker.maxRetries) && has(self.retryBudget))',
    message: '`circuitBreaker.maxRetries` and `retryBudget` must not both be set',
  },
];

/** `upstream`. */
export const upstreamSchema = object(
  {
    loadBalancer: loadBalancerSchema,
    locality: localitySchema,
    outlierDetection: outlierDetectionSchema,
    circuitBreaker: circuitBreakerSchema,
    healthCheck: healthCheckSchema,
    connection: connectionSchema,
    retryBudget: retryBudgetSchema,
    timeouts: object(
      {
        request: dur(
          {},
          {
            doc: "Time for the whole request; '0s' switches it off.",
            default: '0s',
            envoy: 'RouteAction.timeout',
          },
        ),
        idle: dur(
          {},
          {
            doc: 'Time without a byte in either direction.',
            effective: '0s; TCP 1h',
            envoy: 'RouteAction.idle_timeout, TcpProxy.idle_timeout',
          },
        ),
      },
      { doc: 'Timeouts for rules that say nothing.', change: 'R' },
    ),
    retry: object(
      {
        attempts: integer(
          { max: 10 },
          { doc: 'Retries after the first try.', default: 2, envoy: 'RetryPolicy.num_retries' },
        ),
        retryOn: list(
          oneOf(retryConditions, { doc: 'A failure.' }),
          {},
          {
            doc: 'Failures that are retried.',
            default: ['ConnectFailure', 'RefusedStream', 'ResetBeforeRequest'],
            envoy: 'RetryPolicy.retry_on',
          },
        ),
      },
      { doc: 'Retries for rules that say nothing.', change: 'R' },
    ),
  },
  { doc: 'How callers reach the Service.', change: 'C', rules: upstreamRules },
);

/** Upstream settings after defaults. */
export type Upstream = Static<typeof upstreamSchema>;
