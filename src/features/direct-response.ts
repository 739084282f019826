// A fixed answer of the proxy, without a backend. Knows no kind.

import { err, ok, type Result } from '../lib/result.js';
import { defineFeature } from './feature.js';
import { integer, object, text, type Static } from '../api/schema.js';

/** `filters[].directResponse`. */
export const directResponseSchema = object(
  {
    statusCode: integer(
      { min: 200, max: 599 },
      {
        doc: 'Status code of the answer.',
        required: true,
        envoy: 'DirectResponseAction.status',
      },
    ),
    body: text({ max: 4096 }, { doc: 'Body of the answer.', effective: 'empty', envoy: 'DirectResponseAction.body' }),
  },
  { doc: 'Answer without asking a backend.' },
);

/** A direct response after defaults. */
export type DirectResponse = Static<typeof directResponseSchema>;

/** Envoy's limit, in bytes: the schema counts characters. */
const maxBodyBytes = 4096;

function checked(config: DirectResponse): Result<DirectResponse> {
  const bytes = Buffer.byteLength(config.body ?? '');
  if (bytes <= maxBodyBytes) return ok(config);
  const message = `\`body\` must not be longer than ${String(maxBodyBytes)} bytes in UTF-8; it has ${String(bytes)}`;
  return err([{ path: 'directResponse.body', reason: 'Invalid', message }]);
}

/** Envoy answers; no backend is asked. */
export const directResponse = defineFeature<'directResponse', DirectResponse, DirectResponse>({
  key: 'directResponse',
  summary: 'Answer with a fixed status and body.',
  compile: checked,
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
