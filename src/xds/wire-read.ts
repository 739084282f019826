// Hand-written protobuf for the messages of a stream that clients send: their size and number decide what a change
// costs. `test/unit/xds/wire.test.ts` proves equality with the generated code. Field numbers:
// envoy/service/discovery/v3/discovery.proto.

/** A list of names inside a received message, not yet turned into strings. */
export interface RawNames {
  readonly buffer: Buffer;
  /** Start and end of each name, flat. */
  readonly bounds: readonly number[];
}

/** `initial_resource_versions`, not yet read. */
export interface RawVersions {
  readonly buffer: Buffer;
  /** Three numbers for each row of entries: start and end of the first, end of the last. */
  readonly runs: readonly number[];
}

/** A request of either protocol. `subscribe` holds `resource_names` in state of the world. */
export interface RawRequest {
  readonly typeUrl: string;
  readonly nonce: string;
  /** State of the world: the version that the client holds. */
  readonly version: string;
  /** The encoded node; absent on all requests but the first. */
  readonly node: Buffer | undefined;
  readonly subscribe: RawNames;
  readonly unsubscribe: RawNames;
  readonly initial: RawVersions;
  /** Envoy's words of refusal. */
  readonly error: string | undefined;
}

interface Cursor {
  readonly buffer: Buffer;
  at: number;
}

function varint(cursor: Cursor): number {
  let result = 0;
  let factor = 1;
  for (let count = 0; count < 10; count++) {
    const byte = cursor.buffer[cursor.at++];
    if (byte === undefined) throw new RangeError('truncated message');
    result += (byte & 0x7f) * factor;
    if (byte < 0x80) return result;
    factor *= 128;
  }
  throw new RangeError('malformed varint');
}

/** Moves over a value; returns where a length-delimited one starts, -1 for others. */
function value(cursor: Cursor, wireType: number): number {
  if (wireType === 2) {
    const length = varint(cursor);
    const start = cursor.at;
    cursor.at += length;
    if (cursor.at > cursor.buffer.length) throw new RangeError('truncated message');
    return start;
  }
  if (wireType === 0) varint(cursor);
  else if (wireType === 1) cursor.at += 8;
  else if (wireType === 5) cursor.at += 4;
  else throw new RangeError(`unsupported wire type ${String(wireType)}`);
  if (cursor.at > cursor.buffer.length) throw new RangeError('truncated message');
  return -1;
}

/** May return where to go on, if that is not the end of the field. */
type OnField = (field: number, start: number, end: number) => number | undefined;

/** Calls `onField` for each length-delimited field between two offsets. Throws RangeError on malformed bytes. */
function eachField(buffer: Buffer, bounds: { start: number; end: number }, onField: OnField): void {
  const cursor: Cursor = {
    buffer: bounds.end === buffer.length ? buffer : buffer.subarray(0, bounds.end),
    at: bounds.start,
  };
  while (cursor.at < bounds.end) {
    const tag = varint(cursor);
    const start = value(cursor, tag & 7);
    if (start >= 0) cursor.at = onField(Math.floor(tag / 8), start, cursor.at) ?? cursor.at;
  }
}

function statusMessage(buffer: Buffer, start: number, end: number): string {
  let message = '';
  eachField(buffer, { start, end }, (field, from, to) => {
    if (field === 2) message = buffer.toString('utf8', from, to);
    return undefined;
  });
  return message;
}

/** Where an entry begins and ends, and its name and version within it. */
export interface VersionBounds {
  start: number;
  end: number;
  keyStart: number;
  keyEnd: number;
  valueStart: number;
  valueEnd: number;
}

/** Finds name and version in an entry as everybody writes it: key, then value, each shorter than 128 bytes. */
function isPlainEntry(buffer: Buffer, entry: VersionBounds): boolean {
  entry.keyStart = entry.start + 2;
  entry.keyEnd = entry.keyStart + (buffer[entry.keyStart - 1] ?? 0);
  entry.valueStart = entry.keyEnd + 2;
  entry.valueEnd = entry.valueStart + (buffer[entry.valueStart - 1] ?? 0);
  if (entry.valueEnd !== entry.end || buffer[entry.start] !== 0x0a || buffer[entry.keyEnd] !== 0x12) return false;
  return entry.keyEnd - entry.keyStart < 128 && entry.valueEnd - entry.valueStart < 128;
}

function readEntry(buffer: Buffer, entry: VersionBounds): void {
  if (isPlainEntry(buffer, entry)) return;
  entry.keyStart = entry.keyEnd = entry.valueStart = entry.valueEnd = entry.end;
  eachField(buffer, entry, (field, from, to) => {
    if (field === 1) [entry.keyStart, entry.keyEnd] = [from, to];
    else if (field === 2) [entry.valueStart, entry.valueEnd] = [from, to];
    return undefined;
  });
}

/**
 * Reads the entries one after the other. There are thousands of each client that comes back: all are told in one
 * object, valid only during the call. Throws RangeError on malformed bytes.
 */
export function eachVersion({ buffer, runs }: RawVersions, onVersion: (at: Readonly<VersionBounds>) => void): void {
  const entry = { start: 0, end: 0, keyStart: 0, keyEnd: 0, valueStart: 0, valueEnd: 0 };
  for (let run = 0; run < runs.length; run += 3) {
    entry.start = runs[run] ?? 0;
    entry.end = runs[run + 1] ?? 0;
    const end = runs[run + 2] ?? 0;
    readEntry(buffer, entry);
    onVersion(entry);
    while (entry.end < end) {
      entry.start = entry.end + 2;
      entry.end = entry.start + (buffer[entry.start - 1] ?? 0);
      readEntry(buffer, entry);
      onVersion(entry);
    }
  }
}

/** The end of the short fields that follow with the same tag. */
function endOfRun(buffer: Buffer, start: number, tag: number): number {
  let end = start;
  while (buffer[end] === tag) {
    const length = buffer[end + 1] ?? 128;
    if (length > 127 || end + 2 + length > buffer.length) break;
    end += 2 + length;
  }
  return end;
}

/** Field numbers of what the two requests share. */
interface Layout {
  readonly node: number;
  readonly typeUrl: number;
  readonly nonce: number;
  readonly error: number;
  readonly subscribe: number;
  readonly unsubscribe: number;
  readonly initial: number;
  readonly version: number;
}
const absent = -1;
const deltaLayout: Layout = {
  node: 1,
  typeUrl: 2,
  subscribe: 3,
  unsubscribe: 4,
  initial: 5,
  nonce: 6,
  error: 7,
  version: absent,
};
const sotwLayout: Layout = {
  version: 1,
  node: 2,
  subscribe: 3,
  typeUrl: 4,
  nonce: 5,
  error: 6,
  unsubscribe: absent,
  initial: absent,
};

const recentUrls = new Map<string, string>();
function internedUrl(buffer: Buffer, start: number, end: number): string {
  const text = buffer.toString('utf8', start, end);
  const known = recentUrls.get(text);
  if (known !== undefined) return known;
  if (recentUrls.size < 64) recentUrls.set(text, text);
  return text;
}

/** Long lists of names that were read before. */
export interface KnownLists {
  /** The list whose bytes are found where a first name is. */
  find(buffer: Buffer, first: { readonly start: number; readonly end: number }): RawNames | undefined;
  add(list: RawNames): void;
}

/** Lists with fewer names are read anew. */
export const longList = 64;

/** Reads the list of names that are asked for, at once where its bytes are known. */
function createListReader(buffer: Buffer, lists: KnownLists | undefined) {
  const bounds: number[] = [];
  let known: RawNames | undefined;
  let shift = 0;
  return {
    onName: (start: number, end: number): number | undefined => {
      if (bounds.length === 0 && known === undefined) {
        known = lists?.find(buffer, { start, end });
        shift = start;
        if (known !== undefined) return start + known.buffer.length;
      }
      // There are more names than in the list that is known.
      if (known !== undefined) for (const bound of known.bounds) bounds.push(bound + shift);
      known = undefined;
      bounds.push(start, end);
      return undefined;
    },
    list: (): RawNames => {
      if (known !== undefined) return known;
      if (bounds.length < 2 * longList || !isUnbroken(bounds)) return { buffer, bounds };
      const [start, end] = [bounds[0] ?? 0, bounds.at(-1) ?? 0];
      const list = { buffer: Buffer.from(buffer.subarray(start, end)), bounds: bounds.map((bound) => bound - start) };
      lists?.add(list);
      return list;
    },
  };
}

/** Whether nothing but a tag and a length of one byte is between each two names. */
function isUnbroken(bounds: readonly number[]): boolean {
  for (let at = 2; at < bounds.length; at += 2) if ((bounds[at] ?? 0) - (bounds[at - 1] ?? 0) !== 2) return false;
  return true;
}

/** Reads a request of either protocol. Throws RangeError on malformed bytes. */
export function decodeRequest(buffer: Buffer, protocol: 'delta' | 'sotw', lists?: KnownLists): RawRequest {
  const layout = protocol === 'delta' ? deltaLayout : sotwLayout;
  const subscribe = createListReader(buffer, lists);
  const unsubscribe: number[] = [];
  const initial: number[] = [];
  const texts = { typeUrl: '', nonce: '', version: '' };
  let node: Buffer | undefined;
  let error: string | undefined;
  const onScalar = (field: number, start: number, end: number): void => {
    if (field === layout.typeUrl) texts.typeUrl = internedUrl(buffer, start, end);
    else if (field === layout.nonce) texts.nonce = buffer.toString('utf8', start, end);
    else if (field === layout.version) texts.version = buffer.toString('utf8', start, end);
    else if (field === layout.node) node = buffer.subarray(start, end);
    else if (field === layout.error) error = statusMessage(buffer, start, end);
  };
  eachField(buffer, { start: 0, end: buffer.length }, (field, start, end) => {
    if (field === layout.subscribe) return subscribe.onName(start, end);
    if (field === layout.initial) {
      const runEnd = endOfRun(buffer, end, layout.initial * 8 + 2);
      initial.push(start, end, runEnd);
      return runEnd;
    }
    if (field === layout.unsubscribe) unsubscribe.push(start, end);
    else onScalar(field, start, end);
    return undefined;
  });
  return {
    ...texts,
    node,
    error,
    subscribe: subscribe.list(),
    unsubscribe: { buffer, bounds: unsubscribe },
    initial: { buffer, runs: initial },
  };
}
