// What is said to the owners of objects before anything is delivered: accepted or why not, resolved or what
// is missing, and what is dead. Messages start with the fact and name what is allowed.

import { describeRef, keyOf, refOf, type KubeObject } from '../api/meta.js';
import { reasons, type Reason } from '../api/conditions.js';
import { didYouMean } from '../api/did-you-mean.js';
import type { World } from '../kinds/world.js';
import { unsupportedValues } from '../kinds/unsupported.js';
import { memoised } from '../lib/memo.js';
import type { Problem } from '../lib/result.js';
import type { Finding } from '../model/finding.js';
import type { MeshModel, ServiceModel } from '../model/mesh.js';
import type { PooledService } from './services.js';
import type { CompiledRoute, RouteParent } from './traffic-route.js';

/** What findings are made from. */
export interface FindingInputs {
  readonly world: World;
  readonly routes: readonly CompiledRoute[];
  readonly model: MeshModel;
  readonly pooled: readonly PooledService[];
}

type About = Pick<Finding, 'ref' | 'generation'>;
type Judgement = Omit<Finding, 'ref' | 'generation'>;

const judge = (about: About, judgement: Judgement): Finding => ({ ref: about.ref, generation: about.generation, ...judgement });

const isReason = (reason: string): reason is Reason => Object.hasOwn(reasons, reason);

const refusal = (problem: Problem): Judgement => ({
  condition: 'Accepted',
  status: 'False',
  reason: isReason(problem.reason) ? problem.reason : 'Invalid',
  message: problem.message,
  path: problem.path,
});

/** A list of problems in one message: the first in full, then how many more. */
const more = (count: number): string => (count > 1 ? ` (and ${String(count - 1)} more)` : '');

function parentFinding(route: CompiledRoute, parent: RouteParent, world: World, services: MeshModel['services']): Judgement {
  const model = services.get(keyOf(parent.ref));
  if (model === undefined) return missingParent(parent, world);
  const ports = model.ports.filter(
    (port) => (parent.port === undefined || port.port === parent.port) && (parent.sectionName === undefined || port.name === parent.sectionName),
  );
  if (ports.length === 0) return missingPort(parent, model);
  const role = route.ref.namespace === parent.ref.namespace ? 'producer' : 'consumer';
  return {
    parent: parent.index,
    condition: 'Accepted',
    status: 'True',
    reason: 'Accepted',
    message: `Attached to ${describeRef(parent.ref)} as ${role} route`,
  };
}

function missingParent(parent: RouteParent, world: World): Judgement {
  const names = [...world.services.values()].filter((one) => one.meta.namespace === parent.ref.namespace).map((one) => one.meta.name);
  return {
    parent: parent.index,
    condition: 'Accepted',
    status: 'False',
    reason: 'NoMatchingParent',
    message: `${describeRef(parent.ref)} does not exist${didYouMean(parent.ref.name, names)}`,
    path: `spec.parentRefs[${String(parent.index)}].name`,
  };
}

function missingPort(parent: RouteParent, model: ServiceModel): Judgement {
  const wanted = parent.port === undefined ? `port named '${parent.sectionName ?? ''}'` : `port ${String(parent.port)}`;
  const allowed = model.ports.map((port) => (port.name === '' ? String(port.port) : `${String(port.port)} '${port.name}'`)).join(', ');
  return {
    parent: parent.index,
    condition: 'Accepted',
    status: 'False',
    reason: 'NoMatchingParent',
    message: `${describeRef(parent.ref)} has no ${wanted} (ports: ${allowed})`,
    path: `spec.parentRefs[${String(parent.index)}].${parent.port === undefined ? 'sectionName' : 'port'}`,
  };
}

function routeFindings(route: CompiledRoute, inputs: FindingInputs): readonly Finding[] {
  const [refused] = route.refused;
  if (refused !== undefined) {
    const message = `${refused.message}${more(route.refused.length)}`;
    return [judge(route, { ...refusal(refused), message })];
  }
  const [firstDropped] = route.dropped;
  if (route.rules.length === 0 && firstDropped !== undefined) return [judge(route, refusal(firstDropped.problem))];
  const judgements = route.parents.map((parent) => parentFinding(route, parent, inputs.world, inputs.model.services));
  return [...judgements, ...droppedFindings(route), resolvedFinding(route)].map((one) => judge(route, one));
}

function droppedFindings(route: CompiledRoute): readonly Judgement[] {
  const [first] = route.dropped;
  if (first === undefined) return [];
  const names = route.dropped.map((one) => `'${one.name}'`).join(', ');
  return [
    {
      condition: 'PartiallyInvalid',
      status: 'True',
      reason: isReason(first.problem.reason) ? first.problem.reason : 'Invalid',
      message: `Dropped rule ${names}: ${first.problem.message}`,
      path: first.problem.path,
    },
  ];
}

function resolvedFinding(route: CompiledRoute): Judgement {
  const unresolved = route.rules.flatMap((rule) => rule.unresolved);
  const [first] = unresolved;
  if (first === undefined) {
    return { condition: 'ResolvedRefs', status: 'True', reason: 'ResolvedRefs', message: 'All references resolve' };
  }
  return {
    condition: 'ResolvedRefs',
    status: 'False',
    reason: isReason(first.reason) ? first.reason : 'BackendNotFound',
    message: `${first.message}${more(unresolved.length)}`,
    path: first.path,
  };
}

/** Kinds that are read but not compiled yet: said, and not in force. */
const notCompiled = memoised((object: KubeObject & { readonly spec: unknown }): readonly Finding[] => {
  const about = { ref: refOf(object), generation: object.meta.generation };
  const problems = uncompiledProblems(object);
  const [first] = problems;
  return first === undefined ? [] : [judge(about, { ...refusal(first), message: `${first.message}${more(problems.length)}` })];
});

function uncompiledProblems(object: KubeObject & { readonly spec: unknown }): readonly Problem[] {
  if (object.kind === 'MeshPolicy' || object.kind === 'MeshIdentity') return unsupportedValues(object.kind, object.spec);
  const message = 'GRPCRoute is not compiled yet; use an HTTPRoute that matches the path /package.Service/Method';
  return [{ path: 'spec', reason: 'UnsupportedValue', message }];
}

/** Objects that failed their schema. */
function malformedFindings(world: World): readonly Finding[] {
  return [...world.malformed.values()].flatMap(({ ref, generation, problems, lastGood }) => {
    const [first] = problems;
    if (first === undefined) return [];
    const kept = lastGood ? '; the last good version stays in force' : '';
    return [judge({ ref, generation }, { ...refusal(first), message: `${first.message}${more(problems.length)}${kept}` })];
  });
}

const isOfOurs = (route: { readonly spec: { readonly parentRefs: readonly { readonly ours: boolean }[] } }): boolean =>
  route.spec.parentRefs.some((parent) => parent.ours);

/** Everything that is to be said of every object. */
export function findingsOf(inputs: FindingInputs): readonly Finding[] {
  const { world, routes, pooled } = inputs;
  const foreign: readonly (KubeObject & { readonly spec: unknown })[] = [
    ...world.meshPolicies.values(),
    ...world.meshIdentities.values(),
    ...[...world.grpcRoutes.values()].filter(isOfOurs),
  ];
  return [
    ...routes.filter((route) => route.ref.kind === 'TrafficRoute' || route.parents.length > 0).flatMap((route) => routeFindings(route, inputs)),
    ...pooled.flatMap((one) => one.findings),
    ...foreign.flatMap(notCompiled),
    ...malformedFindings(world),
  ];
}
