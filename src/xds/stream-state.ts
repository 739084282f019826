// The state of one ADS stream, and what goes into and comes out of its reducer.

import type { Culprit } from './nack.js';
import type { Protocol, Push } from './plan.js';
import type { ResourceType } from './resources.js';
import type { Held, NameTables, OwnResources, Subscription, View } from './view.js';
import type { RawRequest } from './wire.js';

/** A response that the client has not answered. */
export interface InFlight {
  readonly push: Push;
  /** Milliseconds since the epoch. */
  readonly sentAt: number;
}

/** What is known of one type on one stream. */
export interface TypeState {
  readonly subscription: Subscription;
  /** Everything sent of the shared view, answered or not. */
  readonly sent: Held;
  /** Versions of the stream's own resources that were sent, by name. */
  readonly sentOwn: ReadonlyMap<string, string>;
  readonly inFlight: readonly InFlight[];
  /** Versions that this client refused: never sent to it again. */
  readonly refused: ReadonlySet<string>;
  /** Resources per response while a refused batch is taken apart; undefined otherwise. */
  readonly bisect: number | undefined;
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
  /** When removals may go; undefined while there are none, or routes are still on their way. */
  readonly removeAt: number | undefined;
}

export type StreamInput =
  | { readonly kind: 'request'; readonly type: ResourceType; readonly request: RawRequest; readonly now: number }
  | { readonly kind: 'view'; readonly view: View; readonly own: OwnResources; readonly now: number }
  | { readonly kind: 'tick'; readonly now: number };

export type StreamEffect =
  | { readonly kind: 'send'; readonly type: ResourceType; readonly push: Push }
  | { readonly kind: 'settled'; readonly revision: number }
  | { readonly kind: 'refused'; readonly type: ResourceType; readonly culprit: Culprit }
  /** Call again with a tick at this time. */
  | { readonly kind: 'wake'; readonly at: number };

export interface Reduced {
  readonly state: StreamState;
  readonly effects: readonly StreamEffect[];
}

/** The state with one type replaced. */
export const withType = (state: StreamState, type: ResourceType, next: TypeState): StreamState => ({
  ...state,
  types: { ...state.types, [type]: next },
});
