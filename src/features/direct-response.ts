// A fixed answer of the proxy, without a backend. Knows no kind.

import { ok } from '../lib/result.js';
import { defineFeature } from './feature.js';
import { integer, object, text, type Static } from '../api/schema.js';

/** `filters[].directResponse`. */
export const directResponseSchema = object(
  {
    statusCode: integer({ min: 200, max: 599 }, {
      doc: 'Status code of the answer.',
      required: true,
      envoy: 'DirectResponseAction.status',
    }),
    body: text({ max: 4096 }, { doc: 'Body of the answer.', effective: 'empty', envoy: 'DirectResponseAction.body' }),
  },
  { doc: 'Answer without asking a backend.' },
);

/** A direct response after defaults. */
export type DirectResponse = Static<typeof directResponseSchema>;

/** Envoy answers; no backend is asked. */
export const directResponse = defineFeature<'directResponse', DirectResponse, DirectResponse>({
  key: 'directResponse',
  summary: 'Answer with a fixed status and body.',
  attachesTo: 'route',
  compile: (config) => ok(config),
  onRoute: (config) => ({
    answer: {
      kind: 'respond',
      action: {
        status: config.statusCode,
        ...(config.body === undefined ? {} : { body: { specifier: { $case: 'inlineString', value: config.body } } }),
      },
    },
  }),
});
