// Values of user objects in the forms that Envoy's messages want. Knows no feature.

import { FractionalPercent_DenominatorType, type FractionalPercent } from '../gen/envoy/type/v3/percent.js';
import type { Duration } from '../gen/google/protobuf/duration.js';
import { durationMs } from '../api/duration.js';

/** A protobuf duration of so many milliseconds. */
export const durationOfMs = (ms: number): Duration => ({
  seconds: BigInt(Math.floor(ms / 1000)),
  nanos: (ms % 1000) * 1_000_000,
});

/** A protobuf duration of a validated duration text. */
export const durationOf = (text: string): Duration => durationOfMs(durationMs(text));

/** Literal text for a field in which Envoy substitutes `%…%`. */
export const literal = (text: string): string => text.replaceAll('%', '%%');

/** Literal text inside a regular expression. */
export const escapeRegex = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');

/**
 * A regular expression for Cookie headers that hold this cookie, with this value or any. A value may be quoted, and is
 * the same without.
 */
export function cookiePattern({ name, value }: { readonly name: string; readonly value?: string | undefined }): string {
  const pair = value === undefined ? '[^;]*' : `"?${escapeRegex(value)}"?`;
  return `(?:.*;)?\\s*${escapeRegex(name)}=${pair}\\s*(?:;.*)?`;
}

/** Literal text in the substitution of a regular expression. */
export const escapeSubstitution = (text: string): string => text.replaceAll('\\', '\\\\');

/** Whether a text holds what no header may: Envoy refuses the configuration (`well_known_regex` HTTP_HEADER_VALUE). */
export const breaksHeader = (text: string): boolean => ['\u0000', '\r', '\n'].some((one) => text.includes(one));

/** Whether a text holds a control character other than a tab: the same, where Envoy's rule is strict. */
export const holdsControls = (text: string): boolean =>
  // eslint-disable-next-line no-control-regex -- control characters are what it is about
  /[\u0000-\u0008\u000a-\u001f\u007f]/.test(text);

/** A share in percent. */
export const shareOf = (percent: number): FractionalPercent => ({
  numerator: percent,
  denominator: FractionalPercent_DenominatorType.HUNDRED,
});
