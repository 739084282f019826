// Subsets that select no pod: the rule stays, its share answers 503.

import { describeRef, keyOf } from '../api/meta.js';
import type { SubsetSize } from './endpoints.js';
import { more, type Judgement } from './judgement.js';
import type { RouteContext } from './parent-findings.js';
import { subsetKey } from './services.js';
import type { CompiledRoute } from './traffic-route.js';
import { lossOf } from './rule.js';

interface EmptySubset {
  readonly rule: string;
  readonly service: string;
  readonly size: SubsetSize;
}

function emptySubsets(route: CompiledRoute, context: RouteContext): readonly EmptySubset[] {
  return route.rules.flatMap(({ rule }) =>
    rule.backends.flatMap((backend) => {
      if (backend.kind !== 'service' || backend.target.subset === undefined) return [];
      const { target } = backend;
      const wanted = subsetKey(backend.target.subset);
      const sizes = context.endpoints.get(keyOf(target))?.sizes ?? [];
      const size = sizes.find(({ subset, selected }) => selected === 0 && subsetKey(subset) === wanted);
      const service = describeRef({ kind: 'Service', namespace: target.namespace, name: target.name });
      return size === undefined ? [] : [{ rule: rule.name, service, size }];
    }),
  );
}

/** What is said of subsets without pods. */
export function subsetFindings(route: CompiledRoute, context: RouteContext): readonly Judgement[] {
  const empty = emptySubsets(route, context);
  const [first] = empty;
  if (first === undefined) return [];
  const { rule, service, size } = first;
  const labels = Object.entries(size.subset)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',');
  const fact = `Subset '${labels}' of ${service} selects 0 of ${String(size.pods)} ${size.pods === 1 ? 'pod' : 'pods'}`;
  const message = `${fact}; rule '${rule}' ${lossOf(route.protocol, 503)} for its share${more(empty.length)}`;
  return [{ condition: 'Degraded', status: 'True', reason: 'BackendNotFound', message }];
}
