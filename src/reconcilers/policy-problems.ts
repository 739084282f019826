// What is wrong with a policy that its schema lets pass: parts that its mode or its target cannot have.

import { inbound } from '../features/inbound.js';
import { inboundMembers, telemetryFeatures, upstreamFeatures } from '../features/index.js';
import { rateLimitProblems } from '../features/rate-limit.js';
import type { MeshPolicySpec } from '../kinds/mesh-policy.js';
import { unsupportedValues } from '../kinds/unsupported.js';
import type { Problem, Result } from '../lib/result.js';

const refused = (field: string, why: string): Problem => ({
  path: `spec.${field}`,
  reason: 'UnsupportedValue',
  message: `\`${field}\` ${why}`,
});

/** Audit judges and counts, and never refuses traffic: what is not counted unless it is done cannot be tried. */
function auditProblems({ mode, rateLimit, inbound, egress }: MeshPolicySpec): readonly Problem[] {
  if (mode !== 'Audit') return [];
  const ofInbound = Object.keys(inbound ?? {})
    .filter((member) => member !== 'maxRequestBytes')
    .map((member) => `inbound.${member}`);
  const ofLimits = rateLimit?.connectionsPerSecond === undefined ? [] : ['rateLimit.connectionsPerSecond'];
  const ofEgress = egress === undefined ? [] : ['egress'];
  return [...ofInbound, ...ofLimits, ...ofEgress].map((field) =>
    refused(field, "cannot be tried in mode 'Audit': what it would do is not counted; use mode 'Enforce'"),
  );
}

const routeKinds: ReadonlySet<string> = new Set(['TrafficRoute', 'HTTPRoute', 'GRPCRoute']);

function targetProblems({ targetRefs = [], rateLimit }: MeshPolicySpec): readonly Problem[] {
  const route = targetRefs.find(({ kind }) => routeKinds.has(kind));
  if (route === undefined || rateLimit?.connectionsPerSecond === undefined) return [];
  const why = `may not be used when the target is a ${route.kind}: a connection carries requests of all rules; target the Service`;
  return [refused('rateLimit.connectionsPerSecond', why)];
}

/** What features say of a block, and the path of the block. */
interface Judged {
  readonly under: 'upstream.' | 'telemetry.' | 'inbound.' | '';
  readonly result: Result<unknown> | undefined;
}

/** What features find in a policy: each is compiled alone first, so that a merge holds only what compiles. */
function featureProblems({ upstream = {}, telemetry = {}, ...blocks }: MeshPolicySpec): readonly Problem[] {
  const judged: readonly Judged[] = [
    ...upstreamFeatures.map((one) => ({ under: 'upstream.' as const, result: one.from(upstream) })),
    ...telemetryFeatures.map((one) => ({ under: 'telemetry.' as const, result: one.from(telemetry) })),
    ...inboundMembers.map((one) => ({ under: 'inbound.' as const, result: one.from(blocks.inbound ?? {}) })),
    { under: '', result: inbound.from(blocks) },
  ];
  return judged.flatMap(({ under, result }) =>
    result?.ok === false ? result.error.map((problem) => inBlock(problem, under)) : [],
  );
}

const inBlock = ({ path, message, ...rest }: Problem, under: Judged['under']): Problem => ({
  ...rest,
  path: `spec.${under}${path}`,
  message: message.replace(`\`${path}\``, `\`${under}${path}\``),
});

/** Everything of a policy that is not in force, seen alone. */
export const policyProblems = (spec: MeshPolicySpec): readonly Problem[] => [
  ...unsupportedValues('MeshPolicy', spec),
  ...featureProblems(spec),
  ...rateLimitProblems(spec.rateLimit ?? {}),
  ...auditProblems(spec),
  ...targetProblems(spec),
];
