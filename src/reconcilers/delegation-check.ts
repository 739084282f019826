// Whether a route may attach to a rule of another one, by what the two say themselves. Knows nothing of the routes
// around them.

import { describeRef, keyOf, type ObjectKey } from '../api/meta.js';
import { didYouMean } from '../api/did-you-mean.js';
import { err, ok, type Problem, type Result } from '../lib/result.js';
import { isAdmitted } from './references.js';
import type { CompiledRule } from './rule.js';
import type { RouteParent } from './route-source.js';
import type { CompiledRoute } from './traffic-route.js';

/** A route at a rule of another one, admitted there. */
export interface Attached {
  readonly parent: RouteParent;
  readonly to: CompiledRoute;
  readonly rule: CompiledRule;
}

/** Matches above times matches below: each pair is a route in Envoy, and one author must not make millions. */
const mostPairs = 1024;

const list = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(', ');

interface Attempt {
  readonly route: CompiledRoute;
  readonly parent: RouteParent;
}

type Checked<T> = Result<T, Problem>;

const refused = (attempt: Attempt, at: { field?: string; reason: string }, message: string): Checked<never> => {
  const path = `spec.parentRefs[${String(attempt.parent.index)}]`;
  return err({ path: at.field === undefined ? path : `${path}.${at.field}`, reason: at.reason, message });
};

const delegating = (route: CompiledRoute): readonly CompiledRule[] =>
  route.rules.filter(({ delegate }) => delegate !== undefined);

const isAdmittedBy = (route: CompiledRoute, { rule, delegate = [] }: CompiledRule): boolean =>
  isAdmitted(route.ref, rule.origin.ref, delegate);

/** Routes of other namespaces show only to those whom they admit. */
const isVisible = (to: CompiledRoute, from: CompiledRoute): boolean =>
  to.ref.namespace === from.ref.namespace || delegating(to).some((rule) => isAdmittedBy(from, rule));

function parentRoute(attempt: Attempt, byKey: ReadonlyMap<ObjectKey, CompiledRoute>): Checked<CompiledRoute> {
  const { ref } = attempt.parent;
  const found = byKey.get(keyOf(ref));
  if (found !== undefined) return ok(found);
  const near = [...byKey.values()].filter(
    (one) => one.ref.namespace === ref.namespace && one !== attempt.route && isVisible(one, attempt.route),
  );
  const hint = didYouMean(ref.name, near.map((one) => one.ref.name).sort());
  return refused(attempt, { field: 'name', reason: 'NoMatchingParent' }, `${describeRef(ref)} does not exist${hint}`);
}

function parentRule(attempt: Attempt, to: CompiledRoute): Checked<CompiledRule> {
  const wanted = attempt.parent.sectionName ?? '';
  const at = { field: 'sectionName', reason: 'NoMatchingParent' };
  const name = describeRef(to.ref);
  const found = to.rules.find(({ rule }) => rule.name === wanted);
  if (found?.delegate !== undefined) return ok(found);
  if (found !== undefined) return refused(attempt, at, `Rule '${wanted}' of ${name} has no \`delegate\``);
  if (to.refused.length > 0) return refused(attempt, at, `Nothing of ${name} is in force`);
  if (to.dropped.some((one) => one.name === wanted))
    return refused(attempt, at, `Rule '${wanted}' of ${name} is not in force`);
  const names = delegating(to).map(({ rule }) => rule.name);
  const rules = names.length === 0 ? 'none of its rules has `delegate`' : `rules with \`delegate\`: ${list(names)}`;
  return refused(attempt, at, `${name} has no rule '${wanted}' (${rules})${didYouMean(wanted, names)}`);
}

/** `*.example.com` covers `a.example.com` and itself. */
const covers = (host: string, name: string): boolean =>
  host === name || (host.startsWith('*.') && name.endsWith(host.slice(1)));

function hostProblem({ route }: Attempt, to: CompiledRoute): string | undefined {
  const stranger = route.hostnames.find((name) => !to.hostnames.some((host) => covers(host, name)));
  if (stranger === undefined) return undefined;
  const given = to.hostnames.length === 0 ? 'lists none' : `lists ${list(to.hostnames)}`;
  return `\`hostnames\` must be among those of ${describeRef(to.ref)}, which ${given}; found '${stranger}'`;
}

function sizeProblem({ route }: Attempt, rule: CompiledRule): string | undefined {
  const below = route.rules.reduce((sum, { matches }) => sum + matches.length, 0);
  const pairs = rule.matches.length * below;
  if (pairs <= mostPairs) return undefined;
  const counts = `${String(below)} matches below ${String(rule.matches.length)} matches of rule '${rule.rule.name}'`;
  return `${counts} make ${String(pairs)} routes; at most ${String(mostPairs)} are made`;
}

/** The rule that a route attaches to, or why it may not. */
export function checkAttachment(
  route: CompiledRoute,
  parent: RouteParent,
  byKey: ReadonlyMap<ObjectKey, CompiledRoute>,
): Checked<Attached> {
  const attempt = { route, parent };
  if (parent.port !== undefined)
    return refused(attempt, { field: 'port', reason: 'Invalid' }, '`port` may only be set for a Service');
  const to = parentRoute(attempt, byKey);
  if (!to.ok) return to;
  const rule = parentRule(attempt, to.value);
  if (!rule.ok) return rule;
  const reason = 'NotAllowedByParent';
  if (!isAdmittedBy(route, rule.value)) {
    const fact = `Rule '${rule.value.rule.name}' of ${describeRef(to.value.ref)} admits namespaces ${list(rule.value.delegate ?? [])}`;
    return refused(attempt, { reason }, `${fact}; this route is in '${route.ref.namespace}'`);
  }
  const problem = hostProblem(attempt, to.value) ?? sizeProblem(attempt, rule.value);
  if (problem !== undefined) return refused(attempt, { reason }, problem);
  return ok({ parent, to: to.value, rule: rule.value });
}
