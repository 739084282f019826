// What became of each part of a policy where it meets others: in force, or lost, and to whom. Reads the merge that is
// compiled, and nothing else.

import { keyOf } from '../api/meta.js';
import { memoised } from '../lib/memo.js';
import { holdsFor, type Meeting } from './policy-reach.js';
import { mergePolicies, mergeWith, type Contest } from './policy-merge.js';
import type { CompiledPolicy } from './policy.js';
import { compareText } from './precedence.js';

/** A part of a policy, and how it fared. */
export interface PartOutcome {
  /** `upstream.connection`, or `rateLimit.rules[per-caller]`. */
  readonly path: string;
  /** In mode Audit it refuses nothing. */
  readonly tried: boolean;
  /** Meetings in which the part could hold, and in which it does. */
  readonly asked: number;
  readonly won: number;
  /** One for each winner, by name. */
  readonly lost: readonly Contest[];
}

/** Paths of the parts of a policy: alone it wins all of them. */
function partsOf({ attachments }: CompiledPolicy): readonly string[] {
  const { parts, tried } = mergePolicies(attachments.slice(0, 1));
  return [...parts.keys(), ...tried.parts.keys()];
}

const winnerOf = ({ winner, sameLevel }: Contest): string => `${keyOf(winner.policy.ref)} ${String(sameLevel)}`;

function outcomeOf(policy: CompiledPolicy, path: string, meetings: readonly Meeting[]): PartOutcome {
  const merges = meetings
    .filter(({ use }) => holdsFor(use, path))
    .map(({ reaching }) => mergeWith(policy, path, mergePolicies(reaching)));
  const contests = merges
    .flatMap((merge) => merge.contests)
    .filter((one) => one.path === path && one.loser.policy === policy);
  const byWinner = new Map(contests.map((one) => [winnerOf(one), one]));
  return {
    path,
    tried: policy.mode === 'Audit',
    asked: merges.length,
    won: merges.filter(({ parts }) => parts.get(path)?.by.policy === policy).length,
    lost: [...byWinner].sort(([left], [right]) => compareText(left, right)).map(([, one]) => one),
  };
}

/** Every part of a policy, in the order of its blocks. */
export const outcomesOf = memoised((policy: CompiledPolicy, meetings: readonly Meeting[]): readonly PartOutcome[] =>
  partsOf(policy).map((path) => outcomeOf(policy, path, meetings)),
);

/** Whether something could hold and nothing does. */
export const isOverridden = (outcomes: readonly PartOutcome[]): boolean =>
  outcomes.some(({ asked }) => asked > 0) && outcomes.every(({ won }) => won === 0);

/** What one part says of itself. */
function fateOf({ tried, asked, won, lost }: PartOutcome): string {
  if (asked === 0) return 'reaches nothing yet';
  const winners = [...new Set(lost.map(({ winner }) => keyOf(winner.policy.ref)))];
  const others = winners.length > 1 ? ` and ${String(winners.length - 1)} more` : '';
  const overridden = `overridden by ${winners[0] ?? ''}${others}`;
  const inForce = tried ? 'tried, refuses nothing' : 'in force';
  if (won === asked || winners.length === 0) return inForce;
  return won === 0 ? overridden : `${inForce}, in places ${overridden}`;
}

/** `rateLimit` of `rateLimit.rules[per-caller]`. */
export const blockOf = (path: string): string => /^\w*/.exec(path)?.[0] ?? path;

/** A line for each part, or one for a block whose parts all fared alike. */
function fates(outcomes: readonly PartOutcome[]): readonly string[] {
  return [...Map.groupBy(outcomes, ({ path }) => blockOf(path))].flatMap(([block, parts]) => {
    const [first, ...others] = new Set(parts.map(fateOf));
    return others.length === 0 ? [`${block}: ${first ?? ''}`] : parts.map((one) => `${one.path}: ${fateOf(one)}`);
  });
}

/** `upstream.locality` of `spec.upstream.locality.mode`. */
const memberOf = (path: string): string =>
  path
    .replaceAll(/\[\d+\]/g, '')
    .split('.')
    .slice(1, 3)
    .join('.');

function refusals({ refused }: CompiledPolicy): readonly string[] {
  const reasons = refused.map(
    ({ path, reason }) => `${memberOf(path)}: ${reason === 'UnsupportedValue' ? 'not compiled' : 'refused'}`,
  );
  return [...new Set(reasons)];
}

const mostLines = 32;

/** The lines of `status.blocks`. */
export function blockLines(policy: CompiledPolicy, meetings: readonly Meeting[]): readonly string[] {
  const lines = [...fates(outcomesOf(policy, meetings)), ...refusals(policy)];
  if (lines.length <= mostLines) return lines;
  return [...lines.slice(0, mostLines - 1), `and ${String(lines.length - mostLines + 1)} more`];
}
