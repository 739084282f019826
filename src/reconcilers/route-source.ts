// TrafficRoutes, HTTPRoutes and GRPCRoutes in one shape, each with what is known of it without looking around.

import { keyOf, refOf, type ObjectKey, type ObjectRef } from '../api/meta.js';
import { connectionRouteProblems, connectionRuleProblems } from '../kinds/connection-rules.js';
import type { GatewayRoute } from '../kinds/gateway.js';
import { inPlace } from '../kinds/gateway-rule.js';
import type { RouteRule } from '../kinds/route-rule.js';
import { trafficRouteProblems, type TrafficRoute } from '../kinds/traffic-route.js';
import { unsupportedInRule, unsupportedOutsideRules } from '../kinds/unsupported.js';
import { memoised } from '../lib/memo.js';
import type { Problem } from '../lib/result.js';
import type { RouteProtocol } from './protocol.js';

/** Any object whose rules are compiled. */
export type AnyRoute = TrafficRoute | GatewayRoute;

/** A parent that a route asks for. */
export interface RouteParent {
  readonly index: number;
  /** A Service, a host outside of the cluster, or a TrafficRoute of which `sectionName` is a rule. */
  readonly ref: ObjectRef;
  readonly port: number | undefined;
  readonly sectionName: string | undefined;
  /** With this nothing is attached there. */
  readonly problem?: Problem;
}

/** One rule as written. */
export interface SourceRule {
  readonly index: number;
  readonly rule: RouteRule;
  /** With any of these the rule is absent. */
  readonly problems: readonly Problem[];
  /** With this it answers a failure. */
  readonly failure?: Problem | undefined;
  /** By path: references to something that is no Service. */
  readonly wrongRefs: ReadonlyMap<string, Problem>;
}

/** The kinds in one shape. */
export interface RouteSource {
  readonly ref: ObjectRef;
  readonly generation: number;
  readonly created: string;
  readonly protocol: RouteProtocol;
  /** Names that the route applies to; empty: all. */
  readonly hostnames: readonly string[];
  readonly parents: readonly RouteParent[];
  /** Why the whole route is not in force. */
  readonly refused: readonly Problem[];
  readonly rules: readonly SourceRule[];
  readonly absent: readonly Problem[];
}

/** Hosts outside of the cluster are in no namespace. */
export const refOfHost = (name: string): ObjectRef => ({ kind: 'Host', namespace: '', name });

/** A host has neither a namespace nor sections. */
function hostParent(
  parent: { readonly name: string; readonly namespace?: string; readonly port?: number; readonly sectionName?: string },
  index: number,
): RouteParent {
  const { name, port, sectionName } = parent;
  const field = (['namespace', 'sectionName'] as const).find((one) => parent[one] !== undefined);
  const whole = { index, ref: refOfHost(name), port, sectionName };
  if (field === undefined) return whole;
  const path = `spec.parentRefs[${String(index)}].${field}`;
  return { ...whole, problem: { path, reason: 'Invalid', message: `\`${path}\` must not be set for Host '${name}'` } };
}

const parentOf = (
  parent: {
    readonly kind: string;
    readonly name: string;
    readonly namespace?: string;
    readonly port?: number;
    readonly sectionName?: string;
  },
  index: number,
  namespace: string,
): RouteParent => ({
  index,
  ref: {
    kind: parent.kind === 'TrafficRoute' ? 'TrafficRoute' : 'Service',
    namespace: parent.namespace ?? namespace,
    name: parent.name,
  },
  port: parent.port,
  sectionName: parent.sectionName,
});

const headOf = (object: AnyRoute): Pick<RouteSource, 'ref' | 'generation' | 'created'> => ({
  ref: refOf(object),
  generation: object.meta.generation,
  created: object.meta.creationTimestamp ?? '',
});

const noRefs: ReadonlyMap<string, Problem> = new Map();

const fromTrafficRoute = (route: TrafficRoute): RouteSource => {
  const { spec, meta } = route;
  return {
    ...headOf(route),
    protocol: spec.protocol,
    hostnames: spec.hostnames ?? [],
    parents: spec.parentRefs.flatMap((parent, index) => {
      if (parent.kind === 'MeshIdentity') return [];
      return [parent.kind === 'Host' ? hostParent(parent, index) : parentOf(parent, index, meta.namespace)];
    }),
    refused: [...unsupportedOutsideRules(spec), ...connectionRouteProblems(spec)],
    rules: spec.rules.map((rule, index) => ({
      index,
      rule,
      problems: [...unsupportedInRule(rule, index), ...connectionRuleProblems(spec, rule, index)],
      wrongRefs: noRefs,
    })),
    absent: [],
  };
};

/** What is checked of a TrafficRoute beyond its schema holds for the rules of other kinds, too. */
const ruleProblems = (rule: RouteRule, kind: GatewayRoute['kind'], index: number): readonly Problem[] =>
  trafficRouteProblems({ parentRefs: [], protocol: 'HTTP', distribution: 'Learned', rules: [rule] }).map((problem) =>
    inPlace(problem, { kind, index }),
  );

/** Hostnames are ignored for Service parents, as Gateway API says for meshes. */
const fromGatewayRoute = (route: GatewayRoute): RouteSource => {
  const { kind, spec, meta } = route;
  return {
    ...headOf(route),
    protocol: kind === 'GRPCRoute' ? 'GRPC' : 'HTTP',
    hostnames: [],
    parents: spec.parentRefs.flatMap((parent, index) => (parent.ours ? [parentOf(parent, index, meta.namespace)] : [])),
    refused: [],
    rules: spec.rules.map((rule) => ({
      index: rule.index,
      rule,
      problems: [...unsupportedInRule(rule, rule.index), ...ruleProblems(rule, kind, rule.index)],
      failure: rule.problem,
      wrongRefs: rule.wrongRefs,
    })),
    absent: spec.absent,
  };
};

/** An object in the one shape. */
export const sourceOf = memoised((route: AnyRoute): RouteSource =>
  route.kind === 'TrafficRoute' ? fromTrafficRoute(route) : fromGatewayRoute(route),
);

/** Keys of the Services that a route's rules name. */
export const servicesNamed = memoised((source: RouteSource): readonly ObjectKey[] => {
  const own = source.ref.namespace;
  const refs = source.rules.flatMap(({ rule }) => [
    ...(rule.backendRefs ?? []),
    ...(rule.filters ?? []).flatMap((filter) => filter.requestMirror?.backendRef ?? []),
  ]);
  return [
    ...new Set(
      refs
        .filter(({ kind }) => kind === 'Service')
        .map((ref) => keyOf({ namespace: ref.namespace ?? own, name: ref.name })),
    ),
  ];
});

/** Hosts outside of the cluster that a route's rules name. */
export const hostsNamed = memoised((source: RouteSource): readonly string[] => {
  const refs = source.rules.flatMap(({ rule }) => [
    ...(rule.backendRefs ?? []),
    ...(rule.filters ?? []).flatMap((filter) => filter.requestMirror?.backendRef ?? []),
  ]);
  return [...new Set(refs.filter(({ kind }) => kind === 'Host').map(({ name }) => name))];
});
