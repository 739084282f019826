// Encodes discovery requests of both protocols. Long lists of names are encoded once and shared by all clients.
import type { TypeCatalog } from './catalog.js';
import { bytesField, encodeStruct, stringField } from './protobuf.js';
import { TYPES } from './types.js';

/** How a client presents itself; `{i}` in a value stands for its number. */
export interface NodeTemplate {
  readonly id: string;
  readonly cluster: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** The Node message of the first request of a stream. */
export const encodeNode = (template: NodeTemplate, index: number): Buffer => {
  const fill = (text: string): string => text.replaceAll('{i}', String(index));
  const metadata: unknown = JSON.parse(fill(JSON.stringify(template.metadata)));
  const struct = typeof metadata === 'object' && metadata !== null ? encodeStruct(metadata) : Buffer.alloc(0);
  const fields = [stringField(1, fill(template.id)), stringField(2, fill(template.cluster)), bytesField(3, struct)];
  return Buffer.concat([...fields, stringField(6, 'envoy')]);
};

const createMemo = <Key>(isSame: (a: Key, b: Key) => boolean, encode: (key: Key) => Buffer) => {
  const entries: { readonly key: Key; readonly bytes: Buffer }[] = [];
  return (key: Key): Buffer => {
    const found = entries.find((entry) => isSame(entry.key, key));
    if (found !== undefined) return found.bytes;
    const bytes = encode(key);
    entries.push({ key, bytes });
    if (entries.length > 16) entries.shift();
    return bytes;
  };
};

interface NameList {
  readonly type: TypeCatalog;
  readonly field: number;
  readonly ids: readonly number[];
}

const sameNumbers = (a: ArrayLike<number>, b: ArrayLike<number>): boolean => {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
};

const encodeNames = createMemo<NameList>(
  (a, b) => a.type === b.type && a.field === b.field && sameNumbers(a.ids, b.ids),
  ({ type, field, ids }) => Buffer.concat(ids.map((id) => stringField(field, type.names[id] ?? ''))),
);

interface KnownVersions {
  readonly type: TypeCatalog;
  readonly state: Int32Array;
}

/** initial_resource_versions (5): a map from name to version. */
const encodeVersions = createMemo<KnownVersions>(
  (a, b) => a.type === b.type && sameNumbers(a.state, b.state),
  ({ type, state }) => {
    const entries: Buffer[] = [];
    state.forEach((id) => {
      const variant = type.variants[id];
      if (variant === undefined) return;
      const name = stringField(1, type.names[variant.name] ?? '');
      entries.push(bytesField(5, Buffer.concat([name, stringField(2, variant.version)])));
    });
    return Buffer.concat(entries);
  },
);

const typeFields = [2, 4].map((field) => TYPES.map((type) => stringField(field, type.url)));
const typeField = (field: 2 | 4, type: number): Buffer => typeFields[field === 2 ? 0 : 1]?.[type] ?? Buffer.alloc(0);

/** A change of a delta subscription, the ACK of a delta response, or both. */
export interface DeltaRequest {
  readonly type: number;
  readonly node?: Buffer;
  readonly subscribe?: readonly number[];
  readonly unsubscribe?: readonly number[];
  /** What the client still has from an earlier stream. */
  readonly known?: Int32Array;
  readonly nonce?: string;
}

/** Encodes a DeltaDiscoveryRequest; `names` is the catalog of the type. */
export const encodeDelta = (names: TypeCatalog, request: DeltaRequest): Buffer => {
  const parts = [typeField(2, request.type)];
  if (request.node !== undefined) parts.unshift(bytesField(1, request.node));
  if (request.subscribe !== undefined) parts.push(encodeNames({ type: names, field: 3, ids: request.subscribe }));
  if (request.unsubscribe !== undefined) parts.push(encodeNames({ type: names, field: 4, ids: request.unsubscribe }));
  if (request.known !== undefined) parts.push(encodeVersions({ type: names, state: request.known.slice() }));
  if (request.nonce !== undefined) parts.push(stringField(6, request.nonce));
  return Buffer.concat(parts);
};

/** A SotW request: always the whole subscription, and the last accepted version. */
export interface SotwRequest {
  readonly type: number;
  readonly node?: Buffer;
  readonly version: string;
  readonly nonce: string;
  readonly names: readonly number[];
}

/** Encodes a DiscoveryRequest; `names` is the catalog of the type. */
export const encodeSotw = (names: TypeCatalog, request: SotwRequest): Buffer => {
  const parts: Buffer[] = [];
  if (request.version !== '') parts.push(stringField(1, request.version));
  if (request.node !== undefined) parts.push(bytesField(2, request.node));
  parts.push(encodeNames({ type: names, field: 3, ids: request.names }), typeField(4, request.type));
  if (request.nonce !== '') parts.push(stringField(5, request.nonce));
  return Buffer.concat(parts);
};
