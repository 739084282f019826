// What a client asks for on a stream that it has asked on before, and what it is taken to hold from then on.

import type { NameTable } from './name-table.js';
import { isOwnName } from './names.js';
import { withEntries, withoutUnwanted } from './plan.js';
import type { ResourceType } from './resources.js';
import { changedType, type StreamState, type TypeState } from './stream-state.js';
import { idsOf, readSubscription, type Asked } from './subscription.js';
import { hasVersion, wants, type HeldEntry, type OwnHeld, type Subscription } from './view.js';
import type { RawRequest } from './wire-read.js';

/** What a request asks for. */
export interface Asking {
  readonly added: Asked;
  readonly dropped: Asked;
  readonly named: boolean;
}

/** The names that a request adds and drops. */
export function askedOf(state: StreamState, type: ResourceType, request: RawRequest): Asking {
  const added = idsOf(request.subscribe, state.names[type]);
  return { added, dropped: idsOf(request.unsubscribe, state.names[type]), named: added.star || added.ids.length > 0 };
}

interface Change {
  readonly before: TypeState;
  readonly request: RawRequest;
}

/** The state of a type after what a later request asks for; the same object when it asks for nothing new. */
export function resubscribed(state: StreamState, type: ResourceType, { before, request }: Change): TypeState {
  const { protocol } = state;
  if (protocol === 'delta' && request.subscribe.bounds.length + request.unsubscribe.bounds.length === 0) return before;
  const names = state.names[type];
  const asked = askedOf(state, type, request);
  const subscription = readSubscription({
    ...asked,
    protocol,
    type,
    names,
    before: before.subscription,
    first: false,
    everNamed: before.everNamed,
  });
  const everNamed = before.everNamed || asked.named;
  if (protocol === 'sotw' && subscription === before.subscription)
    return everNamed === before.everNamed ? before : changedType(before, { everNamed });
  const next = changedType(before, { subscription, everNamed, ...stillHeld(before, subscription, names) });
  return protocol === 'sotw' ? next : answering({ next, before, asked }, names);
}

type Holdings = Pick<TypeState, 'sent' | 'own'>;

function stillHeld(before: TypeState, subscription: Subscription, names: NameTable): Holdings {
  const kept = {
    sent: withoutUnwanted(before.sent, subscription),
    own: ownWanted(before.own, subscription, names),
  };
  const isWider = subscription.wildcard && !before.subscription.wildcard;
  return isWider && before.inFlight.length > 0 ? stillComing(before, kept, names) : kept;
}

/** Who asks for everything again takes also what was sent before and is only now read. */
function stillComing({ inFlight }: TypeState, kept: Holdings, names: NameTable): Holdings {
  const entries: [number, HeldEntry][] = [];
  const own = new Map(kept.own);
  for (const { name } of inFlight.flatMap((one) => one.push.resources)) {
    const id = names.idOf(name);
    if (!isOwnName(name)) entries.push([id, kept.sent[id] ?? 'doubt']);
    else if (!own.has(name)) own.set(name, 'doubt');
  }
  return { sent: withEntries(kept.sent, entries), own };
}

function ownWanted(own: OwnHeld, subscription: Subscription, names: NameTable): OwnHeld {
  const isWanted = (name: string): boolean => wants(subscription, names.idOf(name));
  return [...own.keys()].every(isWanted) ? own : new Map([...own].filter(([name]) => isWanted(name)));
}

interface Mention {
  readonly next: TypeState;
  readonly before: TypeState;
  readonly asked: Asking;
}

/** Delta: a name that is asked for again is sent again, and so is one that is given up and still wanted for `*`. */
function answering({ next, before, asked }: Mention, names: NameTable): TypeState {
  const entries: [number, HeldEntry | undefined][] = [];
  const own = new Map(next.own);
  for (const id of [...asked.added.ids, ...asked.dropped.ids]) {
    const name = names.nameOf(id);
    if (isOwnName(name)) setOrDelete(own, name, afterMention(before.own.get(name), next.subscription, id));
    else entries.push([id, afterMention(before.sent[id], next.subscription, id)]);
  }
  const isSame = entries.every(([id, entry]) => next.sent[id] === entry);
  return changedType(next, {
    sent: isSame ? next.sent : withEntries(next.sent, entries),
    own: own.size + next.own.size === 0 ? next.own : own,
  });
}

function setOrDelete(own: Map<string, HeldEntry>, name: string, entry: HeldEntry | undefined): void {
  if (entry === undefined) own.delete(name);
  else own.set(name, entry);
}

/** What the client is taken to have under a name that it has just mentioned: never the current version. */
function afterMention(entry: HeldEntry | undefined, subscription: Subscription, id: number): HeldEntry | undefined {
  if (!wants(subscription, id)) return undefined;
  if (hasVersion(entry)) return 'stale';
  // Given up, but covered by `*`: it must hear how things are, be it that there is nothing.
  return subscription.ids[id] === 1 || entry === undefined ? undefined : 'doubt';
}
