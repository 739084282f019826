// What a request says: that a response was taken or refused, and what the client wants from now on.

import type { NameTable } from './name-table.js';
import { isOwnName } from './names.js';
import { heldWhenCurrent, ownPlanFor, planFor, wantedOf, withEntries, withoutTrust, withoutUnwanted } from './plan.js';
import { onRefusal } from './refusal.js';
import { isWildcardType, type EncodedResource, type ResourceType } from './resources.js';
import {
  withType,
  type InFlight,
  type StreamInput,
  type StreamState,
  type Turn,
  type TypeState,
} from './stream-state.js';
import { readStatement } from './statement.js';
import { idsOf, readSubscription, type Asked } from './subscription.js';
import {
  hasVersion,
  noSubscription,
  nothingHeld,
  versionOfSet,
  wants,
  type HeldEntry,
  type OwnHeld,
  type Subscription,
} from './view.js';
import type { RawRequest } from './wire.js';

type RequestInput = Extract<StreamInput, { kind: 'request' }>;

/** The stream after a request; nothing is sent yet. */
export function onRequest(state: StreamState, input: RequestInput, turn: Turn): StreamState {
  const { type, request } = input;
  const before = state.types[type];
  if (before === undefined) return firstRequest(state, type, request);
  if (state.protocol === 'sotw' && request.nonce !== '' && request.nonce !== before.lastNonce)
    return withType(state, type, afterVoid(state, type, { before, request }));
  const answered = before.inFlight.find((one) => one.push.nonce === request.nonce);
  const after = answered === undefined ? before : onAnswer({ stream: state, type, before, answered, request }, turn);
  return withType(state, type, resubscribed(state, type, { before: after, request }));
}

const noOwn: OwnHeld = new Map();
const noRefusals: TypeState['refused'] = new Map();
const noPriors: ReadonlyMap<string, EncodedResource> = new Map();

const unasked: Omit<TypeState, 'last'> = {
  subscription: noSubscription,
  everNamed: false,
  sent: nothingHeld,
  own: noOwn,
  inFlight: [],
  lastNonce: '',
  refused: noRefusals,
  priors: noPriors,
  bisect: undefined,
  unanswered: false,
  blind: false,
  blocked: undefined,
};

function firstRequest(state: StreamState, type: ResourceType, request: RawRequest): StreamState {
  const asked = askedOf(state, type, request);
  const subscription = readSubscription({
    ...asked,
    protocol: state.protocol,
    type,
    names: state.names[type],
    before: noSubscription,
    first: true,
    everNamed: false,
  });
  const start = { ...unasked, subscription, everNamed: asked.named, last: {} };
  const known =
    state.protocol === 'delta'
      ? knownToDelta(state, type, { start, request })
      : knownToSotw(state, type, { start, request });
  if (type !== 'endpoint' || state.owed.length === 0) return withType(state, type, known);
  return withType({ ...state, owed: [] }, type, { ...known, sent: withoutTrust(known.sent, state.owed) });
}

interface Starting {
  readonly start: TypeState;
  readonly request: RawRequest;
}

function knownToDelta(state: StreamState, type: ResourceType, { start, request }: Starting): TypeState {
  const view = state.view.types[type];
  const { held, own } = readStatement(request.initial, {
    view,
    own: state.own[type] ?? [],
    subscription: start.subscription,
  });
  const unanswered = isWildcardType(type) && request.initial.bounds.length === 0;
  return { ...start, sent: planFor(view, held, start.subscription).canonical, own, unanswered };
}

/**
 * A client that asks for all without a word, and states the version of just that, is left in peace. One that names
 * something, be it `*`, is not: its version says nothing of what it gave up and took up again.
 */
function knownToSotw(state: StreamState, type: ResourceType, { start, request }: Starting): TypeState {
  const asking = { ...start, unanswered: isWildcardType(type), blind: isWildcardType(type) && request.version !== '' };
  if (request.version === '' || !start.subscription.wildcard || start.everNamed) return asking;
  const view = state.view.types[type];
  const mine = ownPlanFor(state.own[type], noOwn, {
    subscription: start.subscription,
    names: state.names[type],
  }).changed;
  if (request.version !== versionOfSet([...wantedOf(view, start.subscription), ...mine])) return asking;
  return {
    ...start,
    sent: heldWhenCurrent(view, start.subscription),
    own: new Map(mine.map((one) => [one.name, one])),
  };
}

interface Answer {
  readonly stream: StreamState;
  readonly type: ResourceType;
  readonly before: TypeState;
  readonly answered: InFlight;
  readonly request: RawRequest;
}

/**
 * An ACK or a NACK. In state of the world Envoy, which withholds its answers while clusters warm, answers only the
 * newest response, for all before it; and full sets repeat what those brought.
 */
function onAnswer({ stream, type, before, answered, request }: Answer, turn: Turn): TypeState {
  const isSotw = stream.protocol === 'sotw';
  const others = before.inFlight.filter((one) => one !== answered);
  const after = { ...before, inFlight: isSotw ? [] : others };
  const earlier = isSotw && isWildcardType(type) ? others.map((one) => one.push) : [];
  const newest = answered.push;
  if (request.error !== undefined)
    return onRefusal({ stream, type, before: after, newest, earlier, text: request.error }, turn);
  if (after.blind) return { ...after, blind: false, blocked: undefined };
  if (after.priors.size === 0) return after;
  const told = new Set([...earlier, newest].flatMap((push) => push.names));
  const isInDoubt = (name: string): boolean =>
    (after.own.get(name) ?? after.sent[stream.names[type].idOf(name)]) === 'doubt';
  return { ...after, priors: new Map([...after.priors].filter(([name]) => !told.has(name) || isInDoubt(name))) };
}

interface Asking {
  readonly added: Asked;
  readonly dropped: Asked;
  readonly named: boolean;
}

function askedOf(state: StreamState, type: ResourceType, request: RawRequest): Asking {
  const added = idsOf(request.subscribe, state.names[type]);
  return { added, dropped: idsOf(request.unsubscribe, state.names[type]), named: added.star || added.ids.length > 0 };
}

interface Change {
  readonly before: TypeState;
  readonly request: RawRequest;
}

function resubscribed(state: StreamState, type: ResourceType, { before, request }: Change): TypeState {
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
    return everNamed === before.everNamed ? before : { ...before, everNamed };
  const next = { ...before, subscription, everNamed, ...stillHeld(before, subscription, names) };
  return protocol === 'sotw' ? next : answering({ next, before, asked }, names);
}

/**
 * State of the world: a request that answers an older response is void as a whole. But what it does not list the client
 * has given up, and must be sent again if its next valid request lists it; and who has named something has named it.
 */
function afterVoid(state: StreamState, type: ResourceType, { before, request }: Change): TypeState {
  const { subscription, everNamed } = resubscribed(state, type, { before, request });
  if (subscription === before.subscription) return everNamed === before.everNamed ? before : { ...before, everNamed };
  const names = state.names[type];
  const isGivenUp = (id: number): boolean => !wants(subscription, id);
  const ids = before.sent.flatMap((entry, id) => (hasVersion(entry) && isGivenUp(id) ? id : []));
  const own = [...before.own].map(([name, entry]): [string, HeldEntry] => [
    name,
    hasVersion(entry) && isGivenUp(names.idOf(name)) ? 'stale' : entry,
  ]);
  const sent = ids.length === 0 ? before.sent : withoutTrust(before.sent, ids);
  return { ...before, everNamed, sent, own: own.length === 0 ? before.own : new Map(own) };
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
  return {
    ...next,
    sent: isSame ? next.sent : withEntries(next.sent, entries),
    own: own.size + next.own.size === 0 ? next.own : own,
  };
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
