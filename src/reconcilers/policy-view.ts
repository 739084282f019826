// The merged policy as people read it: each line with the one whose word it is, and what lost, to whom and why. Reads
// the merge that is compiled.

import { keyOf, type ObjectRef } from '../api/meta.js';
import { builtInInbound, builtInUpstream } from '../features/built-in.js';
import type { RouteRule } from '../kinds/route-rule.js';
import { isRecord } from '../lib/record.js';
import { mergePolicies, type Contest, type EffectivePolicy } from './policy-merge.js';
import type { PolicyContext } from './policy-reach.js';
import { placesOf, type PolicyPlace, type PolicySubject } from './policy-subjects.js';
import type { PolicyAttachment } from './policy.js';
import { sourceOf } from './route-source.js';
import { nameOf } from './rule.js';

/** A policy where it is attached. */
export interface Speaker {
  /** `shop/reviews-limits`. */
  readonly policy: string;
  /** `Service`, `Namespace`, … */
  readonly level: string;
  /** In mode Audit: counted, and nothing is refused. */
  readonly audit?: true;
}

/** Whose word a line is. */
export type LineOrigin = Speaker | { readonly rule: string } | { readonly builtIn: true };

/** One value that holds. */
export interface PolicyLine {
  /** `upstream.connection.connectTimeout`. */
  readonly path: string;
  readonly value: unknown;
  readonly origin: LineOrigin;
}

/** A part of a policy that lost. */
export interface LostPart {
  readonly path: string;
  readonly by: Speaker;
  readonly to: Speaker | { readonly rule: string };
  readonly why: 'nearer level' | 'same level, older' | 'same level, first by name' | 'written in the rule';
}

/** The merged policy of one place. */
export interface PolicyView {
  readonly about: string;
  readonly lines: readonly PolicyLine[];
  readonly lost: readonly LostPart[];
}

function levelOf({ target }: PolicyAttachment): string {
  switch (target.level) {
    case 'route':
      return target.rule === undefined ? target.ref.kind : `${target.ref.kind} rule ${target.rule}`;
    case 'service':
      return target.portName === undefined ? 'Service' : `Service port ${target.portName}`;
    case 'workload':
      return target.serviceAccount === undefined ? 'Workload' : `ServiceAccount ${target.serviceAccount}`;
    case 'namespace':
      return 'Namespace';
    case 'mesh':
      return 'Mesh';
  }
}

const speaker = (by: PolicyAttachment): Speaker => ({
  policy: keyOf(by.policy.ref),
  level: levelOf(by),
  ...(by.policy.mode === 'Audit' ? { audit: true } : {}),
});

/** A line for each value inside of a part; lists are values. */
function linesOf(path: string, value: unknown, origin: LineOrigin): readonly PolicyLine[] {
  if (!isRecord(value) || Object.keys(value).length === 0) return [{ path, value, origin }];
  return Object.entries(value).flatMap(([name, inner]) => linesOf(`${path}.${name}`, inner, origin));
}

const builtInParts: readonly (readonly [string, unknown])[] = [
  ...Object.entries(builtInUpstream).map(([name, value]) => [`upstream.${name}`, value] as const),
  ...Object.entries(builtInInbound).map(([name, value]) => [`inbound.${name}`, value] as const),
];

type Parts = EffectivePolicy['parts'];

/** A fixed number of retries stands in place of the budget. */
function isReplaced(path: string, parts: Parts): boolean {
  const breaker = parts.get('upstream.circuitBreaker')?.value;
  return path === 'upstream.retryBudget' && isRecord(breaker) && breaker['maxRetries'] !== undefined;
}

function linesAt({ counts }: PolicyPlace, { parts, tried }: EffectivePolicy): readonly PolicyLine[] {
  const said = [...parts.values(), ...tried.parts.values()].filter(({ path, by }) => counts(path, by));
  const unsaid = builtInParts.filter(
    ([path]) => counts(path, undefined) && !parts.has(path) && !isReplaced(path, parts),
  );
  return [
    ...said.flatMap(({ path, value, by }) => linesOf(path, value, speaker(by))),
    ...unsaid.flatMap(([path, value]) => linesOf(path, value, { builtIn: true })),
  ].sort((left, right) => (left.path < right.path ? -1 : 1));
}

function whyLost({ winner, loser, sameLevel }: Contest): LostPart['why'] {
  if (!sameLevel) return 'nearer level';
  return winner.policy.created < loser.policy.created ? 'same level, older' : 'same level, first by name';
}

const lostAt = ({ counts }: PolicyPlace, contests: readonly Contest[]): readonly LostPart[] =>
  contests
    .filter(({ path, winner, loser }) => counts(path, winner) || counts(path, loser))
    .map((one) => ({ path: one.path, by: speaker(one.loser), to: speaker(one.winner), why: whyLost(one) }));

/** What a rule writes that policies have defaults for, by the path of the default. */
function writtenIn({ ref, name }: NonNullable<PolicyPlace['rule']>, { world }: PolicyContext) {
  const route = routeOf(ref, world);
  const rules = route === undefined ? [] : sourceOf(route).rules;
  const found = rules.find(({ rule, index }) => nameOf(rule, index) === name)?.rule;
  const { timeouts, retry }: Pick<RouteRule, 'timeouts' | 'retry'> = found ?? {};
  const values: Readonly<Record<string, unknown>> = {
    'upstream.timeouts.request': timeouts?.request,
    'upstream.timeouts.idle': timeouts?.idle,
    'upstream.retry.attempts': retry?.attempts,
    'upstream.retry.retryOn': retry?.retryOn,
  };
  return new Map(Object.entries(values).filter(([, value]) => value !== undefined));
}

function routeOf({ kind, ...name }: ObjectRef, world: PolicyContext['world']) {
  const key = keyOf(name);
  if (kind === 'TrafficRoute') return world.trafficRoutes.get(key);
  return kind === 'HTTPRoute' ? world.httpRoutes.get(key) : world.grpcRoutes.get(key);
}

/** What a rule says itself comes before all policies, value by value. */
function withRule(view: PolicyView, { rule }: PolicyPlace, context: PolicyContext): PolicyView {
  if (rule === undefined) return view;
  const written = writtenIn(rule, context);
  const to = { rule: `${rule.ref.kind} ${keyOf(rule.ref)} rule ${rule.name}` };
  const others = view.lines.filter(({ path }) => !written.has(path));
  const replaced = view.lines.flatMap(({ path, origin }): LostPart[] =>
    written.has(path) && 'policy' in origin ? [{ path, by: origin, to, why: 'written in the rule' }] : [],
  );
  const own = [...written].map(([path, value]) => ({ path, value, origin: to }));
  const lines = [...others, ...own].sort((left, right) => (left.path < right.path ? -1 : 1));
  return { ...view, lines, lost: [...view.lost, ...replaced] };
}

/** The merged policy of a subject, place by place; none: there is no such thing. */
export const effectivePolicy = (subject: PolicySubject, context: PolicyContext): readonly PolicyView[] =>
  placesOf(subject, context).map((place) => {
    const effective = mergePolicies(place.reaching);
    const contests = [...effective.contests, ...effective.tried.contests];
    const view = { about: place.about, lines: linesAt(place, effective), lost: lostAt(place, contests) };
    return withRule(view, place, context);
  });
