// What a client that comes back says it holds. A version is a hash of a message that holds its own name, so a
// version that is served stands for its resource: entries are found by their version alone, and only the few
// that are not current have their names looked up. Clients with the same gaps share one object.

import { createInterner } from '../lib/intern.js';
import { memoised } from '../lib/memo.js';
import { isOwnName } from './names.js';
import { heldWhenCurrent, wantedOf, withEntries } from './plan.js';
import type { EncodedResource } from './resources.js';
import { nothingHeld, type Held, type HeldEntry, type OwnHeld, type Subscription, type TypeView } from './view.js';
import { eachVersion, type RawVersions } from './wire-read.js';

/** What is served to the client now. */
export interface Served {
  readonly view: TypeView;
  readonly own: readonly EncodedResource[];
  readonly subscription: Subscription;
}

/** What a client that comes back holds. */
export interface Stated {
  readonly held: Held;
  readonly own: OwnHeld;
}

/** Length of a version, in bytes. */
const versionLength = 16;

/** Finds resources by the bytes of their versions. */
interface VersionIndex {
  readonly ids: readonly number[];
  /** Position in `ids`, or -1. */
  find(words: DataView, at: number): number;
}

const wordsOf = (text: string): DataView => {
  const bytes = Buffer.from(text, 'latin1');
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
};

const indexOf = memoised((view: TypeView, subscription: Subscription): VersionIndex => {
  const wanted = wantedOf(view, subscription);
  const mask = 2 ** Math.ceil(Math.log2(wanted.length * 2 + 2)) - 1;
  const slots = new Int32Array(mask + 1).fill(-1);
  const known = new Int32Array(wanted.length * 4);
  const slotOf = (words: DataView, at: number): number => {
    let slot = words.getInt32(at, true) ^ Math.imul(words.getInt32(at + 4, true), 0x9e3779b1);
    slot = (slot ^ (slot >>> 15)) & mask;
    while ((slots[slot] ?? -1) >= 0 && !isSame(slots[slot] ?? 0, words, at)) slot = (slot + 1) & mask;
    return slot;
  };
  const isSame = (position: number, words: DataView, at: number): boolean => {
    for (let word = 0; word < 4; word++) {
      if (known[position * 4 + word] !== words.getInt32(at + word * 4, true)) return false;
    }
    return true;
  };
  wanted.forEach((one, position) => {
    const words = wordsOf(one.version);
    const slot = slotOf(words, 0);
    for (let word = 0; word < 4; word++) known[position * 4 + word] = words.getInt32(word * 4, true);
    slots[slot] = position;
  });
  return { ids: wanted.map((one) => view.names.idOf(one.name)), find: (words, at) => slots[slotOf(words, at)] ?? -1 };
});

const noOwn: OwnHeld = new Map();

/** Reads `initial_resource_versions`. Builds no strings but for a client's own resources. */
export function readStatement(stated: RawVersions, served: Served): Stated {
  const { buffer, runs } = stated;
  if (runs.length === 0) return { held: nothingHeld, own: noOwn };
  const index = indexOf(served.view, served.subscription);
  const words = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  const found = new Uint8Array(index.ids.length);
  const others: number[] = [];
  eachVersion(stated, ({ keyStart, keyEnd, valueStart, valueEnd }) => {
    const position = valueEnd - valueStart === versionLength ? index.find(words, valueStart) : -1;
    if (position >= 0) found[position] = 1;
    else others.push(keyStart, keyEnd, valueStart, valueEnd);
  });
  const { stale, own } = readOthers(buffer, others, served);
  const missing = index.ids.filter((_, position) => found[position] !== 1);
  return { held: heldWithout(served, missing, stale), own };
}

/** Entries whose versions are not served: old ones, and the client's own. Four bounds an entry: name, version. */
function readOthers(
  buffer: Buffer,
  bounds: readonly number[],
  { view, own }: Served,
): { readonly stale: readonly number[]; readonly own: OwnHeld } {
  const stale: number[] = [];
  const ownHeld = new Map<string, HeldEntry>();
  for (let at = 0; at < bounds.length; at += 4) {
    const id = view.names.idOfBytes(buffer, bounds[at] ?? 0, bounds[at + 1] ?? 0);
    const name = id === undefined ? '' : view.names.nameOf(id);
    if (id === undefined) continue;
    if (!isOwnName(name)) stale.push(id);
    else {
      const version = buffer.toString('latin1', bounds[at + 2], bounds[at + 3]);
      const served = own.find((one) => one.name === name);
      ownHeld.set(name, served?.version === version ? served : 'stale');
    }
  }
  return { stale, own: ownHeld };
}

/** Gaps that are longer than this are hardly ever shared. */
const sharedGaps = 64;
const internersOf = memoised((_current: Held) => createInterner<Held>(16));

/** All that is served; what is not, the client has yet to be told. */
const heldOfServed = memoised((view: TypeView, subscription: Subscription): Held => {
  const current = heldWhenCurrent(view, subscription);
  return current.includes('absent') ? current.map((entry) => (entry === 'absent' ? undefined : entry)) : current;
});

/** Everything, but for what is missing and what is old. */
function heldWithout({ view, subscription }: Served, missing: readonly number[], stale: readonly number[]): Held {
  const current = heldOfServed(view, subscription);
  if (missing.length + stale.length === 0) return current;
  const build = (): Held =>
    withEntries(current, [
      ...missing.map((id): [number, undefined] => [id, undefined]),
      ...stale.map((id): [number, HeldEntry] => [id, 'stale']),
    ]);
  if (missing.length + stale.length > sharedGaps) return build();
  return internersOf(current)(`${missing.join()} ${[...stale].sort((left, right) => left - right).join()}`, build);
}
