// TrafficRoutes and HTTPRoutes to compiled rules with their parents. Both come through here, as one shape.

import { describeRef, keyOf, refOf, type ObjectKey, type ObjectRef } from '../api/meta.js';
import type { HTTPRoute, ReferenceGrant } from '../kinds/gateway.js';
import type { RouteRule } from '../kinds/route-rule.js';
import type { TrafficRoute } from '../kinds/traffic-route.js';
import { unsupportedInRule, unsupportedValues } from '../kinds/unsupported.js';
import type { Service, World } from '../kinds/world.js';
import { memoised, memoisedList } from '../lib/memo.js';
import type { Problem } from '../lib/result.js';
import { compileRule, type CompiledRule } from './rule.js';
import { nameOf } from './rule.js';

/** A parent that a route asks for. */
export interface RouteParent {
  readonly index: number;
  readonly ref: ObjectRef;
  readonly port: number | undefined;
  readonly sectionName: string | undefined;
}

/** A route with everything that can be said of it alone. */
export interface CompiledRoute {
  readonly ref: ObjectRef;
  readonly generation: number;
  readonly created: string;
  /** Names that the route applies to; empty: all. */
  readonly hostnames: readonly string[];
  readonly parents: readonly RouteParent[];
  readonly rules: readonly CompiledRule[];
  /** Why the whole route is not in force. */
  readonly refused: readonly Problem[];
  /** Rules that are absent, and why. */
  readonly dropped: readonly { readonly name: string; readonly problem: Problem }[];
}

/** The two kinds in one shape. */
interface Source {
  readonly ref: ObjectRef;
  readonly generation: number;
  readonly created: string;
  readonly hostnames: readonly string[];
  readonly parents: readonly RouteParent[];
  readonly refused: readonly Problem[];
  readonly rules: readonly { readonly index: number; readonly rule: RouteRule; readonly problems: readonly Problem[] }[];
  readonly absent: readonly Problem[];
}

const parentOf = (
  parent: { readonly name: string; readonly namespace?: string; readonly port?: number; readonly sectionName?: string },
  index: number,
  namespace: string,
): RouteParent => ({
  index,
  ref: { kind: 'Service', namespace: parent.namespace ?? namespace, name: parent.name },
  port: parent.port,
  sectionName: parent.sectionName,
});

function headOf(object: TrafficRoute | HTTPRoute): Pick<Source, 'ref' | 'generation' | 'created'> {
  return { ref: refOf(object), generation: object.meta.generation, created: object.meta.creationTimestamp ?? '' };
}

const fromTrafficRoute = (route: TrafficRoute): Source => {
  const { spec, meta } = route;
  return {
    ...headOf(route),
    hostnames: spec.hostnames ?? [],
    parents: spec.parentRefs.flatMap((parent, index) =>
      parent.kind === 'Service' ? [parentOf(parent, index, meta.namespace)] : [],
    ),
    refused: unsupportedValues('TrafficRoute', spec),
    rules: spec.rules.map((rule, index) => ({ index, rule, problems: unsupportedInRule(rule, index) })),
    absent: [],
  };
};

/** Hostnames of an HTTPRoute are ignored for Service parents, as Gateway API says for meshes. */
const fromHttpRoute = (route: HTTPRoute): Source => {
  const { spec, meta } = route;
  return {
    ...headOf(route),
    hostnames: [],
    parents: spec.parentRefs.flatMap((parent, index) => (parent.ours ? [parentOf(parent, index, meta.namespace)] : [])),
    refused: [],
    rules: spec.rules.map((rule) => ({ index: rule.index, rule, problems: unsupportedInRule(rule, rule.index) })),
    absent: spec.absent,
  };
};

const sourceOf = memoised((route: TrafficRoute | HTTPRoute): Source =>
  route.kind === 'TrafficRoute' ? fromTrafficRoute(route) : fromHttpRoute(route),
);

/** Keys of the Services that a route's rules name. */
const servicesNamed = memoised((source: Source): readonly ObjectKey[] => {
  const own = source.ref.namespace;
  const refs = source.rules.flatMap(({ rule }) => [
    ...(rule.backendRefs ?? []),
    ...(rule.filters ?? []).flatMap((filter) => filter.requestMirror?.backendRef ?? []),
  ]);
  return [...new Set(refs.map((ref) => keyOf({ namespace: ref.namespace ?? own, name: ref.name })))];
});

const compile = memoisedList((source: Source, referents: readonly (Service | readonly ReferenceGrant[] | undefined)[]): CompiledRoute => {
  const keys = servicesNamed(source);
  const services = new Map(keys.map((key, index) => [key, referents[index]]));
  const grants = referents[keys.length];
  const lookup = {
    service: (key: string): Service | undefined => {
      const found = services.get(key);
      return found !== undefined && 'kind' in found ? found : undefined;
    },
    grants: Array.isArray(grants) ? grants : [],
  };
  const { ref, generation } = source;
  const good = source.rules.filter((one) => one.problems.length === 0);
  const dropped = source.rules.flatMap(({ rule, index, problems }) =>
    problems.slice(0, 1).map((problem) => ({ name: nameOf(rule, index), problem })),
  );
  return {
    ref,
    generation,
    created: source.created,
    hostnames: source.hostnames,
    parents: source.parents,
    rules: source.refused.length > 0 ? [] : good.map(({ rule, index }) => compileRule(rule, { ref, generation, index }, lookup)),
    refused: source.refused,
    dropped: [...dropped, ...source.absent.map((problem) => ({ name: problem.path, problem }))],
  };
});

/** The grants of a World, as one list with an identity. */
const grantsOf = memoised((table: World['referenceGrants']): readonly ReferenceGrant[] => [...table.values()]);

/** Compiles a route against the Services that it names, and nothing else. */
export function compileRoute(route: TrafficRoute | HTTPRoute, world: World): CompiledRoute {
  const source = sourceOf(route);
  const keys = servicesNamed(source);
  const foreign = keys.some((key) => !key.startsWith(`${source.ref.namespace}/`));
  const services = keys.map((key) => world.services.get(key));
  return compile(source, [...services, foreign ? grantsOf(world.referenceGrants) : undefined]);
}

/** How messages name a route. */
export const describeRoute = (route: CompiledRoute): string => describeRef(route.ref);
