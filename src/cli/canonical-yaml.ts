// Canonical YAML: what `legation translate` prints is what the golden files hold. Equal content makes equal text. Pure.

import { stringify } from 'yaml';
import type { Json } from '../xds/json.js';

/** YAML with sorted keys; reads alike in YAML 1.1 and 1.2. */
export function canonicalYaml(value: Json): string {
  return stringify(value, {
    sortMapEntries: true,
    lineWidth: 0,
    aliasDuplicateObjects: false,
    indentSeq: false,
    compat: 'yaml-1.1',
  });
}
