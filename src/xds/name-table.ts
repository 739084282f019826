// Small integers for resource names, so that what a client holds or wants is a vector and not a set of
// strings. Finds a name from the bytes of a request without making a string of it.

/** Ids count up from 0 and are never reused. */
export interface NameTable {
  size(): number;
  /** The id of a name; a new one for a new name. */
  idOf(name: string): number;
  /** As `idOf` for bytes inside a buffer; undefined when the name is new and the table is full. */
  idOfBytes(buffer: Buffer, start: number, end: number): number | undefined;
  nameOf(id: number): string;
}

/** Names that clients ask for and nobody serves are kept up to this number, so that no client can fill the memory. */
const strangersAllowed = 100_000;
const strangerBytesAllowed = 16 * 1024 * 1024;

function hashOf(buffer: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (buffer[at] ?? 0), 0x01000193);
  return hash >>> 0;
}

/** Names are short: a loop beats the call of a native comparison. */
function isSame(
  known: Uint8Array,
  buffer: Uint8Array,
  bounds: { readonly start: number; readonly end: number },
): boolean {
  if (known.length !== bounds.end - bounds.start) return false;
  for (let at = 0; at < known.length; at++) if (known[at] !== buffer[bounds.start + at]) return false;
  return true;
}

/** An empty table. */
export function createNameTable(): NameTable {
  const names: string[] = [];
  const bytes: Buffer[] = [];
  let strangers = 0;
  let strangerBytes = 0;
  let slots = new Int32Array(1024).fill(-1);

  const slotOf = (buffer: Uint8Array, start: number, end: number): number => {
    const mask = slots.length - 1;
    let slot = hashOf(buffer, start, end) & mask;
    for (;;) {
      const id = slots[slot] ?? -1;
      if (id < 0) return slot;
      const known = bytes[id];
      if (known !== undefined && isSame(known, buffer, { start, end })) return slot;
      slot = (slot + 1) & mask;
    }
  };

  const grow = (): void => {
    slots = new Int32Array(slots.length * 2).fill(-1);
    bytes.forEach((known, id) => {
      slots[slotOf(known, 0, known.length)] = id;
    });
  };

  const add = (slot: number, name: Buffer): number => {
    const id = names.length;
    names.push(name.toString('utf8'));
    bytes.push(name);
    slots[slot] = id;
    if (names.length * 2 > slots.length) grow();
    return id;
  };

  return {
    size: () => names.length,
    idOf: (name) => {
      const buffer = Buffer.from(name);
      const slot = slotOf(buffer, 0, buffer.length);
      const id = slots[slot] ?? -1;
      return id >= 0 ? id : add(slot, buffer);
    },
    idOfBytes: (buffer, start, end) => {
      const slot = slotOf(buffer, start, end);
      const id = slots[slot] ?? -1;
      if (id >= 0) return id;
      if (strangers >= strangersAllowed || strangerBytes + end - start > strangerBytesAllowed) return undefined;
      strangers++;
      strangerBytes += end - start;
      return add(slot, Buffer.from(buffer.subarray(start, end)));
    },
    nameOf: (id) => names[id] ?? '',
  };
}
