// Hand-written protobuf for the responses of a stream, which are concatenations of what was encoded before. They are made
// behind the prefix of gRPC, so that what many streams send is framed once and never copied.
// `test/unit/xds/wire.test.ts` proves equality with the generated code. Field numbers:
// envoy/service/discovery/v3/discovery.proto.

/** Before each message: a flag, which says that it is not compressed, and its length in four bytes. */
export const prefixBytes = 5;

/** A buffer for a message of this length, behind the prefix that gRPC asks for. */
function frameFor(length: number): Buffer {
  const target = Buffer.allocUnsafeSlow(prefixBytes + length);
  target[0] = 0;
  target.writeUInt32BE(length, 1);
  return target;
}

/** The message in a frame. */
export const messageIn = (framed: Buffer): Buffer => framed.subarray(prefixBytes);

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

/** A framed DeltaDiscoveryResponse {system_version_info 1, resources 2, type_url 4, nonce 5, removed_resources 6}. */
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
  const target = frameFor(size);
  let at = writeBytes(target, prefixBytes, { number: 1, bytes: texts.version });
  for (const frame of response.frames) {
    target.set(frame, at);
    at += frame.length;
  }
  at = writeBytes(target, at, { number: 4, bytes: texts.url });
  at = writeBytes(target, at, { number: 5, bytes: texts.nonce });
  for (const name of removed) at = writeBytes(target, at, { number: 6, bytes: name });
  return target;
}

/** A framed DiscoveryResponse {version_info 1, resources 2, type_url 4, nonce 5}. */
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
  const target = frameFor(size);
  let at = writeBytes(target, prefixBytes, { number: 1, bytes: texts.version });
  for (const any of response.anys) at = writeBytes(target, at, { number: 2, bytes: any });
  at = writeBytes(target, at, { number: 4, bytes: texts.url });
  writeBytes(target, at, { number: 5, bytes: texts.nonce });
  return target;
}
