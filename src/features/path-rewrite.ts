// Replacing the matched prefix of a path, as Gateway API words it: a trailing slash of the replacement does
// not count, and what follows the prefix keeps exactly one slash before it.

import type { RegexMatchAndSubstitute } from '../gen/envoy/type/matcher/v3/regex.js';
import { escapeRegex } from './envoy-values.js';
import type { Patch } from './feature.js';

/** Envoy's prefix rewrite where it does the right thing, else a regular expression. */
export type PrefixReplacement =
  | { readonly kind: 'prefix'; readonly value: string }
  | { readonly kind: 'regex'; readonly value: Patch<RegexMatchAndSubstitute> };

/** A path begins with a slash, also where the author left it out. */
export const rooted = (path: string): string => (path.startsWith('/') ? path : `/${path}`);

/** How to replace the matched prefix. */
export function prefixReplacement(
  matched: { readonly value: string; readonly ignoreCase: boolean },
  replacement: string,
): PrefixReplacement {
  const next = rooted(replacement).replace(/\/+$/, '');
  const prefix = matched.value.replace(/\/+$/, '');
  if (prefix === '') return { kind: 'prefix', value: `${next}/` };
  if (next !== '') return { kind: 'prefix', value: next };
  const regex = `${matched.ignoreCase ? '(?i)' : ''}^${escapeRegex(prefix)}/?`;
  return { kind: 'regex', value: { pattern: { regex }, substitution: '/' } };
}
