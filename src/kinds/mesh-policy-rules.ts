// The rules that span blocks of a MeshPolicy: which blocks may be used with which target and mode.
// Knows the names of blocks, not their inside.

import type { Rule } from '../api/schema.js';

/** Every block of a MeshPolicy, in the order of the schema. */
export const policyBlocks = [
  'mtls',
  'authorization',
  'jwt',
  'extAuthz',
  'upstream',
  'inbound',
  'rateLimit',
  'egress',
  'telemetry',
  'scope',
  'sidecar',
  'extensions',
  'providers',
] as const;

const routeKinds = "['TrafficRoute', 'HTTPRoute', 'GRPCRoute']";
const auditable = ['mtls', 'authorization', 'jwt', 'inbound', 'rateLimit', 'egress', 'scope'];
const notOnRoutes = ['mtls', 'inbound', 'egress', 'telemetry', 'scope', 'sidecar', 'extensions'];
const upstreamNotOnRoutes = [
  'loadBalancer',
  'locality',
  'outlierDetection',
  'circuitBreaker',
  'healthCheck',
  'connection',
  'retryBudget',
];

const quoted = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ');

/** CEL for the name of the first block that is set. */
const firstOf = (names: readonly string[], owner = 'self'): string =>
  names.reduceRight((rest, name) => `has(${owner}.${name}) ? '${name}' : ${rest}`, "''");

const anyOf = (names: readonly string[], owner = 'self'): string =>
  names.map((name) => `has(${owner}.${name})`).join(' || ');

const targetOf = (kinds: string): string => `self.targetRefs.filter(t, t.kind in ${kinds})[0].kind`;

const hasTarget = (kinds: string): string => `has(self.targetRefs) && self.targetRefs.exists(t, t.kind in ${kinds})`;

const auditRules: readonly Rule[] = [
  {
    id: 'MP5',
    rule: `self.mode != 'Audit' || ${anyOf(auditable)}`,
    message: `mode 'Audit' must have at least one of ${quoted(auditable)}`,
  },
  {
    id: 'MP5',
    rule: "self.mode != 'Audit' || !has(self.extAuthz)",
    message: "`extAuthz` may not be used with mode 'Audit'; run the authorizer's own dry run",
  },
  {
    id: 'MP5',
    rule: `self.mode != 'Audit' || !(${anyOf(['upstream', 'telemetry', 'sidecar', 'extensions'])})`,
    messageExpression: `"\`%s\` may not be used with mode 'Audit'; put it into a policy of its own".format([${firstOf(['upstream', 'telemetry', 'sidecar', 'extensions'])}])`,
  },
];

const routeTargetRules: readonly Rule[] = [
  {
    id: 'MP3',
    rule: `!(${hasTarget(routeKinds)}) || !(${anyOf(notOnRoutes)})`,
    messageExpression: `"\`%s\` may not be used when the target is a %s".format([${firstOf(notOnRoutes)}, ${targetOf(routeKinds)}])`,
  },
  {
    id: 'MP3',
    rule: `!(${hasTarget(routeKinds)}) || !has(self.upstream) || !(${anyOf(upstreamNotOnRoutes, 'self.upstream')})`,
    messageExpression: `"\`upstream.%s\` may not be used when the target is a %s; \`upstream.timeouts\` and \`upstream.retry\` may".format([${firstOf(upstreamNotOnRoutes, 'self.upstream')}, ${targetOf(routeKinds)}])`,
  },
];

/** Rules on `spec`. */
export const meshPolicyRules: readonly Rule[] = [
  {
    id: 'MP1',
    rule: '!(has(self.targetRefs) && has(self.workloadSelector))',
    message: '`targetRefs` and `workloadSelector` must not both be set',
  },
  {
    id: 'MP2',
    rule: '!(has(self.upstream) && has(self.workloadSelector))',
    message:
      '`upstream` may not be used with `workloadSelector`; it describes how callers reach a Service, target the Service',
  },
  {
    id: 'MP2',
    rule: `!has(self.upstream) || !(${hasTarget("['ServiceAccount', 'MeshIdentity']")})`,
    messageExpression: `"\`upstream\` may not be used when the target is a %s; it describes how callers reach a Service, target the Service".format([${targetOf("['ServiceAccount', 'MeshIdentity']")}])`,
  },
  ...routeTargetRules,
  {
    id: 'MP4',
    rule: `!(${hasTarget("['Service', 'TrafficRoute', 'HTTPRoute', 'GRPCRoute']")}) || !(${anyOf(['egress', 'scope', 'sidecar'])})`,
    messageExpression: `"\`%s\` must target workloads or a namespace, not a %s".format([${firstOf(['egress', 'scope', 'sidecar'])}, ${targetOf("['Service', 'TrafficRoute', 'HTTPRoute', 'GRPCRoute']")}])`,
  },
  ...auditRules,
  {
    id: 'MP16',
    rule: anyOf(policyBlocks),
    message: `the policy sets no block; set at least one of ${quoted(policyBlocks)}`,
  },
];
