// How the receiving proxy treats connections and requests: the schema of all of it, and what is done before routes are
// looked at. Other members have files of their own. Merged field by field, so without stored defaults. Knows no kind.

import { HttpProtocolOptions_HeadersWithUnderscoresAction as Underscores } from '../gen/envoy/config/core/v3/protocol.js';
import { HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes } from '../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import { port } from '../api/fields.js';
import { bool, integer, list, object, oneOf, type Static } from '../api/schema.js';
import { ok } from '../lib/result.js';
import { defineFeature } from './feature.js';

/** `inbound`. */
export const inboundSchema = object(
  {
    ports: list(
      object(
        {
          port: port({ doc: 'Port of the container.', required: true, envoy: 'listener i/<port>' }),
          protocol: oneOf(['HTTP', 'HTTP2', 'GRPC', 'TCP', 'TLS', 'Auto'], {
            doc: 'Protocol, instead of detection; TCP is opaque.',
            required: true,
            envoy: 'HttpConnectionManager or TcpProxy',
          }),
        },
        { doc: 'A port.' },
      ),
      { max: 32, keys: ['port'] },
      { doc: 'Ports whose protocol is known.' },
    ),
    maxConnections: integer(
      { min: 1 },
      {
        doc: 'Open connections to each port of one proxy.',
        effective: 'unlimited',
        change: 'L at first use',
        envoy: 'ConnectionLimit.max_connections',
      },
    ),
    escapedSlashes: oneOf(['Keep', 'Reject', 'UnescapeAndRedirect', 'UnescapeAndForward'], {
      doc: 'What happens to %2F and %5C in paths.',
      effective: 'Keep; at edges UnescapeAndRedirect',
      envoy: 'HttpConnectionManager.path_with_escaped_slashes_action',
    }),
    mergeSlashes: bool({
      doc: 'Whether adjacent slashes of paths are merged.',
      effective: 'true',
      envoy: 'HttpConnectionManager.merge_slashes',
    }),
    underscoreHeaders: oneOf(['Allow', 'Reject', 'Drop'], {
      doc: 'What happens to headers with underscores in their names.',
      effective: 'Allow; at edges Reject',
      envoy: 'HttpProtocolOptions.headers_with_underscores_action',
    }),
    trustedHops: integer(
      { max: 10 },
      {
        doc: 'Proxies in front of an edge whose X-Forwarded-For is believed.',
        effective: '0',
        envoy: 'HttpConnectionManager.xff_num_trusted_hops',
      },
    ),
    maxRequestBytes: integer(
      { max: 1_073_741_824 },
      {
        doc: 'Largest request body, 413 above; 0 switches it off. Bodies are buffered; not on gRPC ports.',
        effective: '0',
        change: 'R',
        envoy: 'BufferPerRoute.buffer.max_request_bytes',
      },
    ),
    compression: list(
      oneOf(['Gzip', 'Brotli', 'Zstd'], { doc: 'An algorithm.' }),
      {},
      {
        doc: 'Compression of answers at edges and on plaintext hops.',
        effective: 'none',
        change: 'L',
        envoy: 'Compressor',
      },
    ),
    acceptProxyProtocol: bool({
      doc: 'Whether connections to an edge start with a PROXY protocol header.',
      effective: 'false',
      envoy: 'listener filter proxy_protocol',
    }),
  },
  { doc: 'How the receiving proxy treats connections and requests.', change: 'L' },
);

/** Inbound settings after defaults. */
export type Inbound = Static<typeof inboundSchema>;

const slashes: Readonly<Record<NonNullable<Inbound['escapedSlashes']>, EscapedSlashes>> = {
  Keep: EscapedSlashes.KEEP_UNCHANGED,
  Reject: EscapedSlashes.REJECT_REQUEST,
  UnescapeAndRedirect: EscapedSlashes.UNESCAPE_AND_REDIRECT,
  UnescapeAndForward: EscapedSlashes.UNESCAPE_AND_FORWARD,
};

const underscores: Readonly<Record<NonNullable<Inbound['underscoreHeaders']>, Underscores>> = {
  Allow: Underscores.ALLOW,
  Reject: Underscores.REJECT_REQUEST,
  Drop: Underscores.DROP_HEADER,
};

/** `inbound`: what a port does before it looks at routes. Members with features of their own are left to them. */
export const inbound = defineFeature<'inbound', Inbound, Inbound>({
  key: 'inbound',
  summary: 'How the receiving proxy treats connections and requests.',
  compile: (config) => ok(config),
  onChain: ({ escapedSlashes, mergeSlashes, underscoreHeaders }) => ({
    manager: {
      ...(escapedSlashes === undefined ? {} : { pathWithEscapedSlashesAction: slashes[escapedSlashes] }),
      ...(mergeSlashes === undefined ? {} : { mergeSlashes }),
      ...(underscoreHeaders === undefined
        ? {}
        : { commonHttpProtocolOptions: { headersWithUnderscoresAction: underscores[underscoreHeaders] } }),
    },
  }),
});
