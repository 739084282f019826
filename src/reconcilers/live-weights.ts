// Weights of a rule that a delivery object decides: read from it, never written to it. Where it cannot be read, what
// the rule itself says is in force.

import { keyOf, type ObjectRef } from '../api/meta.js';
import type { RouteRule } from '../kinds/route-rule.js';
import type { DeliveryObject } from '../kinds/world.js';
import type { Problem } from '../lib/result.js';
import type { Backend } from '../model/mesh.js';

/** Delivery objects by kind and key. */
export type DeliveryLookup = (kind: DeliveryObject['kind'], key: string) => DeliveryObject | undefined;

/** The backends of a rule with the weights in force. */
export interface LiveWeights {
  readonly backends: readonly Backend[];
  /** Who decides the weights, in words; absent: the spec. */
  readonly from?: string;
  readonly problem?: Problem;
}

/** A rule, and where it stands. */
export interface WeighedRule {
  readonly rule: RouteRule;
  readonly ref: ObjectRef;
  /** Path of the rule in the object. */
  readonly path: string;
}

interface Services {
  readonly stable: string;
  readonly canary: string;
}

const quoted = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(' and ');

/** The Services of a delivery object, or why it does not fit the rule. */
function servicesOf(delivery: DeliveryObject, { rule, ref }: WeighedRule): Services | string {
  const { stableService: stable, canaryService: canary } = delivery;
  if (stable === undefined || canary === undefined) {
    const wanted = delivery.kind === 'Rollout' ? 'stable and canary Service in `spec.strategy.canary`' : 'target';
    return `names no ${wanted}`;
  }
  const weighed = (rule.backendRefs ?? []).filter(({ fallback }) => !fallback);
  const isOwn = ({ namespace }: { readonly namespace?: string }): boolean =>
    (namespace ?? ref.namespace) === ref.namespace;
  const found = [stable, canary].every((name) => weighed.some((one) => one.name === name && isOwn(one)));
  if (found) return { stable, canary };
  const backends = weighed.map(({ name }) => name);
  return `splits between Services ${quoted([stable, canary])}, but the backends are ${quoted(backends)}`;
}

/** Backends as the delivery object that a rule names weighs them. */
export function liveWeights(
  weighed: WeighedRule,
  backends: readonly Backend[],
  deliveryOf: DeliveryLookup,
): LiveWeights {
  const { rule, ref, path } = weighed;
  if (rule.weightsFrom === undefined) return { backends };
  const { kind, name } = rule.weightsFrom;
  const key = keyOf({ namespace: ref.namespace, name });
  const unread = (why: string): LiveWeights => ({
    backends,
    problem: {
      path: `${path}.weightsFrom`,
      reason: 'DeliveryObjectNotFound',
      message: `${kind} '${key}' ${why}; spec weights are used`,
    },
  });
  const delivery = deliveryOf(kind, key);
  if (delivery === undefined) return unread('not found');
  const services = servicesOf(delivery, weighed);
  if (typeof services === 'string') return unread(services);
  const weightOf = (index: number): number =>
    rule.backendRefs?.[index]?.name === services.canary ? delivery.split.canary : delivery.split.stable;
  return {
    backends: backends.map((one, index) => (one.fallback ? one : { ...one, weight: weightOf(index) })),
    from: `${kind}/${name}, ${delivery.phase}`,
  };
}
