// What a client asks for, read from its requests. Equal subscriptions of different streams become one
// object, so that what is planned for one is planned for all.

import { hash } from 'node:crypto';
import { createInterner } from '../lib/intern.js';
import type { NameTable } from './name-table.js';
import type { Protocol } from './plan.js';
import { isWildcardType, type ResourceType } from './resources.js';
import { nothingHeld, unknownVersion, type Held, type Subscription, type TypeView } from './view.js';
import type { RawNames, RawRequest } from './wire.js';

/** Where a request is read into a subscription. */
export interface Reading {
  readonly protocol: Protocol;
  readonly type: ResourceType;
  readonly names: NameTable;
  readonly before: Subscription;
  /** The first request of this type on the stream. */
  readonly first: boolean;
  readonly request: RawRequest;
}

const interner = createInterner<Subscription>(1_000);

/** The one object for equal subscriptions. */
const intern = (subscription: Subscription): Subscription =>
  interner(`${subscription.wildcard ? '*' : ''}${hash('sha1', subscription.ids, 'base64')}`, () => subscription);

const star = Buffer.from('*');

/** The ids of names in a request; `*` is not one of them. */
export function idsOf(raw: RawNames, names: NameTable): { readonly ids: readonly number[]; readonly star: boolean } {
  const ids: number[] = [];
  let hasStar = false;
  for (let at = 0; at < raw.bounds.length; at += 2) {
    const [start, end] = [raw.bounds[at] ?? 0, raw.bounds[at + 1] ?? 0];
    if (end - start === 1 && raw.buffer[start] === star[0]) hasStar = true;
    else {
      const id = names.idOfBytes(raw.buffer, start, end);
      if (id !== undefined) ids.push(id);
    }
  }
  return { ids, star: hasStar };
}

/** The subscription after a request; the same object when the request changes nothing. */
export function readSubscription(reading: Reading): Subscription {
  return reading.protocol === 'delta' ? readDelta(reading) : readSotw(reading);
}

/** Delta names what is added and what is dropped. An empty first request of a wildcard type asks for all. */
function readDelta({ request, names, before, first, type }: Reading): Subscription {
  const added = idsOf(request.subscribe, names);
  const dropped = idsOf(request.unsubscribe, names);
  const legacy = first && isWildcardType(type) && added.ids.length === 0 && !added.star;
  if (added.ids.length + dropped.ids.length === 0 && !added.star && !dropped.star && !legacy) return before;
  const ids = new Uint8Array(Math.max(names.size(), before.ids.length));
  ids.set(before.ids);
  for (const id of added.ids) ids[id] = 1;
  for (const id of dropped.ids) ids[id] = 0;
  return intern({ wildcard: (before.wildcard || added.star || legacy) && !dropped.star, ids });
}

/** State of the world lists everything each time; once a name was given, an empty list means nothing. */
function readSotw({ request, names, before, first, type }: Reading): Subscription {
  const listed = idsOf(request.subscribe, names);
  const empty = listed.ids.length === 0 && !listed.star;
  const everNamed = !first && !before.wildcard;
  const wildcard = listed.star || (isWildcardType(type) && empty && !everNamed);
  if (wildcard && before.wildcard && listed.ids.length === 0) return before;
  const ids = new Uint8Array(names.size());
  for (const id of listed.ids) ids[id] = 1;
  return sameIds(before, { wildcard, ids }) ? before : intern({ wildcard, ids });
}

const sameIds = (left: Subscription, right: Subscription): boolean =>
  left.wildcard === right.wildcard && left.ids.length === right.ids.length && Buffer.compare(left.ids, right.ids) === 0;

/** What a reconnecting delta client says it holds; the object for "everything current" where that is so. */
export function readInitial(
  request: RawRequest,
  now: { readonly view: TypeView; readonly current: Held; readonly ownCount: number },
): Held {
  const { buffer, bounds } = request.initial;
  const { view, current } = now;
  if (bounds.length === 0) return nothingHeld;
  const held: (string | undefined)[] = new Array<string | undefined>(current.length).fill(undefined);
  let matching = 0;
  for (let at = 0; at < bounds.length; at += 4) {
    const id = view.names.idOfBytes(buffer, bounds[at] ?? 0, bounds[at + 1] ?? 0);
    if (id === undefined) continue;
    const resource = view.resources[id];
    const [start, end] = [bounds[at + 2] ?? 0, bounds[at + 3] ?? 0];
    const same = resource !== undefined && isText(buffer, { start, end }, resource.version);
    while (held.length <= id) held.push(undefined);
    held[id] = same ? resource.version : unknownVersion;
    if (same && current[id] !== undefined) matching++;
  }
  const wanted = current.reduce((count, version) => (version === undefined ? count : count + 1), 0);
  return matching === wanted && bounds.length === (wanted + now.ownCount) * 4 ? current : held;
}

/** Compares bytes with ASCII text, without making a string. */
function isText(buffer: Buffer, bounds: { readonly start: number; readonly end: number }, text: string): boolean {
  if (bounds.end - bounds.start !== text.length) return false;
  for (let index = 0; index < text.length; index++) {
    if (buffer[bounds.start + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}

