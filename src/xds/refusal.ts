// What becomes of a client's holdings when it refuses a response: whom it means, what it has instead, and what
// must be sent again.

import { culpritsOf, isRestApplied } from './nack.js';
import type { NameTable } from './name-table.js';
import { heldAfterRefusal, ownAfterRefusal, type Push } from './push.js';
import type { EncodedResource, ResourceType } from './resources.js';
import type { StreamState, Turn, TypeState } from './stream-state.js';
import { isCurrent, resourceIn } from './view.js';

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
  const pushes = inFlight.map((one) => one.push);
  const [oldest] = pushes;
  if (oldest === undefined || pushes.length === 1) return newest;
  const byName = new Map(pushes.flatMap((push) => push.resources).map((one) => [one.name, one]));
  const isListed = (one: EncodedResource): boolean =>
    isCurrent(sent[names.idOf(one.name)], one) || isCurrent(own.get(one.name), one);
  return {
    ...newest,
    names: pushes.flatMap((push) => push.names),
    resources: [...byName.values()].filter((one) => newest.resources.includes(one) || isListed(one)),
    before: oldest.before,
    own: pushes.find((push) => push.own !== undefined)?.own,
  };
}
