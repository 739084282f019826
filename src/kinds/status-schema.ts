// The parts of status that all three kinds share. Knows no kind.

import { integer, list, object, oneOf, text } from '../api/schema.js';

/** A point in time, RFC 3339. */
export const time = (doc: string) => text({ max: 64, format: 'date-time' }, { doc });

/** A list of short lines for people. */
export const lines = (bounds: { readonly max: number; readonly length?: number }, doc: string) =>
  list(text({ max: bounds.length ?? 512 }, { doc: 'A line.' }), { max: bounds.max, type: 'atomic' }, { doc });

/** Conditions as Kubernetes shows them. */
export const conditionsSchema = (doc: string) =>
  list(
    object(
      {
        type: text(
          { max: 316, pattern: '^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9][-A-Za-z0-9_.]*$' },
          { doc: 'Type of the condition.', required: true },
        ),
        status: oneOf(['True', 'False', 'Unknown'], { doc: 'Whether it holds.', required: true }),
        reason: text(
          { min: 1, max: 256, pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$' },
          { doc: 'Why, for programs.', required: true },
        ),
        message: text({ max: 1024 }, { doc: 'Why, for people.', required: true }),
        observedGeneration: integer(
          { max: Number.MAX_SAFE_INTEGER },
          { doc: 'Generation of the spec that was judged.' },
        ),
        lastTransitionTime: text({ max: 64, format: 'date-time' }, { doc: 'When the status changed.', required: true }),
      },
      { doc: 'A condition.' },
    ),
    { max: 16, keys: ['type'] },
    { doc },
  );

/** A reference to a parent or an ancestor, as Gateway API writes it. */
export const parentReferenceSchema = (doc: string) =>
  object(
    {
      group: text({}, { doc: 'Group.' }),
      kind: text({ max: 63 }, { doc: 'Kind.' }),
      namespace: text({ max: 63 }, { doc: 'Namespace.' }),
      name: text({ min: 1 }, { doc: 'Name.', required: true }),
      sectionName: text({}, { doc: 'Rule, port or node group.' }),
      port: integer({ min: 1, max: 65535 }, { doc: 'Port.' }),
    },
    { doc, required: true },
  );

const appliedSchema = object(
  {
    proxies: text({ max: 32 }, { doc: "Proxies that run this generation, such as '118/120'." }),
    rejected: integer({}, { doc: 'Proxies that rejected it.' }),
    pending: integer({}, { doc: 'Proxies that have not answered yet.' }),
    revision: text({ max: 64 }, { doc: 'Content hash of what this object contributes.' }),
    at: time('When the numbers changed last.'),
  },
  { doc: 'What the proxies run.' },
);

const rejectionsSchema = list(
  object(
    {
      rule: text({ max: 253 }, { doc: 'Rule or block at fault.' }),
      resource: text({ max: 512 }, { doc: 'Envoy resource at fault.' }),
      proxies: integer({}, { doc: 'Proxies that rejected it.' }),
      message: text({ max: 256 }, { doc: "Envoy's own words." }),
      envoy: text({ max: 64 }, { doc: 'Version of Envoy.' }),
    },
    { doc: 'A sample.' },
  ),
  { max: 5, type: 'atomic' },
  { doc: 'Samples of rejections, newest first.' },
);

/** Members of every status. */
export const commonStatus = {
  applied: appliedSchema,
  conditions: conditionsSchema('Conditions of the object.'),
  observedGeneration: integer(
    { max: Number.MAX_SAFE_INTEGER },
    { doc: 'Generation of the spec that this status is about.' },
  ),
  rejections: rejectionsSchema,
} as const;

const pending = (type: string): Readonly<Record<string, string>> => ({
  type,
  status: 'Unknown',
  reason: 'Pending',
  message: 'Waiting for controller',
  lastTransitionTime: '1970-01-01T00:00:00Z',
});

/** What status says before any controller has looked: an object that nobody serves is never mistaken for done. */
export const statusDefault = { conditions: [pending('Accepted'), pending('Ready')] };
