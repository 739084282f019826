// How an endpoint is chosen, and what is hashed for it. Knows no kind.

import type { RouteAction_HashPolicy } from '../gen/envoy/config/route/v3/route_components.js';
import { LeastRequest } from '../gen/envoy/extensions/load_balancing_policies/least_request/v3/least_request.js';
import { Maglev } from '../gen/envoy/extensions/load_balancing_policies/maglev/v3/maglev.js';
import { Random } from '../gen/envoy/extensions/load_balancing_policies/random/v3/random.js';
import { RingHash } from '../gen/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash.js';
import { RoundRobin } from '../gen/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin.js';
import type { Any } from '../gen/google/protobuf/any.js';
import { durationMs } from '../api/duration.js';
import { dur, pct } from '../api/fields.js';
import { list, object, oneOf, text, type Static } from '../api/schema.js';
import { ok } from '../lib/result.js';
import { packAny } from './any.js';
import { durationOf } from './envoy-values.js';
import { defineFeature, type ClusterPatch, type Patch } from './feature.js';

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

/** `upstream.loadBalancer`. */
export const loadBalancerSchema = object(
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

/** A load balancer after defaults. */
export type LoadBalancer = Static<typeof loadBalancerSchema>;

/** Whether a hash decides, so that who is near does not. */
export const hashes = (balancer: LoadBalancer | undefined): boolean =>
  balancer?.type === 'RingHash' || balancer?.type === 'Maglev';

/** Localities count as many endpoints as they have, or what a policy on localities gives them. */
const byWeight = { localityConfigSpecifier: { $case: 'localityWeightedLbConfig', value: {} } } as const;

const slowStartOf = ({ slowStart }: LoadBalancer) =>
  durationMs(slowStart) === 0 ? {} : { slowStartConfig: { slowStartWindow: durationOf(slowStart) } };

/** The built-in balancer: the less loaded of two endpoints that are drawn. */
export const leastRequest = (config: Patch<LeastRequest> = {}): Any =>
  packAny(LeastRequest, LeastRequest.fromPartial({ choiceCount: 2, localityLbConfig: byWeight, ...config }));

function packed(config: LoadBalancer): Any {
  switch (config.type) {
    case 'LeastRequest':
      return leastRequest(slowStartOf(config));
    case 'RoundRobin':
      return packAny(RoundRobin, RoundRobin.fromPartial({ localityLbConfig: byWeight, ...slowStartOf(config) }));
    case 'Random':
      return packAny(Random, Random.fromPartial({ localityLbConfig: byWeight }));
    // Hashes see all endpoints as one ring, so that every proxy makes the same choice.
    case 'RingHash':
      return packAny(RingHash, RingHash.fromPartial({}));
    case 'Maglev':
      return packAny(Maglev, Maglev.fromPartial({}));
  }
}

const extensionNames = {
  LeastRequest: 'least_request',
  RoundRobin: 'round_robin',
  Random: 'random',
  RingHash: 'ring_hash',
  Maglev: 'maglev',
} as const;

/** A load balancing policy as a cluster holds it. */
export const balancing = (type: LoadBalancer['type'], typedConfig: Any): NonNullable<ClusterPatch['cluster']> => ({
  loadBalancingPolicy: {
    policies: [
      { typedExtensionConfig: { name: `envoy.load_balancing_policies.${extensionNames[type]}`, typedConfig } },
    ],
  },
});

type HashOn = NonNullable<LoadBalancer['hashOn']>[number];

/** The first part that a request has decides. */
function hashOf({ type, name = '', ttl }: HashOn): Patch<RouteAction_HashPolicy> {
  switch (type) {
    case 'Header':
      return { policySpecifier: { $case: 'header', value: { headerName: name } }, terminal: true };
    case 'Cookie': {
      const created = ttl === undefined ? {} : { ttl: durationOf(ttl), path: '/' };
      return { policySpecifier: { $case: 'cookie', value: { name, ...created } }, terminal: true };
    }
    case 'QueryParam':
      return { policySpecifier: { $case: 'queryParameter', value: { name } }, terminal: true };
    case 'SourceIP':
      return { policySpecifier: { $case: 'connectionProperties', value: { sourceIp: true } }, terminal: true };
  }
}

/** `upstream.loadBalancer`. What is hashed stands in the routes that lead to the Service. */
export const loadBalancer = defineFeature<'loadBalancer', LoadBalancer, LoadBalancer>({
  key: 'loadBalancer',
  summary: 'How an endpoint is chosen.',
  compile: (config) => ok(config),
  onCluster: (config) => ({
    cluster: {
      ...balancing(config.type, packed(config)),
      commonLbConfig: { healthyPanicThreshold: { value: config.panicThreshold } },
    },
  }),
  onRoute: ({ hashOn = [] }) => (hashOn.length === 0 ? {} : { forward: { hashPolicy: hashOn.map(hashOf) } }),
});
