// What all simulated Envoys share: interned names and variants of resources, and the oracle that says which variant is right.
//
// A variant is one version of one resource as it came over the wire; each is decoded and hashed once, on first sight,
// and recognised afterwards by comparing bytes. Clients keep one number per name.
import { createHash } from 'node:crypto';
import { walkFields } from './protobuf.js';
import { TYPES, type TypeInfo } from './types.js';

/** One version of one resource. */
export interface Variant {
  readonly id: number;
  readonly name: number;
  readonly version: string;
  /** Interned content, comparable with the oracle. */
  readonly content: number;
  /** Names (of the type that this one leads to). */
  readonly links: readonly number[];
  /** The resource as on the wire: a `Resource` (delta) or an `Any` (SotW). */
  readonly wire: Buffer;
  /** The message inside the `Any`. */
  readonly value: Buffer;
}

/** Any content of this name is right. */
export const ANY_CONTENT = -1;

/** One type's names, variants and oracle. */
export interface TypeCatalog {
  readonly info: TypeInfo;
  readonly names: string[];
  readonly ids: Map<string, number>;
  /** By variant id; entry 0 stands for absence. */
  readonly variants: (Variant | undefined)[];
  /** Variant ids by name, newest last. */
  readonly byName: number[][];
  /** Content by name: 0 where the resource must be absent. */
  readonly want: number[];
  /** How many names must be present. */
  wanted: number;
}

/** All types, in the order of `TYPES`. */
export type Catalog = readonly TypeCatalog[];

/** Creates an empty catalog. */
export const createCatalog = (): Catalog =>
  TYPES.map((info) => ({ info, names: [], ids: new Map(), variants: [undefined], byName: [], want: [], wanted: 0 }));

/** The number of a name; new names get the next one. */
export const internName = (type: TypeCatalog, name: string): number => {
  const known = type.ids.get(name);
  if (known !== undefined) return known;
  const id = type.names.length;
  type.ids.set(name, id);
  type.names.push(name);
  type.byName.push([]);
  type.want.push(0);
  return id;
};

const contents = new Map<string, number>();

/** The number of a content; equal bytes have equal numbers. */
export const internContent = (value: Uint8Array): number => {
  const hash = createHash('sha1').update(value).digest('base64');
  const known = contents.get(hash);
  if (known !== undefined) return known;
  const id = contents.size + 1;
  contents.set(hash, id);
  return id;
};

/** Changes the oracle for one name. */
export const setWanted = (type: TypeCatalog, name: number, content: number): void => {
  const before = type.want[name] ?? 0;
  if ((before === 0) !== (content === 0)) type.wanted += content === 0 ? -1 : 1;
  type.want[name] = content;
};

/** The parts of a resource on the wire, as offsets into the bytes that carry it. */
const parts = { nameStart: 0, nameEnd: 0, versionStart: 0, versionEnd: 0, anyStart: 0, anyEnd: 0 };

const visitResource = (field: number, start: number, end: number): void => {
  if (field === 3) {
    parts.nameStart = start;
    parts.nameEnd = end;
  } else if (field === 1) {
    parts.versionStart = start;
    parts.versionEnd = end;
  } else if (field === 2) {
    parts.anyStart = start;
    parts.anyEnd = end;
  }
};

const valueOfAny = (any: Buffer): Buffer => {
  let value = any.subarray(0, 0);
  walkFields(any, (field, start, end) => {
    if (field === 2) value = any.subarray(start, end);
  });
  return value;
};

/** The first field of every resource message is its name. */
const nameOfMessage = (message: Buffer): string => {
  let name = '';
  walkFields(message, (field, start, end) => {
    if (field === 1 && name === '') name = message.toString('latin1', start, end);
  });
  return name;
};

interface Sighting {
  readonly name: number;
  readonly version: string;
  readonly wire: Buffer;
  readonly any: Buffer;
}

const addVariant = (catalog: Catalog, type: TypeCatalog, seen: Sighting): Variant => {
  const value = valueOfAny(seen.any);
  const linked = type.info.linksTo === undefined ? undefined : catalog[type.info.linksTo];
  const links = linked === undefined ? [] : (type.info.linksOf?.(value) ?? []).map((name) => internName(linked, name));
  const { name, version, wire } = seen;
  const variant = { id: type.variants.length, name, version, content: internContent(value), links, wire, value };
  type.variants.push(variant);
  type.byName[name]?.push(variant.id);
  return variant;
};

const findVariant = (type: TypeCatalog, name: number, wire: Buffer): Variant | undefined => {
  const ids = type.byName[name] ?? [];
  for (let i = ids.length - 1; i >= 0; i -= 1) {
    const variant = type.variants[ids[i] ?? 0];
    if (variant?.wire.equals(wire) === true) return variant;
  }
  return undefined;
};

/** Recognises a delta `Resource`; undefined when it carries no message (a heartbeat). */
export const recogniseDelta = (catalog: Catalog, type: TypeCatalog, wire: Buffer): Variant | undefined => {
  parts.anyEnd = 0;
  parts.versionEnd = 0;
  parts.versionStart = 0;
  walkFields(wire, visitResource);
  if (parts.anyEnd === 0) return undefined;
  const name = internName(type, wire.toString('latin1', parts.nameStart, parts.nameEnd));
  const known = findVariant(type, name, wire);
  if (known !== undefined) return known;
  const kept = Buffer.from(wire);
  const version = kept.toString('latin1', parts.versionStart, parts.versionEnd);
  return addVariant(catalog, type, { name, version, wire: kept, any: kept.subarray(parts.anyStart, parts.anyEnd) });
};

/** Recognises a SotW `Any`; its version is the response's and is not part of the variant. */
export const recogniseSotw = (catalog: Catalog, type: TypeCatalog, wire: Buffer): Variant => {
  const name = internName(type, nameOfMessage(valueOfAny(wire)));
  const known = findVariant(type, name, wire);
  if (known !== undefined) return known;
  const kept = Buffer.from(wire);
  return addVariant(catalog, type, { name, version: '', wire: kept, any: kept });
};
