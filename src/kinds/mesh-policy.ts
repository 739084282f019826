// MeshPolicy: how do workloads and services behave? Schema of spec and status, and the checks that CEL
// cannot make. Knows no other object.

import { systemNamespace, type ObjectMeta } from '../api/meta.js';
import { name, selector } from '../api/fields.js';
import { integer, list, object, oneOf, text, type Static } from '../api/schema.js';
import type { Problem } from '../lib/result.js';
import { authorizationSchema } from '../features/authorization.js';
import { egressSchema } from '../features/egress.js';
import { extAuthzSchema } from '../features/ext-authz.js';
import { extensionsSchema } from '../features/extensions.js';
import { inboundSchema } from '../features/inbound.js';
import { jwtSchema } from '../features/jwt.js';
import { mtlsSchema } from '../features/mtls.js';
import { providersSchema } from '../features/providers.js';
import { rateLimitSchema } from '../features/rate-limit.js';
import { scopeSchema } from '../features/scope.js';
import { sidecarSchema } from '../features/sidecar.js';
import { telemetrySchema } from '../features/telemetry.js';
import { upstreamSchema } from '../features/upstream.js';
import { meshPolicyRules } from './mesh-policy-rules.js';
import { commonStatus, conditionsSchema, lines, parentReferenceSchema, time } from './status-schema.js';

const targetRefsSchema = list(
  object(
    {
      group: oneOf(['', 'legation.dev', 'gateway.networking.k8s.io'], {
        doc: "Group of the target; '' for Service and ServiceAccount.",
        default: '',
      }),
      kind: oneOf(['Service', 'ServiceAccount', 'TrafficRoute', 'HTTPRoute', 'GRPCRoute', 'MeshIdentity'], {
        doc: 'Kind of the target.',
        required: true,
      }),
      name: name({ doc: 'Name of the target, in the namespace of this object.', required: true }),
      sectionName: name({
        doc: 'Port name of a Service, rule of a route, node group of a MeshIdentity.',
        effective: 'whole object',
      }),
    },
    { doc: 'A target.' },
  ),
  { min: 1 },
  { doc: 'What the policy is about; with neither this nor a selector it is the namespace.' },
);

/** Spec of a MeshPolicy. */
export const meshPolicySpecSchema = object(
  {
    targetRefs: targetRefsSchema,
    workloadSelector: selector('Labels of pods.', { doc: 'Pods of this namespace that the policy is about.' }),
    mode: oneOf(['Enforce', 'Audit'], {
      doc: 'Audit evaluates, counts and logs, and never refuses traffic.',
      default: 'Enforce',
      change: 'F,R',
    }),
    mtls: mtlsSchema,
    authorization: authorizationSchema,
    jwt: jwtSchema,
    extAuthz: extAuthzSchema,
    upstream: upstreamSchema,
    inbound: inboundSchema,
    rateLimit: rateLimitSchema,
    egress: egressSchema,
    telemetry: telemetrySchema,
    scope: scopeSchema,
    sidecar: sidecarSchema,
    extensions: extensionsSchema,
    providers: providersSchema,
  },
  { doc: 'How workloads and services behave.', required: true, rules: meshPolicyRules },
);

/** Spec of a MeshPolicy after defaults. */
export type MeshPolicySpec = Static<typeof meshPolicySpecSchema>;

/** Status of a MeshPolicy. */
export const meshPolicyStatusSchema = object(
  {
    ...commonStatus,
    ancestors: list(
      object(
        {
          ancestorRef: parentReferenceSchema('What the policy is attached to.'),
          controllerName: text({ max: 253 }, { doc: 'Who says so.', required: true }),
          conditions: conditionsSchema('Conditions of the policy there.'),
        },
        { doc: 'An ancestor.' },
      ),
      { max: 16, type: 'atomic' },
      { doc: 'The policy at each of its targets.' },
    ),
    blocks: lines({ max: 32 }, 'Blocks, and whether they are in force.'),
    selected: object(
      {
        workloads: integer({}, { doc: 'Workloads that the policy reaches.' }),
        services: integer({}, { doc: 'Services that the policy reaches.' }),
      },
      { doc: 'What the policy reaches.' },
    ),
    audit: object(
      {
        since: time('When counting began.'),
        evaluated: integer({ max: Number.MAX_SAFE_INTEGER }, { doc: 'Requests that were judged.' }),
        wouldDeny: integer({ max: Number.MAX_SAFE_INTEGER }, { doc: 'Requests that would have been refused.' }),
        top: lines({ max: 10 }, 'Who would have been refused most.'),
      },
      { doc: 'What mode Audit found.' },
    ),
    plaintextCallers: lines({ max: 11 }, 'Callers that still speak plaintext.'),
  },
  { doc: 'What became of the policy.' },
);

/** Status of a MeshPolicy. */
export type MeshPolicyStatus = Static<typeof meshPolicyStatusSchema>;

/** A MeshPolicy that passed its schema. */
export interface MeshPolicy {
  readonly kind: 'MeshPolicy';
  readonly meta: ObjectMeta;
  readonly spec: MeshPolicySpec;
}

const invalid = (path: string, rest: string): Problem => ({
  path,
  reason: 'Invalid',
  message: `\`${path.slice('spec.'.length)}\` ${rest}`,
});

/** Fields that hold for the mesh as a whole. */
function meshDefaultFields(spec: MeshPolicySpec): readonly string[] {
  const { accessLog, tracing, metrics } = spec.telemetry ?? {};
  const found: readonly (readonly [string, unknown])[] = [
    ['accessLog.format', accessLog?.format],
    ['accessLog.fields', accessLog?.fields],
    ['tracing.provider', tracing?.provider],
    ['metrics.maxSeries', metrics?.maxSeries],
    ['metrics.provider', metrics?.provider],
  ];
  return found.filter(([, value]) => value !== undefined).map(([path]) => `spec.telemetry.${path}`);
}

/** Checks that need the name of the object: the API server makes them in an admission policy. */
export function meshPolicyProblems(spec: MeshPolicySpec, meta: ObjectMeta): readonly Problem[] {
  const inSystem = meta.namespace === systemNamespace;
  const isMeshDefault = inSystem && meta.name === 'default';
  const elsewhere = isMeshDefault ? [] : meshDefaultFields(spec);
  const claims = inSystem
    ? []
    : (spec.egress?.hosts ?? []).flatMap((host, index) => (host.namespaces === undefined ? [] : [index]));
  return [
    ...elsewhere.map((path) =>
      invalid(path, `may only be set in MeshPolicy 'default' in namespace '${systemNamespace}'`),
    ),
    ...claims.map((index) =>
      invalid(`spec.egress.hosts[${index}].namespaces`, `may only be set in namespace '${systemNamespace}'`),
    ),
  ];
}
