// RE2 syntax and size, the engine of Envoy and of the API server. JavaScript's own engine accepts other
// texts and may take exponential time, so user patterns never meet it.

import { RE2JS } from 're2js';
import { messageOf } from '../lib/result.js';

/** Instructions that a compiled pattern may have: Envoy's own limit. */
export const maxProgramSize = 1024;

type Checked = { readonly ok: true; readonly pattern: RE2JS } | { readonly ok: false; readonly message: string };

const cacheLimit = 512;
const cache = new Map<string, Checked>();

function compile(pattern: string): Checked {
  try {
    return { ok: true, pattern: RE2JS.compile(pattern) };
  } catch (thrown) {
    return { ok: false, message: messageOf(thrown) };
  }
}

function checked(pattern: string): Checked {
  const known = cache.get(pattern);
  if (known !== undefined) return known;
  const result = compile(pattern);
  if (cache.size >= cacheLimit) cache.clear();
  cache.set(pattern, result);
  return result;
}

/** What is wrong with a regular expression, or undefined where RE2 takes it. */
export function checkRe2(pattern: string): string | undefined {
  const result = checked(pattern);
  if (!result.ok) return result.message;
  const size = result.pattern.programSize();
  if (size <= maxProgramSize) return undefined;
  return `the regular expression compiles to ${size} instructions; it may not have more than ${maxProgramSize}`;
}

/** Whether the pattern is found anywhere in the text; throws RE2's message where it does not compile. */
export function matchesRe2(pattern: string, found: string): boolean {
  const result = checked(pattern);
  if (!result.ok) throw new Error(result.message);
  return result.pattern.matcher(found).find();
}
