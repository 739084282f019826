// Gateway API's ReferenceGrant: who may refer to what in its namespace. Knows no other object.

import type { ObjectMeta } from '../api/meta.js';
import { err, ok, type Result } from '../lib/result.js';
import type { Parsing } from './gateway.js';
import { createReader, optional, requiredText, type Fields } from './reader.js';

/** A Gateway API ReferenceGrant: who may refer to what in its namespace. */
export interface ReferenceGrant {
  readonly kind: 'ReferenceGrant';
  readonly meta: ObjectMeta;
  readonly spec: {
    readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
    /** Without a name: every object of the kind. */
    readonly to: readonly { readonly group: string; readonly kind: string; readonly name?: string }[];
  };
}

/** Parses a raw ReferenceGrant. */
export function parseReferenceGrant(raw: Fields, meta: ObjectMeta): Result<Parsing<ReferenceGrant>> {
  const read = createReader();
  const spec = read.fields(raw['spec'], 'spec') ?? {};
  const entries = (side: 'from' | 'to'): readonly { readonly path: string; readonly entry: Fields }[] =>
    read.list(spec[side], `spec.${side}`).map((value, index) => {
      const path = `spec.${side}[${String(index)}]`;
      return { path, entry: read.fields(value, path) ?? {} };
    });
  const subject = (path: string, entry: Fields): { readonly group: string; readonly kind: string } => ({
    group: read.text(entry['group'], `${path}.group`) ?? '',
    kind: requiredText(read, entry['kind'], `${path}.kind`),
  });
  const from = entries('from').map(({ path, entry }) => ({
    ...subject(path, entry),
    namespace: requiredText(read, entry['namespace'], `${path}.namespace`),
  }));
  const to = entries('to').map(({ path, entry }) => ({
    ...subject(path, entry),
    ...optional('name', read.text(entry['name'], `${path}.name`)),
  }));
  if (read.problems.length > 0) return err(read.problems);
  return ok({ object: { kind: 'ReferenceGrant', meta, spec: { from, to } }, warnings: [] });
}
