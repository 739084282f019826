// Whether what a policy names is there: the object, the port or rule in it, the pods that it selects. Knows nothing of
// what a policy says.

import { didYouMean } from '../api/did-you-mean.js';
import { describeRef, idOf, keyOf, type ObjectRef } from '../api/meta.js';
import type { World } from '../kinds/world.js';
import { more, type Judgement } from './judgement.js';
import { selects } from './policies.js';
import type { PolicyContext } from './policy-reach.js';
import type { CompiledPolicy, PolicyAttachment, PolicyTarget } from './policy.js';
import { describeRule, type CompiledRule } from './rule.js';

type TargetContext = Pick<PolicyContext, 'world' | 'routes'>;

/** The object that must be there for an attachment; undefined where none must. */
function requiredRef(target: PolicyTarget): ObjectRef | undefined {
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

const pathOf = ({ index = 0 }: PolicyAttachment, member: string): string =>
  `spec.targetRefs[${String(index)}].${member}`;

const notFound = (message: string, path: string): Judgement => ({
  condition: 'Accepted',
  status: 'False',
  reason: 'TargetNotFound',
  message,
  path,
});

/** Names of all rules, also of those that are not in force. */
function ruleNames(route: ObjectRef, { routes }: TargetContext): readonly string[] {
  const compiled = routes.find(({ ref }) => idOf(ref) === idOf(route));
  if (compiled === undefined) return [];
  return [...compiled.rules.map(({ rule }) => rule.name), ...compiled.dropped.map(({ name }) => name)];
}

/** What an attachment names inside of its target, and what there is to be named. */
function section(target: PolicyTarget, context: TargetContext) {
  if (target.level === 'service' && target.portName !== undefined) {
    const names = (context.world.services.get(target.key)?.ports ?? []).map(({ name }) => name);
    return { what: 'port named', wanted: target.portName, names };
  }
  if (target.level === 'route' && target.rule !== undefined)
    return { what: 'rule', wanted: target.rule, names: ruleNames(target.ref, context) };
  return undefined;
}

/** Why an attachment leads nowhere; undefined where it leads somewhere. */
function missingTarget(attachment: PolicyAttachment, context: TargetContext): Judgement | undefined {
  const ref = requiredRef(attachment.target);
  if (ref === undefined) return undefined;
  const table = tableOf(context.world, ref.kind);
  if (!table.has(keyOf(ref))) {
    const prefix = `${ref.namespace}/`;
    const near = [...table.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
    const message = `${describeRef(ref)} does not exist${didYouMean(ref.name, near.sort())}`;
    return notFound(message, pathOf(attachment, 'name'));
  }
  const part = section(attachment.target, context);
  if (part === undefined || part.names.includes(part.wanted)) return undefined;
  const guess = didYouMean(part.wanted, part.names);
  return notFound(
    `${describeRef(ref)} has no ${part.what} '${part.wanted}'${guess}`,
    pathOf(attachment, 'sectionName'),
  );
}

/** Targets that are not there, at their index. */
export const missingTargets = (policy: CompiledPolicy, context: TargetContext): readonly Judgement[] =>
  policy.attachments.flatMap((attachment) => {
    const missing = missingTarget(attachment, context);
    if (missing === undefined) return [];
    return [attachment.index === undefined ? missing : { ...missing, parent: attachment.index }];
  });

function targetedRules({ target }: PolicyAttachment, { routes }: TargetContext): readonly CompiledRule[] {
  if (target.level !== 'route') return [];
  const route = routes.find(({ ref }) => idOf(ref) === idOf(target.ref));
  return (route?.rules ?? []).filter(({ rule }) => target.rule === undefined || rule.name === target.rule);
}

/** Rules that a policy is about and that cannot be known again where their requests arrive. */
export function rulesOutOfReach(policy: CompiledPolicy, context: TargetContext): Judgement | undefined {
  if (policy.blocks.rateLimit === undefined) return undefined;
  const rules = policy.attachments.flatMap((attachment) => targetedRules(attachment, context));
  const beyond = rules.filter(({ outOfReach }) => outOfReach !== undefined);
  const [first] = beyond;
  if (first === undefined) return undefined;
  const why = `${first.outOfReach ?? ''}${more(beyond.length)}`;
  const rest = beyond.length === rules.length ? '' : '; other rules are limited';
  const message = `\`rateLimit\` holds where requests arrive, and cannot for ${describeRule(first.rule)}: ${why}${rest}`;
  return { condition: 'Accepted', status: 'False', reason: 'UnsupportedValue', message, path: 'spec.rateLimit' };
}

const selectorText = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',');

function selectsNothing(attachment: PolicyAttachment, world: World): readonly string[] {
  const { target } = attachment;
  if (target.level !== 'workload') return [];
  const { namespace, labels, serviceAccount } = target;
  const isReached = [...world.pods.values()].some(
    (pod) => pod.meta.namespace === namespace && selects(attachment, pod),
  );
  if (isReached) return [];
  return serviceAccount === undefined
    ? [`\`workloadSelector\` '${selectorText(labels)}' selects 0 pods of namespace '${namespace}'`]
    : [`0 pods of namespace '${namespace}' run as ServiceAccount '${serviceAccount}'`];
}

/** A policy that waits for pods is in force, and most often a mistake. */
export function emptySelections(policy: CompiledPolicy, { world }: Pick<TargetContext, 'world'>): readonly Judgement[] {
  const [message] = policy.attachments.flatMap((attachment) => selectsNothing(attachment, world));
  return message === undefined ? [] : [{ condition: 'Degraded', status: 'True', reason: 'TargetNotFound', message }];
}
