// Authorization by an external service. Knows no kind.

import { headerName, label } from '../api/fields.js';
import { bool, integer, list, object, type Static } from '../api/schema.js';

/** `extAuthz`. */
export const extAuthzSchema = object(
  {
    provider: label({ doc: 'Name of the provider that decides.', envoy: 'ExtAuthz.grpc_service, http_service' }),
    disabled: bool({
      doc: 'Exempt this target from a wider policy.',
      default: false,
      change: 'R',
      envoy: 'ExtAuthzPerRoute.disabled',
    }),
    requestHeaders: list(
      headerName({ doc: 'A header.' }),
      { max: 64 },
      {
        doc: 'Headers that the authorizer sees.',
        default: ['Authorization', 'Cookie'],
        envoy: 'ExtAuthz.allowed_headers',
      },
    ),
    upstreamHeaders: list(
      headerName({ doc: 'A header.' }),
      { max: 64 },
      {
        doc: 'Headers that the authorizer may set.',
        effective: 'none',
        envoy: 'ExtAuthz.allowed_upstream_headers, decoder_header_mutation_rules',
      },
    ),
    maxBodyBytes: integer(
      { max: 1_048_576 },
      {
        doc: 'Bytes of the body that the authorizer sees; 0 for none.',
        default: 0,
        envoy: 'ExtAuthz.with_request_body.max_request_bytes',
      },
    ),
  },
  { doc: 'Ask a service whether a request may pass.', change: 'F' },
);

/** External authorization after defaults. */
export type ExtAuthz = Static<typeof extAuthzSchema>;
