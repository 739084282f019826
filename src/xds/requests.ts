// Reads requests. A thousand clients that take the same response answer with the same bytes: these are decoded once,
// and what follows from them is found by the identity of the request.

import type { Protocol } from './plan.js';
import { decodeRequest, type KnownLists, type RawNames, type RawRequest } from './wire-read.js';

/** Reads one request. Throws RangeError on malformed bytes. */
export type RequestReader = (bytes: Buffer) => RawRequest;

/** Answers are about a hundred bytes long. */
const longest = 512;

/** Whether a request is so short that equal ones of many clients are one object. */
export const isShort = (bytes: Buffer): boolean => bytes.length <= longest;
/** A change is answered with few different requests at a time. */
const remembered = 16;

interface Known {
  readonly bytes: Buffer;
  readonly request: RawRequest;
}

/** Nonces come last and differ at their end: the last byte spares most comparisons. */
const isSame = (known: Known, bytes: Buffer): boolean =>
  known.bytes.length === bytes.length && known.bytes.at(-1) === bytes.at(-1) && known.bytes.equals(bytes);

/** Clusters and what routes name: each is asked for by all clients, in the order of Envoy, which is that of the alphabet. */
const listsRemembered = 4;

function createLists(): KnownLists {
  const lists: RawNames[] = [];
  let oldest = 0;
  const isAt = (list: RawNames, buffer: Buffer, first: { readonly start: number; readonly end: number }): boolean => {
    const end = first.start + list.buffer.length;
    if (list.bounds[1] !== first.end - first.start || end > buffer.length) return false;
    return buffer.compare(list.buffer, 0, list.buffer.length, first.start, end) === 0;
  };
  return {
    find: (buffer, first) => lists.find((list) => isAt(list, buffer, first)),
    add: (list) => {
      lists[oldest++ % listsRemembered] = list;
    },
  };
}

/** A reader that remembers the last short requests, and the last long lists of names. */
export function createRequestReader(protocol: Protocol): RequestReader {
  const lists = createLists();
  const recent: Known[] = [];
  let oldest = 0;
  return (bytes) => {
    if (!isShort(bytes)) return decodeRequest(bytes, protocol, lists);
    for (const known of recent) if (isSame(known, bytes)) return known.request;
    // A copy: received bytes are slices of larger buffers.
    const copy = Buffer.from(bytes);
    const request = decodeRequest(copy, protocol);
    if (request.node === undefined) recent[oldest++ % remembered] = { bytes: copy, request };
    return request;
  };
}
