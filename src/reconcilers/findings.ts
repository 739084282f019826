// What is said to the owners of objects before anything is delivered: accepted or why not, resolved or what
// is missing, and what is dead.

import { idOf, refOf } from '../api/meta.js';
import type { MeshIdentity } from '../kinds/mesh-identity.js';
import { unsupportedValues } from '../kinds/unsupported.js';
import type { World } from '../kinds/world.js';
import { memoised } from '../lib/memo.js';
import type { Finding } from '../model/finding.js';
import { judge, more, refusal } from './judgement.js';
import type { RouteContext } from './parent-findings.js';
import { policyFindings, type PolicyFindingContext } from './policy-findings.js';
import { routeFindings } from './route-findings.js';
import type { CompiledRoute } from './traffic-route.js';

/** Kinds that are read but not compiled yet: said, and not in force. */
const notCompiled = memoised((object: MeshIdentity): readonly Finding[] => {
  const about = { ref: refOf(object), generation: object.meta.generation };
  const problems = unsupportedValues(object.kind, object.spec);
  const [first] = problems;
  if (first === undefined) return [];
  return [judge(about, { ...refusal(first), message: `${first.message}${more(problems.length)}` })];
});

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

const concernsUs = (route: CompiledRoute): boolean => route.ref.kind === 'TrafficRoute' || route.parents.length > 0;

/** Everything that is to be said of every object: of a malformed one, that it is. */
export function findingsOf(context: RouteContext & PolicyFindingContext): readonly Finding[] {
  const { world, routes } = context;
  const others = [...world.meshIdentities.values()];
  const findings = [
    ...routes.filter(concernsUs).flatMap((route) => routeFindings(route, context)),
    ...context.policies.policies.flatMap((policy) => policyFindings(policy, context)),
    ...others.flatMap(notCompiled),
  ];
  return [...findings.filter(({ ref }) => !world.malformed.has(idOf(ref))), ...malformedFindings(world)];
}
