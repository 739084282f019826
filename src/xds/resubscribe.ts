// What a client asks for on a stream that it has asked on before, and what it is taken to hold from then on.

import type { NameTable } from './name-table.js';
import { isOwnName } from './names.js';
import { withEntries, withoutTrust, withoutUnwanted } from './plan.js';
import type { EncodedResource, ResourceType } from './resources.js';
import { changedType, type StreamState, type TypeState } from './stream-state.js';
import { idsOf, readSubscription, type Asked } from './subscription.js';
import { hasVersion, wants, type HeldEntry, type Subscription } from './view.js';
import type { RawRequest } from './wire-read.js';

/** What of a stream decides what its requests mean. */
type Asker = Pick<StreamState, 'protocol' | 'names'>;

/** What a request asks for. */
export interface Asking {
  readonly added: Asked;
  readonly dropped: Asked;
  readonly named: boolean;
}

/** The names that a request adds and drops. */
export function askedOf(state: Asker, type: ResourceType, request: RawRequest): Asking {
  const added = idsOf(request.subscribe, state.names[type]);
  return { added, dropped: idsOf(request.unsubscribe, state.names[type]), named: added.star || added.ids.length > 0 };
}

interface Change {
  readonly before: TypeState;
  readonly request: RawRequest;
}

/** The state of a type after what a later request asks for; the same object when it asks for nothing new. */
export function resubscribed(state: Asker, type: ResourceType, { before, request }: Change): TypeState {
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

/**
 * State of the world: a request that answers an older response is void as a whole. But what it does not list the client
 * has given up, and must be sent again if its next valid request lists it; and who has named something has named it.
 */
export function afterVoid(state: StreamState, type: ResourceType, { before, request }: Change): TypeState {
  const { subscription, everNamed } = resubscribed(state, type, { before, request });
  if (subscription === before.subscription)
    return everNamed === before.everNamed ? before : changedType(before, { everNamed });
  const names = state.names[type];
  const isGivenUp = (id: number): boolean => !wants(subscription, id);
  const ids = before.sent.flatMap((entry, id) => (hasVersion(entry) && isGivenUp(id) ? id : []));
  const own = [...before.own].map(([name, entry]): [string, HeldEntry] => [
    name,
    hasVersion(entry) && isGivenUp(names.idOf(name)) ? 'stale' : entry,
  ]);
  const sent = ids.length === 0 ? before.sent : withoutTrust(before.sent, ids);
  return changedType(before, { everNamed, sent, own: own.length === 0 ? before.own : new Map(own) });
}

type Holdings = Pick<TypeState, 'sent' | 'own' | 'priors'>;

function stillHeld(before: TypeState, subscription: Subscription, names: NameTable): Holdings {
  const kept = {
    sent: withoutUnwanted(before.sent, subscription),
    own: ownWanted(before.own, subscription, names),
    priors: ownWanted(before.priors, subscription, names),
  };
  return before.inFlight.length > 0 ? stillComing(before, kept, { subscription, names }) : kept;
}

/** Who asks again for what it gave up takes also what was sent before and is only now read. */
function stillComing(
  { inFlight, subscription: former }: TypeState,
  kept: Holdings,
  { subscription, names }: { readonly subscription: Subscription; readonly names: NameTable },
): Holdings {
  const isAnew = ({ name }: EncodedResource): boolean =>
    wants(subscription, names.idOf(name)) && !wants(former, names.idOf(name));
  const coming = inFlight.flatMap((one) => one.push.resources).filter(isAnew);
  if (coming.length === 0) return kept;
  const entries: [number, HeldEntry][] = [];
  const own = new Map(kept.own);
  const priors = new Map(kept.priors);
  for (const one of coming) {
    const id = names.idOf(one.name);
    if (!isOwnName(one.name)) entries.push([id, kept.sent[id] ?? 'doubt']);
    else if (!own.has(one.name)) own.set(one.name, 'doubt');
    priors.set(one.name, one);
  }
  return { sent: withEntries(kept.sent, entries), own, priors };
}

function ownWanted<T>(
  own: ReadonlyMap<string, T>,
  subscription: Subscription,
  names: NameTable,
): ReadonlyMap<string, T> {
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
