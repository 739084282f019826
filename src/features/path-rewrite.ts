// Replacing the matched prefix of a path, as Gateway API words it: a trailing slash of the replacement does
// not count, and what follows the prefix keeps exactly one slash before it.

import type { RegexMatchAndSubstitute } from '../gen/envoy/type/matcher/v3/regex.js';
import { err, ok, type Result } from '../lib/result.js';
import { breaksHeader, escapeRegex } from './envoy-values.js';
import type { Patch } from './feature.js';

/** Envoy's prefix rewrite where it does the right thing, else a regular expression. */
export type PrefixReplacement =
  | { readonly kind: 'prefix'; readonly value: string }
  | { readonly kind: 'regex'; readonly value: Patch<RegexMatchAndSubstitute> };

/** A path begins with a slash, also where the author left it out. */
export const rooted = (path: string): string => (path.startsWith('/') ? path : `/${path}`);

/** The texts that a new path is made of. */
interface NewPath {
  readonly replaceFullPath?: string;
  readonly replacePrefixMatch?: string;
  readonly substitution?: string;
}

/** `config` unless its new path would end the header that it stands in; `feature` begins the path in messages. */
export function withSoundPath<Config extends { readonly path?: NewPath }>(
  feature: string,
  config: Config,
): Result<Config> {
  const { replaceFullPath, replacePrefixMatch, substitution } = config.path ?? {};
  const texts = Object.entries({ replaceFullPath, replacePrefixMatch, substitution });
  const broken = texts.find(([, value = '']) => breaksHeader(value));
  if (broken === undefined) return ok(config);
  const message = `\`${broken[0]}\` must not hold a line break or a NUL character`;
  return err([{ path: `${feature}.path.${broken[0]}`, reason: 'Invalid', message }]);
}

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
