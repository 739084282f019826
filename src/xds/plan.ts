// The difference between what a client holds and what it should have. Pure, and memoised by the identity
// of its arguments: a thousand streams in the same state share one computation.

import { memoised } from '../lib/memo.js';
import { isOwnName } from './names.js';
import type { NameTable } from './name-table.js';
import type { EncodedResource } from './resources.js';
import {
  hasVersion,
  isCurrent,
  resourceIn,
  wants,
  type Held,
  type HeldEntry,
  type OwnHeld,
  type Subscription,
  type TypeView,
} from './view.js';

export type Protocol = 'delta' | 'sotw';

/** What is missing at a client. */
export interface Plan {
  readonly view: TypeView;
  readonly held: Held;
  readonly changed: readonly EncodedResource[];
  /** Ids of names that the client asked for and nobody serves. */
  readonly absent: readonly number[];
  /** Ids of names that the client holds and that are gone. */
  readonly removed: readonly number[];
  /** `held`, or the object that all clients share who hold just this. */
  readonly canonical: Held;
}

type Lack = 'changed' | 'absent' | 'removed' | undefined;

function lackOf(
  view: TypeView,
  entry: HeldEntry | undefined,
  asked: { readonly id: number; readonly named: boolean },
): Lack {
  const resource = view.resources[asked.id];
  if (resource !== undefined) return isCurrent(entry, resource) ? undefined : 'changed';
  if (entry === undefined) return asked.named && !isOwnName(view.names.nameOf(asked.id)) ? 'absent' : undefined;
  return entry === 'absent' || view.withheld.has(asked.id) ? undefined : lackOfGone(view, entry, asked.named);
}

/** Endpoints that are gone stay: they leave with their clusters. */
function lackOfGone(view: TypeView, entry: HeldEntry, named: boolean): Lack {
  if (view.type !== 'endpoint') return 'removed';
  return typeof entry === 'string' && named ? 'absent' : undefined;
}

/** What a client lacks. */
export const planFor = memoised((view: TypeView, held: Held, subscription: Subscription): Plan => {
  const changed: EncodedResource[] = [];
  const absent: number[] = [];
  const removed: number[] = [];
  const end = Math.max(view.resources.length, held.length, subscription.ids.length);
  for (let id = 0; id < end; id++) {
    if (!wants(subscription, id)) continue;
    const resource = view.resources[id];
    const lack = lackOf(view, held[id], { id, named: subscription.ids[id] === 1 });
    if (lack === 'changed' && resource !== undefined) changed.push(resource);
    else if (lack === 'absent') absent.push(id);
    else if (lack === 'removed') removed.push(id);
  }
  const whole = changed.length + absent.length + removed.length === 0;
  return {
    view,
    held,
    changed,
    absent,
    removed,
    canonical: whole ? canonicalOf(held, heldWhenCurrent(view, subscription)) : held,
  };
});

/** All resources that a client with this subscription should have. */
export const wantedOf = memoised((view: TypeView, subscription: Subscription): readonly EncodedResource[] =>
  view.resources.filter(
    (resource, id): resource is EncodedResource => resource !== undefined && wants(subscription, id),
  ),
);

/** What a client holds that has everything it wants. */
export const heldWhenCurrent = memoised((view: TypeView, subscription: Subscription): Held => {
  const end = Math.max(view.resources.length, subscription.ids.length);
  return Array.from({ length: end }, (_, id) => {
    if (!wants(subscription, id)) return undefined;
    const missing = subscription.ids[id] === 1 && !isOwnName(view.names.nameOf(id)) ? 'absent' : undefined;
    return view.resources[id] ?? missing;
  });
});

/** The shared object where the content is the same. Of a client that has nothing it matters little whether it was told. */
function canonicalOf(held: Held, current: Held): Held {
  for (let id = Math.max(held.length, current.length) - 1; id >= 0; id--) {
    const [one, other] = [held[id], current[id]];
    const same = typeof other === 'object' ? isCurrent(one, other) : (one ?? 'absent') === (other ?? 'absent');
    if (!same) return held;
  }
  return current;
}

/** The holdings of a client that changed its mind: what it no longer wants it no longer has. */
export const withoutUnwanted = memoised((held: Held, subscription: Subscription): Held =>
  held.every((entry, id) => entry === undefined || wants(subscription, id))
    ? held
    : held.map((entry, id) => (wants(subscription, id) ? entry : undefined)),
);

/** The holdings after some entries changed. */
export function withEntries(held: Held, changes: Iterable<readonly [number, HeldEntry | undefined]>): Held {
  const next = [...held];
  for (const [id, entry] of changes) {
    while (next.length <= id) next.push(undefined);
    next[id] = entry;
  }
  return next;
}

/** The holdings of a client that was told of everything that is absent. */
export const withAbsent = memoised((plan: Plan): Held =>
  withEntries(
    plan.held,
    plan.absent.map((id): [number, HeldEntry] => [id, 'absent']),
  ),
);

/** The holdings with some versions no longer trusted. */
export const withoutTrust = memoised((held: Held, ids: readonly number[]): Held =>
  withEntries(
    held,
    ids.filter((id) => hasVersion(held[id])).map((id): [number, HeldEntry] => [id, 'stale']),
  ),
);

/** Clusters that held routes and listeners send to. */
export const clustersNamedBy = memoised(
  (held: Held): ReadonlySet<string> => new Set(held.flatMap((entry) => resourceIn(entry)?.clusters ?? [])),
);

/** Route configurations that held listeners and scopes name. */
export const routesNamedBy = memoised((held: Held): readonly string[] => [
  ...new Set(held.flatMap((entry) => resourceIn(entry)?.routes ?? [])),
]);

/** HTTP filters that held listeners leave to be asked for. */
export const extensionsNamedBy = memoised((held: Held): readonly string[] => [
  ...new Set(held.flatMap((entry) => resourceIn(entry)?.extensions ?? [])),
]);

/** Names of what has changed and of which the client has no version yet. */
export const addedBy = memoised(
  (plan: Plan): ReadonlySet<string> =>
    new Set(
      plan.changed.filter((one) => !hasVersion(plan.held[plan.view.names.idOf(one.name)])).map((one) => one.name),
    ),
);

/** As a plan, of the resources of one stream alone. */
export interface OwnPlan {
  readonly changed: readonly EncodedResource[];
  readonly absent: readonly string[];
  readonly gone: readonly string[];
}

const nothingOwn: OwnPlan = { changed: [], absent: [], gone: [] };

/** The own names that a client asks for. */
interface OwnAsked {
  readonly wildcard: boolean;
  readonly listed: readonly string[];
}

const ownAsked = memoised((subscription: Subscription, names: NameTable): OwnAsked => {
  const listed: string[] = [];
  subscription.ids.forEach((bit, id) => {
    if (bit === 1 && isOwnName(names.nameOf(id))) listed.push(names.nameOf(id));
  });
  return { wildcard: subscription.wildcard, listed };
});

const noneServed: readonly EncodedResource[] = [];

/** What a client lacks of the stream's own resources. */
export function ownPlanFor(
  own: readonly EncodedResource[] | undefined,
  held: OwnHeld,
  by: { readonly subscription: Subscription; readonly names: NameTable },
): OwnPlan {
  const asked = ownAsked(by.subscription, by.names);
  if ((own?.length ?? 0) + held.size + asked.listed.length === 0) return nothingOwn;
  return ownPlan(own ?? noneServed, held, asked);
}

const ownPlan = memoised((own: readonly EncodedResource[], held: OwnHeld, asked: OwnAsked): OwnPlan => {
  const wanted = asked.wildcard ? own : own.filter((one) => asked.listed.includes(one.name));
  const served = new Set(wanted.map((one) => one.name));
  return {
    changed: wanted.filter((one) => !isCurrent(held.get(one.name), one)),
    absent: asked.listed.filter((name) => !served.has(name) && !held.has(name)),
    gone: [...held].filter(([name, entry]) => entry !== 'absent' && !served.has(name)).map(([name]) => name),
  };
});
