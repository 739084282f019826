// Policies that reach one subject, merged: member by member the nearest wins, lists with keys are joined. There
// is no other rule. Pure; knows what blocks are called, not what they mean.

import { memoised } from '../lib/memo.js';
import { isRecord } from '../lib/record.js';
import type { Origin } from '../model/delivery.js';
import type { CompiledPolicy, PolicyAttachment, PolicyBlocks } from './policy.js';

/** A part of a policy that lost to another one. */
export interface Contest {
  /** `upstream.connection`, or `rateLimit.rules[per-caller]`. */
  readonly path: string;
  readonly winner: PolicyAttachment;
  readonly loser: PolicyAttachment;
  /** At one level it is a conflict, else inheritance. */
  readonly sameLevel: boolean;
}

/** What wins or loses as one. */
export interface Part {
  readonly path: string;
  readonly value: unknown;
  readonly by: PolicyAttachment;
}

/** What some policies say together. */
export interface Merged {
  readonly blocks: PolicyBlocks;
  /** By path, what is said, and whose word it is. */
  readonly parts: ReadonlyMap<string, Part>;
  readonly contests: readonly Contest[];
}

/** What policies say together. */
export interface EffectivePolicy extends Merged {
  /** What is only tried: policies in mode Audit stand beside the others, and take nothing from them. */
  readonly tried: Merged;
}

/** Lists whose entries are joined by a key; lists of texts are joined by value. */
const keyedLists: Readonly<Record<string, string | undefined>> = {
  'mtls.ports': 'port',
  'authorization.rules': 'name',
  'inbound.ports': 'port',
  'rateLimit.rules': 'name',
  'egress.hosts': 'host',
  'scope.dependencies': '',
  extensions: 'name',
  providers: 'name',
};

/** Blocks that are taken whole from one policy. */
const whole: ReadonlySet<string> = new Set(['jwt', 'extAuthz']);

/** The origin of what a policy contributes. */
export const originOf = (policy: CompiledPolicy, part?: string): Origin => ({
  ref: policy.ref,
  generation: policy.generation,
  ...(part === undefined ? {} : { part }),
});

const keyOfItem = (item: unknown, key: string): string => String(isRecord(item) ? item[key] : item);

/** The parts of a policy that win or lose as one, with their paths. */
function partsOf(by: PolicyAttachment): readonly Part[] {
  return Object.entries(by.policy.blocks).flatMap(([block, value]): readonly Part[] => {
    if (isRecord(value) && !whole.has(block))
      return Object.entries(value).flatMap(([member, inner]) =>
        itemsOf({ path: `${block}.${member}`, value: inner, by }),
      );
    return itemsOf({ path: block, value, by });
  });
}

function itemsOf(said: Part): readonly Part[] {
  const key = keyedLists[said.path];
  if (key === undefined || !Array.isArray(said.value)) return [said];
  const items: readonly unknown[] = said.value;
  return items.map((value) => ({ ...said, path: `${said.path}[${keyOfItem(value, key)}]`, value }));
}

/** The parts that won by the place where each stands; a list gets its items in the order in which they come. */
function placed(parts: Iterable<Part>): ReadonlyMap<string, unknown> {
  const values = new Map<string, unknown>();
  const lists = new Map<string, unknown[]>();
  for (const { path, value } of parts) {
    const list = /^([^[]+)\[/.exec(path)?.[1];
    if (list === undefined) {
      values.set(path, value);
      continue;
    }
    const items = lists.get(list) ?? [];
    items.push(value);
    lists.set(list, items);
    values.set(list, items);
  }
  return values;
}

/** Blocks made of the parts that won. */
function assembled(parts: Iterable<Part>): PolicyBlocks {
  const blocks = new Map<string, unknown>();
  for (const [path, value] of placed(parts)) {
    const [block = '', member] = path.split('.');
    const held = blocks.get(block);
    blocks.set(block, member === undefined ? value : { ...(isRecord(held) ? held : {}), [member]: value });
  }
  return Object.fromEntries(blocks);
}

function merged(parts: readonly Part[]): Merged {
  const winners = new Map<string, Part>();
  const contests: Contest[] = [];
  for (const said of parts) {
    const winner = winners.get(said.path);
    if (winner === undefined) winners.set(said.path, said);
    else if (winner.by.policy !== said.by.policy) contests.push(contestOf(winner, said));
  }
  return { blocks: assembled(winners.values()), parts: winners, contests };
}

/** Where something runs is declared, not tried. */
const isTried = (policy: CompiledPolicy, path: string): boolean =>
  policy.mode === 'Audit' && !path.startsWith('providers[');

const nothing = merged([]);

/** Merges attachments that stand in order, nearest first, and at one level the older first. */
export const mergePolicies = memoised((reaching: readonly PolicyAttachment[]): EffectivePolicy => {
  const parts = reaching.flatMap(partsOf);
  if (reaching.every(({ policy }) => policy.mode !== 'Audit')) return { ...merged(parts), tried: nothing };
  return {
    ...merged(parts.filter(({ by, path }) => !isTried(by.policy, path))),
    tried: merged(parts.filter(({ by, path }) => isTried(by.policy, path))),
  };
});

/** The merge that a part of a policy takes part in. */
export const mergeWith = (policy: CompiledPolicy, path: string, effective: EffectivePolicy): Merged =>
  isTried(policy, path) ? effective.tried : effective;

const rankOf = ({ target }: PolicyAttachment): string => {
  const isPart =
    (target.level === 'service' && target.portName !== undefined) ||
    (target.level === 'route' && target.rule !== undefined);
  return `${target.level}${isPart ? ' part' : ''}`;
};

const contestOf = (winner: Part, loser: Part): Contest => ({
  path: loser.path,
  winner: winner.by,
  loser: loser.by,
  sameLevel: rankOf(winner.by) === rankOf(loser.by),
});
