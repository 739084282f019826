// What a request says: that a response was taken or refused, and what the client wants from now on.

import { lately } from '../lib/memo.js';
import type { NameTable } from './name-table.js';
import { heldWhenCurrent, ownPlanFor, planFor, wantedOf, withoutTrust } from './plan.js';
import type { Push } from './push.js';
import { onRefusal } from './refusal.js';
import { isWildcardType, type EncodedResource, type ResourceType } from './resources.js';
import {
  changedType,
  isCommon,
  shared,
  stepsRemembered,
  withType,
  type InFlight,
  type StreamInput,
  type StreamState,
  type Turn,
  type TypeState,
} from './stream-state.js';
import { afterVoid, askedOf, resubscribed } from './resubscribe.js';
import { readStatement } from './statement.js';
import { readSubscription } from './subscription.js';
import { isShort } from './requests.js';
import { forEachType, noSubscription, nothingHeld, versionOfSet, type NameTables, type OwnHeld } from './view.js';
import type { RawRequest } from './wire-read.js';

type RequestInput = Extract<StreamInput, { kind: 'request' }>;

/** The stream after a request; nothing is sent yet. */
export function onRequest(state: StreamState, input: RequestInput, turn: Turn): StreamState {
  const { type, request } = input;
  const before = state.types[type];
  if (before === undefined) return firstRequest(state, type, request);
  const said = { stream: state, type, before, request };
  if (state.protocol === 'sotw' && request.nonce !== '' && request.nonce !== before.lastNonce)
    return withType(state, type, afterVoid(state, type, said));
  const isShared = isPlain(state, request) && isCommon(before);
  return withType(state, type, isShared ? afterCommon(state, said) : afterRequest(said, turn));
}

/** Most requests say no more than that a response was taken, or ask for a few names as many clients do at that time. */
const isPlain = ({ protocol }: StreamState, { error, subscribe }: RawRequest): boolean =>
  protocol === 'delta' && error === undefined && isShort(subscribe.buffer);

function afterCommon({ names }: StreamState, { type, before, request }: Omit<Answer, 'answered'>): TypeState {
  const after = acknowledged(before, request.nonce, names[type]);
  return request.subscribe.bounds.length + request.unsubscribe.bounds.length === 0
    ? after
    : askedAnew[type](after, request, names);
}

function afterRequest(said: Omit<Answer, 'answered'>, turn: Turn): TypeState {
  const { stream, type, before, request } = said;
  const answered = before.inFlight.find((one) => one.push.nonce === request.nonce);
  const after = answered === undefined ? before : onAnswer({ ...said, answered }, turn);
  return resubscribed(stream, type, { before: after, request });
}

const noOwn: OwnHeld = new Map();
const noRefusals: TypeState['refused'] = new Map();
const noPriors: ReadonlyMap<string, EncodedResource> = new Map();

const unasked: Omit<TypeState, 'workedOut'> = {
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
  const start = { ...unasked, subscription, everNamed: asked.named, workedOut: {} };
  const known =
    state.protocol === 'delta'
      ? knownToDelta(state, type, { start, request })
      : knownToSotw(state, type, { start, request });
  if (type !== 'endpoint' || state.owed.length === 0) return withType(state, type, known);
  return withType({ ...state, owed: [] }, type, changedType(known, { sent: withoutTrust(known.sent, state.owed) }));
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
  const unanswered = isWildcardType(type) && request.initial.runs.length === 0;
  return shared(changedType(start, { sent: planFor(view, held, start.subscription).canonical, own, unanswered }));
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
  const after = changedType(before, { inFlight: isSotw ? [] : others });
  const earlier = isSotw && isWildcardType(type) ? others.map((one) => one.push) : [];
  const newest = answered.push;
  if (request.error !== undefined)
    return onRefusal({ stream, type, before: after, newest, earlier, text: request.error }, turn);
  return onAck(after, [...earlier, newest], stream.names[type]);
}

function onAck(after: TypeState, taken: readonly Push[], names: NameTable): TypeState {
  if (after.blind) return changedType(after, { blind: false, blocked: undefined });
  if (after.priors.size === 0) return after;
  const told = new Set(taken.flatMap((push) => push.names));
  const isInDoubt = (name: string): boolean => (after.own.get(name) ?? after.sent[names.idOf(name)]) === 'doubt';
  return changedType(after, {
    priors: new Map([...after.priors].filter(([name]) => !told.has(name) || isInDoubt(name))),
  });
}

/** What asking for a few names makes of a state that many streams are in. */
const askedAnew = forEachType((type) =>
  lately(stepsRemembered, (before: TypeState, request: RawRequest, names: NameTables): TypeState =>
    resubscribed({ protocol: 'delta', names }, type, { before, request }),
  ),
);

/** What an ACK makes of a state that many streams are in. */
const acknowledged = lately(stepsRemembered, (before: TypeState, nonce: string, names: NameTable): TypeState => {
  const answered = before.inFlight.find((one) => one.push.nonce === nonce);
  if (answered === undefined) return before;
  const after = changedType(before, { inFlight: before.inFlight.filter((one) => one !== answered) });
  return shared(onAck(after, [answered.push], names));
});
