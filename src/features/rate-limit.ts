// Rate limits, local and global. Rules are a union by name. Knows no kind.

import { isIP } from 'node:net';
import { dur, label } from '../api/fields.js';
import { bool, integer, list, object, oneOf, text, type Static } from '../api/schema.js';
import type { Problem } from '../lib/result.js';

const perSchema = list(
  object(
    {
      type: oneOf(['Principal', 'Namespace', 'Header', 'RemoteIP', 'Claim', 'Method'], {
        doc: 'What requests are told apart by.',
        required: true,
        envoy: 'RateLimit.actions',
      }),
      name: text({ min: 1, max: 256 }, { doc: 'Name of the header or claim.', envoy: 'RateLimit.actions' }),
      values: list(
        text({}, { doc: 'A value.' }),
        { max: 32 },
        {
          doc: 'Only these; none means a bucket for each value.',
          effective: 'all',
          envoy: 'LocalRateLimit.descriptors, max_dynamic_descriptors',
        },
      ),
    },
    {
      doc: 'A part of the key.',
      rules: [
        {
          id: 'per',
          rule: "has(self.name) == (self.type in ['Header', 'Claim'])",
          messageExpression: `"\`name\` must %sbe set when \`type\` is '%s'".format([self.type in ['Header', 'Claim'] ? '' : 'not ', self.type])`,
        },
      ],
    },
  ),
  { max: 4 },
  { doc: 'Key of the bucket; requests that lack it are not limited by the rule.' },
);

const rulesSchema = list(
  object(
    {
      name: label({ doc: 'Name of the rule.', required: true, envoy: 'descriptor entry `rule`' }),
      scope: oneOf(['Proxy', 'Workload', 'Global'], {
        doc: 'One bucket in each proxy, divided by ready replicas, or in an external service.',
        default: 'Proxy',
        envoy: 'LocalRateLimit or RateLimit filter',
      }),
      requests: integer(
        { min: 1, max: 10_000_000 },
        {
          doc: 'Requests in each interval; not for Global.',
          envoy: 'TokenBucket.tokens_per_fill',
        },
      ),
      interval: dur(
        { min: '50ms', max: '1h' },
        { doc: 'The interval.', default: '1s', envoy: 'TokenBucket.fill_interval' },
      ),
      burst: integer({ min: 1 }, { doc: 'Requests at once.', effective: 'requests', envoy: 'TokenBucket.max_tokens' }),
      per: perSchema,
    },
    {
      doc: 'A limit.',
      rules: [
        {
          id: 'MP8',
          rule: "self.scope != 'Global' || !has(self.requests)",
          message: "`requests` must not be set when `scope` is 'Global'; the rate-limit service owns the number",
        },
        {
          id: 'MP8',
          rule: "self.scope == 'Global' || has(self.requests)",
          messageExpression: `"\`requests\` must be set when \`scope\` is '%s'".format([self.scope])`,
        },
        {
          id: 'MP8',
          rule: "self.scope != 'Global' || !has(self.burst)",
          message: "`burst` must not be set when `scope` is 'Global'; the rate-limit service owns the number",
        },
      ],
    },
  ),
  { keys: ['name'] },
  { doc: 'Limits; those of all policies apply together.' },
);

/** `rateLimit`. */
export const rateLimitSchema = object(
  {
    rules: rulesSchema,
    provider: label({
      doc: 'Provider of the Global limits.',
      effective: 'none',
      change: 'L',
      envoy: 'RateLimit.rate_limit_service',
    }),
    domain: text(
      { min: 1 },
      {
        doc: 'Domain of the Global limits.',
        effective: 'the namespace',
        change: 'L',
        envoy: 'RateLimit.domain',
      },
    ),
    responseHeaders: bool({
      doc: 'Whether answers carry x-ratelimit headers.',
      effective: 'false',
      change: 'R; L with Global',
      envoy: 'RateLimit.enable_x_ratelimit_headers',
    }),
    connectionsPerSecond: integer(
      { min: 1 },
      {
        doc: 'New connections a second to each port of one proxy.',
        effective: 'unlimited',
        change: 'L at first use',
        envoy: 'network local_ratelimit token bucket',
      },
    ),
  },
  {
    doc: 'How many requests the selected workloads take.',
    change: 'R',
    rules: [
      {
        id: 'MP8',
        rule: "has(self.provider) == (has(self.rules) && self.rules.exists(r, r.scope == 'Global'))",
        messageExpression: `"\`provider\` %s be set when a rule has \`scope\` 'Global'".format([has(self.provider) ? 'may only' : 'must'])`,
      },
    ],
  },
);

/** Rate limits after defaults. */
export type RateLimit = Static<typeof rateLimitSchema>;

/** A rule of them. */
export type RateLimitRule = NonNullable<RateLimit['rules']>[number];

/** A part of the key of a rule. */
export type Per = NonNullable<RateLimitRule['per']>[number];

/** Buckets of one rule that are known beforehand. */
const maxBuckets = 256;

const problem = (path: string, message: string): Problem => ({ path, reason: 'UnsupportedValue', message });

function perProblem(per: Per, path: string): Problem | undefined {
  if (per.type === 'Namespace' && (per.values ?? []).length === 0)
    return problem(
      `${path}.values`,
      `\`${path}\` of type 'Namespace' must name \`values\`: callers are known by the addresses of the pods of these namespaces`,
    );
  if (per.type !== 'RemoteIP') return undefined;
  const other = per.values?.find((value) => isIP(value) === 0);
  return other === undefined
    ? undefined
    : problem(`${path}.values`, `\`${path}.values\` must be addresses; '${other}' is none`);
}

function ruleProblem({ per = [] }: RateLimitRule, path: string): Problem | undefined {
  const buckets = per.reduce((product, { values = [] }) => product * Math.max(values.length, 1), 1);
  if (buckets > maxBuckets)
    return problem(
      `${path}.per`,
      `\`${path}.per\` has ${String(buckets)} combinations of values; at most ${String(maxBuckets)} have a bucket each`,
    );
  return per.flatMap((one, index) => perProblem(one, `${path}.per[${String(index)}]`) ?? [])[0];
}

/** What of a block cannot be compiled: one problem for a rule. */
export const rateLimitProblems = ({ rules = [] }: RateLimit): readonly Problem[] =>
  rules.flatMap((rule, index) => ruleProblem(rule, `spec.rateLimit.rules[${String(index)}]`) ?? []);
