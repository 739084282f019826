// What a request says: that a response was taken or refused, and what the client wants from now on.

import { lately } from '../lib/memo.js';
import { culpritsOf } from './nack.js';
import { heldWhenCurrent, ownPlanFor, planFor, wantedOf, withoutTrust, type Protocol } from './plan.js';
import { heldAfterRefusal, ownAfterRefusal, type Push } from './push.js';
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
import { askedOf, resubscribed } from './resubscribe.js';
import { readStatement } from './statement.js';
import { readSubscription } from './subscription.js';
import { noSubscription, nothingHeld, resourceIn, versionOfSet, type HeldEntry, type OwnHeld } from './view.js';
import type { RawRequest } from './wire-read.js';

type RequestInput = Extract<StreamInput, { kind: 'request' }>;

/** The stream after a request; nothing is sent yet. */
export function onRequest(state: StreamState, input: RequestInput, turn: Turn): StreamState {
  const { type, request } = input;
  const before = state.types[type];
  if (before === undefined) return firstRequest(state, type, request);
  // State of the world: a request that answers an older response is void as a whole.
  if (state.protocol === 'sotw' && request.nonce !== '' && request.nonce !== before.lastNonce) return state;
  const said = { stream: state, type, before, request };
  const isShared = isPlain(state, request) && isCommon(before);
  return withType(state, type, isShared ? acknowledged(before, request.nonce, 'delta') : afterRequest(said, turn));
}

/** Most requests say no more than that a response was taken. */
const isPlain = ({ protocol }: StreamState, { error, subscribe, unsubscribe }: RawRequest): boolean =>
  protocol === 'delta' && error === undefined && subscribe.bounds.length + unsubscribe.bounds.length === 0;

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
 * A client that asks for all, and states the version of just that, is left in peace. One that asks by name is
 * not: its version says nothing of a name that it gave up and took up again.
 */
function knownToSotw(state: StreamState, type: ResourceType, { start, request }: Starting): TypeState {
  const asking = { ...start, unanswered: isWildcardType(type), blind: isWildcardType(type) && request.version !== '' };
  if (request.version === '' || !start.subscription.wildcard) return asking;
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

/** An ACK or a NACK. In state of the world Envoy answers only the newest response, for all before it. */
function onAnswer(answer: Answer, turn: Turn): TypeState {
  const { stream, before, answered, request } = answer;
  if (request.error === undefined) return onAck(before, answered, stream.protocol);
  return onRefusal(
    { ...answer, before: changedType(before, { inFlight: others(before, answered, stream.protocol) }) },
    turn,
  );
}

const others = ({ inFlight }: TypeState, answered: InFlight, protocol: Protocol): readonly InFlight[] =>
  protocol === 'sotw' ? [] : inFlight.filter((one) => one !== answered);

function onAck(before: TypeState, answered: InFlight, protocol: Protocol): TypeState {
  const inFlight = others(before, answered, protocol);
  if (before.blind) return changedType(before, { inFlight, blind: false, blocked: undefined });
  if (before.priors.size === 0) return changedType(before, { inFlight });
  const names = new Set(answered.push.names);
  return changedType(before, {
    inFlight,
    priors: new Map([...before.priors].filter(([name]) => !names.has(name))),
  });
}

/** What an ACK makes of a state that many streams are in. */
const acknowledged = lately(stepsRemembered, (before: TypeState, nonce: string, protocol: Protocol): TypeState => {
  const answered = before.inFlight.find((one) => one.push.nonce === nonce);
  return answered === undefined ? before : shared(onAck(before, answered, protocol));
});

/** Nothing of a refused response is known to be applied: all of it is sent again, but for the culprits. */
function onRefusal({ stream, type, before, answered, request }: Answer, turn: Turn): TypeState {
  const { push } = answered;
  const names = stream.names[type];
  const message = request.error ?? '';
  const culprits = culpritsOf(message, push.resources);
  for (const culprit of culprits) turn.effects.push({ kind: 'refused', type, culprit });
  if (culprits.length === 0)
    turn.effects.push({ kind: 'unattributed', type, message, suspects: push.resources.length });
  const refused =
    culprits.length === 0
      ? before.refused
      : new Map([...before.refused, ...culprits.map((one) => [one.resource.version, one] as const)]);
  return changedType(before, {
    refused,
    priors: priorsAfter({ ...before, refused }, push, (name) => push.before[names.idOf(name)]),
    sent: heldAfterRefusal(before.sent, push, names),
    own: ownAfterRefusal(before.own, push),
    blocked: before.blind ? { view: stream.view.types[type], own: stream.own[type] } : undefined,
    bisect:
      culprits.length > 0 || push.resources.length === 0
        ? undefined
        : Math.max(1, Math.floor(push.resources.length / 2)),
  });
}

/** What the client had before it refused: the newest that it did not refuse, too. */
function priorsAfter(
  state: TypeState,
  push: Push,
  entryBefore: (name: string) => HeldEntry | undefined,
): TypeState['priors'] {
  const priors = new Map(state.priors);
  for (const { name } of push.resources) {
    const prior = resourceIn(push.own?.before.get(name)) ?? resourceIn(entryBefore(name));
    if (prior !== undefined && !state.refused.has(prior.version)) priors.set(name, prior);
  }
  for (const [name, { version }] of priors) if (state.refused.has(version)) priors.delete(name);
  return priors;
}
