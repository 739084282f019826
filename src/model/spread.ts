// How the pods of a workload are spread over localities, as a text that can stand in a place: as coarse as it may be, so
// that few places come of it, and a pod more or less seldom makes another one.

/** Counts by locality. */
export type Spread = ReadonlyMap<string, number>;

/** Shares are told in twentieths; whoever is there has one at least. */
const steps = 20;

/** Equal shares give equal texts. */
export function writeSpread(counts: Spread): string {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const shares = [...counts].map(([name, count]) => [name, Math.max(1, Math.round((count * steps) / total))] as const);
  return JSON.stringify(shares.sort(([left], [right]) => (left < right ? -1 : 1)));
}

/** What was written; nothing where nobody has written. */
export const readSpread = (text: string | undefined): Spread => {
  const shares: unknown = text === undefined ? [] : JSON.parse(text);
  return new Map(Array.isArray(shares) ? shares.filter(isShare) : []);
};

const isShare = (value: unknown): value is [string, number] =>
  Array.isArray(value) && typeof value[0] === 'string' && typeof value[1] === 'number';

/** `north/a`; a region alone where no zone is known. */
export const nameOfLocality = (region = '', zone = ''): string => (zone === '' ? region : `${region}/${zone}`);
