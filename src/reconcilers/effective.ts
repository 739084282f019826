// What a route does in one line per weighted rule, as `status.effective` and the sandbox show it.

import { keyOf } from '../api/meta.js';
import { isForConnections } from '../kinds/connection-rules.js';
import type { Backend } from '../model/mesh.js';
import type { RouteTree } from './delegation.js';
import type { CompiledRoute } from './traffic-route.js';

function nameOf(backend: Backend, route: CompiledRoute): string {
  if (backend.kind === 'invalid') return `unresolved (${isForConnections(route) ? 'closed' : '500'})`;
  if (backend.kind === 'host') return backend.host.host;
  const { target } = backend;
  if (target.subset !== undefined) {
    return Object.entries(target.subset)
      .map(([key, value]) => `${key}=${value}`)
      .sort()
      .join(',');
  }
  return target.namespace === route.ref.namespace ? target.name : `${target.namespace}/${target.name}`;
}

const percent = (weight: number, total: number): string => {
  const share = (weight * 100) / total;
  return `${Number.isInteger(share) ? String(share) : share.toFixed(1)} %`;
};

/** Who answers what a rule hands on. */
function delegatedTo(rule: string, { below }: RouteTree): string {
  const names = below
    .filter((branch) => branch.rule === rule)
    .map(({ tree }) => keyOf(tree.route.ref))
    .sort();
  return `${rule}: handed on to ${names.length === 0 ? 'no route yet (404)' : names.join(', ')}`;
}

/** Rules that are weighted or hand requests on, at most 512 characters; undefined where there are none. */
export function effectiveOf(tree: RouteTree): string | undefined {
  const { route } = tree;
  const lines = route.rules.flatMap(({ rule, delegate, weightsFrom = 'spec' }) => {
    if (delegate !== undefined) return [delegatedTo(rule.name, tree)];
    const weighted = rule.backends.filter(({ fallback }) => !fallback);
    const total = weighted.reduce((sum, backend) => sum + backend.weight, 0);
    if (weighted.length < 2 || total === 0) return [];
    const shares = weighted.map((backend) => `${nameOf(backend, route)} ${percent(backend.weight, total)}`);
    return [`${rule.name}: ${shares.join(', ')} (weights from ${weightsFrom})`];
  });
  if (lines.length === 0) return undefined;
  const text = lines.join('\n');
  return text.length <= 512 ? text : `${text.slice(0, 511)}…`;
}
