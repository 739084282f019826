// Reads discovery responses of both protocols into variants, and remembers bodies that many clients receive alike.
import { recogniseDelta, recogniseSotw, type Catalog, type TypeCatalog, type Variant } from './catalog.js';
import { walkFields } from './protobuf.js';
import { typeOf } from './types.js';

/** The protocol of a client. */
export type Mode = 'delta' | 'sotw';

/** A response, reduced to what a client acts on. */
export interface Response {
  /** Position in `TYPES`, or -1 for a type that the bench does not know. */
  readonly type: number;
  readonly url: string;
  readonly nonce: string;
  readonly version: string;
  readonly variants: readonly Variant[];
  readonly removed: readonly string[];
}

interface Template {
  readonly bytes: Buffer;
  readonly variants: readonly Variant[];
}

/** Bodies smaller than this are cheaper to walk than to look up. */
const WORTH_REMEMBERING = 2048;
const MAX_TEMPLATES = 64;

const createTemplates = () => {
  const byLength = new Map<string, Template[]>();
  let stored = 0;
  return {
    find: (body: Buffer, url: string): readonly Variant[] | undefined =>
      byLength.get(`${String(body.length)} ${url}`)?.find((template) => template.bytes.equals(body))?.variants,
    add: (body: Buffer, url: string, variants: readonly Variant[]): void => {
      if (stored >= MAX_TEMPLATES) return; // a server that shuffles never repeats itself
      stored += 1;
      const key = `${String(body.length)} ${url}`;
      byLength.set(key, [...(byLength.get(key) ?? []), { bytes: Buffer.from(body), variants }]);
    },
    /** What was remembered is worth little after a change. */
    clear: (): void => {
      byLength.clear();
      stored = 0;
    },
  };
};

/** Reads responses; one per process, shared by its clients. */
export interface ResponseReader {
  /** `bytes` are only valid during the call. */
  readonly read: (bytes: Buffer) => Response;
  readonly forget: () => void;
}

interface Header {
  nonce: string;
  version: string;
  url: string;
  removed: string[];
  bodyStart: number;
  bodyEnd: number;
}

const readHeader = (bytes: Buffer, offsets: number[]): Header => {
  const header: Header = { nonce: '', version: '', url: '', removed: [], bodyStart: -1, bodyEnd: -1 };
  offsets.length = 0;
  walkFields(bytes, (field, from, to) => {
    if (field === 2) {
      if (header.bodyStart < 0) header.bodyStart = from;
      header.bodyEnd = to;
      offsets.push(from, to);
    } else if (field === 1) header.version = bytes.toString('latin1', from, to);
    else if (field === 4) header.url = bytes.toString('latin1', from, to);
    else if (field === 5) header.nonce = bytes.toString('latin1', from, to);
    else if (field === 6) header.removed.push(bytes.toString('latin1', from, to));
  });
  return header;
};

/** Creates the reader of one mode. Fields 2, 4 and 5 mean the same in both protocols; field 6 is control_plane in SotW. */
export const createResponseReader = (mode: Mode, catalog: Catalog): ResponseReader => {
  const templates = createTemplates();
  const offsets: number[] = [];
  const recognise = mode === 'delta' ? recogniseDelta : recogniseSotw;
  const readBody = (bytes: Buffer, type: TypeCatalog): readonly Variant[] => {
    const variants: Variant[] = [];
    for (let i = 0; i < offsets.length; i += 2) {
      const variant = recognise(catalog, type, bytes.subarray(offsets[i], offsets[i + 1]));
      if (variant !== undefined) variants.push(variant);
    }
    return variants;
  };
  const variantsOf = (bytes: Buffer, header: Header, type: TypeCatalog): readonly Variant[] => {
    if (header.bodyEnd - header.bodyStart < WORTH_REMEMBERING) return readBody(bytes, type);
    const body = bytes.subarray(header.bodyStart, header.bodyEnd);
    const known = templates.find(body, header.url);
    if (known !== undefined) return known;
    const variants = readBody(bytes, type);
    templates.add(body, header.url, variants);
    return variants;
  };
  return {
    forget: templates.clear,
    read: (bytes) => {
      const header = readHeader(bytes, offsets);
      const type = typeOf(header.url);
      const known = catalog[type];
      const variants = known === undefined ? [] : variantsOf(bytes, header, known);
      const { url, nonce, version } = header;
      return { type, url, nonce, version, variants, removed: mode === 'delta' ? header.removed : [] };
    },
  };
};
