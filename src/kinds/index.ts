// The table of our own kinds: names, schemas, columns. Everything that is generated per kind is generated
// from it, and everything that reads user objects parses through it.

import { apiVersion, type ObjectMeta } from '../api/meta.js';
import { parse, transitionProblems, type Schema } from '../api/schema.js';
import { isRecord } from '../lib/record.js';
import { err, ok, type Problem, type Result } from '../lib/result.js';
import {
  meshIdentityProblems,
  meshIdentitySpecSchema,
  meshIdentityStatusSchema,
  type MeshIdentity,
} from './mesh-identity.js';
import { meshPolicyProblems, meshPolicySpecSchema, meshPolicyStatusSchema, type MeshPolicy } from './mesh-policy.js';
import { statusDefault } from './status-schema.js';
import {
  trafficRouteProblems,
  trafficRouteSpecSchema,
  trafficRouteStatusSchema,
  type TrafficRoute,
} from './traffic-route.js';

/** A column of `kubectl get`; wide ones show with `-o wide` only. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly jsonPath: string;
  readonly wide?: true;
}

/** What a CRD says about its kind. */
export interface KindInfo {
  readonly kind: UserKindName;
  readonly plural: string;
  readonly singular: string;
  readonly shortName: string;
  readonly categories: readonly string[];
  readonly scope: 'Namespaced';
  /** The question that the kind answers. */
  readonly question: string;
  readonly spec: Schema<unknown>;
  readonly status: Schema<unknown>;
  readonly statusDefault: Readonly<Record<string, unknown>>;
  readonly columns: readonly PrinterColumn[];
  readonly selectableFields: readonly string[];
  /** Labels of the CustomResourceDefinition itself. */
  readonly labels: Readonly<Record<string, string>>;
}

/** The kinds that users write in our group. */
export type UserKindName = 'TrafficRoute' | 'MeshPolicy' | 'MeshIdentity';

/** An object of one of our kinds. */
export type UserObject = TrafficRoute | MeshPolicy | MeshIdentity;

const ready: PrinterColumn = {
  name: 'Ready',
  type: 'string',
  jsonPath: '.status.conditions[?(@.type=="Ready")].status',
};
const message: PrinterColumn = {
  name: 'Message',
  type: 'string',
  jsonPath: '.status.conditions[?(@.type=="Ready")].message',
  wide: true,
};
const proxies: PrinterColumn = { name: 'Proxies', type: 'string', jsonPath: '.status.applied.proxies' };
const age: PrinterColumn = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

const shared = { categories: ['legation'], scope: 'Namespaced', statusDefault } as const;

const trafficRoute: KindInfo = {
  ...shared,
  kind: 'TrafficRoute',
  plural: 'trafficroutes',
  singular: 'trafficroute',
  shortName: 'troute',
  question: 'where does a request go?',
  spec: trafficRouteSpecSchema,
  status: trafficRouteStatusSchema,
  columns: [
    ready,
    { name: 'Parent', type: 'string', jsonPath: '.spec.parentRefs[0].name' },
    proxies,
    age,
    { name: 'Effective', type: 'string', jsonPath: '.status.effective', wide: true },
    message,
  ],
  selectableFields: ['.spec.protocol'],
  labels: {},
};

const meshPolicy: KindInfo = {
  ...shared,
  kind: 'MeshPolicy',
  plural: 'meshpolicies',
  singular: 'meshpolicy',
  shortName: 'mpol',
  question: 'how do workloads and services behave?',
  spec: meshPolicySpecSchema,
  status: meshPolicyStatusSchema,
  columns: [
    ready,
    { name: 'Mode', type: 'string', jsonPath: '.spec.mode' },
    { name: 'Target', type: 'string', jsonPath: '.spec.targetRefs[0].name' },
    proxies,
    { name: 'WouldDeny', type: 'integer', jsonPath: '.status.audit.wouldDeny' },
    age,
    { name: 'Blocks', type: 'string', jsonPath: '.status.blocks', wide: true },
    message,
  ],
  selectableFields: ['.spec.mode'],
  labels: { 'gateway.networking.k8s.io/policy': 'Inherited' },
};

const meshIdentity: KindInfo = {
  ...shared,
  kind: 'MeshIdentity',
  plural: 'meshidentities',
  singular: 'meshidentity',
  shortName: 'mident',
  question: 'who is who, and who signs?',
  spec: meshIdentitySpecSchema,
  status: meshIdentityStatusSchema,
  columns: [
    ready,
    { name: 'TrustDomain', type: 'string', jsonPath: '.spec.trustDomain' },
    { name: 'Provider', type: 'string', jsonPath: '.spec.provider.type' },
    { name: 'Phase', type: 'string', jsonPath: '.status.rotation.phase' },
    { name: 'Expires', type: 'string', jsonPath: '.status.roots[?(@.state=="Active")].notAfter' },
    age,
    message,
  ],
  selectableFields: ['.spec.provider.type'],
  labels: {},
};

/** Our kinds by name. */
export const kinds = { TrafficRoute: trafficRoute, MeshPolicy: meshPolicy, MeshIdentity: meshIdentity } as const;

/** Names of our kinds, in the order of documentation. */
export const userKinds: readonly UserKindName[] = ['TrafficRoute', 'MeshPolicy', 'MeshIdentity'];

/** Whether a kind of our group exists. */
export const isUserKind = (kind: string): kind is UserKindName => userKinds.some((known) => known === kind);

const topLevel = ['apiVersion', 'kind', 'metadata', 'spec', 'status'];

/** What stands around `spec`; `metadata` and `status` are read by others. */
function envelopeProblems(kind: UserKindName, raw: Readonly<Record<string, unknown>>): readonly Problem[] {
  const unknownMembers = Object.keys(raw)
    .filter((member) => !topLevel.includes(member))
    .map((member) => ({
      path: member,
      reason: 'Invalid',
      message: `\`${member}\` is not a known field; known fields: \`${topLevel.join('`, `')}\``,
    }));
  const wrong = (member: string, allowed: string): readonly Problem[] =>
    raw[member] === undefined || raw[member] === allowed
      ? []
      : [{ path: member, reason: 'Invalid', message: `\`${member}\` must be '${allowed}'` }];
  return [...wrong('apiVersion', apiVersion), ...wrong('kind', kind), ...unknownMembers];
}

interface Reading<Spec> {
  readonly schema: Schema<Spec>;
  /** Checks beyond the schema that need only the object itself. */
  readonly check: (spec: Spec, meta: ObjectMeta) => readonly Problem[];
}

function readSpec<Spec>(reading: Reading<Spec>, raw: unknown, meta: ObjectMeta): Result<Spec> {
  const parsed = parse(reading.schema, raw, 'spec');
  if (!parsed.ok) return parsed;
  const problems = reading.check(parsed.value, meta);
  return problems.length === 0 ? parsed : err(problems);
}

const trafficRoutes = { schema: trafficRouteSpecSchema, check: trafficRouteProblems };
const meshPolicies = { schema: meshPolicySpecSchema, check: meshPolicyProblems };
const meshIdentities = { schema: meshIdentitySpecSchema, check: meshIdentityProblems };

function readKind(kind: UserKindName, spec: unknown, meta: ObjectMeta): Result<UserObject> {
  switch (kind) {
    case 'TrafficRoute': {
      const result = readSpec(trafficRoutes, spec, meta);
      return result.ok ? ok({ kind, meta, spec: result.value }) : result;
    }
    case 'MeshPolicy': {
      const result = readSpec(meshPolicies, spec, meta);
      return result.ok ? ok({ kind, meta, spec: result.value }) : result;
    }
    case 'MeshIdentity': {
      const result = readSpec(meshIdentities, spec, meta);
      return result.ok ? ok({ kind, meta, spec: result.value }) : result;
    }
  }
}

/** Parses a whole object (`apiVersion`, `kind`, `metadata`, `spec`), whose metadata was read already. Never throws. */
export function parseUserObject(kind: UserKindName, raw: unknown, meta: ObjectMeta): Result<UserObject> {
  if (!isRecord(raw)) return err([{ path: '', reason: 'Invalid', message: 'the document must be an object' }]);
  const around = envelopeProblems(kind, raw);
  const result = readKind(kind, raw['spec'], meta);
  if (around.length === 0) return result;
  return err([...around, ...(result.ok ? [] : result.error)]);
}

/** Rules about an edit, such as immutable fields; both objects are parsed already. */
export function updateProblems(old: UserObject, next: UserObject): readonly Problem[] {
  if (old.kind !== 'MeshIdentity' || next.kind !== 'MeshIdentity') return [];
  return transitionProblems(meshIdentitySpecSchema, { old: old.spec, next: next.spec }, 'spec');
}
