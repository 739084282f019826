// The state of one ADS stream, and what goes into and comes out of its reducer.

import type { Culprit } from './nack.js';
import type { OwnPlan, Plan, Protocol } from './plan.js';
import type { Push } from './push.js';
import type { EncodedResource, ResourceType } from './resources.js';
import type { Held, NameTables, OwnHeld, OwnResources, Subscription, View, TypeView } from './view.js';
import type { RawRequest } from './wire.js';

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
  /** It may be sent neither as it is, for it was refused, nor without what was refused. */
  readonly blocked: boolean;
}

/** The last answer to what is due, with what it was asked for. The one thing here that changes in place: it holds
 * nothing that does not follow from the state, and saves most of the work of most inputs. */
export interface LastDue {
  state?: TypeState;
  view?: TypeView;
  own?: readonly EncodedResource[] | undefined;
  due?: Due;
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
  readonly last: LastDue;
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
}

/** The state with one type replaced. */
export const withType = (state: StreamState, type: ResourceType, next: TypeState): StreamState =>
  state.types[type] === next ? state : { ...state, types: { ...state.types, [type]: next } };

/** Asks for a tick, which must be in the future. */
export function wakeAt(turn: Turn, at: number): void {
  if (at > turn.now) turn.effects.push({ kind: 'wake', at });
}
