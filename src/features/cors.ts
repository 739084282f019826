// Cross-origin resource sharing, answered at the destination. Knows no kind.

import { bool, integer, list, object, text, type Static } from '../api/schema.js';

/** `filters[].cors`. */
export const corsSchema = object(
  {
    allowOrigins: list(
      text(
        { min: 1, pattern: '^([*]|[a-zA-Z][a-zA-Z0-9+.-]+://[^:/?#]+(:([0-9]{1,5}|[*]))?)$' },
        { doc: 'An origin.' },
      ),
      { max: 64 },
      {
        doc: "Origins that may read answers: '*' or scheme://host:port; the host may start with '*.'.",
        envoy: 'CorsPolicy.allow_origin_string_match',
      },
    ),
    allowMethods: list(
      text({ min: 1 }, { doc: 'A method.' }),
      { max: 9 },
      {
        doc: 'Methods that may be used.',
        envoy: 'CorsPolicy.allow_methods',
      },
    ),
    allowHeaders: list(
      text({ min: 1 }, { doc: 'A header name.' }),
      { max: 64 },
      {
        doc: 'Request headers that may be used.',
        envoy: 'CorsPolicy.allow_headers',
      },
    ),
    exposeHeaders: list(
      text({ min: 1 }, { doc: 'A header name.' }),
      { max: 64 },
      {
        doc: 'Response headers that scripts may read.',
        envoy: 'CorsPolicy.expose_headers',
      },
    ),
    allowCredentials: bool({
      doc: 'Whether requests may carry credentials.',
      default: false,
      envoy: 'CorsPolicy.allow_credentials',
    }),
    maxAge: integer(
      { min: 1 },
      {
        doc: 'Seconds that a browser may keep a preflight answer.',
        default: 5,
        envoy: 'CorsPolicy.max_age',
      },
    ),
  },
  { doc: 'Answer preflight requests and mark answers for browsers.' },
);

/** CORS after defaults. */
export type Cors = Static<typeof corsSchema>;
