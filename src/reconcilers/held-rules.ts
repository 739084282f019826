// Rules with something that the receiving proxy does: whether it can know their requests again, and whether there is
// such a proxy at all. Where it cannot, the caller's proxy does it, or the rule is refused.

import { describeRef, keyOf, type ObjectKey, type ObjectRef } from '../api/meta.js';
import type { CompiledFeature } from '../features/feature.js';
import type { Endpoint, Pod, World } from '../kinds/world.js';
import { createInterner } from '../lib/intern.js';
import { memoised, memoisedList } from '../lib/memo.js';
import { err, ok, type Problem, type Result } from '../lib/result.js';
import type { Match, Rule, Target } from '../model/mesh.js';
import { arrivalOf, isHeldAtDestination } from './arrival.js';
import type { CompiledRule } from './rule.js';
import type { CompiledRoute } from './traffic-route.js';

const atDestination = ({ features }: Rule): readonly CompiledFeature[] =>
  features.filter(({ heldAt }) => heldAt !== 'caller');

/** Where a rule stands: its route, and the Services that it is attached to. */
export interface RuleRoute {
  readonly ref: ObjectRef;
  readonly parents: readonly { readonly ref: ObjectRef }[];
}

/** Why a receiver cannot know requests of a rule again, whoever it is; undefined where it can. */
export function unknowable({ rule, delegate }: CompiledRule, { ref, parents }: RuleRoute): string | undefined {
  if (delegate !== undefined) return 'the rule hands its requests on to other routes, whose rules cannot be told there';
  const above = parents.find((parent) => parent.ref.kind === 'TrafficRoute');
  if (above !== undefined)
    return `the route stands below a rule of ${describeRef(above.ref)}, whose requests cannot be told there`;
  const outside = [
    ...parents.flatMap(({ ref: to }) => (to.kind === 'Host' ? [to.name] : [])),
    ...rule.backends.flatMap((backend) => (backend.kind === 'host' ? [backend.host.host] : [])),
  ][0];
  if (outside !== undefined) return `no proxy of the mesh receives requests for Host '${outside}'`;
  const foreign = parents.find((parent) => parent.ref.namespace !== ref.namespace);
  if (foreign !== undefined)
    return `the route is for callers of namespace '${ref.namespace}' alone, whom ${describeRef(foreign.ref)} cannot tell from others`;
  if (rule.backends.length === 0) return 'the rule sends to no backend';
  if (rule.matches.some(({ sources }) => sources.length > 0))
    return 'the rule is for some callers alone, who cannot be told from others there';
  const isKnown = (match: Match): boolean => arrivalOf({ match, rule }) !== undefined;
  if (!rule.matches.every(isKnown)) return 'the rule changes what it matches by, which cannot be undone there';
  return undefined;
}

const names = (keys: readonly string[]): string => keys.map((key) => `\`${key}\``).join(', ');

/** What of a rule is done by the proxy that receives its requests, policies on it included. */
const heldKeys = (rule: Rule): readonly string[] => [
  ...atDestination(rule).map(({ key }) => key),
  ...(rule.heldByPolicy === true ? ['rateLimit'] : []),
];

/** A rewrite makes calls that came straight to the new path or host look the same. */
function widened(rule: Rule): string | undefined {
  for (const match of rule.matches) {
    const arrival = arrivalOf({ match, rule });
    if (arrival?.host !== undefined) return `calls straight to host '${arrival.host}'`;
    if (arrival !== undefined && arrival.match.path.value !== match.path.value)
      return `calls straight to path '${arrival.match.path.value}'`;
  }
  return undefined;
}

/** A rule with the place where its features are held, or why they can be held nowhere. */
export function holdRule(compiled: CompiledRule, route: RuleRoute): Result<CompiledRule> {
  const { rule } = compiled;
  const held = heldKeys(rule);
  if (held.length === 0) return ok(compiled);
  const path = `spec.rules[${String(compiled.index)}]`;
  const notice = (message: string): Problem => ({ path, reason: 'FallbackActive', message });
  const why = unknowable(compiled, route);
  if (why === undefined) {
    const more = widened(rule);
    const message = `${names(held)} of rule '${rule.name}' also holds for ${more ?? ''}, which arrive alike`;
    return ok(more === undefined ? compiled : { ...compiled, weakened: [...compiled.weakened, notice(message)] });
  }
  const strict = atDestination(rule).filter(({ heldAt }) => heldAt === 'destination');
  if (strict.length > 0) {
    const message = `${names(strict.map(({ key }) => key))} of rule '${rule.name}' holds where requests arrive, and cannot: ${why}`;
    return err([{ path, reason: 'UnsupportedValue', message }]);
  }
  const message = `${names(held)} of rule '${rule.name}' holds at callers, before their retries: ${why}`;
  return ok({ ...compiled, rule: { ...rule, fallsBack: true }, weakened: [...compiled.weakened, notice(message)] });
}

/** Whether a proxy of ours stands beside a pod. */
export const hasProxy = (pod: Pod): boolean => pod.ips.length > 0 && !pod.hostNetwork;

type Tables = Pick<World, 'services' | 'endpointSlices' | 'pods'>;

const isIn = (subset: Target['subset'], pod: Pod | undefined): boolean =>
  Object.entries(subset ?? {}).every(([key, value]) => pod?.meta.labels[key] === value);

function isBare({ pod: key }: Endpoint, target: Target, { pods }: Tables): boolean {
  const pod = key === undefined ? undefined : pods.get(key);
  return isIn(target.subset, pod) && (pod === undefined || !hasProxy(pod));
}

/** The first Service that a rule sends to and that has endpoints without a proxy. */
function bareService({ backends }: Rule, tables: Tables): ObjectKey | undefined {
  const targets = backends.flatMap((backend) => (backend.kind === 'service' ? [backend.target] : []));
  const isOutside = (target: Target): boolean => tables.services.get(keyOf(target))?.externalName !== undefined;
  const bare = targets.find(
    (target) =>
      isOutside(target) ||
      (tables.endpointSlices.get(keyOf(target)) ?? []).some(({ endpoints }) =>
        endpoints.some((endpoint) => isBare(endpoint, target, tables)),
      ),
  );
  return bare === undefined ? undefined : keyOf(bare);
}

/** For each rule of a route the Service that has endpoints without a proxy. */
interface Verdict {
  readonly bare: readonly (ObjectKey | null)[];
}

const internVerdicts = createInterner<Verdict>(10_000);

function weakenedBy(compiled: CompiledRule, bare: ObjectKey): CompiledRule {
  const { rule, index } = compiled;
  const held = atDestination(rule);
  const fallsBack = rule.heldByPolicy !== true && held.every(({ heldAt }) => heldAt === 'either');
  const effect = fallsBack ? 'holds at callers, before their retries' : 'does not hold at all endpoints';
  const message = `${names(heldKeys(rule))} of rule '${rule.name}' ${effect}: Service '${bare}' has endpoints without a proxy`;
  const notice: Problem = { path: `spec.rules[${String(index)}]`, reason: 'FallbackActive', message };
  return {
    ...compiled,
    rule: { ...rule, fallsBack: held.some(({ heldAt }) => heldAt === 'either') },
    weakened: [notice, ...compiled.weakened],
  };
}

const placed = memoised((route: CompiledRoute, { bare }: Verdict): CompiledRoute => ({
  ...route,
  rules: route.rules.map((rule, index) => {
    const service = bare[index] ?? null;
    return service === null ? rule : weakenedBy(rule, service);
  }),
}));

function placeRoute(route: CompiledRoute, tables: Tables): CompiledRoute {
  const bare = route.rules.map(({ rule }) => (isHeldAtDestination(rule) ? (bareService(rule, tables) ?? null) : null));
  return bare.every((one) => one === null)
    ? route
    : placed(
        route,
        internVerdicts(JSON.stringify(bare), () => ({ bare })),
      );
}

const anyHeld = memoised((routes: readonly CompiledRoute[]): { readonly held: boolean } => ({
  held: routes.some((route) => route.rules.some(({ rule }) => isHeldAtDestination(rule))),
}));

/** Equal lists are one, so that an endpoint that comes or goes is no change of routes. */
const kept = memoisedList((_: readonly CompiledRoute[], routes: readonly CompiledRoute[]) => routes);

/** Routes with what cannot be held at destinations held at callers. */
export const placeRoutes = (routes: readonly CompiledRoute[], tables: Tables): readonly CompiledRoute[] =>
  anyHeld(routes).held
    ? kept(
        routes,
        routes.map((route) => placeRoute(route, tables)),
      )
    : routes;
