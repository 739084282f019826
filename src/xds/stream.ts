// One ADS stream as a pure function: (state, input) → (state, effects). Delta and state of the world are
// one machine; docs/xds.md explains the rules, which are those of Envoy's "xDS REST and gRPC protocol".
// It is woken by: 1. a request, 2. a new view, 3. a tick that it asked for.

import { lately } from '../lib/memo.js';
import { onRequest } from './answer.js';
import { withAbsent, withoutTrust, type Plan } from './plan.js';
import type { Push } from './push.js';
import { delaysRemoval, doomedOf, isMaking, removalGraceMs, removalPush, removalPatienceMs } from './removal.js';
import { resourceTypes, type ResourceType } from './resources.js';
import {
  cannotSayAbsent,
  dueOf,
  inFlightAllowed,
  isDue,
  nextPush,
  unansweredMs,
  waitsForClusters,
  wakeForClusters,
  withoutWaiting,
} from './schedule.js';
import { nothingAwaited, settle } from './settle.js';
import {
  changedType,
  isCommon,
  shared,
  stepsRemembered,
  wakeAt,
  withType,
  type Due,
  type Reduced,
  type StreamInput,
  type StreamState,
  type Turn,
  type TypeState,
} from './stream-state.js';
import { emptyView, hasVersion, type Held, type NameTables } from './view.js';

/** A stream on which nothing was said yet. */
export const newStream = (options: { protocol: StreamState['protocol']; names: NameTables }): StreamState => ({
  ...options,
  view: emptyView(options.names),
  own: {},
  types: {},
  settled: -1,
  removal: undefined,
  awaiting: nothingAwaited,
  owed: [],
});

/** Applies one input. */
export function reduce(state: StreamState, input: StreamInput): Reduced {
  const turn: Turn = { now: input.now, effects: [], busy: false, gone: false };
  return { state: advance(apply(state, input, turn), turn), effects: turn.effects };
}

function apply(state: StreamState, input: StreamInput, turn: Turn): StreamState {
  switch (input.kind) {
    case 'view':
      reportReturned(state, input.view, turn);
      return { ...state, view: input.view, own: input.own };
    case 'tick':
      return state;
    case 'request':
      return onRequest(state, input, turn);
  }
}

/** Content that comes back after it was refused and gone is not tried again, but its refusal is told again. */
function reportReturned(state: StreamState, view: StreamState['view'], turn: Turn): void {
  for (const type of resourceTypes) {
    const refused = state.types[type]?.refused;
    if (refused === undefined || refused.size === 0) continue;
    for (const { resource, message } of refused.values()) {
      const id = state.names[type].idOf(resource.name);
      const [before, next] = [state.view.types[type].resources[id], view.types[type].resources[id]];
      if (next?.version !== resource.version || before?.version === resource.version) continue;
      turn.effects.push({ kind: 'refused', type, culprit: { resource: next, message } });
    }
  }
}

/** Sends what may be sent, in type order; says when the client has everything; then removes what may be removed. */
function advance(state: StreamState, turn: Turn): StreamState {
  let current = state;
  for (const type of resourceTypes) {
    const before = current.types[type];
    if (before !== undefined) current = sendType(current, { type, before }, turn);
  }
  return remove(turn.busy ? current : settle(current, turn), turn);
}

interface Of {
  readonly type: ResourceType;
  readonly before: TypeState;
}

function sendType(state: StreamState, of: Of, turn: Turn): StreamState {
  const { type, before } = of;
  const due = dueOf(state, type, before);
  turn.gone ||= due.plan.removed.length + due.own.gone.length > 0;
  if (!due.pressing) {
    const inFlight = before.inFlight.length > 0;
    turn.busy ||= inFlight;
    return withType(state, type, atRest(before, due.plan, inFlight));
  }
  if (saysNothing(state, type, due)) {
    const told = toldSilently(before, due);
    return sendType(withType(state, type, told), { type, before: told }, turn);
  }
  turn.busy = true;
  return due.blocked ? state : sendDue(state, of, { turn, due });
}

/** Names are owed an answer for which the protocol has no words. */
const saysNothing = (state: StreamState, type: ResourceType, due: Due): boolean =>
  !due.blocked && due.plan.absent.length + due.own.absent.length > 0 && cannotSayAbsent(state, type);

function sendDue(state: StreamState, of: Of, { turn, due }: { readonly turn: Turn; readonly due: Due }): StreamState {
  const { type, before } = of;
  const last = before.inFlight.at(-1);
  if (last !== undefined && turn.now - last.sentAt < unansweredMs) {
    wakeAt(turn, last.sentAt + unansweredMs);
    return state;
  }
  const ready = withoutWaiting(state, type, { due, now: turn.now });
  if (waitsForClusters(type) && ready !== due) wakeForClusters(state, turn);
  if (!isDue(ready)) return state;
  return sent(state, { ...of, push: nextPush(state.protocol, before, ready) }, turn);
}

/** Streams that have everything hold the same object, so that what comes next is shared. */
function atRest(state: TypeState, plan: Plan, inFlight: boolean): TypeState {
  const bisect = inFlight ? state.bisect : undefined;
  if (plan.canonical === state.sent && bisect === state.bisect) return state;
  return (isCommon(state) ? commonlyRested : rested)(state, plan.canonical, bisect);
}

const rested = (state: TypeState, sent: Held, bisect: number | undefined): TypeState =>
  shared(changedType(state, { sent, bisect }));
const commonlyRested = lately(stepsRemembered, rested);

function toldSilently(state: TypeState, due: Due): TypeState {
  const own = new Map(state.own);
  for (const name of due.own.absent) own.set(name, 'absent');
  return changedType(state, { sent: withAbsent(due.plan), own: due.own.absent.length === 0 ? state.own : own });
}

function sent(state: StreamState, sending: Of & { readonly push: Push }, turn: Turn): StreamState {
  const { type, before, push } = sending;
  turn.effects.push({ kind: 'send', type, push });
  const next = withType(state, type, (isCommon(before) ? commonlyAfterSending : afterSending)(before, push, turn.now));
  return type === 'cluster' ? oweEndpoints(next, push) : next;
}

const afterSending = (before: TypeState, push: Push, now: number): TypeState =>
  changedType(before, {
    sent: push.next,
    own: push.own?.next ?? before.own,
    inFlight: [...before.inFlight, { push, sentAt: now }].slice(-inFlightAllowed),
    lastNonce: push.nonce,
    unanswered: false,
  });
const commonlyAfterSending = lately(stepsRemembered, afterSending);

/** Envoy does not ask again for the endpoints of a changed cluster: they follow it unasked. */
function oweEndpoints(state: StreamState, push: Push): StreamState {
  const owed = owedFor(state.names, push);
  if (owed.length === 0) return state;
  const endpoints = state.types.endpoint;
  if (endpoints === undefined) return { ...state, owed: [...state.owed, ...owed] };
  const isHeld = owed.some((id) => hasVersion(endpoints.sent[id]));
  return isHeld
    ? withType(state, 'endpoint', changedType(endpoints, { sent: withoutTrust(endpoints.sent, owed) }))
    : state;
}

const owedIds = new WeakMap<Push, readonly number[]>();

/** Ids of the endpoints of clusters that a response changes. */
function owedFor(names: NameTables, push: Push): readonly number[] {
  const known =
    owedIds.get(push) ??
    push.resources.filter((one) => wasThere(names, push.before, one.name)).map((one) => names.endpoint.idOf(one.name));
  owedIds.set(push, known);
  return known;
}

const wasThere = (names: NameTables, before: Held, name: string): boolean => {
  const entry = before[names.cluster.idOf(name)];
  return entry !== undefined && entry !== 'absent';
};

/** Removals come last, after a grace. */
function remove(state: StreamState, turn: Turn): StreamState {
  const doomed = turn.gone ? doomedOf(state) : undefined;
  if (doomed === undefined) return state.removal === undefined ? state : { ...state, removal: undefined };
  const { now } = turn;
  const removal = state.removal ?? { since: now, at: undefined };
  const delayed = turn.effects.some((effect) => effect.kind === 'send' && delaysRemoval(effect.type));
  if (isMaking(state, now)) {
    wakeForClusters(state, turn);
    return { ...state, removal: delayed ? { ...removal, at: undefined } : removal };
  }
  const at = removal.at ?? Math.min(now + removalGraceMs, removal.since + removalPatienceMs);
  const waiting = { ...state, removal: { ...removal, at } };
  if (now < at) {
    wakeAt(turn, at);
    return waiting;
  }
  const { type, state: before } = doomed;
  return sent(waiting, { type, before, push: removalPush(state.protocol, doomed) }, turn);
}
