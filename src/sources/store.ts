// Folds what sources report into immutable Worlds. Tables are shared between Worlds, an unchanged object keeps
// its reference, and only content that somebody reads counts as a change. Knows neither files nor watches.

import { idOf, refOf } from '../api/meta.js';
import type { ObjectRef } from '../api/meta.js';
import type { Malformed, World, WorldObject } from '../kinds/world.js';
import { deepFreeze } from '../lib/deep-freeze.js';
import { fingerprintOf } from './fingerprint.js';
import { createTables } from './tables.js';
import type { Tables } from './tables.js';

/** One object as a source read it: good, or malformed with its problems. One bad object never stops a stream. */
export type Parsed =
  | { readonly ok: true; readonly object: WorldObject }
  | {
      readonly ok: false;
      readonly malformed: Malformed;
      /** Hash of what the user wrote, so that an edit is seen as one while the problems stay the same. */
      readonly fingerprint?: string;
    };

/** What a source reports. `init … initDone` replaces, atomically, all that this source gave before. */
export type ObjectEvent =
  | { readonly kind: 'init' }
  | { readonly kind: 'initApply'; readonly object: Parsed }
  | { readonly kind: 'initDone' }
  | { readonly kind: 'apply'; readonly object: Parsed }
  | { readonly kind: 'delete'; readonly ref: ObjectRef };

/** A cluster watch and a folder look identical. */
export type ObjectSource = (signal: AbortSignal) => AsyncIterable<ObjectEvent>;

/** Takes the events of one source. */
export type Feed = (event: ObjectEvent) => void;

/** Holds the newest World. */
export interface Store {
  /** The newest World; the same reference until something that matters changes. */
  world(): World;
  /** Calls `listener` after each change that matters; the returned function ends it. */
  subscribe(listener: () => void): () => void;
  /** Registers a source. Of two sources that give one object, the one registered first holds. */
  feed(): Feed;
  /** Registers `source` and feeds the store from it until it ends or `signal` aborts. */
  attach(source: ObjectSource, signal: AbortSignal): Promise<void>;
  /** True once every registered source has reported `initDone`. */
  synced(): boolean;
}

interface Held {
  readonly id: string;
  readonly ref: ObjectRef;
  /** What arrived last; the same reference arriving again is no change. */
  readonly arrived: Parsed;
  readonly object?: WorldObject;
  readonly malformed?: Malformed;
  readonly contentHash: string;
  readonly specHash: string;
  readonly generation: number;
}

interface Origin {
  readonly held: Map<string, Held>;
  staged: Map<string, Parsed> | undefined;
  synced: boolean;
}

const refOfParsed = (parsed: Parsed): ObjectRef => (parsed.ok ? refOf(parsed.object) : parsed.malformed.ref);

// Neither counts: the API server moves the first with every status write, and edits are counted by the spec.
function computeContentHash(parsed: Parsed): string {
  if (!parsed.ok) {
    const { ref: _ref, generation: _generation, lastGood: _lastGood, ...rest } = parsed.malformed;
    return fingerprintOf(['malformed', parsed.fingerprint, rest]);
  }
  const { resourceVersion: _version, generation, ...meta } = parsed.object.meta;
  return fingerprintOf({ ...parsed.object, meta, generation: generation === 0 ? undefined : generation });
}

const contentHashes = new WeakMap<Parsed, string>();

// Computed on arrival, object by object, so that `initDone` finds the work done.
function contentHashOf(parsed: Parsed): string {
  const known = contentHashes.get(parsed);
  if (known !== undefined) return known;
  const computed = computeContentHash(parsed);
  contentHashes.set(parsed, computed);
  return computed;
}

function specHashOf(parsed: Parsed): string {
  if (!parsed.ok) return fingerprintOf(['malformed', parsed.fingerprint ?? parsed.malformed.problems]);
  return fingerprintOf({ ...parsed.object, meta: undefined });
}

// Objects that left are remembered for their generation alone, so that a delete and recreate counts as an edit.
const maxRemembered = 4096;

interface Generations {
  next(parsed: Parsed, specHash: string, before: Held | undefined): number;
  forget(held: Held): void;
}

function createGenerations(): Generations {
  const gone = new Map<string, { readonly generation: number; readonly specHash: string }>();
  return {
    next(parsed, specHash, before) {
      const written = parsed.ok ? parsed.object.meta.generation : parsed.malformed.generation;
      if (written > 0) return written;
      const last = before ?? gone.get(idOf(refOfParsed(parsed)));
      if (last === undefined) return 1;
      return last.specHash === specHash ? last.generation : last.generation + 1;
    },
    forget(held) {
      gone.delete(held.id);
      gone.set(held.id, { generation: held.generation, specHash: held.specHash });
      const [oldest] = gone.keys();
      if (gone.size > maxRemembered && oldest !== undefined) gone.delete(oldest);
    },
  };
}

function withGeneration<T extends WorldObject>(object: T, generation: number): T {
  if (object.meta.generation === generation) return object;
  return { ...object, meta: { ...object.meta, generation } };
}

/** True where the very object that is held arrives again. */
function isRepetition(parsed: Parsed, before: Held | undefined): boolean {
  if (before === undefined) return false;
  const { arrived } = before;
  return arrived === parsed || (parsed.ok && arrived.ok && arrived.object === parsed.object);
}

/** What is held after `parsed` arrived; `before` itself where nothing that matters changed. */
function holdingAfter(parsed: Parsed, before: Held | undefined, generations: Generations): Held {
  if (before !== undefined && isRepetition(parsed, before)) return before;
  const contentHash = contentHashOf(parsed);
  if (before?.contentHash === contentHash) return { ...before, arrived: parsed };
  const ref = refOfParsed(parsed);
  const specHash = specHashOf(parsed);
  const generation = generations.next(parsed, specHash, before);
  const common = { id: idOf(ref), ref, arrived: parsed, contentHash, specHash, generation };
  if (parsed.ok) return { ...common, object: deepFreeze(withGeneration(parsed.object, generation)) };
  const lastGood = before?.object;
  const malformed = deepFreeze({ ...parsed.malformed, generation, lastGood: lastGood !== undefined });
  return { ...common, malformed, ...(lastGood === undefined ? {} : { object: lastGood }) };
}

/** What all sources hold, and what of it is shown. */
interface Folding {
  /** In the order in which they were registered. */
  readonly origins: Origin[];
  /** True where the World changed, or its source became synced. */
  fold(origin: Origin, event: ObjectEvent): boolean;
}

function createFolding(tables: Tables): Folding {
  const generations = createGenerations();
  const origins: Origin[] = [];

  function show(ref: ObjectRef): boolean {
    const id = idOf(ref);
    const winner = origins.find((origin) => origin.held.has(id));
    return tables.show(ref, winner?.held.get(id));
  }

  function put(origin: Origin, parsed: Parsed): boolean {
    const ref = refOfParsed(parsed);
    const id = idOf(ref);
    const before = origin.held.get(id);
    const after = holdingAfter(parsed, before, generations);
    if (after === before) return false;
    origin.held.set(id, after);
    return show(ref);
  }

  function drop(origin: Origin, ref: ObjectRef): boolean {
    const held = origin.held.get(idOf(ref));
    if (held === undefined) return false;
    generations.forget(held);
    origin.held.delete(held.id);
    return show(ref);
  }

  function apply(origin: Origin, parsed: Parsed): boolean {
    if (origin.staged === undefined) return put(origin, parsed);
    const id = idOf(refOfParsed(parsed));
    if (!isRepetition(parsed, origin.held.get(id))) contentHashOf(parsed);
    origin.staged.set(id, parsed);
    return false;
  }

  function remove(origin: Origin, ref: ObjectRef): boolean {
    if (origin.staged === undefined) return drop(origin, ref);
    origin.staged.delete(idOf(ref));
    return false;
  }

  function replace(origin: Origin, staged: ReadonlyMap<string, Parsed>): boolean {
    let changed = false;
    for (const parsed of staged.values()) changed = put(origin, parsed) || changed;
    for (const held of [...origin.held.values()]) {
      if (!staged.has(held.id)) changed = drop(origin, held.ref) || changed;
    }
    return changed;
  }

  function finish(origin: Origin): boolean {
    // Without an `init` nothing was staged, and nothing may be taken away.
    const changed = origin.staged !== undefined && replace(origin, origin.staged);
    const becameSynced = !origin.synced;
    origin.staged = undefined;
    origin.synced = true;
    return changed || becameSynced;
  }

  function fold(origin: Origin, event: ObjectEvent): boolean {
    switch (event.kind) {
      case 'init':
        origin.staged = new Map();
        return false;
      case 'initApply':
      case 'apply':
        return apply(origin, event.object);
      case 'delete':
        return remove(origin, event.ref);
      case 'initDone':
        return finish(origin);
    }
  }

  return { origins, fold };
}

/** A store that no source has spoken to yet. */
export function createStore(): Store {
  const tables = createTables();
  const folding = createFolding(tables);
  const listeners = new Set<() => void>();

  function feed(): Feed {
    const origin: Origin = { held: new Map(), staged: undefined, synced: false };
    folding.origins.push(origin);
    return (event) => {
      if (!folding.fold(origin, event)) return;
      for (const listener of [...listeners]) listener();
    };
  }

  return {
    world: () => tables.world(),
    subscribe(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    feed,
    async attach(source, signal) {
      const take = feed();
      for await (const event of source(signal)) {
        if (signal.aborted) return;
        take(event);
      }
    },
    synced: () => folding.origins.every((origin) => origin.synced),
  };
}
