// What the selected workloads may need: scope of their configuration. Merged field by field, so without
// stored defaults. Knows no kind.

import { dur } from '../api/fields.js';
import { list, object, oneOf, text, type Static } from '../api/schema.js';

/** `scope`. */
export const scopeSchema = object(
  {
    mode: oneOf(['Learned', 'Declared', 'All'], {
      doc: 'Learned: declared and learned destinations, others by the fallback; Declared: no fallback; All: every Service.',
      effective: 'Learned',
      envoy: 'listeners and clusters of the proxy',
    }),
    dependencies: list(
      text({ min: 1 }, { doc: 'A destination.' }),
      { max: 128 },
      {
        doc: 'Always in scope: namespace/service, namespace/* or a host.',
        effective: 'none',
        envoy: 'listeners and clusters of the proxy',
      },
    ),
    retain: dur(
      { min: '1h', max: '720h' },
      {
        doc: 'How long a learned dependency lives unused.',
        effective: '168h',
        change: '-',
      },
    ),
  },
  { doc: 'Which destinations the proxies of the selected workloads know.', change: 'L' },
);

/** Scope after defaults. */
export type Scope = Static<typeof scopeSchema>;
