// Routes of every kind to compiled rules with their parents.

import { keyOf } from '../api/meta.js';
import type { ReferenceGrant } from '../kinds/reference-grant.js';
import type { DeliveryObject, Service, World } from '../kinds/world.js';
import { createInterner } from '../lib/intern.js';
import { listInterner, memoised, memoisedList } from '../lib/memo.js';
import { err, type Problem, type Result } from '../lib/result.js';
import { claimsIn, refusalOfHost } from './claims.js';
import type { PolicyIndex } from './policies.js';
import { holdsOnArrival, ruleDefaultsOf, servicePoliciesOf } from './policies-in-force.js';
import type { PolicyAttachment } from './policy.js';
import type { Referents } from './references.js';
import { holdRule, unknowable } from './held-rules.js';
import {
  hostsNamed,
  servicesNamed,
  sourceOf,
  type AnyRoute,
  type RouteSource,
  type SourceRule,
} from './route-source.js';
import { compileRule, nameOf, type CompiledRule } from './rule.js';

/** A route with everything that can be said of it alone. */
export interface CompiledRoute extends Omit<RouteSource, 'rules' | 'absent'> {
  readonly rules: readonly CompiledRule[];
  /** Rules that are absent, and why. */
  readonly dropped: readonly RuleProblem[];
  /** Rules that answer a failure to all that they match, and why. */
  readonly failing: readonly RuleProblem[];
}

/** A rule that is not in force as written. */
export interface RuleProblem {
  readonly name: string;
  readonly problem: Problem;
}

type Lists = readonly (readonly PolicyAttachment[])[];

/** Policies on each of the rules, and on each port of the Services that they name. */
interface Policies {
  readonly kind: 'Policies';
  readonly ofRules: Lists;
  readonly ofServices: readonly Lists[];
}

/** Why hosts outside of the cluster may not be used, by `namespace host`. */
interface Refusals {
  readonly kind: 'Refusals';
  readonly byUse: ReadonlyMap<string, Problem>;
}

type Referent = Service | ReferenceGrant | DeliveryObject | Policies | Refusals | undefined;

/** Referents are what the source names of Services and delivery objects, grants of their namespaces, and policies. */
function lookupIn(source: RouteSource, referents: readonly Referent[]): Referents {
  const services = referents.flatMap((one) => (one?.kind === 'Service' ? [one] : []));
  const byKey = new Map(services.map((service) => [keyOf(service.meta), service]));
  const deliveries = referents.flatMap((one) => (one?.kind === 'Rollout' || one?.kind === 'Canary' ? [one] : []));
  const { ofServices } = policiesIn(referents);
  const refusals = referents.find((one) => one?.kind === 'Refusals')?.byUse;
  return {
    service: (key) => byKey.get(key),
    grants: referents.flatMap((one) => (one?.kind === 'ReferenceGrant' ? [one] : [])),
    policiesOf: (target) => {
      const place = servicesNamed(source).indexOf(keyOf(target));
      const port = byKey.get(keyOf(target))?.ports.findIndex((one) => one.port === target.port) ?? -1;
      return servicePoliciesOf(ofServices[place]?.[port] ?? noPolicies).inForce;
    },
    refusalOf: (use) => {
      const refusal = refusals?.get('host' in use ? useOf(use.namespace, use.host) : useOfService(use));
      return refusal === undefined || !('path' in use) ? refusal : { ...refusal, path: use.path };
    },
    deliveryOf: (kind, key) => deliveries.find((one) => one.kind === kind && keyOf(one.meta) === key),
    wrong: new Map(source.rules.flatMap(({ wrongRefs }) => [...wrongRefs])),
  };
}

const useOf = (namespace: string, host: string): string => `${namespace} ${host}`;
const useOfService = ({ meta, externalName = '' }: Service): string => useOf(meta.namespace, externalName);

const internRefusals = createInterner<Refusals>(10_000);

/** What the mesh refuses of the hosts that a route names, and of those that its Services stand for. */
function refusalsOf(
  source: RouteSource,
  services: readonly (Service | undefined)[],
  policies: PolicyIndex,
): Refusals | undefined {
  const named = hostsNamed(source).map((host) => ({ host, namespace: source.ref.namespace }));
  const stoodFor = services.flatMap((service) =>
    service?.externalName === undefined ? [] : [{ host: service.externalName, namespace: service.meta.namespace }],
  );
  const uses = [...named, ...stoodFor];
  if (uses.length === 0) return undefined;
  const found = uses.flatMap(({ host, namespace }) => {
    const refusal = refusalOfHost(claimsIn(policies), { host, namespace, path: '' });
    return refusal === undefined ? [] : [[useOf(namespace, host), refusal] as const];
  });
  return internRefusals(JSON.stringify(found), () => ({ kind: 'Refusals', byUse: new Map(found) }));
}

const policiesIn = (referents: readonly Referent[]): Pick<Policies, 'ofRules' | 'ofServices'> =>
  referents.find((one) => one?.kind === 'Policies') ?? { ofRules: [], ofServices: [] };

/** A rule with its problems, or compiled. */
function compileOne(
  { rule, index, problems }: SourceRule,
  source: RouteSource,
  referents: Referents,
): Result<CompiledRule> {
  if (problems.length > 0) return err(problems);
  const { ref, generation, protocol } = source;
  return compileRule(rule, { ref, generation, index, protocol }, referents);
}

/** A rule with what policies on it say where it says nothing. */
function withDefaults(compiled: CompiledRule, policies: readonly PolicyAttachment[]): CompiledRule {
  const defaults = ruleDefaultsOf(policies);
  return defaults === undefined ? compiled : { ...compiled, rule: { ...compiled.rule, defaults } };
}

/** The same, and whether one of them holds where requests of the rule arrive. */
function withPolicies(plain: CompiledRule, policies: readonly PolicyAttachment[], source: RouteSource): CompiledRule {
  const compiled = withDefaults(plain, policies);
  if (!holdsOnArrival(policies)) return compiled;
  const outOfReach = unknowable(compiled, source);
  return outOfReach === undefined
    ? { ...compiled, rule: { ...compiled.rule, heldByPolicy: true } }
    : { ...compiled, outOfReach };
}

const compile = memoisedList((source: RouteSource, referents: readonly Referent[]): CompiledRoute => {
  const lookup = lookupIn(source, referents);
  const { ofRules } = policiesIn(referents);
  const outcomes = source.rules.map((one, index) => {
    const result = compileOne(one, source, lookup);
    return {
      one,
      result: result.ok ? holdRule(withPolicies(result.value, ofRules[index] ?? noPolicies, source), source) : result,
    };
  });
  const dropped = outcomes.flatMap(({ one, result }) =>
    result.ok ? [] : result.error.slice(0, 1).map((problem) => ({ name: nameOf(one.rule, one.index), problem })),
  );
  const { absent, ...kept } = source;
  return {
    ...kept,
    rules: source.refused.length > 0 ? [] : outcomes.flatMap(({ result }) => (result.ok ? [result.value] : [])),
    dropped: [...dropped, ...absent.map((problem) => ({ name: problem.path, problem }))],
    failing: source.rules.flatMap(({ rule, index, failure }) =>
      failure === undefined ? [] : [{ name: nameOf(rule, index), problem: failure }],
    ),
  };
});

const noPolicies: readonly PolicyAttachment[] = [];
const internLists = listInterner<Lists[number]>();
const internServices = listInterner<Lists>();
const policiesFor = memoised((ofRules: Lists, ofServices: readonly Lists[]): Policies => ({
  kind: 'Policies',
  ofRules,
  ofServices,
}));

/** The grants of a World by their namespace. */
const grantsOf = memoised((table: World['referenceGrants']): ReadonlyMap<string, readonly ReferenceGrant[]> =>
  Map.groupBy(table.values(), (grant) => grant.meta.namespace),
);

/** What routes are compiled against. */
export interface Surroundings extends Pick<World, 'services' | 'referenceGrants' | 'rollouts' | 'canaries'> {
  readonly policies: PolicyIndex;
}

/** The delivery objects that decide weights of a route. */
const deliveriesOf = ({ rules, ref }: RouteSource, { rollouts, canaries }: Surroundings): readonly Referent[] =>
  rules.flatMap(({ rule: { weightsFrom } }) => {
    if (weightsFrom === undefined) return [];
    const key = keyOf({ namespace: ref.namespace, name: weightsFrom.name });
    return [weightsFrom.kind === 'Rollout' ? rollouts.get(key) : canaries.get(key)];
  });

/** Compiles a route against what it names and what the namespaces of that grant, and nothing else. */
export function compileRoute(route: AnyRoute, world: Surroundings): CompiledRoute {
  const source = sourceOf(route);
  const keys = servicesNamed(source);
  const named = new Set(keys.map((key) => key.slice(0, key.indexOf('/'))));
  const foreign = [...named].filter((namespace) => namespace !== source.ref.namespace);
  const grants = foreign.flatMap((namespace) => grantsOf(world.referenceGrants).get(namespace) ?? []);
  const services = keys.map((key) => world.services.get(key));
  const policies = policiesFor(
    internLists(source.rules.map(({ rule, index }) => world.policies.onRoute(source.ref, nameOf(rule, index)))),
    internServices(
      keys.map((key, index) =>
        internLists((services[index]?.ports ?? []).map((port) => world.policies.reachingService(key, port.name))),
      ),
    ),
  );
  const refusals = refusalsOf(source, services, world.policies);
  return compile(source, [...services, ...grants, ...deliveriesOf(source, world), policies, refusals]);
}
