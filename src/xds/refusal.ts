// What becomes of a client's holdings when it refuses a response: whom it means, what it has instead, and what
// must be sent again.

import { culpritsOf, isRestApplied } from './nack.js';
import type { NameTable } from './name-table.js';
import { heldAfterRefusal, ownAfterRefusal, type Push } from './push.js';
import type { EncodedResource, ResourceType } from './resources.js';
import { changedType, type StreamState, type Turn, type TypeState } from './stream-state.js';
import { isCurrent, resourceIn } from './view.js';

/** A refusal, with Envoy's text. */
export interface Refusal {
  readonly stream: StreamState;
  readonly type: ResourceType;
  readonly before: TypeState;
  /** The response that it answers. */
  readonly newest: Push;
  /** Those before it that it answers, too, oldest first. */
  readonly earlier: readonly Push[];
  readonly text: string;
}

/** Nothing of a refused response is known to be applied: all of it is sent again, but for the culprits. */
export function onRefusal(refusal: Refusal, turn: Turn): TypeState {
  const { stream, type, before, text } = refusal;
  const names = stream.names[type];
  const push = joined(refusal, names);
  const isNamed = isRestApplied(text);
  const culprits = culpritsOf(text, isNamed ? listedBy(push, before) : push.resources);
  for (const culprit of culprits) turn.effects.push({ kind: 'refused', type, culprit });
  if (culprits.length === 0)
    turn.effects.push({ kind: 'unattributed', type, message: text, suspects: push.resources.length });
  const refused =
    culprits.length === 0
      ? before.refused
      : new Map([...before.refused, ...culprits.map((one) => [one.resource.version, one] as const)]);
  const taken = culprits.length > 0 && isNamed ? broughtBy(refusal) : [];
  return changedType(before, {
    refused,
    priors: priorsAfter({ ...before, refused }, [...formerOf(push, names), ...taken]),
    sent: heldAfterRefusal(before.sent, push, names),
    own: ownAfterRefusal(before.own, push),
    blocked: before.blind ? { view: stream.view.types[type], own: stream.own[type] } : undefined,
    bisect:
      culprits.length > 0 || push.resources.length === 0
        ? undefined
        : Math.max(1, Math.floor(push.resources.length / 2)),
  });
}

/** What a response holds, as far as the client has not said that it took it. */
const listedBy = ({ resources }: Push, { priors }: TypeState): readonly EncodedResource[] => {
  if (priors.size === 0) return resources;
  const names = new Set(resources.map((one) => one.name));
  return [...resources, ...[...priors.values()].filter((one) => !names.has(one.name))];
};

const broughtBy = ({ earlier, newest }: Refusal): readonly EncodedResource[] =>
  [...earlier, newest].flatMap((push) => push.resources);

/** The responses as one: what they brought and still stands, in its newest version, and what was there before all. */
function joined(refusal: Refusal, names: NameTable): Push {
  const { newest, earlier, before } = refusal;
  const [oldest] = earlier;
  if (oldest === undefined) return newest;
  const isListed = (one: EncodedResource): boolean =>
    isCurrent(before.sent[names.idOf(one.name)], one) || isCurrent(before.own.get(one.name), one);
  const latest = new Map(broughtBy(refusal).map((one) => [one.name, one]));
  return {
    ...newest,
    resources: [...latest.values()].filter((one) => newest.resources.includes(one) || isListed(one)),
    before: oldest.before,
    own: [...earlier, newest].find((push) => push.own !== undefined)?.own,
  };
}

/** What the client had of the resources in a response. */
const formerOf = (push: Push, names: NameTable): readonly EncodedResource[] =>
  push.resources.flatMap(
    ({ name }) => resourceIn(push.own?.before.get(name)) ?? resourceIn(push.before[names.idOf(name)]) ?? [],
  );

/** What the client has after it refused: the newest of each name that it did not refuse, too. */
function priorsAfter({ priors, refused }: TypeState, had: readonly EncodedResource[]): TypeState['priors'] {
  const isGood = ({ version }: EncodedResource): boolean => !refused.has(version);
  return new Map([...priors.values(), ...had].filter(isGood).map((one) => [one.name, one]));
}
