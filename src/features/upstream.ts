// How callers reach a Service: balancing, ejection, limits, health, connections. Each child is taken whole
// from one policy. Knows no kind.

import { dur, labelKey, pct } from '../api/fields.js';
import { integer, list, object, oneOf, stringMap, text, type Rule, type Static } from '../api/schema.js';
import { retryConditions } from './retry.js';
import { connectionSchema, healthCheckSchema } from './upstream-connection.js';

const hashOnSchema = list(
  object(
    {
      type: oneOf(['Header', 'Cookie', 'QueryParam', 'SourceIP'], {
        doc: 'What is hashed.',
        required: true,
        change: 'R',
        envoy: 'RouteAction.hash_policy',
      }),
      name: text(
        { min: 1, max: 256 },
        { doc: 'Name of it; not for SourceIP.', change: 'R', envoy: 'RouteAction.hash_policy' },
      ),
      ttl: dur(
        {},
        {
          doc: 'Cookie only: Envoy creates the cookie with this life.',
          effective: 'not created',
          change: 'R',
          envoy: 'RouteAction.hash_policy.cookie.ttl',
        },
      ),
    },
    {
      doc: 'A part of the hash.',
      rules: [
        {
          id: 'hashOn',
          rule: "has(self.name) == (self.type != 'SourceIP')",
          messageExpression: `"\`name\` must %sbe set when \`type\` is '%s'".format([self.type == 'SourceIP' ? 'not ' : '', self.type])`,
        },
        {
          id: 'hashOn',
          rule: "!has(self.ttl) || self.type == 'Cookie'",
          message: "`ttl` may only be set when `type` is 'Cookie'",
        },
      ],
    },
  ),
  { max: 4 },
  { doc: 'What decides the endpoint, for RingHash and Maglev.' },
);

const loadBalancerSchema = object(
  {
    type: oneOf(['LeastRequest', 'RoundRobin', 'Random', 'RingHash', 'Maglev'], {
      doc: 'How an endpoint is chosen.',
      default: 'LeastRequest',
      envoy: 'Cluster.load_balancing_policy',
    }),
    hashOn: hashOnSchema,
    slowStart: dur(
      { max: '15m' },
      {
        doc: 'How long a new endpoint gets less than its share.',
        default: '0s',
        envoy: 'SlowStartConfig.slow_start_window',
      },
    ),
    panicThreshold: pct({
      doc: 'Below this share of healthy endpoints all are used.',
      default: 0,
      envoy: 'CommonLbConfig.healthy_panic_threshold',
    }),
  },
  {
    doc: 'How an endpoint is chosen.',
    rules: [
      {
        id: 'MP6',
        rule: "has(self.hashOn) == (self.type in ['RingHash', 'Maglev'])",
        messageExpression: `has(self.hashOn) ? "\`hashOn\` may only be set when \`type\` is 'RingHash' or 'Maglev'" : "\`hashOn\` must be set when \`type\` is '%s'".format([self.type])`,
      },
      {
        id: 'MP6',
        rule: "duration(self.slowStart) == duration('0s') || self.type in ['LeastRequest', 'RoundRobin']",
        message: "`slowStart` may only be set when `type` is 'LeastRequest' or 'RoundRobin'",
      },
    ],
  },
);

const localitySchema = object(
  {
    mode: oneOf(['None', 'Failover', 'Distribute', 'ZoneAware'], {
      doc: 'How near endpoints are preferred.',
      effective: 'from Service trafficDistribution, else None',
      change: 'E,C',
      envoy: 'ClusterLoadAssignment priorities, weights; zone_aware_lb_config',
    }),
    priorities: list(
      labelKey({ doc: 'A label key.' }),
      { max: 6, type: 'atomic' },
      {
        doc: 'Failover: labels of nodes whose equality makes an endpoint near, most important first.',
        default: ['topology.kubernetes.io/zone', 'topology.kubernetes.io/region'],
        change: 'E',
        envoy: 'LocalityLbEndpoints.priority',
      },
    ),
    distribute: list(
      object(
        {
          from: text(
            { min: 1 },
            {
              doc: "Locality of the caller: region, region/zone or '*'.",
              required: true,
              change: 'E',
              envoy: 'LocalityLbEndpoints.load_balancing_weight',
            },
          ),
          to: stringMap(
            { values: { max: 3, pattern: '^(0|[1-9][0-9]?|100)$' } },
            {
              doc: 'Localities and their percentages, which sum to 100.',
              required: true,
              change: 'E',
              envoy: 'LocalityLbEndpoints.load_balancing_weight',
            },
          ),
        },
        {
          doc: 'Shares for callers of one locality.',
          rules: [
            {
              id: 'MP9',
              rule: 'self.to.map(k, int(self.to[k])).sum() == 100',
              messageExpression: `"\`to\` of locality '%s' must sum to 100, it sums to %d".format([self.from, self.to.map(k, int(self.to[k])).sum()])`,
            },
          ],
        },
      ),
      { keys: ['from'] },
      { doc: 'Distribute: shares for callers of each locality.' },
    ),
  },
  { doc: 'Whether near endpoints are preferred.', change: 'E,C' },
);

const outlierDetectionSchema = object(
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
      {},
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

const most = (doc: string, envoy: string) => integer({}, { doc, effective: 'unlimited', envoy });

const circuitBreakerSchema = object(
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

const upstreamRules: readonly Rule[] = [
  {
    id: 'MP7',
    rule: "!has(self.locality) || !has(self.locality.mode) || self.locality.mode != 'Failover' || !has(self.outlierDetection) || self.outlierDetection.consecutive5xx > 0 || self.outlierDetection.consecutiveLocalErrors > 0",
    message: "`locality.mode` 'Failover' must have `consecutive5xx` or `consecutiveLocalErrors` above 0",
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
    retryBudget: object(
      {
        percent: pct({
          doc: 'Retries as a share of active requests.',
          default: 20,
          envoy: 'RetryBudget.budget_percent',
        }),
        minConcurrency: integer(
          { min: 1, max: 10_000 },
          {
            doc: 'Retries that are always allowed at once.',
            default: 10,
            envoy: 'RetryBudget.min_retry_concurrency',
          },
        ),
      },
      { doc: 'How many retries a Service gets.' },
    ),
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
