// Reads protobuf by field numbers, for the few fields of protocols that the product itself never reads.

/** The fields of a message. */
export interface Fields {
  messages(field: number): readonly Fields[];
  /** The first value as text; empty where there is none. */
  text(field: number): string;
  hex(field: number): string;
  number(field: number): number;
}

type Value = Buffer | number;

function varint(bytes: Buffer, from: number): readonly [value: number, next: number] {
  let [value, scale, at] = [0, 1, from];
  for (;;) {
    const byte = bytes[at++] ?? 0;
    value += (byte & 0x7f) * scale;
    scale *= 128;
    if (byte < 0x80) return [value, at];
  }
}

function* entriesOf(bytes: Buffer): Generator<readonly [field: number, value: Value]> {
  let at = 0;
  while (at < bytes.length) {
    const [tag, start] = varint(bytes, at);
    const wire = tag & 7;
    if (wire === 0) {
      const [value, next] = varint(bytes, start);
      yield [tag >> 3, value];
      at = next;
      continue;
    }
    const [length, from] = wire === 2 ? varint(bytes, start) : [wire === 1 ? 8 : 4, start];
    yield [tag >> 3, bytes.subarray(from, from + length)];
    at = from + length;
  }
}

/** Reads a message. */
export function fieldsOf(bytes: Buffer): Fields {
  const entries = [...entriesOf(bytes)];
  const all = (field: number): readonly Value[] => entries.filter(([one]) => one === field).map(([, value]) => value);
  const first = (field: number): Buffer => {
    const [value] = all(field);
    return typeof value === 'object' ? value : Buffer.alloc(0);
  };
  return {
    messages: (field) => all(field).flatMap((value) => (typeof value === 'object' ? [fieldsOf(value)] : [])),
    text: (field) => first(field).toString(),
    hex: (field) => first(field).toString('hex'),
    number: (field) => {
      const [value] = all(field);
      return typeof value === 'number' ? value : 0;
    },
  };
}
