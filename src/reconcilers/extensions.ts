// Extensions of policies: compiled once for each policy, and which of them are in force beside a pod.

import type { ObjectRef } from '../api/meta.js';
import { compileExtension } from '../features/compile-extension.js';
import type { MeshPolicySpec } from '../kinds/mesh-policy.js';
import { listInterner, memoised } from '../lib/memo.js';
import type { Problem } from '../lib/result.js';
import type { ExtensionInForce, ProviderTable } from '../model/mesh.js';
import { mergePolicies } from './policy-merge.js';
import type { PolicyAttachment } from './policy.js';

/** Extensions of one policy, and why others are not in force. */
export interface CompiledExtensions {
  /** By name. */
  readonly inForce: ReadonlyMap<string, ExtensionInForce>;
  readonly problems: readonly Problem[];
}

const onService = (spec: MeshPolicySpec): readonly Problem[] => {
  if (spec.targetRefs?.some(({ kind }) => kind === 'Service') !== true) return [];
  const message = '`extensions` must target workloads, a namespace or the mesh, not a Service';
  return [{ path: 'spec.extensions', reason: 'Invalid', message }];
};

/** Compiles the extensions of a policy. */
export function compileExtensions(
  spec: MeshPolicySpec,
  owner: { readonly ref: ObjectRef; readonly generation: number },
): CompiledExtensions {
  const inForce = new Map<string, ExtensionInForce>();
  const problems: Problem[] = [];
  const misplaced = spec.extensions === undefined ? [] : onService(spec);
  if (misplaced.length > 0) return { inForce, problems: misplaced };
  (spec.extensions ?? []).forEach((extension, index) => {
    const { name, direction, stage } = extension;
    const compiled = compileExtension(extension, `spec.extensions[${String(index)}]`);
    if (!compiled.ok) problems.push(...compiled.error);
    else
      inForce.set(name, {
        origin: { ...owner, part: `extensions[${name}]` },
        name,
        direction,
        stage,
        part: compiled.value,
        provider: undefined,
      });
  });
  return { inForce, problems };
}

const intern = listInterner<ExtensionInForce>();

/** One object for an extension with one provider: refusals are traced by identity. */
const withProviders = memoised((_extension: ExtensionInForce) => new Map<string, ExtensionInForce>());

function withProvider(extension: ExtensionInForce, providers: ProviderTable): ExtensionInForce {
  const named = extension.part.kind === 'filter' ? extension.part.provider : undefined;
  const provider = named === undefined ? undefined : providers.get(named);
  if (provider === undefined) return extension;
  const known = withProviders(extension);
  const key = JSON.stringify(provider);
  const found = known.get(key) ?? { ...extension, provider };
  known.set(key, found);
  return found;
}

/** The extensions beside a pod: of each name that of the nearest policy. Equal answers are one object. */
export const extensionsInForce = memoised(
  (reaching: readonly PolicyAttachment[], providers: ProviderTable): readonly ExtensionInForce[] => {
    const { blocks, parts } = mergePolicies(reaching);
    const found = (blocks.extensions ?? []).flatMap(
      ({ name }) => parts.get(`extensions[${name}]`)?.by.policy.extensions.get(name) ?? [],
    );
    return intern(found.map((one) => withProvider(one, providers)));
  },
);
