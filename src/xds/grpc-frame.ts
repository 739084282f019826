// The framing of gRPC inside of a stream: a flag, a length, a message. Bytes may arrive one by one, and hostile ones will.

import { prefixBytes } from './wire.js';

/** What was read. `partial` is the length of a message whose rest is still to come. */
export type Framed =
  | { readonly kind: 'message'; readonly message: Buffer }
  | { readonly kind: 'compressed' }
  | { readonly kind: 'too-long'; readonly length: number }
  | { readonly kind: 'malformed'; readonly flag: number };

/** Cuts messages out of the chunks of a stream. */
export interface FrameReader {
  push(chunk: Buffer): void;
  /** The next message, or what is there in its place, which is the end of reading; undefined when bytes are missing. */
  next(): Framed | undefined;
  /** Whether a message has begun and is not whole. */
  isPartial(): boolean;
}

/** A message up to this length gets its memory when its length is known; a longer one as its bytes arrive. */
const trustedBytes = 1024 * 1024;

const nothing: Buffer = Buffer.alloc(0);

/** A reader of messages of up to `limit` bytes. Copies only what arrives in pieces, and each byte a few times at most. */
export function createFrameReader(limit: number): FrameReader {
  let bytes = nothing;
  let start = 0;
  let end = 0;
  /** Whether `bytes` is ours to write to. */
  let isOwn = false;

  /** How much memory is worth having for what is here and `more`. */
  const capacityFor = (more: number): number => {
    const needed = end - start + more;
    const whole = end - start < prefixBytes ? 0 : prefixBytes + bytes.readUInt32BE(start + 1);
    return whole > trustedBytes ? 2 * needed : Math.max(needed, whole, 64);
  };

  const reserve = (more: number): void => {
    if (isOwn && end + more <= bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(capacityFor(more));
    bytes.copy(grown, 0, start, end);
    [bytes, start, end, isOwn] = [grown, 0, end - start, true];
  };

  const takeMessage = (length: number): Framed | undefined => {
    const from = start + prefixBytes;
    if (end - from < length) return undefined;
    start = from + length;
    return { kind: 'message', message: bytes.subarray(from, start) };
  };

  return {
    push: (chunk) => {
      if (start === end) {
        [bytes, start, end, isOwn] = [chunk, 0, chunk.length, false];
        return;
      }
      reserve(chunk.length);
      chunk.copy(bytes, end);
      end += chunk.length;
    },
    next: () => {
      if (end - start < prefixBytes) return undefined;
      const flag = bytes[start] ?? 0;
      const length = bytes.readUInt32BE(start + 1);
      if (flag === 1) return { kind: 'compressed' };
      if (flag !== 0) return { kind: 'malformed', flag };
      return length > limit ? { kind: 'too-long', length } : takeMessage(length);
    },
    isPartial: () => end > start,
  };
}

/** A text as `grpc-message` has it: printable ASCII as it is, all other bytes of its UTF-8 as `%XX`. */
export function encodeStatusMessage(text: string): string {
  let encoded = '';
  for (const byte of Buffer.from(text)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}
