// The last good view of every kind of proxy. What is published are layers: lists of encoded resources, one
// for each Service and one for each group, whose identity tells whether they changed. A publication costs
// what it changes.

import { createNameTable } from './name-table.js';
import type { EncodedResource, ResourceType } from './resources.js';
import { changeTypeView, emptyView, forEachType, type NameTables, type OwnResources, type View } from './view.js';

/** Resources that come and go together, under a key that is unique in a view. */
export type Layers = ReadonlyMap<string, readonly EncodedResource[]>;

/** One proxy: which view it sees, and what is its own. */
export interface ProxyEntry {
  readonly group: string;
  /** The view for an Envoy version: versions that refused something see another one. */
  readonly viewFor: (envoy: string) => string;
  readonly own: OwnResources;
}

/** Everything that should be served from now on. */
export interface Publication {
  readonly revision: number;
  readonly views: ReadonlyMap<string, Layers>;
  readonly proxies: ReadonlyMap<string, ProxyEntry>;
}

/** What one stream should have. */
export interface Assignment {
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
  /** Undefined for a proxy that is not known, or whose view is not there yet. */
  lookup(proxy: string, envoy: string): Assignment | undefined;
  view(key: string): View | undefined;
  viewKeys(): readonly string[];
  subscribe(listener: (change: CacheChange) => void): () => void;
}

interface Slot {
  layers: Layers;
  view: View;
}

type Changes = Map<ResourceType, Map<string, EncodedResource | undefined>>;

/** Records what a layer gains or loses; a name that moves between layers is not lost. */
function note(changes: Changes, before: readonly EncodedResource[], after: readonly EncodedResource[]): void {
  const set = (resource: EncodedResource, next: EncodedResource | undefined): void => {
    let ofType = changes.get(resource.type);
    if (ofType === undefined) changes.set(resource.type, (ofType = new Map()));
    if (next !== undefined || ofType.get(resource.name) === undefined) ofType.set(resource.name, next);
  };
  for (const resource of before) set(resource, undefined);
  for (const resource of after) set(resource, resource);
}

function changesBetween(before: Layers, after: Layers): Changes {
  const changes: Changes = new Map();
  for (const [key, layer] of before) if (!after.has(key)) note(changes, layer, []);
  for (const [key, layer] of after) {
    const previous = before.get(key);
    if (previous !== layer) note(changes, previous ?? [], layer);
  }
  return changes;
}

function changeView(view: View, changes: Changes, revision: number): View {
  const types = forEachType((type) => {
    const ofType = changes.get(type);
    return ofType === undefined ? view.types[type] : changeTypeView(view.types[type], ofType);
  });
  return { revision, types };
}

/** An empty cache. */
export function createCache(): Cache {
  const names: NameTables = forEachType(() => createNameTable());
  const slots = new Map<string, Slot>();
  let proxies: ReadonlyMap<string, ProxyEntry> = new Map();
  const listeners = new Set<(change: CacheChange) => void>();

  const publishView = (key: string, layers: Layers, revision: number): void => {
    const slot = slots.get(key) ?? { layers: new Map(), view: emptyView(names) };
    const changes = changesBetween(slot.layers, layers);
    slot.view = changeView(slot.view, changes, revision);
    slot.layers = layers;
    slots.set(key, slot);
  };

  return {
    names,
    publish: (publication) => {
      const before = proxies;
      proxies = publication.proxies;
      for (const [key, layers] of publication.views) publishView(key, layers, publication.revision);
      for (const key of slots.keys()) if (!publication.views.has(key)) slots.delete(key);
      const changed = new Set([...before.keys()].filter((key) => proxies.get(key) !== before.get(key)));
      for (const key of proxies.keys()) if (!before.has(key)) changed.add(key);
      const change = { views: new Set(publication.views.keys()), proxies: changed };
      for (const listener of [...listeners]) listener(change);
    },
    lookup: (proxy, envoy) => {
      const entry = proxies.get(proxy);
      if (entry === undefined) return undefined;
      const viewKey = entry.viewFor(envoy);
      const slot = slots.get(viewKey);
      return slot === undefined ? undefined : { group: entry.group, viewKey, view: slot.view, own: entry.own };
    },
    view: (key) => slots.get(key)?.view,
    viewKeys: () => [...slots.keys()],
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
