// Addresses for pods and Services of a folder: by hash of the name, so that they stay when neighbours come and go.
// Pure arithmetic; knows no objects.

/** A range of IPv4 addresses. */
export interface AddressRange {
  /** First address of the range, as a number. */
  readonly base: number;
  /** How many addresses it has. */
  readonly size: number;
}

const ipv4 = (a: number, b: number): number => (a * 256 + b) * 256 * 256;

/** 127.77.0.0/16. */
export const podRange: AddressRange = { base: ipv4(127, 77), size: 65_536 };
/** 127.78.0.0/16: where applications listen, apart from the proxies on the addresses of their pods. */
export const applicationRange: AddressRange = { base: ipv4(127, 78), size: 65_536 };
/** 198.18.0.0/15, set aside for benchmarks: no host has it. */
export const serviceRange: AddressRange = { base: ipv4(198, 18), size: 131_072 };

const dotted = (address: number): string =>
  [24, 16, 8, 0].map((shift) => String(Math.floor(address / 2 ** shift) % 256)).join('.');

// FNV-1a with a final mix: names that differ in their last digit are spread over the range.
function spread(name: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

/**
 * An address for each name. A name has the slot of its hash; where two share one, the first by name keeps it and the
 * other takes the next free one. The network and broadcast addresses stay unused, names beyond the range get none.
 */
export function allocate(
  names: readonly string[],
  taken: ReadonlySet<string>,
  range: AddressRange,
): ReadonlyMap<string, string> {
  const slots = range.size - 2;
  const used = new Set<number>();
  const given = new Map<string, string>();
  const addressOf = (slot: number): string => dotted(range.base + 1 + slot);
  const free = (slot: number): boolean => !used.has(slot) && !taken.has(addressOf(slot));
  const give = (name: string, slot: number): void => {
    used.add(slot);
    given.set(name, addressOf(slot));
  };
  const sorted = [...new Set(names)].sort();
  const homeless: string[] = [];
  for (const name of sorted) {
    const slot = spread(name) % slots;
    if (free(slot)) give(name, slot);
    else homeless.push(name);
  }
  for (const name of homeless) {
    if (used.size + taken.size >= slots) break;
    let slot = spread(name) % slots;
    while (!free(slot)) slot = (slot + 1) % slots;
    give(name, slot);
  }
  return given;
}
