// What a kind of proxy should have: per type, a vector of encoded resources indexed by name id. Views of
// equal proxies are one object, so that everything computed from a view is computed once.

import { hash } from 'node:crypto';
import type { NameTable } from './name-table.js';
import { resourceTypes, type EncodedResource, type ResourceType } from './resources.js';

/** All resources of one type. */
export interface TypeView {
  readonly type: ResourceType;
  readonly names: NameTable;
  /** By name id; undefined where nothing is served under that name. */
  readonly resources: readonly (EncodedResource | undefined)[];
  /** Served until lately: state of the world has no other way to keep what may not be removed yet. */
  readonly lingering: ReadonlyMap<number, EncodedResource>;
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

/** What a client was sent of one type: version by name id. Immutable and shared: compare by identity. */
export type Held = readonly (string | undefined)[];

/** In a Held: the client was told that there is nothing under this name. */
export const toldAbsent = '';
/** In a Held: the client has some version, but not one that can be trusted to be current. */
export const unknownVersion = '?';

export const nothingHeld: Held = [];
export const noSubscription: Subscription = { wildcard: false, ids: new Uint8Array(0) };

/** A name table for each type, shared by all views of a server. */
export type NameTables = Readonly<Record<ResourceType, NameTable>>;

/** Builds a value for each resource type. */
export function forEachType<T>(make: (type: ResourceType) => T): Record<ResourceType, T> {
  const entries = resourceTypes.map((type): readonly [ResourceType, T] => [type, make(type)]);
  // Object.fromEntries forgets that every key is there.
  return Object.fromEntries(entries) as Record<ResourceType, T>;
}

/** A view without resources. */
export const emptyView = (names: NameTables): View => ({
  revision: 0,
  types: forEachType((type) => ({ type, names: names[type], resources: [], lingering: new Map() })),
});

/** One change of a view: a resource, or `undefined` for a name that is gone. */
export type ViewChange = ReadonlyMap<string, EncodedResource | undefined>;

const lingeringAllowed = 10_000;

/** A type's view with changes; the same object when nothing differs. */
export function changeTypeView(view: TypeView, changes: ViewChange): TypeView {
  const resources = [...view.resources];
  const lingering = new Map(view.lingering.size > lingeringAllowed ? [] : view.lingering);
  let changed = false;
  for (const [name, next] of changes) {
    const id = view.names.idOf(name);
    const previous = resources[id];
    if (previous?.version === next?.version) continue;
    changed = true;
    while (resources.length <= id) resources.push(undefined);
    resources[id] = next;
    if (next === undefined && previous !== undefined) lingering.set(id, previous);
    else lingering.delete(id);
  }
  return changed ? { ...view, resources, lingering } : view;
}

/** Whether a client with this subscription wants a name. */
export const wants = (subscription: Subscription, id: number): boolean =>
  subscription.wildcard || subscription.ids[id] === 1;

/** The version of a set of resources in state of the world: over sorted `name version` lines. */
export function versionOfSet(resources: readonly EncodedResource[]): string {
  const lines = resources.map((resource) => `${resource.name} ${resource.version}`).sort();
  return hash('sha256', lines.join('\n'), 'hex').slice(0, 16);
}
