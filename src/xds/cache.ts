// The last good view of every kind of proxy. What is published are layers: lists of encoded resources, one
// for each Service and one for each group, whose identity tells whether they changed. A publication costs
// what it changes.

import { createNameTable } from './name-table.js';
import type { EncodedResource, ResourceType } from './resources.js';
import {
  changeTypeView,
  emptyView,
  forEachType,
  withholding,
  type NameTables,
  type OwnResources,
  type View,
} from './view.js';

/** Layers by a key that is unique in a view. A section whose object is the same has not changed. */
export type Section = ReadonlyMap<string, readonly EncodedResource[]>;

/** Names of resources. */
export type Names = readonly Pick<EncodedResource, 'type' | 'name'>[];

/** One proxy: which view it sees, and what is its own. */
export interface ProxyEntry {
  readonly group: string;
  /** The view for an Envoy version: versions that refused something see another one. */
  readonly viewFor: (envoy: string) => string;
  /** What is its own, as that version gets it. */
  readonly ownFor: (envoy: string) => OwnResources;
}

/** Everything that should be served from now on. */
export interface Publication {
  readonly revision: number;
  readonly views: ReadonlyMap<string, readonly Section[]>;
  /** By view, what was refused and has no good version: who holds some version of it keeps that. */
  readonly withheld: ReadonlyMap<string, Names>;
  readonly proxies: ReadonlyMap<string, ProxyEntry>;
}

/** What one stream should have. */
export interface Assignment {
  readonly entry: ProxyEntry;
  readonly group: string;
  readonly viewKey: string;
  readonly view: View;
  readonly own: OwnResources;
}

/** Which streams a publication concerns. */
export interface CacheChange {
  readonly views: ReadonlySet<string>;
  readonly proxies: ReadonlySet<string>;
}

/** Holds what is published and hands it to streams. */
export interface Cache {
  readonly names: NameTables;
  publish(publication: Publication): void;
  /**
   * Undefined for a proxy that is not known, or whose view is not there yet. `before` is what the stream had: where the
   * proxy is the same, only its view is looked up.
   */
  lookup(proxy: string, envoy: string, before?: Assignment): Assignment | undefined;
  view(key: string): View | undefined;
  viewKeys(): readonly string[];
  subscribe(listener: (change: CacheChange) => void): () => void;
}

interface Slot {
  sections: readonly Section[];
  view: View;
}

type Changes = Map<ResourceType, Map<string, EncodedResource | undefined>>;

/** Records what a layer gains or loses; a name that moves between layers is not lost. */
function note(changes: Changes, before: readonly EncodedResource[], after: readonly EncodedResource[]): void {
  const set = (resource: EncodedResource, next: EncodedResource | undefined): void => {
    let ofType = changes.get(resource.type);
    if (ofType === undefined) {
      ofType = new Map();
      changes.set(resource.type, ofType);
    }
    if (next !== undefined || ofType.get(resource.name) === undefined) ofType.set(resource.name, next);
  };
  for (const resource of before) set(resource, undefined);
  for (const resource of after) set(resource, resource);
}

function noteSection(changes: Changes, before: Section, after: Section): void {
  for (const [key, layer] of before) if (!after.has(key)) note(changes, layer, []);
  for (const [key, layer] of after) {
    const previous = before.get(key);
    if (previous !== layer) note(changes, previous ?? [], layer);
  }
}

const nothing: Section = new Map();

function changesBetween(before: readonly Section[], after: readonly Section[]): Changes {
  const changes: Changes = new Map();
  for (let index = 0; index < Math.max(before.length, after.length); index++) {
    const [previous, next] = [before[index] ?? nothing, after[index] ?? nothing];
    if (previous !== next) noteSection(changes, previous, next);
  }
  return changes;
}

function changeTypes(view: View, changes: Changes, withheld: Names): View['types'] {
  return forEachType((type) => {
    const ofType = changes.get(type);
    const names = withheld.flatMap((one) => (one.type === type ? one.name : []));
    const changed = ofType === undefined ? view.types[type] : changeTypeView(view.types[type], ofType);
    return withholding(changed, names);
  });
}

/** Keys of proxies that are new, gone or changed. */
function differing(
  before: ReadonlyMap<string, ProxyEntry>,
  after: ReadonlyMap<string, ProxyEntry>,
): ReadonlySet<string> {
  if (before === after) return new Set();
  const changed = new Set([...before.keys()].filter((key) => after.get(key) !== before.get(key)));
  for (const key of after.keys()) if (!before.has(key)) changed.add(key);
  return changed;
}

/** An empty cache. */
export function createCache(): Cache {
  const names: NameTables = forEachType(() => createNameTable());
  const slots = new Map<string, Slot>();
  let proxies: ReadonlyMap<string, ProxyEntry> = new Map();
  const listeners = new Set<(change: CacheChange) => void>();

  const publishView = (key: string, sections: readonly Section[], { revision, withheld }: Publication): void => {
    const slot = slots.get(key) ?? { sections: [], view: emptyView(names) };
    const changes = changesBetween(slot.sections, sections);
    slot.view = { revision, types: changeTypes(slot.view, changes, withheld.get(key) ?? []) };
    slot.sections = sections;
    slots.set(key, slot);
  };

  return {
    names,
    publish: (publication) => {
      const before = proxies;
      proxies = publication.proxies;
      for (const [key, sections] of publication.views) publishView(key, sections, publication);
      for (const key of slots.keys()) if (!publication.views.has(key)) slots.delete(key);
      const change = { views: new Set(publication.views.keys()), proxies: differing(before, proxies) };
      for (const listener of [...listeners]) listener(change);
    },
    lookup: (proxy, envoy, before) => {
      const entry = proxies.get(proxy);
      if (entry === undefined) return undefined;
      const isSame = entry === before?.entry;
      const viewKey = isSame ? before.viewKey : entry.viewFor(envoy);
      const view = slots.get(viewKey)?.view;
      if (view === undefined) return undefined;
      if (isSame && view === before.view) return before;
      return { entry, group: entry.group, viewKey, view, own: isSame ? before.own : entry.ownFor(envoy) };
    },
    view: (key) => slots.get(key)?.view,
    viewKeys: () => [...slots.keys()],
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
