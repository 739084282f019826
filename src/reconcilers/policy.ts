// One MeshPolicy: what of it can be in force, and where it is attached. Other policies are not looked at.

import { keyOf, refOf, systemNamespace, type ObjectKey, type ObjectRef } from '../api/meta.js';
import { gateProblems, type Gates } from '../kinds/gates.js';
import type { MeshPolicy, MeshPolicySpec } from '../kinds/mesh-policy.js';
import { memoised } from '../lib/memo.js';
import type { Problem } from '../lib/result.js';
import type { ExtensionInForce } from '../model/mesh.js';
import { compileExtensions, type CompiledExtensions } from './extensions.js';
import { policyProblems } from './policy-problems.js';

/** What a policy is about, the nearest level first. */
export type PolicyTarget =
  | { readonly level: 'route'; readonly ref: ObjectRef; readonly rule: string | undefined }
  | { readonly level: 'service'; readonly key: ObjectKey; readonly portName: string | undefined }
  | {
      readonly level: 'workload';
      readonly namespace: string;
      readonly labels: Readonly<Record<string, string>>;
      readonly serviceAccount: string | undefined;
    }
  | { readonly level: 'namespace'; readonly namespace: string }
  | { readonly level: 'mesh' };

/** The blocks of a policy that are in force. */
export type PolicyBlocks = Omit<MeshPolicySpec, 'targetRefs' | 'workloadSelector' | 'mode'>;

/** A policy with everything that can be said of it alone. */
export interface CompiledPolicy {
  readonly ref: ObjectRef;
  readonly generation: number;
  readonly created: string;
  readonly mode: MeshPolicySpec['mode'];
  readonly attachments: readonly PolicyAttachment[];
  readonly blocks: PolicyBlocks;
  /** Extensions that can be in force, by name. */
  readonly extensions: ReadonlyMap<string, ExtensionInForce>;
  /** Parts that are not in force, and why. */
  readonly refused: readonly Problem[];
}

/** A policy at one of its targets: one object for each, with an identity. */
export interface PolicyAttachment {
  readonly policy: CompiledPolicy;
  readonly target: PolicyTarget;
  /** Index in `targetRefs`; undefined where the policy names no target. */
  readonly index: number | undefined;
}

type TargetRef = NonNullable<MeshPolicySpec['targetRefs']>[number];

function targetOf(ref: TargetRef, namespace: string): PolicyTarget | undefined {
  const { kind, name, sectionName } = ref;
  switch (kind) {
    case 'Service':
      return { level: 'service', key: keyOf({ namespace, name }), portName: sectionName };
    case 'ServiceAccount':
      return { level: 'workload', namespace, labels: {}, serviceAccount: name };
    case 'TrafficRoute':
    case 'HTTPRoute':
    case 'GRPCRoute':
      return { level: 'route', ref: { kind, namespace, name }, rule: sectionName };
    // Refused as a value that is not compiled.
    case 'MeshIdentity':
      return undefined;
  }
}

function targetsOf({ spec, meta }: MeshPolicy): readonly (PolicyTarget | undefined)[] {
  const { namespace } = meta;
  if (spec.targetRefs !== undefined) return spec.targetRefs.map((ref) => targetOf(ref, namespace));
  const labels = spec.workloadSelector?.matchLabels;
  if (spec.workloadSelector !== undefined)
    return [{ level: 'workload', namespace, labels: labels ?? {}, serviceAccount: undefined }];
  return [namespace === systemNamespace ? { level: 'mesh' } : { level: 'namespace', namespace }];
}

/** Blocks whose members stand on their own: one that cannot be in force leaves its neighbours alone. */
const divisible: ReadonlySet<string> = new Set(['upstream', 'inbound', 'rateLimit', 'telemetry', 'egress', 'scope']);

/** The blocks without what the problems are about: a rate limit, a member of a divisible block, or else a block. */
function without(blocks: PolicyBlocks, problems: readonly Problem[]): PolicyBlocks {
  const paths = problems.map(({ path }) => path.slice('spec.'.length));
  const rules = blocks.rateLimit?.rules?.filter((_, index) => !isAmong(`rateLimit.rules[${String(index)}]`, paths));
  const rateLimit = rules === undefined ? blocks.rateLimit : { ...blocks.rateLimit, rules };
  // Of lists those stay that compiled.
  const others = paths.filter((path) => !/^(rateLimit\.rules|extensions)\[/.test(path));
  return Object.fromEntries(
    Object.entries({ ...blocks, rateLimit }).flatMap(([block, value]) => {
      if (value === undefined) return [];
      if (divisible.has(block)) return [[block, withoutMembers(block, value, others)]];
      return isAmong(block, others) ? [] : [[block, value]];
    }),
  );
}

function withExtensions(blocks: PolicyBlocks, { inForce }: CompiledExtensions): PolicyBlocks {
  const { extensions, ...others } = blocks;
  const left = extensions?.filter(({ name }) => inForce.has(name)) ?? [];
  return left.length === 0 ? others : { ...others, extensions: left };
}

/** Whether one of the paths is this one, or below it. */
const isAmong = (own: string, paths: readonly string[]): boolean =>
  paths.some((path) => path === own || path.startsWith(`${own}.`) || path.startsWith(`${own}[`));

const withoutMembers = (block: string, members: object, paths: readonly string[]): object =>
  Object.fromEntries(Object.entries(members).filter(([member]) => !isAmong(`${block}.${member}`, paths)));

/** Compiles a policy on its own; the same object for the same policy. */
export const compilePolicy = memoised((policy: MeshPolicy, gates: Gates): CompiledPolicy => {
  const { targetRefs: _targets, workloadSelector: _selector, mode, ...blocks } = policy.spec;
  const owner = { ref: refOf(policy), generation: policy.meta.generation };
  const shut = gateProblems(policy.spec, gates);
  const extensions = shut.length > 0 ? { inForce: new Map(), problems: shut } : compileExtensions(policy.spec, owner);
  const refused = [...extensions.problems, ...policyProblems(policy.spec)];
  const outsideOfBlocks = refused.some(({ path }) => /^spec\.(targetRefs|workloadSelector|mode)\b/.test(path));
  const attachments: PolicyAttachment[] = [];
  const compiled: CompiledPolicy = {
    ...owner,
    created: policy.meta.creationTimestamp ?? '',
    mode,
    attachments,
    blocks: outsideOfBlocks ? {} : without(withExtensions(blocks, extensions), refused),
    extensions: extensions.inForce,
    refused,
  };
  const isListed = policy.spec.targetRefs !== undefined;
  targetsOf(policy).forEach((target, index) => {
    if (target !== undefined) attachments.push({ policy: compiled, target, index: isListed ? index : undefined });
  });
  return compiled;
});
