// The state of one ADS stream, and what goes into and comes out of its reducer.

import type { Culprit } from './nack.js';
import type { OwnPlan, Plan, Protocol } from './plan.js';
import type { Push } from './push.js';
import type { EncodedResource, ResourceType } from './resources.js';
import type { Held, NameTables, OwnHeld, OwnResources, Subscription, TypeView, View } from './view.js';
import type { RawRequest } from './wire-read.js';

/** A response that the client has not answered. */
export interface InFlight {
  readonly push: Push;
  /** Milliseconds since the epoch. */
  readonly sentAt: number;
}

/** What a client lacks of a type and has not refused. */
export interface Due {
  readonly plan: Plan;
  readonly own: OwnPlan;
  readonly resources: readonly EncodedResource[];
  readonly ownResources: readonly EncodedResource[];
  /** An answer is owed, be it empty. */
  readonly unanswered: boolean;
  /** There is something to send, or a reason why it may not be. */
  readonly pressing: boolean;
  /** It may be sent neither as it is, for it was refused, nor without what was refused. */
  readonly blocked: boolean;
}

/**
 * What was last worked out from the state of a type, with what it was worked out from. The one thing here that changes
 * in place: it holds nothing that does not follow from the state. Streams in the same state share the object of that
 * state, so that the first of them does the work. No next state is kept here: a stream that stays behind must not keep
 * all that came after it.
 */
export interface WorkedOut {
  due?: { readonly view: TypeView; readonly own: readonly EncodedResource[] | undefined; readonly due: Due };
  /** Of listeners: what they and the other types here make the client ask for, and it has not. */
  unasked?: {
    readonly scope: TypeState | undefined;
    readonly route: TypeState | undefined;
    readonly extension: TypeState | undefined;
    readonly names: readonly string[];
  };
}

/** What is known of one type on one stream. */
export interface TypeState {
  readonly subscription: Subscription;
  /** The client has asked for a name, or for `*`. */
  readonly everNamed: boolean;
  /** Everything sent of the shared view, answered or not. */
  readonly sent: Held;
  /** Everything sent of the stream's own resources. */
  readonly own: OwnHeld;
  readonly inFlight: readonly InFlight[];
  /** Of the newest response. */
  readonly lastNonce: string;
  /** By version, what this client refused: never sent to it again. */
  readonly refused: ReadonlyMap<string, Culprit>;
  /** By name: what the client has instead of what it refused, or took beside it. */
  readonly priors: ReadonlyMap<string, EncodedResource>;
  /** Resources per response while a refused batch is taken apart; undefined otherwise. */
  readonly bisect: number | undefined;
  /** The first request must be answered, be it with nothing: Envoy starts only after its first clusters and listeners. */
  readonly unanswered: boolean;
  /** State of the world: the client has things from an earlier stream, and nobody knows which; to leave one out deletes it. */
  readonly blind: boolean;
  /** What was refused while blind: nothing is sent until it changes. */
  readonly blocked: { readonly view: TypeView; readonly own: readonly EncodedResource[] | undefined } | undefined;
  readonly workedOut: WorkedOut;
}

/** When what is gone may be removed. */
export interface Removal {
  /** When it was first seen to be gone. */
  readonly since: number;
  /** Undefined while additions and changes are on their way. */
  readonly at: number | undefined;
}

/** What a client will ask for but has not yet: Envoy asks for routes only after it has processed what names them. */
export interface Awaiting {
  /** When waiting ends; undefined while nothing is awaited. */
  readonly until: number | undefined;
  /** What it never asked for in that time. */
  readonly givenUp: ReadonlySet<string>;
}

/** All of a stream. Immutable. */
export interface StreamState {
  readonly protocol: Protocol;
  readonly names: NameTables;
  readonly view: View;
  readonly own: OwnResources;
  readonly types: Readonly<Partial<Record<ResourceType, TypeState>>>;
  /** Newest revision of which everything is acknowledged. */
  readonly settled: number;
  readonly removal: Removal | undefined;
  readonly awaiting: Awaiting;
  /** Clusters that were changed before the client asked for endpoints: theirs must be sent even if it has them. */
  readonly owed: readonly number[];
}

export type StreamInput =
  | { readonly kind: 'request'; readonly type: ResourceType; readonly request: RawRequest; readonly now: number }
  | { readonly kind: 'view'; readonly view: View; readonly own: OwnResources; readonly now: number }
  | { readonly kind: 'tick'; readonly now: number };

export type StreamEffect =
  | { readonly kind: 'send'; readonly type: ResourceType; readonly push: Push }
  | { readonly kind: 'settled'; readonly revision: number }
  | { readonly kind: 'refused'; readonly type: ResourceType; readonly culprit: Culprit }
  /** A response was refused and it is not known which of its resources is to blame. */
  | { readonly kind: 'unattributed'; readonly type: ResourceType; readonly message: string; readonly suspects: number }
  /** Call again with a tick at this time. */
  | { readonly kind: 'wake'; readonly at: number };

export interface Reduced {
  readonly state: StreamState;
  readonly effects: readonly StreamEffect[];
}

/** What one input is worked on with. */
export interface Turn {
  readonly now: number;
  readonly effects: StreamEffect[];
  /** Something is due or in flight. */
  busy: boolean;
  /** The client holds something that is gone. */
  gone: boolean;
}

/** The state of a type with some things changed: what was worked out from the old one does not follow from it. */
export const changedType = (state: TypeState, changes: Partial<Omit<TypeState, 'workedOut'>>): TypeState => ({
  ...state,
  ...changes,
  workedOut: {},
});

/** The states of streams that hold the same, held weakly: they know newer views, which must not live as long as old ones. */
const restingStates = new WeakMap<Held, readonly WeakRef<TypeState>[]>();
const restingRemembered = 4;

/** Whether other streams may be in the same state: none is that has something of its own. */
export const isCommon = (state: TypeState): boolean => state.own.size === 0;

const isAtPeace = (state: TypeState): boolean =>
  state.inFlight.length + state.refused.size + state.priors.size === 0 &&
  !state.unanswered &&
  !state.blind &&
  state.blocked === undefined &&
  state.bisect === undefined;

/** So many of the last steps are remembered: streams take them in a row. */
export const stepsRemembered = 8;

/** The one object for all streams to which nothing is owed, who owe no answer, and who hold and want the same. */
export function shared(state: TypeState): TypeState {
  if (!isCommon(state) || !isAtPeace(state)) return state;
  const known = restingStates.get(state.sent) ?? [];
  for (const reference of known) {
    const one = reference.deref();
    if (one?.subscription !== state.subscription) continue;
    if (one.lastNonce === state.lastNonce && one.everNamed === state.everNamed) return one;
  }
  restingStates.set(state.sent, [new WeakRef(state), ...known].slice(0, restingRemembered));
  return state;
}

/** The state with one type replaced. */
export function withType(state: StreamState, type: ResourceType, next: TypeState): StreamState {
  if (state.types[type] === next) return state;
  // Copied and then set: a computed key in a literal is much slower, and this is done for each message.
  const types = { ...state.types };
  types[type] = next;
  return { ...state, types };
}

/** Asks for a tick, which must be in the future. */
export function wakeAt(turn: Turn, at: number): void {
  if (at > turn.now) turn.effects.push({ kind: 'wake', at });
}
