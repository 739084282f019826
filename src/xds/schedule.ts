// What may be sent next on a stream, and what must wait: make before break. Routes wait for the clusters
// that they name; removals wait for everything else. Nothing else waits on another type: Envoy withholds
// the ACK of clusters until all of them are warm, so endpoints and secrets must never wait for it.

import { buildPush, planFor, sharedPush, wantedOf, type Plan, type Push } from './plan.js';
import { isWildcardType, type EncodedResource, type ResourceType } from './resources.js';
import type { StreamState, TypeState } from './stream-state.js';
import { toldAbsent } from './view.js';

/** How long a route waits for the acknowledgement of its clusters, in milliseconds. */
export const clusterWaitMs = 10_000;
/** After this time an unanswered response no longer stops the next one: slow warming must not hold neighbours. */
export const unansweredMs = 1_000;
/** How long removals wait once everything else was acknowledged. */
export const removalGraceMs = 2_000;

/** Up to this number, changed resources of the types whose errors name no culprit go one in a response. */
const singlesAllowed = 8;
const batchBytes = 1_048_576;

const nothing: readonly EncodedResource[] = [];

/** Own resources that the client lacks. */
function ownChanges(state: TypeState, own: readonly EncodedResource[]): readonly EncodedResource[] {
  if (own.every((one) => state.sentOwn.get(one.name) === one.version)) return nothing;
  return own.filter((one) => state.sentOwn.get(one.name) !== one.version && !state.refused.has(one.version));
}

/** Own resources that the client wants: all of a wildcard type, the ones it names of others. */
function ownWanted(stream: StreamState, type: ResourceType, state: TypeState): readonly EncodedResource[] {
  const own = stream.own[type];
  if (own === undefined) return nothing;
  if (state.subscription.wildcard) return own;
  return own.filter((one) => state.subscription.ids[stream.names[type].idOf(one.name)] === 1);
}

/** Names of clusters that are on their way, and since when. */
function clustersUnderway(stream: StreamState, now: number): ReadonlySet<string> | undefined {
  const clusters = stream.types.cluster;
  const recent = clusters?.inFlight.filter((one) => now - one.sentAt < clusterWaitMs) ?? [];
  if (recent.length === 0) return undefined;
  return new Set(recent.flatMap((one) => one.push.names));
}

/** What a client lacks and may have now. */
export interface Due {
  readonly plan: Plan;
  readonly resources: readonly EncodedResource[];
  readonly own: readonly EncodedResource[];
  /** Nothing was held back: the plan's response can be shared between streams. */
  readonly whole: boolean;
  /** Something waits for its clusters. */
  readonly waiting: boolean;
}

/** Additions and changes that are due on a type. */
export function dueOf(stream: StreamState, type: ResourceType, now: number): Due | undefined {
  const state = stream.types[type];
  if (state === undefined) return undefined;
  const plan = planFor(stream.view.types[type], state.sent, state.subscription);
  const own = ownChanges(state, ownWanted(stream, type, state));
  if (plan.changed.length === 0 && plan.absent.length === 0 && own.length === 0) return undefined;
  const allowed = state.refused.size === 0 ? plan.changed : plan.changed.filter((one) => !state.refused.has(one.version));
  const underway = type === 'route' ? clustersUnderway(stream, now) : undefined;
  const resources = underway === undefined ? allowed : allowed.filter((one) => !one.clusters.some((name) => underway.has(name)));
  const waiting = resources.length < allowed.length;
  return { plan, resources, own, whole: resources.length === plan.changed.length, waiting };
}

/** How many of the due resources go into one response. */
function limitOf(type: ResourceType, state: TypeState, resources: readonly EncodedResource[]): number {
  if (state.bisect !== undefined) return state.bisect;
  if (isWildcardType(type)) return resources.length;
  if (resources.length <= singlesAllowed) return 1;
  let bytes = 0;
  const over = resources.findIndex((one) => (bytes += one.frame.length) > batchBytes);
  return over < 0 ? resources.length : Math.max(1, over);
}

/** The next response of additions and changes, if one is due. */
export function nextPush(stream: StreamState, type: ResourceType, due: Due): Push | undefined {
  const state = stream.types[type];
  if (state === undefined || due.resources.length + due.own.length + due.plan.absent.length === 0) return undefined;
  const full = stream.protocol === 'sotw' ? fullSet(stream, type, state) : undefined;
  if (full?.some((one) => state.refused.has(one.version)) === true && isWildcardType(type)) return undefined;
  const limit = full !== undefined && isWildcardType(type) ? due.resources.length : limitOf(type, state, due.resources);
  const shared = due.whole && due.own.length === 0 && (full === undefined || stream.own[type] === undefined);
  if (shared) return sharedPush(due.plan, { protocol: stream.protocol, limit, ...(full === undefined ? {} : { full }) });
  return buildPush({
    protocol: stream.protocol,
    plan: due.plan,
    resources: due.resources.slice(0, limit),
    absent: due.plan.absent,
    removed: [],
    own: due.own,
    full,
  });
}

/** State of the world: everything that the client should keep, also what may not be removed yet. */
function fullSet(stream: StreamState, type: ResourceType, state: TypeState): readonly EncodedResource[] {
  const view = stream.view.types[type];
  const wanted = wantedOf(view, state.subscription);
  const kept = isWildcardType(type)
    ? [...view.lingering].filter(([id]) => isHeld(state.sent[id])).map(([, resource]) => resource)
    : [];
  const own = ownWanted(stream, type, state).filter((one) => !state.refused.has(one.version));
  return kept.length + own.length === 0 ? wanted : [...wanted, ...kept, ...own];
}

const isHeld = (version: string | undefined): boolean => version !== undefined && version !== toldAbsent;

/** Types whose removals may break a request, in the order in which they are removed. */
const removalOrder: readonly ResourceType[] = ['listener', 'scope', 'route', 'cluster', 'secret'];

/** Names of own resources that the client holds and that are gone. */
function ownGone(stream: StreamState, type: ResourceType, state: TypeState): readonly string[] {
  if (state.sentOwn.size === 0) return [];
  const names = new Set((stream.own[type] ?? nothing).map((one) => one.name));
  return [...state.sentOwn.keys()].filter((name) => !names.has(name));
}

/** The first type, in order of removal, at which the client holds what is gone. */
export function removalDue(stream: StreamState): ResourceType | undefined {
  return removalOrder.find((type) => {
    const state = stream.types[type];
    if (state === undefined) return false;
    return planFor(stream.view.types[type], state.sent, state.subscription).removed.length > 0 || ownGone(stream, type, state).length > 0;
  });
}

/** The response that removes what is gone of a type. */
export function removalPush(stream: StreamState, type: ResourceType): { readonly push: Push; readonly state: TypeState } | undefined {
  const state = stream.types[type];
  if (state === undefined) return undefined;
  const plan = planFor(stream.view.types[type], state.sent, state.subscription);
  const gone = ownGone(stream, type, state);
  const remaining = new Map([...state.sentOwn].filter(([name]) => !gone.includes(name)));
  const own = ownWanted(stream, type, state).filter((one) => !state.refused.has(one.version));
  const push = buildPush({
    protocol: stream.protocol,
    plan,
    resources: [],
    absent: [],
    removed: plan.removed,
    own: [],
    goneNames: gone,
    ...(stream.protocol === 'sotw' ? { full: [...wantedOf(plan.view, state.subscription), ...own] } : {}),
  });
  return { push, state: { ...state, sentOwn: remaining } };
}
