// Mutual TLS between workloads. Merged field by field, so without stored defaults. Knows no kind.

import { port } from '../api/fields.js';
import { list, object, oneOf, text, type Static } from '../api/schema.js';

const modes = ['Disable', 'Permissive', 'Strict'] as const;

/** `mtls`. */
export const mtlsSchema = object(
  {
    mode: oneOf(modes, {
      doc: 'Disable: plaintext; Permissive: both; Strict: mutual TLS only.',
      effective: 'Permissive',
      change: 'L',
      envoy: 'inbound filter chains and the tls label of endpoints',
    }),
    ports: list(
      object(
        {
          port: port({ doc: 'Port of the container.', required: true, envoy: 'listener i/<port>' }),
          mode: oneOf(modes, { doc: 'Mode of this port.', required: true, envoy: 'listener i/<port>' }),
        },
        { doc: 'A port with a mode of its own.' },
      ),
      { max: 32, keys: ['port'] },
      { doc: 'Ports with a mode of their own.', change: 'L' },
    ),
    minVersion: oneOf(['TLSv1_2', 'TLSv1_3'], {
      doc: 'Lowest TLS version on both sides.',
      effective: 'TLSv1_3',
      envoy: 'TlsParameters.tls_minimum_protocol_version',
    }),
    cipherSuites: list(
      text({ min: 1 }, { doc: 'A suite.' }),
      { type: 'atomic' },
      {
        doc: 'Cipher suites of TLS 1.2.',
        effective: "Envoy's",
        envoy: 'TlsParameters.cipher_suites',
      },
    ),
    curves: list(
      text({ min: 1 }, { doc: 'A curve.' }),
      { max: 8, type: 'atomic' },
      {
        doc: 'Curves of the key exchange.',
        effective: "Envoy's",
        envoy: 'TlsParameters.ecdh_curves',
      },
    ),
    forwardClientCert: oneOf(['Sanitize', 'Append', 'Replace'], {
      doc: "What applications see of the caller's certificate; Append lets the peer's own entry come first.",
      effective: 'Replace',
      change: 'L',
      envoy: 'HttpConnectionManager.forward_client_cert_details',
    }),
  },
  {
    doc: 'Mutual TLS of connections to the selected workloads.',
    change: 'L,C',
    rules: [
      {
        id: 'MP14',
        rule: "!has(self.cipherSuites) || (has(self.minVersion) && self.minVersion == 'TLSv1_2')",
        message: "`cipherSuites` may only be set when `minVersion` is 'TLSv1_2'; TLS 1.3 suites are fixed",
      },
    ],
  },
);

/** Mutual TLS after defaults. */
export type Mtls = Static<typeof mtlsSchema>;
