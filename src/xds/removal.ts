// What a client holds and should not: removed last, after a grace, what names before what is named.

import { clustersNamedBy, type Protocol } from './plan.js';
import { buildPush, type Push } from './push.js';
import { isWildcardType, type ResourceType } from './resources.js';
import { clusterWaitMs, dueOf, isDue } from './schedule.js';
import type { Due, StreamState, TypeState } from './stream-state.js';
import { resourceIn, type HeldEntry, type TypeView } from './view.js';

/** How long removals wait once everything else was acknowledged, in milliseconds. */
export const removalGraceMs = 2_000;
/** How long at most, while ever new changes are sent. */
export const removalPatienceMs = 30_000;

const removalOrder: readonly ResourceType[] = ['listener', 'scope', 'route', 'extension', 'cluster', 'secret'];

/** Types that name others: while they change, nothing is removed. */
const makers: readonly ResourceType[] = ['cluster', 'extension', 'listener', 'scope', 'route'];

/** Whether a response of this type puts removals off. */
export const delaysRemoval = (type: ResourceType): boolean => makers.includes(type);

/** Whether the client is still to acknowledge something that may stop it from using what is gone. */
export function isMaking(stream: StreamState, now: number): boolean {
  return makers.some((type) => {
    const state = stream.types[type];
    if (state === undefined) return false;
    if (isDue(dueOf(stream, type, state))) return true;
    // The ACK of clusters may be withheld for long; other types are answered at once.
    return state.inFlight.some((one) => type !== 'cluster' || now - one.sentAt < clusterWaitMs);
  });
}

/** What is to be removed of one type. */
export interface Doomed {
  readonly type: ResourceType;
  readonly state: TypeState;
  readonly due: Due;
  readonly ids: readonly number[];
  readonly own: readonly string[];
}

/** State of the world cannot remove what was asked for by name: the client keeps it until it no longer asks. */
const leavesWithItsName = (stream: StreamState, type: ResourceType): boolean =>
  stream.protocol === 'sotw' && !isWildcardType(type);

/** The first type, in order of removal, at which the client holds what is gone and may be removed. */
export function doomedOf(stream: StreamState): Doomed | undefined {
  for (const type of removalOrder) {
    const state = stream.types[type];
    if (state === undefined || state.blind || leavesWithItsName(stream, type)) continue;
    const due = dueOf(stream, type, state);
    const gone = { ids: due.plan.removed, own: due.own.gone };
    if (gone.ids.length + gone.own.length === 0) continue;
    const { ids, own } = type === 'cluster' ? unused(stream, gone) : gone;
    if (ids.length + own.length > 0) return { type, state, due, ids, own };
  }
  return undefined;
}

interface Gone {
  readonly ids: readonly number[];
  readonly own: readonly string[];
}

/** What names clusters. */
const namers = ['route', 'listener', 'extension'] as const;

/** Clusters that nothing names which the client holds, be it for having refused what came after. */
function unused(stream: StreamState, gone: Gone): Gone {
  const states = namers.flatMap((type) => {
    const state = stream.types[type];
    return state === undefined ? [] : [{ state, view: stream.view.types[type] }];
  });
  if (states.some(({ state, view }) => isObscure(state, view))) return { ids: [], own: [] };
  const uses = states.flatMap(({ state }) => [clustersNamedBy(state.sent), ownUses(state)]);
  const isUsed = (name: string): boolean => uses.some((names) => names.has(name));
  return {
    ids: gone.ids.filter((id) => !isUsed(stream.names.cluster.nameOf(id))),
    own: gone.own.filter((name) => !isUsed(name)),
  };
}

const noUses: ReadonlySet<string> = new Set();

function ownUses(state: TypeState): ReadonlySet<string> {
  if (state.own.size + state.priors.size === 0) return noUses;
  const resources = [...state.own.values(), ...state.priors.values()].flatMap((entry) => resourceIn(entry) ?? []);
  return new Set(resources.flatMap((one) => one.clusters));
}

/** The client has versions from before this stream that it refuses to replace, or that stay: what they name is not known. */
function isObscure(state: TypeState, { names, withheld }: TypeView): boolean {
  if (state.refused.size + withheld.size === 0) return false;
  const isUnknown = (entry: HeldEntry | undefined, name: string): boolean =>
    entry === 'stale' && !state.priors.has(name);
  return (
    state.sent.some((entry, id) => isUnknown(entry, names.nameOf(id))) ||
    [...state.own].some(([name, entry]) => isUnknown(entry, name))
  );
}

/** The response that removes what may be removed. */
export const removalPush = (protocol: Protocol, { state, due, ids, own }: Doomed): Push =>
  buildPush({
    protocol,
    plan: due.plan,
    resources: [],
    absent: [],
    removed: ids,
    own: { held: state.own, resources: [], absent: [], gone: own },
    priors: state.priors,
  });
