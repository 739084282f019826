// What may be sent next on a stream, and what must wait: make before break. Routes wait for the clusters
// that they name; removals wait for everything else. Nothing else waits for an acknowledgement of another
// type: Envoy withholds that of clusters until all of them are warm, so endpoints and secrets must never wait for it.

import { memoised } from '../lib/memo.js';
import { addedBy, ownPlanFor, planFor, type Protocol } from './plan.js';
import { addedByPush, buildPush, sharedPush, type Push, type PushContent } from './push.js';
import { isWildcardType, type EncodedResource, type ResourceType } from './resources.js';
import { wakeAt, type Due, type StreamState, type Turn, type TypeState } from './stream-state.js';
import { hasVersion } from './view.js';

/** How long a route waits for the acknowledgement of its clusters, in milliseconds. */
export const clusterWaitMs = 10_000;
/** After this time an unanswered response no longer stops the next one: slow warming must not hold neighbours. */
export const unansweredMs = 1_000;
/** So many unanswered responses of a type are remembered; what the client says of older ones is ignored. */
export const inFlightAllowed = 8;

/** Up to this number, changed resources of the types whose errors name no culprit go one in a response. */
const singlesAllowed = 8;
const batchBytes = 1_048_576;
const absentAllowed = 1_000;

const unrefused = (state: TypeState, resources: readonly EncodedResource[]): readonly EncodedResource[] =>
  state.refused.size === 0 ? resources : resources.filter((one) => !state.refused.has(one.version));

/** Additions and changes of a type, with the plans that they come from. Most inputs leave most types alone. */
export function dueOf(stream: StreamState, type: ResourceType, state: TypeState): Due {
  const view = stream.view.types[type];
  const own = stream.own[type];
  const known = state.workedOut.due;
  if (known !== undefined && known.view === view && known.own === own) return known.due;
  const due = findDue(stream, type, state);
  state.workedOut.due = { view, own, due };
  return due;
}

function findDue(stream: StreamState, type: ResourceType, state: TypeState): Due {
  const plan = planFor(stream.view.types[type], state.sent, state.subscription);
  const own = ownPlanFor(stream.own[type], state.own, {
    subscription: state.subscription,
    names: stream.names[type],
  });
  const resources = unrefused(state, plan.changed);
  const ownResources = unrefused(state, own.changed);
  const isPartial = resources.length < plan.changed.length || ownResources.length < own.changed.length;
  const blocked = state.blind && (isPartial || isStillRefused(stream, type, state));
  const due = { plan, own, resources, ownResources, unanswered: state.unanswered, blocked };
  return { ...due, pressing: blocked || isDue(due) };
}

const isStillRefused = (stream: StreamState, type: ResourceType, { blocked }: TypeState): boolean =>
  blocked?.view === stream.view.types[type] && blocked.own === stream.own[type];

/** Whether there is anything to add or change. */
export const isDue = ({ plan, own, resources, ownResources, unanswered, blocked }: Omit<Due, 'pressing'>): boolean =>
  !blocked && (unanswered || resources.length + ownResources.length + plan.absent.length + own.absent.length > 0);

/** State of the world has no words for "there is no such route configuration, secret or filter". */
export const cannotSayAbsent = (stream: StreamState, type: ResourceType): boolean =>
  stream.protocol === 'sotw' && (type === 'route' || type === 'secret' || type === 'extension');

/** Clusters that the client is still to get; undefined for one that asks for no clusters here. */
function dueClusters(stream: StreamState): { readonly state: TypeState; readonly due: Due } | undefined {
  const state = stream.types.cluster;
  if (state === undefined) return undefined;
  const due = dueOf(stream, 'cluster', state);
  // Nobody waits for what will not be sent.
  return due.blocked ? undefined : { state, due };
}

/** Listeners and scopes may use new clusters as soon as these were sent. Passes by itself, after `unansweredMs` at most. */
function waitsForSending(stream: StreamState): boolean {
  const clusters = dueClusters(stream);
  if (clusters === undefined) return false;
  const { state, due } = clusters;
  const unsent = (entry: unknown): boolean => entry === undefined || entry === 'absent';
  return (
    due.resources.some((one) => unsent(state.sent[stream.names.cluster.idOf(one.name)])) ||
    due.ownResources.some((one) => unsent(state.own.get(one.name)))
  );
}

/** Whether the client does not have a cluster yet and is about to: unsent, or sent and not acknowledged. */
function clustersUnderway(stream: StreamState, now: number): readonly ((name: string) => boolean)[] {
  const clusters = dueClusters(stream);
  if (clusters === undefined) return [];
  const { state, due } = clusters;
  const found = state.inFlight
    .filter((one) => now - one.sentAt < clusterWaitMs)
    .map(({ push }) => addedByPush(push, stream.names.cluster))
    .filter((names) => names.size > 0)
    .map((names) => (name: string) => names.has(name));
  const unsent = due.resources === due.plan.changed ? addedBy(due.plan) : addedAmong(stream, state, due.resources);
  if (unsent.size > 0) found.push((name) => unsent.has(name));
  const own = due.ownResources.filter((one) => !hasVersion(state.own.get(one.name)));
  if (own.length > 0) found.push((name) => own.some((one) => one.name === name));
  return found;
}

const addedAmong = (
  stream: StreamState,
  state: TypeState,
  resources: readonly EncodedResource[],
): ReadonlySet<string> =>
  new Set(
    resources.filter((one) => !hasVersion(state.sent[stream.names.cluster.idOf(one.name)])).map((one) => one.name),
  );

/** Whether resources of a type wait until the client has the clusters that they name. */
export const waitsForClusters = (type: ResourceType): boolean => type === 'route' || type === 'extension';

/** What of the due may be sent now. */
export function withoutWaiting(stream: StreamState, type: ResourceType, turn: { due: Due; now: number }): Due {
  const { due, now } = turn;
  if (type === 'listener' || type === 'scope')
    return waitsForSending(stream) ? { ...due, resources: [], ownResources: [], unanswered: false } : due;
  if (!waitsForClusters(type)) return due;
  const underway = clustersUnderway(stream, now);
  if (underway.length === 0) return due;
  const isReady = (one: EncodedResource): boolean => !one.clusters.some((name) => underway.some((has) => has(name)));
  const ready = (all: readonly EncodedResource[]): readonly EncodedResource[] =>
    all.every(isReady) ? all : all.filter(isReady);
  return { ...due, resources: ready(due.resources), ownResources: ready(due.ownResources) };
}

/** Asks for a tick when the first of the clusters that something waits for is given up. */
export function wakeForClusters(stream: StreamState, turn: Turn): void {
  const ends = (stream.types.cluster?.inFlight ?? [])
    .map((one) => one.sentAt + clusterWaitMs)
    .filter((at) => at > turn.now);
  if (ends.length > 0) wakeAt(turn, Math.min(...ends));
}

/** How many of the due resources go into one response. */
function limitOf(type: ResourceType, state: TypeState, resources: readonly EncodedResource[]): number {
  if (state.bisect !== undefined) return state.bisect;
  if (isWildcardType(type)) return resources.length;
  return resources.length <= singlesAllowed ? 1 : batchOf(resources);
}

/** How many of a list make a batch: worked out once for a list that many streams are sent. */
const batchOf = memoised((resources: readonly EncodedResource[]): number => {
  let bytes = 0;
  const over = resources.findIndex((one) => (bytes += one.frame.length) > batchBytes);
  return over < 0 ? resources.length : Math.max(1, over);
});

const joined = (own: readonly EncodedResource[], resources: readonly EncodedResource[]): readonly EncodedResource[] =>
  own.length === 0 ? resources : [...own, ...resources];

/** What is a stream's own goes ahead of a large shared response, so that this one is the same for all streams. */
function ownAhead(protocol: Protocol, state: TypeState, due: Due): Due {
  const isApart = protocol === 'delta' && state.bisect === undefined && due.ownResources.length > 0;
  return isApart && due.resources.length > singlesAllowed ? { ...due, resources: [] } : due;
}

/** The next response of additions and changes. */
export function nextPush(protocol: Protocol, state: TypeState, all: Due): Push {
  const due = ownAhead(protocol, state, all);
  const { type } = due.plan.view;
  const { priors, own: held } = state;
  const limit = limitOf(type, state, joined(due.ownResources, due.resources));
  const ownPart = due.ownResources.slice(0, limit);
  const contentOf = (): PushContent => ({
    protocol,
    plan: due.plan,
    resources: due.resources.slice(0, limit - ownPart.length),
    absent: due.plan.absent.slice(0, absentAllowed),
    removed: [],
    own: { held, resources: ownPart, absent: due.own.absent, gone: [] },
    priors,
  });
  const lists = protocol === 'sotw' && isWildcardType(type);
  const isShared = due.resources === due.plan.changed && ownPart.length + due.own.absent.length === 0;
  if (!isShared || (lists && held.size + priors.size > 0)) return buildPush(contentOf());
  const push = sharedPush(due.plan, `${protocol}/${String(limit)}`, () => buildPush(contentOf()));
  // A client that changes its mind twice is where it was: it still needs a nonce of its own for each response.
  const isUsed = push.nonce === state.lastNonce || state.inFlight.some((one) => one.push.nonce === push.nonce);
  return isUsed ? buildPush(contentOf()) : push;
}
