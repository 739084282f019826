// What is said to the owners of objects before anything is delivered: accepted or why not, resolved or what
// is missing, and what is dead.

import { idOf, refOf, type KubeObject } from '../api/meta.js';
import { unsupportedValues } from '../kinds/unsupported.js';
import type { World } from '../kinds/world.js';
import { memoised } from '../lib/memo.js';
import type { Problem } from '../lib/result.js';
import type { Finding } from '../model/finding.js';
import { judge, more, refusal } from './judgement.js';
import { policyFindings, type PolicyContext } from './policy-findings.js';
import { routeFindings, type RouteContext } from './route-findings.js';
import type { CompiledRoute } from './traffic-route.js';

type Specified = KubeObject & { readonly spec: unknown };

/** Kinds that are read but not compiled yet: said, and not in force. */
const notCompiled = memoised((object: Specified): readonly Finding[] => {
  const about = { ref: refOf(object), generation: object.meta.generation };
  const problems = uncompiledProblems(object);
  const [first] = problems;
  if (first === undefined) return [];
  return [judge(about, { ...refusal(first), message: `${first.message}${more(problems.length)}` })];
});

function uncompiledProblems(object: Specified): readonly Problem[] {
  if (object.kind === 'MeshIdentity') return unsupportedValues(object.kind, object.spec);
  const message = 'GRPCRoute is not compiled yet; use an HTTPRoute that matches the path /package.Service/Method';
  return [{ path: 'spec', reason: 'UnsupportedValue', message }];
}

/** Objects that failed their schema. */
function malformedFindings(world: World): readonly Finding[] {
  return [...world.malformed.values()].flatMap(({ ref, generation, problems, lastGood }) => {
    const [first] = problems;
    if (first === undefined) return [];
    const kept = lastGood ? '; the last good version stays in force' : '';
    const refused = refusal(first);
    return [judge({ ref, generation }, { ...refused, message: `${refused.message}${more(problems.length)}${kept}` })];
  });
}

const isOfOurs = (route: { readonly spec: { readonly parentRefs: readonly { readonly ours: boolean }[] } }): boolean =>
  route.spec.parentRefs.some((parent) => parent.ours);

const concernsUs = (route: CompiledRoute): boolean => route.ref.kind === 'TrafficRoute' || route.parents.length > 0;

/** Everything that is to be said of every object: of a malformed one, that it is. */
export function findingsOf(
  routes: readonly CompiledRoute[],
  context: RouteContext & PolicyContext,
): readonly Finding[] {
  const { world } = context;
  const others: readonly Specified[] = [
    ...world.meshIdentities.values(),
    ...[...world.grpcRoutes.values()].filter(isOfOurs),
  ];
  const findings = [
    ...routes.filter(concernsUs).flatMap((route) => routeFindings(route, context)),
    ...context.policies.policies.flatMap((policy) => policyFindings(policy, context)),
    ...others.flatMap(notCompiled),
  ];
  return [...findings.filter(({ ref }) => !world.malformed.has(idOf(ref))), ...malformedFindings(world)];
}
