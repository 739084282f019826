// One ADS stream as a pure function: (state, input) → (state, effects). Delta and state of the world are
// one machine; docs/xds.md explains the rules, which are those of Envoy's "xDS REST and gRPC protocol".
// It is woken by: 1. a request, 2. a new view, 3. a tick that it asked for.

import { memoised } from '../lib/memo.js';
import { culpritsOf } from './nack.js';
import { heldWhenCurrent, wantedOf, type Push } from './plan.js';
import { isWildcardType, resourceTypes, type EncodedResource, type ResourceType } from './resources.js';
import { clusterWaitMs, dueOf, nextPush, removalDue, removalGraceMs, removalPush, unansweredMs } from './schedule.js';
import { withType, type InFlight, type Reduced, type StreamEffect, type StreamInput, type StreamState, type TypeState } from './stream-state.js';
import { idsOf, readInitial, readSubscription } from './subscription.js';
import { emptyView, noSubscription, nothingHeld, unknownVersion, versionOfSet, type Held, type NameTables } from './view.js';
import type { RawRequest } from './wire.js';

/** A stream on which nothing was said yet. */
export const newStream = (options: { protocol: StreamState['protocol']; names: NameTables }): StreamState => ({
  ...options,
  view: emptyView(options.names),
  own: {},
  types: {},
  settled: -1,
  removeAt: undefined,
});

/** Applies one input. */
export function reduce(state: StreamState, input: StreamInput): Reduced {
  const effects: StreamEffect[] = [];
  const after = apply(state, input, effects);
  return { state: advance(after, input.now, effects), effects };
}

function apply(state: StreamState, input: StreamInput, effects: StreamEffect[]): StreamState {
  switch (input.kind) {
    case 'view':
      return { ...state, view: input.view, own: input.own };
    case 'tick':
      return state;
    case 'request':
      return onRequest(state, input, effects);
  }
}

type RequestInput = Extract<StreamInput, { kind: 'request' }>;

function onRequest(state: StreamState, input: RequestInput, effects: StreamEffect[]): StreamState {
  const { type, request } = input;
  const before = state.types[type];
  if (before === undefined) return withType(state, type, firstRequest(state, type, request));
  const answered = before.inFlight.find((one) => one.push.nonce === request.nonce);
  // State of the world: a request that answers an older response is void as a whole.
  if (state.protocol === 'sotw' && answered === undefined && before.inFlight.length > 0 && request.nonce !== '') return state;
  const settled = answered === undefined ? before : onAnswer({ stream: state, type, before, answered, request }, effects);
  return withType(state, type, resubscribed(state, type, { before: settled, request }));
}

function firstRequest(state: StreamState, type: ResourceType, request: RawRequest): TypeState {
  const { protocol, names, own } = state;
  const subscription = readSubscription({ protocol, type, names: names[type], before: noSubscription, first: true, request });
  const start: TypeState = { subscription, sent: nothingHeld, sentOwn: new Map(), inFlight: [], refused: new Set(), bisect: undefined };
  const view = state.view.types[type];
  const current = heldWhenCurrent(view, subscription);
  const mine = own[type] ?? [];
  if (protocol === 'delta') {
    const sentOwn = ownVersions(request, mine);
    return { ...start, sent: readInitial(request, { view, current, ownCount: sentOwn.size }), sentOwn };
  }
  // A client that states the version it holds, and that version is all it should have, is left in peace.
  const full = [...wantedOf(view, subscription), ...mine];
  if (request.version === '' || request.version !== versionOfSet(full)) return start;
  return { ...start, sent: current, sentOwn: new Map(mine.map((one) => [one.name, one.version])) };
}

/** The versions of its own resources that a reconnecting client states. */
function ownVersions(request: RawRequest, own: readonly { readonly name: string }[]): ReadonlyMap<string, string> {
  const { buffer, bounds } = request.initial;
  const names = new Set(own.map((one) => one.name));
  const versions = new Map<string, string>();
  if (names.size === 0) return versions;
  for (let at = 0; at < bounds.length; at += 4) {
    if ((bounds[at + 1] ?? 0) - (bounds[at] ?? 0) > 16) continue;
    const name = buffer.toString('latin1', bounds[at], bounds[at + 1]);
    if (names.has(name)) versions.set(name, buffer.toString('latin1', bounds[at + 2], bounds[at + 3]));
  }
  return versions;
}

interface Answer {
  readonly stream: StreamState;
  readonly type: ResourceType;
  readonly before: TypeState;
  readonly answered: InFlight;
  readonly request: RawRequest;
}

/** An ACK or a NACK. In state of the world Envoy answers only the newest response, for all before it. */
function onAnswer(answer: Answer, effects: StreamEffect[]): TypeState {
  const { stream, before, answered, request } = answer;
  const inFlight = stream.protocol === 'sotw' ? [] : before.inFlight.filter((one) => one !== answered);
  if (request.error === undefined) return { ...before, inFlight };
  return onRefusal(answer, inFlight, effects);
}

/** Nothing of a refused response is known to be applied: all of it is sent again, but for the culprits. */
function onRefusal(answer: Answer, inFlight: readonly InFlight[], effects: StreamEffect[]): TypeState {
  const { stream, type, before, answered, request } = answer;
  const { resources } = answered.push;
  const named = culpritsOf(request.error ?? '', resources);
  const unsplittable = stream.protocol === 'sotw' && isWildcardType(type);
  const culprits = named.length === 0 && unsplittable ? resources.map((resource) => ({ resource, message: request.error ?? '' })) : named;
  for (const culprit of culprits) effects.push({ kind: 'refused', type, culprit });
  const sentOwn = new Map([...before.sentOwn].filter(([name]) => !answered.push.names.includes(name)));
  return {
    ...before,
    inFlight,
    refused: new Set([...before.refused, ...culprits.map((one) => one.resource.version)]),
    sent: forget(before.sent, resources.map((one) => stream.names[type].idOf(one.name))),
    sentOwn,
    bisect: culprits.length === 0 ? Math.max(1, Math.floor(resources.length / 2)) : before.bisect,
  };
}

/** The holdings with some versions no longer trusted. */
function forget(held: Held, ids: readonly number[]): Held {
  const next = [...held];
  for (const id of ids) if (next[id] !== undefined) next[id] = unknownVersion;
  return next;
}

function resubscribed(stream: StreamState, type: ResourceType, change: { before: TypeState; request: RawRequest }): TypeState {
  const { before, request } = change;
  if (stream.protocol === 'delta' && request.subscribe.bounds.length + request.unsubscribe.bounds.length === 0) return before;
  const names = stream.names[type];
  const subscription = readSubscription({ protocol: stream.protocol, type, names, before: before.subscription, first: false, request });
  if (stream.protocol === 'sotw') {
    if (subscription === before.subscription) return before;
    return { ...before, subscription, sent: dropUnwanted(before.sent, subscription) };
  }
  // Delta: a name that is asked for again is sent again, and one that is given up is no longer held.
  const mentioned = [...idsOf(request.subscribe, names).ids, ...idsOf(request.unsubscribe, names).ids];
  const sent = [...before.sent];
  for (const id of mentioned) if (id < sent.length) sent[id] = undefined;
  const sentOwn = new Map(before.sentOwn);
  for (const id of mentioned) sentOwn.delete(names.nameOf(id));
  return { ...before, subscription, sent: before.sent.length === 0 ? before.sent : canonical(sent, before.sent), sentOwn };
}

/** The old object where nothing changed: identity is what plans are shared by. */
const canonical = (next: Held, before: Held): Held => (next.every((version, id) => version === before[id]) ? before : next);

const dropUnwanted = memoised((held: Held, subscription: TypeState['subscription']): Held =>
  held.map((version, id) => (subscription.wildcard || subscription.ids[id] === 1 ? version : undefined)),
);

/** Sends what may be sent, in type order, then what may be removed, and says when the client has everything. */
function advance(state: StreamState, now: number, effects: StreamEffect[]): StreamState {
  let current = state;
  let busy = false;
  for (const type of resourceTypes) {
    const step = sendType(current, { type, now }, effects);
    current = step.state;
    busy ||= step.busy;
  }
  if (busy) return current;
  if (current.settled !== current.view.revision) {
    effects.push({ kind: 'settled', revision: current.view.revision });
    current = { ...current, settled: current.view.revision };
  }
  return remove(current, now, effects);
}

function sendType(
  state: StreamState,
  at: { readonly type: ResourceType; readonly now: number },
  effects: StreamEffect[],
): { readonly state: StreamState; readonly busy: boolean } {
  const before = state.types[at.type];
  if (before === undefined) return { state, busy: false };
  const due = dueOf(state, at.type, at.now);
  if (due === undefined) return { state, busy: before.inFlight.length > 0 };
  const last = before.inFlight.at(-1);
  if (last !== undefined && at.now - last.sentAt < unansweredMs) {
    effects.push({ kind: 'wake', at: last.sentAt + unansweredMs });
    return { state, busy: true };
  }
  if (due.waiting) effects.push({ kind: 'wake', at: at.now + clusterWaitMs });
  const push = nextPush(state, at.type, due);
  if (push === undefined) return { state, busy: due.waiting || before.inFlight.length > 0 };
  const sentOwn = due.own.length === 0 ? before.sentOwn : withOwn(before.sentOwn, due.own);
  return { state: sent(state, { ...at, before: { ...before, sentOwn }, push }, effects), busy: true };
}

const withOwn = (sentOwn: TypeState['sentOwn'], own: readonly EncodedResource[]): TypeState['sentOwn'] =>
  new Map([...sentOwn, ...own.map((one): [string, string] => [one.name, one.version])]);

interface Sending {
  readonly type: ResourceType;
  readonly now: number;
  readonly before: TypeState;
  readonly push: Push;
}

function sent(state: StreamState, sending: Sending, effects: StreamEffect[]): StreamState {
  const { type, now, before, push } = sending;
  effects.push({ kind: 'send', type, push });
  const next = withType(state, type, { ...before, sent: push.next, inFlight: [...before.inFlight, { push, sentAt: now }] });
  return type === 'cluster' ? oweEndpoints(next, before.sent, push) : next;
}

/** Envoy does not ask again for the endpoints of a changed cluster: they follow it unasked. */
function oweEndpoints(state: StreamState, clustersBefore: Held, push: Push): StreamState {
  const endpoints = state.types.endpoint;
  if (endpoints === undefined) return state;
  const owed = owedEndpoints({ clusters: state.names.cluster, endpoints: state.names.endpoint }, clustersBefore, push);
  const held = owed.filter((id) => endpoints.sent[id] !== undefined);
  if (held.length === 0) return state;
  return withType(state, 'endpoint', { ...endpoints, sent: withoutTrust(endpoints.sent, owed) });
}

type ClusterTables = { readonly clusters: NameTables['cluster']; readonly endpoints: NameTables['endpoint'] };

const owedIds = new WeakMap<Push, readonly number[]>();

function owedEndpoints(tables: ClusterTables, clustersBefore: Held, push: Push): readonly number[] {
  const known = owedIds.get(push);
  if (known !== undefined) return known;
  const changed = push.resources.filter((one) => clustersBefore[tables.clusters.idOf(one.name)] !== undefined);
  const ids = changed.map((one) => tables.endpoints.idOf(one.name));
  owedIds.set(push, ids);
  return ids;
}

const withoutTrust = memoised((held: Held, ids: readonly number[]): Held => forget(held, ids));

/** Removals come last, after a grace, listeners and scopes before what they name. */
function remove(state: StreamState, now: number, effects: StreamEffect[]): StreamState {
  const type = removalDue(state);
  if (type === undefined) return state.removeAt === undefined ? state : { ...state, removeAt: undefined };
  const removeAt = state.removeAt ?? now + removalGraceMs;
  if (now < removeAt) {
    effects.push({ kind: 'wake', at: removeAt });
    return { ...state, removeAt };
  }
  const removal = removalPush(state, type);
  if (removal === undefined) return state;
  return sent({ ...state, removeAt }, { type, now, before: removal.state, push: removal.push }, effects);
}
