// What a route does in one line per weighted rule, as `status.effective` and the sandbox show it.

import type { Backend } from '../model/mesh.js';
import type { CompiledRoute } from './traffic-route.js';

function nameOf(backend: Backend, own: string): string {
  if (backend.kind === 'invalid') return 'unresolved (500)';
  const { target } = backend;
  if (target.subset !== undefined) {
    return Object.entries(target.subset)
      .map(([key, value]) => `${key}=${value}`)
      .sort()
      .join(',');
  }
  return target.namespace === own ? target.name : `${target.namespace}/${target.name}`;
}

const percent = (weight: number, total: number): string => {
  const share = (weight * 100) / total;
  return `${Number.isInteger(share) ? String(share) : share.toFixed(1)} %`;
};

/** Weighted rules only, at most 512 characters; undefined where no rule is weighted. */
export function effectiveOf(route: CompiledRoute): string | undefined {
  const lines = route.rules.flatMap(({ rule }) => {
    const weighted = rule.backends.filter(({ fallback }) => !fallback);
    const total = weighted.reduce((sum, backend) => sum + backend.weight, 0);
    if (weighted.length < 2 || total === 0) return [];
    const shares = weighted.map(
      (backend) => `${nameOf(backend, route.ref.namespace)} ${percent(backend.weight, total)}`,
    );
    return [`${rule.name}: ${shares.join(', ')} (weights from spec)`];
  });
  if (lines.length === 0) return undefined;
  const text = lines.join('\n');
  return text.length <= 512 ? text : `${text.slice(0, 511)}…`;
}
