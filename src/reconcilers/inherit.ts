// What a rule takes over from the rule that hands requests on to it: each feature that it does not set itself. Knows
// no route.

import { requestMirror } from '../features/request-mirror.js';
import type { CompiledFeature } from '../features/feature.js';
import { memoised } from '../lib/memo.js';
import { featuresInForce, type CompiledRule } from './rule.js';

/** A feature means what it meant where it was written: names without a namespace are names of that one. */
const bound = (feature: CompiledFeature, namespace: string): CompiledFeature => ({
  ...feature,
  onRoute: (route) =>
    feature.onRoute({
      ...route,
      clusterOf: (target) => route.clusterOf({ ...target, namespace: target.namespace ?? namespace }),
    }),
});

/** `lower` below `upper`; the same object for the same two rules. */
export const inheriting = memoised((lower: CompiledRule, upper: CompiledRule): CompiledRule => {
  const own = new Set(lower.written.map(({ key }) => key));
  const taken = upper.written.filter(({ key }) => !own.has(key));
  if (taken.length === 0) return lower;
  const { namespace } = upper.rule.origin.ref;
  const written = [...lower.written, ...taken.map((feature) => bound(feature, namespace))];
  // What the upper route may refer to is no permission for the lower one.
  const references = taken.some(({ key }) => key === requestMirror.key) ? upper.rule.references : [];
  const fallsBack = lower.rule.fallsBack ?? upper.rule.fallsBack;
  return {
    ...lower,
    written,
    rule: {
      ...lower.rule,
      ...(fallsBack === undefined ? {} : { fallsBack }),
      references: [...lower.rule.references, ...references],
      features: featuresInForce(written, lower.delegate !== undefined),
    },
  };
});
