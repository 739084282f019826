// Just enough protobuf to speak ADS: writes small requests, walks responses without decoding what they carry.

/** Where one field of a message lies: its value is `bytes[start, end)`. */
export type FieldVisitor = (field: number, start: number, end: number) => void;

/** The last varint read by `readVarint`: `next` is the position behind it. One object, so that walking allocates nothing. */
const cursor = { value: 0, next: 0 };

const readVarint = (bytes: Uint8Array, at: number): void => {
  let value = 0;
  let scale = 1;
  let position = at;
  for (;;) {
    const byte = bytes[position] ?? 0;
    position += 1;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
    scale *= 128;
  }
  cursor.value = value;
  cursor.next = position;
};

/** Calls `visit` for each field of a message; a varint field's value is passed as `start`. */
export const walkFields = (bytes: Uint8Array, visit: FieldVisitor): void => {
  let position = 0;
  while (position < bytes.length) {
    readVarint(bytes, position);
    const field = Math.floor(cursor.value / 8);
    const wireType = cursor.value & 7;
    if (wireType === 2) {
      const start = (readVarint(bytes, cursor.next), cursor.next);
      position = start + cursor.value;
      visit(field, start, position);
    } else if (wireType === 0) {
      readVarint(bytes, cursor.next);
      position = cursor.next;
      visit(field, cursor.value, position);
    } else {
      position = cursor.next + (wireType === 1 ? 8 : 4);
      visit(field, cursor.next, position);
    }
  }
};

/** Calls `found` for every value at a path of field numbers, through repeated fields. */
export const walkPath = (bytes: Uint8Array, path: readonly number[], found: (value: Uint8Array) => void): void => {
  const [head, ...rest] = path;
  if (head === undefined) {
    found(bytes);
    return;
  }
  walkFields(bytes, (field, start, end) => {
    if (field === head) walkPath(bytes.subarray(start, end), rest, found);
  });
};

const varint = (value: number): Buffer => {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 128) | 0x80);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
};

/** A length-delimited field. */
export const bytesField = (field: number, value: Uint8Array): Buffer =>
  Buffer.concat([varint(field * 8 + 2), varint(value.length), value]);

/** A string field; names travel as latin1 inside the bench, which keeps their bytes as they are. */
export const stringField = (field: number, value: string): Buffer => bytesField(field, Buffer.from(value, 'latin1'));

/** A varint field. */
export const varintField = (field: number, value: number): Buffer => Buffer.concat([varint(field * 8), varint(value)]);

const doubleField = (field: number, value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([varint(field * 8 + 1), bytes]);
};

/** A google.protobuf.Value. */
const encodeValue = (value: unknown): Buffer => {
  if (typeof value === 'string') return bytesField(3, Buffer.from(value));
  if (typeof value === 'number') return doubleField(2, value);
  if (typeof value === 'boolean') return varintField(4, value ? 1 : 0);
  if (Array.isArray(value)) {
    return bytesField(6, Buffer.concat(value.map((item: unknown) => bytesField(1, encodeValue(item)))));
  }
  if (typeof value === 'object' && value !== null) return bytesField(5, encodeStruct(value));
  return varintField(1, 0);
};

/** A google.protobuf.Struct, for the metadata of a node. */
export const encodeStruct = (object: object): Buffer =>
  Buffer.concat(
    Object.entries(object).map(([key, value]: [string, unknown]) =>
      bytesField(1, Buffer.concat([bytesField(1, Buffer.from(key)), bytesField(2, encodeValue(value))])),
    ),
  );
