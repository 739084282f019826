// What a client asks for, read from its requests. Equal subscriptions of different streams become one
// object, so that what is planned for one is planned for all.

import { hash } from 'node:crypto';
import { createInterner } from '../lib/intern.js';
import { memoised } from '../lib/memo.js';
import type { NameTable } from './name-table.js';
import type { Protocol } from './plan.js';
import { isWildcardType, type ResourceType } from './resources.js';
import type { Subscription } from './view.js';
import { longList, type RawNames } from './wire-read.js';

/** The names in a request, as ids; `*` is not one of them. */
export interface Asked {
  readonly ids: readonly number[];
  readonly star: boolean;
}

/** What is known of a type when a request is read. */
export interface Reading {
  readonly protocol: Protocol;
  readonly type: ResourceType;
  readonly names: NameTable;
  readonly before: Subscription;
  /** The first request of this type on the stream. */
  readonly first: boolean;
  /** The client has asked for a name, or for `*`, before: leaving names out no longer means all. */
  readonly everNamed: boolean;
  readonly added: Asked;
  readonly dropped: Asked;
}

const interner = createInterner<Subscription>(1_000);

/** The one object for equal subscriptions; trailing zeros do not count. */
function intern(wildcard: boolean, ids: Uint8Array): Subscription {
  let end = ids.length;
  while (end > 0 && ids[end - 1] === 0) end--;
  const trimmed = ids.slice(0, end);
  return interner(`${wildcard ? '*' : ''}${hash('sha1', trimmed, 'base64')}`, () => ({ wildcard, ids: trimmed }));
}

const star = 0x2a;

/** The ids of names in a request; those of a long list, which many clients have in common, are found once. */
export const idsOf = (raw: RawNames, names: NameTable): Asked =>
  raw.bounds.length < 2 * longList ? findIds(raw, names) : idsOfLong(raw, names);

const idsOfLong = memoised((raw: RawNames, names: NameTable): Asked => findIds(raw, names));

function findIds(raw: RawNames, names: NameTable): Asked {
  const ids: number[] = [];
  let hasStar = false;
  for (let at = 0; at < raw.bounds.length; at += 2) {
    const [start, end] = [raw.bounds[at] ?? 0, raw.bounds[at + 1] ?? 0];
    if (end - start === 1 && raw.buffer[start] === star) hasStar = true;
    else {
      const id = names.idOfBytes(raw.buffer, start, end);
      if (id !== undefined) ids.push(id);
    }
  }
  return { ids, star: hasStar };
}

const isEmpty = (asked: Asked): boolean => asked.ids.length === 0 && !asked.star;

/** The subscription after a request; the same object when the request changes nothing. */
export function readSubscription(reading: Reading): Subscription {
  return reading.protocol === 'delta' ? readDelta(reading) : readSotw(reading);
}

/** Delta names what is added and what is dropped. An empty first request of a wildcard type asks for all. */
function readDelta({ added, dropped, names, before, first, type }: Reading): Subscription {
  const legacy = first && isWildcardType(type) && isEmpty(added);
  if (isEmpty(added) && isEmpty(dropped) && !legacy) return before;
  const ids = new Uint8Array(Math.max(names.size(), before.ids.length));
  ids.set(before.ids);
  for (const id of added.ids) ids[id] = 1;
  for (const id of dropped.ids) ids[id] = 0;
  const wildcard = [before.wildcard, added.star, legacy].includes(true);
  return intern(wildcard && !dropped.star, ids);
}

/** State of the world lists everything each time; once a name was given, an empty list means nothing. */
function readSotw({ added, names, before, type, everNamed }: Reading): Subscription {
  const legacy = isWildcardType(type) && isEmpty(added) && !everNamed;
  if (sameAs(before, added, legacy)) return before;
  const ids = new Uint8Array(names.size());
  for (const id of added.ids) ids[id] = 1;
  return intern(added.star || legacy, ids);
}

/** Requests mostly repeat the list of the one before. */
function sameAs(before: Subscription, listed: Asked, legacy: boolean): boolean {
  if (before.wildcard !== (listed.star || legacy)) return false;
  return listed.ids.length === countOf(before) && listed.ids.every((id) => before.ids[id] === 1);
}

const counts = new WeakMap<Subscription, number>();

function countOf(subscription: Subscription): number {
  const known = counts.get(subscription) ?? subscription.ids.reduce((sum, bit) => sum + bit, 0);
  counts.set(subscription, known);
  return known;
}
