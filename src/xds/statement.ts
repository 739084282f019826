// Two numbers for a set of names and versions, whatever their order: how a client that comes back with
// thousands of resources is found to have them all without looking up a single one. The seeds are random, so
// that nobody can make up a set that passes for another; and who could would only fool himself.

import { randomBytes } from 'node:crypto';
import type { EncodedResource } from './resources.js';
import type { RawVersions } from './wire.js';

/** Sums of 32 bits each. */
export interface Fingerprint {
  readonly low: number;
  readonly high: number;
}

const seeds = randomBytes(8);
const [lowSeed, highSeed] = [seeds.readInt32LE(0), seeds.readInt32LE(4)];

/** Of one name with its version, from the bytes of both. */
function ofBytes(buffer: Uint8Array, bounds: readonly [number, number, number, number]): Fingerprint {
  let low = lowSeed;
  let high = highSeed;
  for (let part = 0; part < 4; part += 2) {
    const end = bounds[part + 1] ?? 0;
    for (let at = bounds[part] ?? 0; at < end; at++) {
      const byte = buffer[at] ?? 0;
      low = Math.imul(low ^ byte, 0x01000193);
      high = Math.imul(high ^ byte, 0x5bd1e995) + (high >>> 15);
    }
    // Where the name ends and the version begins.
    low = Math.imul(low ^ 0x100, 0x01000193);
    high = Math.imul(high ^ 0x100, 0x5bd1e995);
  }
  return { low: Math.imul(low ^ (low >>> 15), 0x2c1b3c6d), high: Math.imul(high ^ (high >>> 13), 0x297a2d39) };
}

export const addUp = (left: Fingerprint, right: Fingerprint): Fingerprint => ({
  low: (left.low + right.low) | 0,
  high: (left.high + right.high) | 0,
});

/** Of a resource that is served. */
export function fingerprintOf({ name, version }: Pick<EncodedResource, 'name' | 'version'>): Fingerprint {
  const bytes = Buffer.from(name + version);
  const middle = bytes.length - Buffer.byteLength(version);
  return ofBytes(bytes, [0, middle, middle, bytes.length]);
}

/** Of everything that a client states. */
export function fingerprintOfStatement({ buffer, bounds }: RawVersions): Fingerprint {
  let low = 0;
  let high = 0;
  for (let at = 0; at < bounds.length; at += 4) {
    const one = ofBytes(buffer, [bounds[at] ?? 0, bounds[at + 1] ?? 0, bounds[at + 2] ?? 0, bounds[at + 3] ?? 0]);
    low = (low + one.low) | 0;
    high = (high + one.high) | 0;
  }
  return { low, high };
}
