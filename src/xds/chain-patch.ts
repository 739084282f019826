// What policies say of a filter chain, joined.

import type { ChainContext, ChainPatch } from '../features/feature.js';
import type { PolicyInForce } from '../model/mesh.js';
import { mergePatches } from './merge.js';
import { providerOf } from './providers.js';

/** A chain, before it is known which policy speaks of it. */
export type ChainAt = Omit<ChainContext, 'providerOf'>;

/** What policies change of a chain. */
export function chainPatchOf(policies: readonly PolicyInForce[], chain: ChainAt): ChainPatch {
  const patches = policies.map((policy) => policy.feature.onChain({ ...chain, providerOf: providerOf(policy) }));
  return mergePatches(patches, 'chain') ?? {};
}
