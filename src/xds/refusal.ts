// What becomes of a client's holdings when it refuses a response: whom it means, what it has instead, and what
// must be sent again.

import { culpritsOf, isRestApplied } from './nack.js';
import type { NameTable } from './name-table.js';
import { withEntries } from './plan.js';
import { heldAfterRefusal, ownAfterRefusal, type Push } from './push.js';
import type { EncodedResource, ResourceType } from './resources.js';
import type { StreamState, Turn, TypeState } from './stream-state.js';
import { isCurrent, resourceIn, type HeldEntry } from './view.js';

/** A response that was refused, with Envoy's text. */
export interface RefusedPush {
  readonly stream: StreamState;
  readonly type: ResourceType;
  readonly before: TypeState;
  readonly push: Push;
  readonly text: string;
}

/** Nothing of a refused response is known to be applied: all of it is sent again, but for the culprits. */
export function onRefusal({ stream, type, before, push, text }: RefusedPush, turn: Turn): TypeState {
  const names = stream.names[type];
  const culprits = culpritsOf(text, push.resources);
  for (const culprit of culprits) turn.effects.push({ kind: 'refused', type, culprit });
  if (culprits.length === 0)
    turn.effects.push({ kind: 'unattributed', type, message: text, suspects: push.resources.length });
  const refused =
    culprits.length === 0
      ? before.refused
      : new Map([...before.refused, ...culprits.map((one) => [one.resource.version, one] as const)]);
  const isRestTaken = culprits.length > 0 && isRestApplied(text);
  return {
    ...before,
    refused,
    priors: priorsAfter({ ...before, refused }, push, { names, isRestTaken }),
    sent: heldAfterRefusal(before.sent, push, names),
    own: ownAfterRefusal(before.own, push),
    blocked: before.blind ? { view: stream.view.types[type], own: stream.own[type] } : undefined,
    bisect:
      culprits.length > 0 || push.resources.length === 0
        ? undefined
        : Math.max(1, Math.floor(push.resources.length / 2)),
  };
}

/** What the client has after it refused: the newest that it did not refuse, too. */
function priorsAfter(
  state: TypeState,
  push: Push,
  { names, isRestTaken }: { readonly names: NameTable; readonly isRestTaken: boolean },
): TypeState['priors'] {
  const priors = new Map(state.priors);
  for (const one of push.resources) {
    const before = resourceIn(push.own?.before.get(one.name)) ?? resourceIn(push.before[names.idOf(one.name)]);
    const prior = isRestTaken && !state.refused.has(one.version) ? one : before;
    if (prior !== undefined && !state.refused.has(prior.version)) priors.set(one.name, prior);
  }
  for (const [name, { version }] of priors) if (state.refused.has(version)) priors.delete(name);
  return priors;
}

/**
 * The unanswered responses as one: a full set repeats what came in those before it, and Envoy, which withholds its
 * answers while clusters warm, answers the newest for all of them.
 */
export function answeredTogether({ inFlight, sent, own }: TypeState, newest: Push, names: NameTable): Push {
  if (inFlight.length === 1) return newest;
  const all = inFlight.map((one) => one.push).reduce((older, newer) => repeating(older, newer, names));
  const isListed = (one: EncodedResource): boolean =>
    isCurrent(sent[names.idOf(one.name)], one) || isCurrent(own.get(one.name), one);
  return { ...all, resources: all.resources.filter((one) => newest.resources.includes(one) || isListed(one)) };
}

/** A response with what it repeats of the one before; each resource with what came before it. */
function repeating(older: Push, newer: Push, names: NameTable): Push {
  const anew = new Set(newer.resources.map((one) => one.name));
  const repeated = older.resources.filter((one) => !anew.has(one.name));
  const entries = repeated.map(({ name }): [number, HeldEntry | undefined] => [
    names.idOf(name),
    older.before[names.idOf(name)],
  ]);
  return {
    ...newer,
    names: [...older.names, ...newer.names],
    resources: [...repeated, ...newer.resources],
    before: withEntries(newer.before, entries),
    own: older.own === undefined ? newer.own : ownRepeating(older.own, newer.own ?? older.own, repeated),
  };
}

type OwnPush = NonNullable<Push['own']>;

function ownRepeating(older: OwnPush, newer: OwnPush, repeated: readonly EncodedResource[]): OwnPush {
  const before = new Map(newer.before);
  for (const { name } of repeated) {
    const entry = older.before.get(name);
    if (entry === undefined) before.delete(name);
    else before.set(name, entry);
  }
  return { before, next: newer.next };
}
