// Content hashes: equal content, whatever the order of its keys, has an equal hash. Used to tell an edit from
// a repetition; knows nothing of kinds.

import { hash } from 'node:crypto';

/** JSON with sorted keys; Maps read as objects, bytes as base64. */
export function stableJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return value === undefined ? 'null' : JSON.stringify(value);
  if (value instanceof Uint8Array) return `"${Buffer.from(value).toString('base64')}"`;
  if (Array.isArray(value)) return `[${value.map(stableJson).join(',')}]`;
  const entries: [string, unknown][] =
    value instanceof Map ? [...value].map(([k, v]) => [String(k), v]) : Object.entries(value);
  const parts = entries
    .filter(([, child]) => child !== undefined)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, child]) => `${JSON.stringify(key)}:${stableJson(child)}`);
  return `{${parts.join(',')}}`;
}

/** A short hash of bytes or text. Not for security: it only tells versions of one thing apart. */
export const hashOf = (content: string | Uint8Array): string => hash('sha256', content, 'base64').slice(0, 24);

/** The hash of any value's content. */
export const fingerprintOf = (value: unknown): string => hashOf(stableJson(value));
