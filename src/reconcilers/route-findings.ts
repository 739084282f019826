// What is said of a route: where it is attached, which of its rules are in force, what they refer to. One
// finding for each condition, and one for each parent. Messages start with the fact and name what is allowed.

import { describeRef, keyOf } from '../api/meta.js';
import type { Reason } from '../api/conditions.js';
import { didYouMean } from '../api/did-you-mean.js';
import type { Service, World } from '../kinds/world.js';
import type { Finding } from '../model/finding.js';
import type { PortModel } from '../model/mesh.js';
import type { ServiceEndpoints, SubsetSize } from './endpoints.js';
import { arrivalOf, isHeldAtDestination } from './arrival.js';
import { judge, more, reasonOf, refusal, type Judgement } from './judgement.js';
import type { Overlap } from './pool.js';
import { describeRule } from './rule.js';
import { namesPort, subsetKey, type Displacement, type PooledService } from './services.js';
import type { CompiledRoute, RouteParent, RuleProblem } from './traffic-route.js';

/** What routes are judged by. */
export interface RouteContext {
  readonly world: World;
  readonly pooled: ReadonlyMap<string, PooledService>;
  readonly endpoints: ReadonlyMap<string, ServiceEndpoints>;
}

const list = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(', ');
const plural = (word: string, count: number): string => (count === 1 ? word : `${word}s`);

const noParent = (parent: RouteParent, field: string, message: string): Judgement => ({
  parent: parent.index,
  condition: 'Accepted',
  status: 'False',
  reason: 'NoMatchingParent',
  message,
  path: `spec.parentRefs[${String(parent.index)}].${field}`,
});

function missingParent(parent: RouteParent, world: World): Judgement {
  const service = world.services.get(keyOf(parent.ref));
  if (service !== undefined) {
    const message = `${describeRef(parent.ref)} is of type ${service.type}, which no route can be attached to`;
    return noParent(parent, 'name', message);
  }
  const isNear = (one: Service): boolean => one.meta.namespace === parent.ref.namespace;
  const names = [...world.services.values()]
    .filter(isNear)
    .map((one) => one.meta.name)
    .sort();
  return noParent(parent, 'name', `${describeRef(parent.ref)} does not exist${didYouMean(parent.ref.name, names)}`);
}

function missingPort(parent: RouteParent, ports: readonly PortModel[]): Judgement {
  const { port, sectionName } = parent;
  const byName = `port named '${sectionName ?? ''}'`;
  const wanted =
    port === undefined ? byName : `port ${String(port)}${sectionName === undefined ? '' : ` named '${sectionName}'`}`;
  const known = ports.map((one) => (one.name === '' ? String(one.port) : `${String(one.port)} '${one.name}'`));
  const message = `${describeRef(parent.ref)} has no TCP ${wanted} (ports: ${known.join(', ')})`;
  return noParent(parent, port === undefined ? 'sectionName' : 'port', message);
}

const displacedBy = ({ by, parent, port }: Displacement): string =>
  by === undefined
    ? `Port ${String(port)} of ${describeRef(parent.ref)} is not HTTP; only its own namespace '${parent.ref.namespace}' can make it HTTP`
    : `${describeRef(by)} owns ${describeRef(parent.ref)} port ${String(port)}`;

const reasonFor = (displacement: Displacement): Reason =>
  displacement.by === undefined ? 'ProtocolMismatch' : 'OverriddenByTrafficRoute';

/** Where the route has no say, of the ports that a parent names. */
const displacementsAt = (route: CompiledRoute, parent: RouteParent, pooled: PooledService): readonly Displacement[] =>
  pooled.displacements.filter((one) => one.route === route && one.parent === parent);

function parentFinding(route: CompiledRoute, parent: RouteParent, context: RouteContext): Judgement {
  const pooled = context.pooled.get(keyOf(parent.ref));
  if (pooled === undefined) return missingParent(parent, context.world);
  const ports = pooled.model.ports.filter((port) => namesPort(parent, port));
  if (ports.length === 0) return missingPort(parent, pooled.model.ports);
  const displaced = displacementsAt(route, parent, pooled);
  const [first] = displaced;
  const common = { parent: parent.index, condition: 'Accepted' } as const;
  if (first !== undefined && displaced.length === ports.length) {
    return {
      ...common,
      status: 'False',
      reason: reasonFor(first),
      message: `${displacedBy(first)}${more(displaced.length)}`,
    };
  }
  const role = route.ref.namespace === parent.ref.namespace ? 'producer' : 'consumer';
  const message = `Attached to ${describeRef(parent.ref)} as ${role} route`;
  return { ...common, status: 'True', reason: 'Accepted', message };
}

/** The Services that a route is attached to. */
const servicesOf = (route: CompiledRoute, context: RouteContext): readonly PooledService[] =>
  [...new Set(route.parents.map((parent) => keyOf(parent.ref)))].flatMap((key) => context.pooled.get(key) ?? []);

/** What the route lost: the first rule of each pair of rules, in the order of its rules. */
function overlapsOf(route: CompiledRoute, context: RouteContext): readonly Overlap[] {
  const own = new Set(route.rules.map(({ rule }) => rule));
  const found = servicesOf(route, context).flatMap(({ overlaps }) =>
    overlaps.filter(({ loser }) => own.has(loser.rule)),
  );
  const distinct = new Map(found.map((one) => [`${one.loser.rule.name} ${describeRule(one.winner.rule)}`, one]));
  return [...distinct.values()].sort((left, right) => left.loser.index - right.loser.index);
}

/** Rules that lost, and can match nowhere. */
function deadRules(route: CompiledRoute, overlaps: readonly Overlap[], context: RouteContext): readonly string[] {
  const services = servicesOf(route, context);
  const losers = new Set(overlaps.map(({ loser }) => loser.rule));
  return [...losers].filter((rule) => !services.some(({ live }) => live.has(rule))).map(({ name }) => name);
}

/** As users write them. */
const pathTypes = { exact: 'Exact', prefix: 'PathPrefix', regex: 'RegularExpression' } as const;

function overlapMessage({ loser, winner }: Overlap): string {
  const { path } = loser.match;
  const older = winner.created < loser.created ? 'older, ' : '';
  const equal = `${older}equal match ${pathTypes[path.kind]} '${path.value}'`;
  return `Rule '${loser.rule.name}' loses to ${describeRule(winner.rule)} (${equal}); it can never match there`;
}

/** Ports of a parent where the route has no say, while it has at others. */
function lostInPart(route: CompiledRoute, parent: RouteParent, context: RouteContext): readonly Displacement[] {
  const pooled = context.pooled.get(keyOf(parent.ref));
  if (pooled === undefined) return [];
  const displaced = displacementsAt(route, parent, pooled);
  const ports = pooled.model.ports.filter((port) => namesPort(parent, port));
  return displaced.length < ports.length ? displaced : [];
}

function conflictFindings(route: CompiledRoute, context: RouteContext): readonly Judgement[] {
  const overlaps = overlapsOf(route, context);
  const [first] = overlaps;
  const lost = route.parents.flatMap((parent) => lostInPart(route, parent, context));
  const [displaced] = lost;
  const common = { condition: 'Conflicted', status: 'True' } as const;
  if (first !== undefined) {
    const message = `${overlapMessage(first)}${more(overlaps.length)}`;
    return [{ ...common, reason: 'RuleOverlap', message, path: `spec.rules[${String(first.loser.index)}]` }];
  }
  if (displaced === undefined) return [];
  return [{ ...common, reason: reasonFor(displaced), message: `${displacedBy(displaced)}${more(lost.length)}` }];
}

/** Wrong kinds of backends are references that do not resolve; everything else is a rule that is not supported. */
const isReference = ({ problem }: RuleProblem): boolean => problem.reason === 'InvalidKind';

function partFindings(route: CompiledRoute, dead: readonly string[]): readonly Judgement[] {
  const failing = route.failing.filter((one) => !isReference(one));
  const said = (what: string, problems: readonly RuleProblem[]): readonly string[] =>
    problems.slice(0, 1).map(({ problem }) => {
      const names = problems.map(({ name }) => name);
      return `${plural('Rule', names.length)} ${list(names)} ${what}: ${problem.message}`;
    });
  const sentences = [
    ...said('left out', route.dropped),
    ...said('answers 500', failing),
    ...(dead.length === 0 ? [] : [`${plural('Rule', dead.length)} ${list(dead)} can never match`]),
  ];
  if (sentences.length === 0) return [];
  const problem = [...route.dropped, ...failing][0]?.problem;
  return [
    {
      condition: 'PartiallyInvalid',
      status: 'True',
      reason: problem === undefined ? 'RuleOverlap' : reasonOf(problem.reason, 'Invalid'),
      message: sentences.join('; '),
      ...(problem === undefined ? {} : { path: problem.path }),
    },
  ];
}

function resolvedFinding(route: CompiledRoute): Judgement {
  const failing = route.failing
    .filter(isReference)
    .map(({ name, problem }) => ({ ...problem, message: `${problem.message}; rule '${name}' answers 500` }));
  const unresolved = [...route.rules.flatMap((rule) => rule.unresolved), ...failing];
  const [first] = unresolved;
  if (first === undefined) {
    return { condition: 'ResolvedRefs', status: 'True', reason: 'ResolvedRefs', message: 'All references resolve' };
  }
  const { path, reason, message } = first;
  return {
    condition: 'ResolvedRefs',
    status: 'False',
    reason: reasonOf(reason, 'BackendNotFound'),
    message: `${message}${more(unresolved.length)}`,
    path,
  };
}

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

function subsetFindings(route: CompiledRoute, context: RouteContext): readonly Judgement[] {
  const empty = emptySubsets(route, context);
  const [first] = empty;
  if (first === undefined) return [];
  const { rule, service, size } = first;
  const labels = Object.entries(size.subset)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',');
  const fact = `Subset '${labels}' of ${service} selects 0 of ${String(size.pods)} ${plural('pod', size.pods)}`;
  const message = `${fact}; rule '${rule}' answers 503 for its share${more(empty.length)}`;
  return [{ condition: 'Degraded', status: 'True', reason: 'BackendNotFound', message }];
}

/** Rules that proxies would have to know again, to tell their requests from those of rules that hold where they arrive. */
function unknownOnArrival(route: CompiledRoute, context: RouteContext): readonly string[] {
  const holds = servicesOf(route, context).some(({ live }) => [...live].some(isHeldAtDestination));
  if (!holds) return [];
  return route.rules
    .filter(({ rule }) => !isHeldAtDestination(rule) && rule.backends.length > 0)
    .filter(({ rule }) => rule.matches.some((match) => arrivalOf({ match, rule }) === undefined))
    .map(
      ({ rule }) => `Requests of rule '${rule.name}' cannot be told where they arrive; other rules may hold for them`,
    );
}

function weakenedFindings(route: CompiledRoute, context: RouteContext): readonly Judgement[] {
  const messages = [
    ...route.rules.flatMap(({ weakened }) => weakened.map(({ message }) => message)),
    ...unknownOnArrival(route, context),
  ];
  const [first] = messages;
  if (first === undefined) return [];
  const message = `${first}${more(messages.length)}`;
  return [{ condition: 'Degraded', status: 'True', reason: 'FallbackActive', message }];
}

/** Why nothing of the route is in force, or undefined where something is. */
function whollyRefused(route: CompiledRoute): Judgement | undefined {
  const [refused] = route.refused;
  if (refused !== undefined) return { ...refusal(refused), message: `${refused.message}${more(route.refused.length)}` };
  const failing = route.failing.filter((one) => !isReference(one));
  if (failing.length < route.rules.length) return undefined;
  const problems = [...route.dropped, ...failing].map(({ problem }) => problem);
  const [first] = problems;
  return first === undefined ? undefined : { ...refusal(first), message: `${first.message}${more(problems.length)}` };
}

/** Everything that is to be said of a route. */
export function routeFindings(route: CompiledRoute, context: RouteContext): readonly Finding[] {
  const refused = whollyRefused(route);
  if (refused !== undefined) return [judge(route, refused)];
  const overlaps = overlapsOf(route, context);
  const dead = deadRules(route, overlaps, context);
  const allDead = dead.length > 0 && dead.length === route.rules.length;
  const winner = overlaps[0]?.winner.rule.origin.ref;
  const accepted: readonly Judgement[] =
    allDead && winner !== undefined
      ? [
          {
            condition: 'Accepted',
            status: 'False',
            reason: 'Conflicted',
            message: `All rules duplicate rules of ${describeRef(winner)}`,
          },
        ]
      : route.parents.map((parent) => parentFinding(route, parent, context));
  const judgements = [
    ...accepted,
    ...partFindings(route, allDead ? [] : dead),
    ...conflictFindings(route, context),
    resolvedFinding(route),
    ...subsetFindings(route, context),
    ...weakenedFindings(route, context),
  ];
  return judgements.map((one) => judge(route, one));
}
