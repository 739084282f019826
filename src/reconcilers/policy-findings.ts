// What is said of a policy: whether its targets exist, which of its parts are in force, and to whom it loses.

import { describeRef, idOf, keyOf, type ObjectRef } from '../api/meta.js';
import { didYouMean } from '../api/did-you-mean.js';
import type { World } from '../kinds/world.js';
import type { Finding } from '../model/finding.js';
import type { MeshModel } from '../model/mesh.js';
import { inboundFindings } from './inbound-findings.js';
import { judge, more, reasonOf, refusal, type Judgement } from './judgement.js';
import type { PolicyIndex } from './policies.js';
import { mergePolicies, type Contest } from './policy-merge.js';
import type { CompiledPolicy, PolicyAttachment } from './policy.js';
import { providersNamed, resolveDeclared, resolveProvider } from './providers.js';
import { referentsOf } from './references.js';
import { describeRule } from './rule.js';
import type { CompiledRoute } from './traffic-route.js';

/** What policies are judged by. */
export interface PolicyContext {
  readonly world: World;
  readonly policies: PolicyIndex;
  readonly routes: readonly CompiledRoute[];
  readonly proxies: MeshModel['proxies'];
}

/** The object that an attachment names; undefined where it names none, or one that need not be written down. */
function targetRef({ target }: PolicyAttachment): ObjectRef | undefined {
  if (target.level === 'route') return target.ref;
  if (target.level !== 'service') return undefined;
  const [namespace = '', name = ''] = target.key.split('/');
  return { kind: 'Service', namespace, name };
}

function tableOf(world: World, kind: ObjectRef['kind']): ReadonlyMap<string, unknown> {
  if (kind === 'Service') return world.services;
  if (kind === 'TrafficRoute') return world.trafficRoutes;
  return kind === 'HTTPRoute' ? world.httpRoutes : world.grpcRoutes;
}

function missingTarget(attachment: PolicyAttachment, world: World): readonly Judgement[] {
  const ref = targetRef(attachment);
  if (ref === undefined) return [];
  const table = tableOf(world, ref.kind);
  if (table.has(keyOf(ref))) return [];
  const prefix = `${ref.namespace}/`;
  const near = [...table.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
  const message = `${describeRef(ref)} does not exist${didYouMean(ref.name, near.sort())}`;
  const path = `spec.targetRefs[${String(attachment.index ?? 0)}].name`;
  return [{ condition: 'Accepted', status: 'False', reason: 'TargetNotFound', message, path }];
}

/** Rules that an attachment is about and that cannot be known again where their requests arrive. */
function outOfReach({ target, policy }: PolicyAttachment, { routes }: PolicyContext): readonly Judgement[] {
  if (target.level !== 'route' || policy.blocks.rateLimit === undefined) return [];
  const route = routes.find(({ ref }) => idOf(ref) === idOf(target.ref));
  return (route?.rules ?? [])
    .filter(({ rule }) => target.rule === undefined || rule.name === target.rule)
    .flatMap(({ rule, outOfReach: why }) => {
      if (why === undefined) return [];
      const message = `\`rateLimit\` holds where requests arrive, and cannot for ${describeRule(rule)}: ${why}`;
      return [{ condition: 'Accepted', status: 'False', reason: 'UnsupportedValue', message, path: 'spec.rateLimit' }];
    });
}

/** What reaches each of the subjects that a policy reaches. */
function reachOf(policy: CompiledPolicy, { policies, world }: PolicyContext): readonly (readonly PolicyAttachment[])[] {
  const reaching = policy.attachments.flatMap(({ target }): (readonly PolicyAttachment[])[] => {
    switch (target.level) {
      case 'route':
        return [
          [
            ...policies.onRoute(target.ref, target.rule ?? ''),
            ...policies.reachingService(`${target.ref.namespace}/`, ''),
          ],
        ];
      case 'service':
        return (world.services.get(target.key)?.ports ?? []).map((port) =>
          policies.reachingService(target.key, port.name),
        );
      case 'workload':
        return [...world.pods.values()]
          .filter((pod) => pod.meta.namespace === target.namespace)
          .map((pod) => policies.reachingPod(pod));
      case 'namespace':
        return [policies.reachingService(`${target.namespace}/`, '')];
      case 'mesh':
        return [policies.reachingService('/', '')];
    }
  });
  return [...new Set(reaching)];
}

/** Parts in which a policy lost at its own level. */
function lostBy(policy: CompiledPolicy, context: PolicyContext): readonly Contest[] {
  const lost = reachOf(policy, context).flatMap((list) => mergePolicies(list).contests);
  const own = lost.filter((contest) => contest.loser === policy && contest.sameLevel);
  return [...new Map(own.map((contest) => [contest.path, contest])).values()];
}

/** Providers that a policy declares or names, and that are not to be had. */
function referenceFinding(policy: CompiledPolicy, context: PolicyContext): readonly Judgement[] {
  const { providers = [] } = policy.blocks;
  const named = providersNamed(policy.blocks);
  if (providers.length === 0 && named.length === 0) return [];
  const referents = referentsOf(context.world.services, context.world.referenceGrants);
  const subjects = named.length === 0 ? [] : reachOf(policy, context).map(mergePolicies);
  const results = [
    ...providers.map((spec) => resolveDeclared(spec, policy, referents)),
    ...subjects.flatMap((effective) => named.map((one) => resolveProvider(one, effective, referents))),
  ];
  const problems = new Map(results.flatMap((one) => (one.ok ? [] : [[one.error.path, one.error] as const])));
  const [first] = problems.values();
  if (first === undefined)
    return [{ condition: 'ResolvedRefs', status: 'True', reason: 'ResolvedRefs', message: 'All references resolve' }];
  const reason = reasonOf(first.reason, 'ProviderNotFound');
  const message = `${first.message}${more(problems.size)}; what names it is not in force`;
  return [{ condition: 'ResolvedRefs', status: 'False', reason, message, path: first.path }];
}

function conflictFinding(contests: readonly Contest[]): readonly Judgement[] {
  const [first] = contests;
  if (first === undefined) return [];
  const older = first.winner.created < first.loser.created ? ' (older)' : '';
  const fact = `\`${first.path}\` of this policy loses to ${describeRef(first.winner.ref)}${older}`;
  const message = `${fact}${more(contests.length)}; its other parts are in force`;
  return [{ condition: 'Conflicted', status: 'True', reason: 'OlderWins', message, path: `spec.${first.path}` }];
}

function acceptance(policy: CompiledPolicy, context: PolicyContext): Judgement {
  const [refused] = policy.refused;
  if (refused !== undefined) {
    const rest = Object.keys(policy.blocks).length === 0 ? '' : '; the rest of the policy is in force';
    return { ...refusal(refused), message: `${refused.message}${more(policy.refused.length)}${rest}` };
  }
  const [missing] = policy.attachments.flatMap((attachment) => missingTarget(attachment, context.world));
  if (missing !== undefined) return missing;
  const [beyond, ...others] = policy.attachments.flatMap((attachment) => outOfReach(attachment, context));
  if (beyond !== undefined) return { ...beyond, message: `${beyond.message}${more(others.length + 1)}` };
  return { condition: 'Accepted', status: 'True', reason: 'Accepted', message: 'The policy is in force' };
}

/** Everything that is to be said of a policy. */
export function policyFindings(policy: CompiledPolicy, context: PolicyContext): readonly Finding[] {
  const found = [
    acceptance(policy, context),
    ...referenceFinding(policy, context),
    ...conflictFinding(lostBy(policy, context)),
    ...inboundFindings(policy, context.proxies.values()),
  ];
  return found.map((one) => judge(policy, one));
}
