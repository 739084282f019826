// Durations as GEP-2257 writes them: `1h30m`, `500ms`. Knows no schema.

/** The form of a duration; the length bound of 32 characters stands beside it. */
export const durationPattern = '^([0-9]{1,5}(h|m|s|ms)){1,4}$';

const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

/** The milliseconds of a duration that has passed its pattern; NaN for any other text. */
export function durationMs(text: string): number {
  if (!/^([0-9]{1,5}(h|m|s|ms)){1,4}$/.test(text)) return Number.NaN;
  let total = 0;
  for (const [, digits, unit] of text.matchAll(/([0-9]{1,5})(h|ms|m|s)/g)) {
    total += Number(digits) * (unitMs[unit ?? ''] ?? Number.NaN);
  }
  return total;
}
