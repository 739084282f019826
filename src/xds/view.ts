// What a kind of proxy should have: per type, a vector of encoded resources indexed by name id. Views of
// equal proxies are one object, so that everything computed from a view is computed once.

import { hash } from 'node:crypto';
import type { NameTable } from './name-table.js';
import type { EncodedResource, ResourceType } from './resources.js';

/** All resources of one type. */
export interface TypeView {
  readonly type: ResourceType;
  readonly names: NameTable;
  /** By name id; undefined where nothing is served under that name. */
  readonly resources: readonly (EncodedResource | undefined)[];
  /** Ids of names whose content was refused while nothing good is known in its place: not sent, and not removed. */
  readonly withheld: ReadonlySet<number>;
}

/** The whole configuration of a kind of proxy. */
export interface View {
  /** Of the World that it was made from. */
  readonly revision: number;
  readonly types: Readonly<Record<ResourceType, TypeView>>;
}

/** Resources of one stream alone: those that name the pod's own addresses. */
export type OwnResources = Readonly<Partial<Record<ResourceType, readonly EncodedResource[]>>>;

/** What a client wants of one type. Immutable and shared: compare by identity. */
export interface Subscription {
  readonly wildcard: boolean;
  /** 1 at the ids that were asked for by name. */
  readonly ids: Uint8Array;
}

/**
 * What a client has under one name: the resource that it was sent; `stale`, some version that must be sent anew;
 * `doubt`, perhaps something, since it came in a response that was refused; `absent`, it knows that there is nothing.
 */
export type HeldEntry = EncodedResource | 'stale' | 'doubt' | 'absent';

/** What a client was sent of one type, by name id. Immutable and shared: compare by identity. */
export type Held = readonly (HeldEntry | undefined)[];

/** What a stream has of its own resources, by name. */
export type OwnHeld = ReadonlyMap<string, HeldEntry>;

export const nothingHeld: Held = [];
export const noSubscription: Subscription = { wildcard: false, ids: new Uint8Array(0) };

/** The resource in an entry, if that is what it is. */
export const resourceIn = (entry: HeldEntry | undefined): EncodedResource | undefined =>
  typeof entry === 'object' ? entry : undefined;

/** Whether the client has some version for certain. */
export const hasVersion = (entry: HeldEntry | undefined): boolean => typeof entry === 'object' || entry === 'stale';

/** Whether an entry is exactly this resource. */
export const isCurrent = (entry: HeldEntry | undefined, resource: EncodedResource): boolean =>
  typeof entry === 'object' && entry.version === resource.version;

/** A name table for each type, shared by all views of a server. */
export type NameTables = Readonly<Record<ResourceType, NameTable>>;

/** Builds a value for each resource type. */
export function forEachType<T>(make: (type: ResourceType) => T): Record<ResourceType, T> {
  return {
    secret: make('secret'),
    cluster: make('cluster'),
    endpoint: make('endpoint'),
    extension: make('extension'),
    listener: make('listener'),
    scope: make('scope'),
    route: make('route'),
  };
}

/** A view without resources, from before the first World. */
export const emptyView = (names: NameTables): View => ({
  revision: -1,
  types: forEachType((type) => ({ type, names: names[type], resources: [], withheld: new Set() })),
});

/** One change of a view: a resource, or `undefined` for a name that is gone. */
export type ViewChange = ReadonlyMap<string, EncodedResource | undefined>;

/** A type's view with changes; the same object when nothing differs. */
export function changeTypeView(view: TypeView, changes: ViewChange): TypeView {
  const resources = [...view.resources];
  let changed = false;
  for (const [name, next] of changes) {
    const id = view.names.idOf(name);
    // Another object with equal bytes counts: refusals are traced through what the newest one came from.
    if (resources[id] === next) continue;
    changed = true;
    while (resources.length <= id) resources.push(undefined);
    resources[id] = next;
  }
  return changed ? { ...view, resources } : view;
}

/** A type's view that withholds these names; the same object when it does already. */
export function withholding(view: TypeView, names: readonly string[]): TypeView {
  const withheld = new Set(names.map((name) => view.names.idOf(name)));
  const isSame = withheld.size === view.withheld.size && [...withheld].every((id) => view.withheld.has(id));
  return isSame ? view : { ...view, withheld };
}

/** Whether a client with this subscription wants a name. */
export const wants = (subscription: Subscription, id: number): boolean =>
  subscription.wildcard || subscription.ids[id] === 1;

/** The version of a set of resources in state of the world: over sorted `name version` lines. */
export function versionOfSet(resources: readonly EncodedResource[]): string {
  const lines = resources.map((resource) => `${resource.name} ${resource.version}`).sort();
  return hash('sha256', lines.join('\n'), 'hex').slice(0, 16);
}
