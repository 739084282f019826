// How much is tried: `make fuzz` is the long form, `make test` runs the short one. SEED= and RUNS= override.

const numberOf = (text: string | undefined): number | undefined =>
  text === undefined || text === '' ? undefined : Number(text);

/** Where randomness begins; the same seed gives the same inputs. */
export const seed = numberOf(process.env['SEED']) ?? 20_261;

/** Whether this is `make fuzz`. */
export const isLong = process.env['FUZZ'] === 'long';

/** How many inputs the translator gets. Everything else is sized by it. */
export const runs = numberOf(process.env['RUNS']) ?? (isLong ? 100_000 : 800);

/** Longest time of one test: the short form of the whole suite takes half a minute. */
export const patienceMs = isLong ? 6 * 3_600_000 : 600_000;

/** Tells whoever waits; silent in the short form. */
export function progress(message: string): void {
  if (isLong) process.stderr.write(`    ${message}\n`);
}
