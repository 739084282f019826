// The tables behind the World: one change at a time goes in, a World comes out that shares every table without a
// change. Knows neither sources nor what counts as a change.

import { idOf, keyOf } from '../api/meta.js';
import type { KindName, ObjectKey, ObjectRef, RefKind } from '../api/meta.js';
import type { EndpointSlice, Malformed, Table, World, WorldObject } from '../kinds/world.js';
import { emptyWorld } from '../kinds/world.js';

/** What the World shows under one reference: an object, its malformed successor, or both. */
export interface Shown {
  readonly object?: WorldObject;
  readonly malformed?: Malformed;
}

type OfKind<K extends KindName> = Extract<WorldObject, { readonly kind: K }>;

const isKind = <K extends KindName>(object: WorldObject, kind: K): object is OfKind<K> => object.kind === kind;

/** The tables of the newest World, and the World itself. */
export interface Tables {
  /** Makes `shown` (or its absence) what the World shows of `ref`; false where that is what it shows already. */
  show(ref: ObjectRef, shown: Shown | undefined): boolean;
  world(): World;
}

/** Tables without objects. */
export function createTables(): Tables {
  const objects = new Map<RefKind, Map<ObjectKey, WorldObject>>();
  const malformed = new Map<string, Malformed>();
  const slices = createSliceIndex();
  const dirty = new Set<RefKind | 'malformed'>();
  let revision = 0;
  let published = emptyWorld;

  function showObject(ref: ObjectRef, object: WorldObject | undefined): boolean {
    const key = keyOf(ref);
    const table = objects.get(ref.kind) ?? new Map<ObjectKey, WorldObject>();
    const before = table.get(key);
    if (before === object) return false;
    objects.set(ref.kind, table);
    if (object === undefined) table.delete(key);
    else table.set(key, object);
    if (before !== undefined && isKind(before, 'EndpointSlice')) slices.remove(before);
    if (object !== undefined && isKind(object, 'EndpointSlice')) slices.add(object);
    dirty.add(ref.kind);
    return true;
  }

  function showMalformed(ref: ObjectRef, bad: Malformed | undefined): boolean {
    const id = idOf(ref);
    if (malformed.get(id) === bad) return false;
    if (bad === undefined) malformed.delete(id);
    else malformed.set(id, bad);
    dirty.add('malformed');
    return true;
  }

  function table<K extends KindName>(kind: K, before: Table<OfKind<K>>): Table<OfKind<K>> {
    if (!dirty.has(kind)) return before;
    const copy = new Map<ObjectKey, OfKind<K>>();
    for (const [key, object] of objects.get(kind) ?? []) if (isKind(object, kind)) copy.set(key, object);
    return copy;
  }

  function publish(): World {
    return {
      revision,
      trafficRoutes: table('TrafficRoute', published.trafficRoutes),
      meshPolicies: table('MeshPolicy', published.meshPolicies),
      meshIdentities: table('MeshIdentity', published.meshIdentities),
      httpRoutes: table('HTTPRoute', published.httpRoutes),
      grpcRoutes: table('GRPCRoute', published.grpcRoutes),
      referenceGrants: table('ReferenceGrant', published.referenceGrants),
      services: table('Service', published.services),
      endpointSlices: dirty.has('EndpointSlice') ? slices.copy() : published.endpointSlices,
      pods: table('Pod', published.pods),
      namespaces: table('Namespace', published.namespaces),
      nodes: table('Node', published.nodes),
      serviceAccounts: table('ServiceAccount', published.serviceAccounts),
      secrets: table('Secret', published.secrets),
      configMaps: table('ConfigMap', published.configMaps),
      rollouts: table('Rollout', published.rollouts),
      canaries: table('Canary', published.canaries),
      malformed: dirty.has('malformed') ? new Map(malformed) : published.malformed,
    };
  }

  return {
    show(ref, shown) {
      const objectChanged = showObject(ref, shown?.object);
      const malformedChanged = showMalformed(ref, shown?.malformed);
      if (!objectChanged && !malformedChanged) return false;
      revision += 1;
      return true;
    },
    world() {
      if (dirty.size === 0) return published;
      published = publish();
      dirty.clear();
      return published;
    },
  };
}

interface SliceIndex {
  add(slice: EndpointSlice): void;
  remove(slice: EndpointSlice): void;
  /** A copy of the index; the lists of Services that did not change keep their references. */
  copy(): ReadonlyMap<ObjectKey, readonly EndpointSlice[]>;
}

function createSliceIndex(): SliceIndex {
  const byService = new Map<ObjectKey, Map<ObjectKey, EndpointSlice>>();
  const lists = new Map<ObjectKey, readonly EndpointSlice[]>();
  const dirty = new Set<ObjectKey>();

  function relist(service: ObjectKey): void {
    const members = byService.get(service);
    if (members === undefined) lists.delete(service);
    else {
      const sorted = [...members].sort(([left], [right]) => (left < right ? -1 : 1));
      lists.set(service, Object.freeze(sorted.map(([, slice]) => slice)));
    }
  }

  return {
    add(slice) {
      const members = byService.get(slice.service) ?? new Map<ObjectKey, EndpointSlice>();
      byService.set(slice.service, members.set(keyOf(slice.meta), slice));
      dirty.add(slice.service);
    },
    remove(slice) {
      const members = byService.get(slice.service);
      members?.delete(keyOf(slice.meta));
      if (members?.size === 0) byService.delete(slice.service);
      dirty.add(slice.service);
    },
    copy() {
      for (const service of dirty) relist(service);
      dirty.clear();
      return new Map(lists);
    },
  };
}
