// What is said of a policy: whether its targets exist, whether it is in force, and to whom it loses.

import { describeRef } from '../api/meta.js';
import type { Finding } from '../model/finding.js';
import type { Capture, MeshModel } from '../model/mesh.js';
import { keptJudgement, missingRoots, redirectJudgement } from './egress-findings.js';
import { askedInVain, inboundFindings } from './inbound-findings.js';
import { auditFindings } from './audit-findings.js';
import { judge, more, reasonOf, refusal, type Judgement } from './judgement.js';
import { localityFindings, type LocalityContext } from './locality-findings.js';
import { mergePolicies, type EffectivePolicy } from './policy-merge.js';
import { isOverridden, outcomesOf, type PartOutcome } from './policy-outcome.js';
import { meetingsOf, type PolicyContext } from './policy-reach.js';
import { placesOf } from './policy-subjects.js';
import { emptySelections, missingTargets, rulesOutOfReach } from './policy-targets.js';
import type { CompiledPolicy } from './policy.js';
import { providersNamed, resolveDeclared, resolveProvider } from './providers.js';
import { referentsOf } from './references.js';

/** What policies are judged by. */
export interface PolicyFindingContext extends PolicyContext, LocalityContext {
  readonly proxies: MeshModel['proxies'];
}

/** What is in force where a policy holds: with a rule also what reaches its Services, which may declare what it names. */
function mergesWith(policy: CompiledPolicy, context: PolicyContext): readonly EffectivePolicy[] {
  const elsewhere = meetingsOf(policy, context).filter(({ use }) => use !== 'rule');
  const ofRules = policy.attachments.flatMap(({ target }) =>
    target.level === 'route' ? placesOf({ kind: 'route', ref: target.ref, rule: target.rule }, context) : [],
  );
  return [...elsewhere, ...ofRules].map(({ reaching }) => mergePolicies(reaching));
}

/** Providers that a policy declares or names, and that are not to be had. */
function referenceFinding(policy: CompiledPolicy, context: PolicyContext): readonly Judgement[] {
  const { providers = [] } = policy.blocks;
  const named = providersNamed(policy.blocks);
  const roots = missingRoots(policy, context);
  if (providers.length === 0 && named.length === 0 && roots === undefined) return [];
  const { services, referenceGrants } = context.world;
  const referents = referentsOf(services, referenceGrants, context.policies);
  const subjects = named.length === 0 ? [] : mergesWith(policy, context);
  const results = [
    ...providers.map((spec) => resolveDeclared(spec, policy, referents)),
    ...subjects.flatMap((effective) => named.map((one) => resolveProvider(one, effective, referents))),
  ];
  const isProcessor = named.some(({ types }) => types.includes('ExtProc'));
  const loss = isProcessor ? 'requests fare as `onError` says' : 'what names it is not in force';
  const unresolved = results.flatMap((one) => (one.ok ? [] : [{ ...one.error, loss }]));
  const problems = new Map([...unresolved, ...(roots ?? [])].map((one) => [one.path, one]));
  const [first] = problems.values();
  if (first === undefined)
    return [{ condition: 'ResolvedRefs', status: 'True', reason: 'ResolvedRefs', message: 'All references resolve' }];
  const reason = reasonOf(first.reason, 'ProviderNotFound');
  const message = `${first.message}${more(problems.size)}; ${first.loss}`;
  return [{ condition: 'ResolvedRefs', status: 'False', reason, message, path: first.path }];
}

/** Of what was lost to policies of the same level, which an author would hardly expect. */
function conflictFindings(outcomes: readonly PartOutcome[]): readonly Judgement[] {
  const contests = outcomes.flatMap(({ lost }) => lost.filter(({ sameLevel }) => sameLevel).slice(0, 1));
  const [first] = contests;
  if (first === undefined) return [];
  const winner = first.winner.policy;
  const older = winner.created < first.loser.policy.created ? ' (older)' : '';
  const fact = `\`${first.path}\` of this policy loses to ${describeRef(winner.ref)}${older}`;
  const rest = isOverridden(outcomes) ? '' : '; its other parts are in force';
  const message = `${fact}${more(contests.length)}${rest}`;
  return [{ condition: 'Conflicted', status: 'True', reason: 'OlderWins', message, path: `spec.${first.path}` }];
}

function overriddenFindings(outcomes: readonly PartOutcome[]): readonly Judgement[] {
  if (!isOverridden(outcomes)) return [];
  const names = outcomes.flatMap(({ lost }) => lost.map(({ winner }) => describeRef(winner.policy.ref)));
  const winners = [...new Set(names)].sort();
  const message = `Every block is overridden by ${winners[0] ?? ''}${more(winners.length)}`;
  return [{ condition: 'Programmed', status: 'False', reason: 'Overridden', message }];
}

/** Accepted at one target is accepted; those that are missing are told on their own. */
function acceptance(
  policy: CompiledPolicy,
  outcomes: readonly PartOutcome[],
  context: PolicyContext,
): readonly Judgement[] {
  const [refused] = policy.refused;
  if (refused !== undefined) {
    const rest = outcomes.length === 0 ? '' : '; the rest of the policy is in force';
    return [{ ...refusal(refused), message: `${refused.message}${more(policy.refused.length)}${rest}` }];
  }
  const missing = missingTargets(policy, context);
  const [first, ...others] = missing;
  const count = policy.attachments.length;
  if (first !== undefined && missing.length === count) {
    const { parent: _parent, ...whole } = first;
    return [whole, ...others];
  }
  const kept = keptJudgement(policy, context);
  if (kept !== undefined) return [kept, ...missing];
  const beyond = rulesOutOfReach(policy, context);
  if (beyond !== undefined) return [beyond, ...missing];
  const places = first === undefined ? '' : ` at ${String(count - missing.length)} of ${String(count)} targets`;
  const message = `The policy is ${policy.mode === 'Audit' ? 'tried' : 'in force'}${places}`;
  return [{ condition: 'Accepted', status: 'True', reason: 'Accepted', message }, ...missing];
}

/** Everything that is to be said of a policy. */
export function policyFindings(
  policy: CompiledPolicy,
  context: PolicyFindingContext & { capture: Capture },
): readonly Finding[] {
  const outcomes = outcomesOf(policy, meetingsOf(policy, context));
  const judgements = [
    ...acceptance(policy, outcomes, context),
    ...referenceFinding(policy, context),
    ...overriddenFindings(outcomes),
    ...conflictFindings(outcomes),
    ...emptySelections(policy, context),
    ...localityFindings(policy, context),
    ...redirectJudgement(policy, context.capture),
    ...auditFindings(policy),
    ...askedInVain(policy, context),
    ...inboundFindings(policy, context.proxies.values()),
  ];
  return judgements.map((one) => judge(policy, one));
}
