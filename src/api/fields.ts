// Field types that several kinds share: durations, names, prefixes, references. Each is a builder with its
// bounds and implied rules; the caller adds words, default and presence.

import { durationPattern } from './duration.js';
import { integer, object, stringMap, text, type FieldOptions, type Rule, type Schema } from './schema.js';
import type { PresenceOf } from './schema-node.js';

type TextOptions = FieldOptions<string>;
type IntegerOptions = FieldOptions<number>;
type MapOptions = FieldOptions<Readonly<Record<string, string>>>;
type Text<O> = Schema<string, PresenceOf<O>>;

const label1123 = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomain = `${label1123}([.]${label1123})*`;
const labelKeyPattern = '^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$';

const withRules = <O extends FieldOptions<unknown>>(options: O, ...rules: readonly Rule[]): O => ({
  ...options,
  rules: [...rules, ...(options.rules ?? [])],
});

/** Least and greatest duration, both allowed. */
export interface DurationRange {
  readonly min?: string;
  readonly max?: string;
}

/** A GEP-2257 duration; up to 720 h where nothing is said. */
export const dur = <const O extends TextOptions>(range: DurationRange, options: O): Text<O> => {
  const least = range.min ?? '0s';
  const most = range.max ?? '720h';
  return text(
    { max: 32, pattern: durationPattern },
    withRules(options, {
      id: 'duration',
      rule: `duration(self) >= duration('${least}') && duration(self) <= duration('${most}')`,
      messageExpression: `"the duration '%s' must be between '${least}' and '${most}'".format([self])`,
    }),
  );
};

/** A percentage without fractions. */
export const pct = <const O extends IntegerOptions>(options: O): Schema<number, PresenceOf<O>> =>
  integer({ min: 0, max: 100 }, options);

/** A port number. */
export const port = <const O extends IntegerOptions>(options: O): Schema<number, PresenceOf<O>> =>
  integer({ min: 1, max: 65535 }, options);

/** The name of an object. */
export const name = <const O extends TextOptions>(options: O): Text<O> =>
  text({ min: 1, max: 253, pattern: `^${subdomain}$` }, options);

/** A DNS label, such as the name of a namespace. */
export const label = <const O extends TextOptions>(options: O): Text<O> =>
  text({ min: 1, max: 63, pattern: `^${label1123}$` }, options);

/** A DNS label, or `*` for all. */
export const labelOrAny = <const O extends TextOptions>(options: O): Text<O> =>
  text({ min: 1, max: 63, pattern: `^([*]|${label1123})$` }, options);

/** A DNS name; one leading `*.` is allowed. */
export const dns = <const O extends TextOptions>(options: O): Text<O> =>
  text({ min: 1, max: 253, pattern: `^([*][.])?${subdomain}$` }, options);

/** A DNS name without a wildcard. */
export const exactDns = <const O extends TextOptions>(options: O): Text<O> =>
  text({ min: 1, max: 253, pattern: `^${subdomain}$` }, options);

/** An HTTP token: header and query parameter names. */
export const headerName = <const O extends TextOptions>(options: O): Text<O> =>
  text({ min: 1, max: 256, pattern: "^[A-Za-z0-9!#$%&'*+.^_\\x60|~-]+$" }, options);

/** A text in which `*` stands alone, first or last. */
export const glob = <const O extends TextOptions>(options: O): Text<O> =>
  text({ min: 1, max: 253, pattern: '^([*]|[*]?[^*]+[*]?)$' }, options);

/** A SPIFFE ID, exact or ending in `/*`. */
export const spiffe = <const O extends TextOptions>(options: O): Text<O> =>
  text({ min: 1, max: 512, pattern: '^spiffe://[^\\s*]+(/[*])?$' }, options);

/** A regular expression; its size is checked beside the schema. */
export const re2 = <const O extends TextOptions>(options: O): Text<O> =>
  text(
    { min: 1, max: 1024 },
    withRules(options, {
      id: 're2',
      rule: "''.matches(self) in [true, false]",
      message: 'must be a regular expression in RE2 syntax',
    }),
  );

/** An https URL. */
export const httpsUrl = <const O extends TextOptions>(options: O): Text<O> =>
  text({ max: 1024, pattern: '^https://[^\\s]+$' }, options);

/** An IPv4 or IPv6 prefix whose host bits are zero. */
export const cidr = <const O extends TextOptions>(options: O): Text<O> =>
  text(
    { max: 43 },
    withRules(options, {
      id: 'cidr',
      rule: 'isCIDR(self) && cidr(self) == cidr(self).masked()',
      messageExpression: `"'%s' must be an IPv4 or IPv6 prefix whose host bits are zero, such as '10.0.0.0/8'".format([self])`,
    }),
  );

/** An IPv4 or IPv6 address. */
export const ip = <const O extends TextOptions>(options: O): Text<O> =>
  text(
    { max: 45 },
    withRules(options, {
      id: 'ip',
      rule: 'isIP(self)',
      messageExpression: `"'%s' must be an IPv4 or IPv6 address".format([self])`,
    }),
  );

/** The key of a label. */
export const labelKey = <const O extends TextOptions>(options: O): Text<O> =>
  text({ min: 1, max: 317, pattern: labelKeyPattern }, options);

/** Labels to select by: keys and values in label syntax. */
export const labels = <const O extends MapOptions>(
  options: O,
): Schema<Readonly<Record<string, string>>, PresenceOf<O>> =>
  stringMap(
    { values: { max: 63, pattern: '^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$' } },
    withRules(options, {
      id: 'labelKeys',
      rule: `self.all(k, size(k) <= 317 && k.matches('${labelKeyPattern}'))`,
      message: "keys must be label keys, such as 'app' or 'example.com/version'",
    }),
  );

/** An object of which only `matchLabels` can be set. */
export const selector = <const O extends FieldOptions<{ readonly matchLabels: Readonly<Record<string, string>> }>>(
  words: string,
  options: O,
) => object({ matchLabels: labels({ required: true, doc: words }) }, options);

/** Kind Service has group "", all kinds of ours have `legation.dev`. */
export const groupRule: Rule = {
  id: 'group',
  rule: "self.group == (self.kind == 'Service' ? '' : 'legation.dev')",
  messageExpression: `"\`group\` must be '%s' for kind '%s'".format([self.kind == 'Service' ? '' : 'legation.dev', self.kind])`,
};

/** Services are reached through a port. */
export const servicePortRule: Rule = {
  id: 'TR11',
  rule: "self.kind != 'Service' || has(self.port)",
  messageExpression: `"\`port\` must be set for Service '%s'".format([self.name])`,
};
