// TLS that a proxy speaks for its application. Envoy checks nothing unless it is given both roots and names: both are
// always there.

import { SubjectAltNameMatcher_SanType as SanType } from '../gen/envoy/extensions/transport_sockets/tls/v3/common.js';
import { UpstreamTlsContext } from '../gen/envoy/extensions/transport_sockets/tls/v3/tls.js';
import {
  TlsParameters_TlsProtocol as TlsProtocol,
  type CertificateValidationContext,
} from '../gen/envoy/extensions/transport_sockets/tls/v3/common.js';
import { packAny } from '../features/any.js';
import type { Patch } from '../features/feature.js';
import type { ExternalTls } from '../model/egress.js';

/** Where the images of Envoy, and Debian, have the roots that the public trusts. */
const publicRoots = '/etc/ssl/certs/ca-certificates.crt';

/** `*.example.com` stands for certificates of that name and of names below it. */
const nameMatch = (name: string) =>
  name.startsWith('*.')
    ? ({ $case: 'suffix', value: name.slice(1) } as const)
    : ({ $case: 'exact', value: name } as const);

const rootsOf = (trust: ExternalTls['trust']) =>
  trust.kind === 'roots'
    ? ({ $case: 'inlineString', value: trust.pem } as const)
    : ({ $case: 'filename', value: publicRoots } as const);

const validation = ({ trust, subjectAltNames }: ExternalTls): Patch<CertificateValidationContext> => ({
  trustedCa: { specifier: rootsOf(trust) },
  matchTypedSubjectAltNames: subjectAltNames.map((name) => ({
    sanType: SanType.DNS,
    matcher: { matchPattern: nameMatch(name) },
  })),
});

/** The transport socket of a cluster. */
export const tlsSocket = (tls: ExternalTls) =>
  ({
    name: 'envoy.transport_sockets.tls',
    configType: {
      $case: 'typedConfig',
      value: packAny(
        UpstreamTlsContext,
        UpstreamTlsContext.fromPartial({
          sni: tls.sni,
          commonTlsContext: {
            tlsParams: {
              tlsMinimumProtocolVersion: TlsProtocol.TLSv1_2,
              tlsMaximumProtocolVersion: TlsProtocol.TLSv1_3,
            },
            validationContextType: { $case: 'validationContext', value: validation(tls) },
          },
        }),
      ),
    },
  }) as const;
