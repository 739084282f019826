// Hand-written protobuf for the four messages of a stream: their size and number decide what a change costs.
// `test/unit/xds/wire.test.ts` proves equality with the generated code. Field numbers:
// envoy/service/discovery/v3/discovery.proto.

/** A list of names inside a received message, not yet turned into strings. */
export interface RawNames {
  readonly buffer: Buffer;
  /** Start and end of each name, flat. */
  readonly bounds: readonly number[];
}

/** `initial_resource_versions`: name and version bounds, four numbers an entry. */
export type RawVersions = RawNames;

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

type OnField = (field: number, start: number, end: number) => void;

/** Calls `onField` for each length-delimited field between two offsets. Throws RangeError on malformed bytes. */
function eachField(buffer: Buffer, bounds: { start: number; end: number }, onField: OnField): void {
  const cursor: Cursor = {
    buffer: bounds.end === buffer.length ? buffer : buffer.subarray(0, bounds.end),
    at: bounds.start,
  };
  while (cursor.at < bounds.end) {
    const tag = varint(cursor);
    const start = value(cursor, tag & 7);
    if (start >= 0) onField(Math.floor(tag / 8), start, cursor.at);
  }
}

function statusMessage(buffer: Buffer, start: number, end: number): string {
  let message = '';
  eachField(buffer, { start, end }, (field, from, to) => {
    if (field === 2) message = buffer.toString('utf8', from, to);
  });
  return message;
}

/** An entry as everybody writes it: key, then value, each shorter than 128 bytes. */
function pushPlainEntry(buffer: Buffer, entry: { start: number; end: number }, bounds: number[]): boolean {
  const keyStart = entry.start + 2;
  const keyEnd = keyStart + (buffer[keyStart - 1] ?? 0);
  const valueStart = keyEnd + 2;
  const valueEnd = valueStart + (buffer[valueStart - 1] ?? 0);
  if (valueEnd !== entry.end || buffer[entry.start] !== 0x0a || buffer[keyEnd] !== 0x12) return false;
  if (keyEnd - keyStart > 127 || valueEnd - valueStart > 127) return false;
  bounds.push(keyStart, keyEnd, valueStart, valueEnd);
  return true;
}

function pushMapEntry(buffer: Buffer, entry: { start: number; end: number }, bounds: number[]): void {
  if (pushPlainEntry(buffer, entry, bounds)) return;
  let [keyStart, keyEnd, valueStart, valueEnd] = [entry.end, entry.end, entry.end, entry.end];
  eachField(buffer, entry, (field, from, to) => {
    if (field === 1) [keyStart, keyEnd] = [from, to];
    else if (field === 2) [valueStart, valueEnd] = [from, to];
  });
  bounds.push(keyStart, keyEnd, valueStart, valueEnd);
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

/** Reads a request of either protocol. Throws RangeError on malformed bytes. */
export function decodeRequest(buffer: Buffer, protocol: 'delta' | 'sotw'): RawRequest {
  const layout = protocol === 'delta' ? deltaLayout : sotwLayout;
  const subscribe: number[] = [];
  const unsubscribe: number[] = [];
  const initial: number[] = [];
  const texts = { typeUrl: '', nonce: '', version: '' };
  let node: Buffer | undefined;
  let error: string | undefined;
  const onScalar: OnField = (field, start, end) => {
    if (field === layout.typeUrl) texts.typeUrl = internedUrl(buffer, start, end);
    else if (field === layout.nonce) texts.nonce = buffer.toString('utf8', start, end);
    else if (field === layout.version) texts.version = buffer.toString('utf8', start, end);
    else if (field === layout.node) node = buffer.subarray(start, end);
    else if (field === layout.error) error = statusMessage(buffer, start, end);
  };
  eachField(buffer, { start: 0, end: buffer.length }, (field, start, end) => {
    if (field === layout.subscribe) subscribe.push(start, end);
    else if (field === layout.unsubscribe) unsubscribe.push(start, end);
    else if (field === layout.initial) pushMapEntry(buffer, { start, end }, initial);
    else onScalar(field, start, end);
  });
  return {
    ...texts,
    node,
    error,
    subscribe: { buffer, bounds: subscribe },
    unsubscribe: { buffer, bounds: unsubscribe },
    initial: { buffer, bounds: initial },
  };
}

function varintSize(number: number): number {
  let size = 1;
  for (let rest = number; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Bytes of a length-delimited field: tag (below 16), length, content. */
const fieldSize = (length: number): number => 1 + varintSize(length) + length;

function writeVarint(target: Buffer, at: number, number: number): number {
  let rest = number;
  let position = at;
  for (; rest >= 128; rest = Math.floor(rest / 128)) target[position++] = (rest % 128) | 0x80;
  target[position++] = rest;
  return position;
}

function writeBytes(target: Buffer, at: number, field: { number: number; bytes: Uint8Array }): number {
  target[at] = field.number * 8 + 2;
  const start = writeVarint(target, at + 1, field.bytes.length);
  target.set(field.bytes, start);
  return start + field.bytes.length;
}

/** A delta `resources` entry (field 2: Resource {version 1, resource 2, name 3}) around an encoded message. */
export function resourceFrame(input: { name: string; version: string; typeUrl: string; bytes: Uint8Array }): {
  frame: Buffer;
  anyStart: number;
  anyEnd: number;
} {
  const [name, version, typeUrl] = [Buffer.from(input.name), Buffer.from(input.version), Buffer.from(input.typeUrl)];
  const anySize = fieldSize(typeUrl.length) + (input.bytes.length === 0 ? 0 : fieldSize(input.bytes.length));
  const bodySize = fieldSize(version.length) + fieldSize(anySize) + fieldSize(name.length);
  const frame = Buffer.allocUnsafeSlow(fieldSize(bodySize));
  frame[0] = 0x12;
  let at = writeVarint(frame, 1, bodySize);
  at = writeBytes(frame, at, { number: 1, bytes: version });
  frame[at] = 0x12;
  const anyStart = writeVarint(frame, at + 1, anySize);
  at = writeBytes(frame, anyStart, { number: 1, bytes: typeUrl });
  if (input.bytes.length > 0) at = writeBytes(frame, at, { number: 2, bytes: input.bytes });
  writeBytes(frame, at, { number: 3, bytes: name });
  return { frame, anyStart, anyEnd: anyStart + anySize };
}

/** A DeltaDiscoveryResponse {system_version_info 1, resources 2, type_url 4, nonce 5, removed_resources 6}. */
export function encodeDeltaResponse(response: {
  systemVersion: string;
  frames: readonly Buffer[];
  typeUrl: string;
  nonce: string;
  removed: readonly string[];
}): Buffer {
  const removed = response.removed.map((name) => Buffer.from(name));
  const texts = {
    version: Buffer.from(response.systemVersion),
    url: Buffer.from(response.typeUrl),
    nonce: Buffer.from(response.nonce),
  };
  const framesSize = response.frames.reduce((sum, frame) => sum + frame.length, 0);
  const removedSize = removed.reduce((sum, name) => sum + fieldSize(name.length), 0);
  const size =
    fieldSize(texts.version.length) +
    framesSize +
    fieldSize(texts.url.length) +
    fieldSize(texts.nonce.length) +
    removedSize;
  const target = Buffer.allocUnsafeSlow(size);
  let at = writeBytes(target, 0, { number: 1, bytes: texts.version });
  for (const frame of response.frames) {
    target.set(frame, at);
    at += frame.length;
  }
  at = writeBytes(target, at, { number: 4, bytes: texts.url });
  at = writeBytes(target, at, { number: 5, bytes: texts.nonce });
  for (const name of removed) at = writeBytes(target, at, { number: 6, bytes: name });
  return target;
}

/** A DiscoveryResponse {version_info 1, resources 2, type_url 4, nonce 5}. */
export function encodeSotwResponse(response: {
  version: string;
  anys: readonly Buffer[];
  typeUrl: string;
  nonce: string;
}): Buffer {
  const texts = {
    version: Buffer.from(response.version),
    url: Buffer.from(response.typeUrl),
    nonce: Buffer.from(response.nonce),
  };
  const size =
    fieldSize(texts.version.length) +
    response.anys.reduce((sum, any) => sum + fieldSize(any.length), 0) +
    fieldSize(texts.url.length) +
    fieldSize(texts.nonce.length);
  const target = Buffer.allocUnsafeSlow(size);
  let at = writeBytes(target, 0, { number: 1, bytes: texts.version });
  for (const any of response.anys) at = writeBytes(target, at, { number: 2, bytes: any });
  at = writeBytes(target, at, { number: 4, bytes: texts.url });
  writeBytes(target, at, { number: 5, bytes: texts.nonce });
  return target;
}
