// Destinations outside the cluster. Hosts are a union; `defaultAction` is merged. Knows no kind.

import { dns, exactDns, ip, labelOrAny, name, port } from '../api/fields.js';
import { list, object, oneOf, text, type Static } from '../api/schema.js';

const tlsSchema = object(
  {
    mode: oneOf(['Simple', 'Mutual', 'Mesh'], {
      doc: 'Simple: check the server; Mutual: also show `clientSecret`; Mesh: show the identity of the workload.',
      default: 'Simple',
      change: 'C,S',
      envoy: 'UpstreamTlsContext',
    }),
    sni: exactDns({ doc: 'Name that is asked for.', effective: 'host', envoy: 'UpstreamTlsContext.sni' }),
    subjectAltNames: list(
      text({ min: 1 }, { doc: 'A name.' }),
      { max: 8 },
      {
        doc: 'Names that the server may show.',
        effective: 'host',
        envoy: 'CertificateValidationContext.match_typed_subject_alt_names',
      },
    ),
    caConfigMap: name({
      doc: 'ConfigMap of this namespace with key `ca.crt`.',
      effective: 'public roots',
      change: 'S',
      envoy: 'CertificateValidationContext.trusted_ca',
    }),
    clientSecret: name({
      doc: 'Secret of this namespace, type kubernetes.io/tls.',
      change: 'S',
      envoy: 'TlsCertificate',
    }),
  },
  {
    doc: 'Originate TLS for an application that sends HTTP or TCP.',
    rules: [
      {
        id: 'MP11',
        rule: "(self.mode == 'Mutual') == has(self.clientSecret)",
        messageExpression: `"\`clientSecret\` %s when \`mode\` is 'Mutual'".format([has(self.clientSecret) ? 'may only be set' : 'must be set'])`,
      },
    ],
  },
);

const hostsSchema = list(
  object(
    {
      host: dns({
        doc: "DNS name; '*.' in front stands for all names below.",
        required: true,
        change: 'R,C',
        envoy: 'cluster x/<host>/<port>, dynamic forward proxy for wildcards',
      }),
      ports: list(
        port({ doc: 'A port.' }),
        { min: 1, max: 8 },
        {
          doc: 'Ports of the host.',
          default: [443],
          change: 'L',
          envoy: 'listener h-<port> or SNI chain',
        },
      ),
      protocol: oneOf(['HTTP', 'TLS', 'TCP'], {
        doc: 'What the application sends.',
        default: 'TLS',
        change: 'L',
        envoy: 'HttpConnectionManager or TcpProxy',
      }),
      addresses: list(
        ip({ doc: 'An address.' }),
        {},
        {
          doc: 'Fixed addresses instead of DNS.',
          effective: 'from DNS',
          change: 'E',
          envoy: 'STATIC endpoints',
        },
      ),
      namespaces: list(
        labelOrAny({ doc: "A namespace, or '*'." }),
        { max: 64 },
        {
          doc: 'Only in the system namespace: just these namespaces may use or configure the host.',
          effective: 'all',
          change: '-',
        },
      ),
      tls: tlsSchema,
    },
    {
      doc: 'A destination.',
      rules: [
        {
          id: 'MP11',
          rule: "!has(self.tls) || self.protocol != 'TLS'",
          message: "`tls` must not be set when `protocol` is 'TLS'; the application already encrypts",
        },
        {
          id: 'MP12',
          rule: "!self.host.startsWith('*.') || (self.protocol != 'TCP' && !has(self.addresses))",
          messageExpression: `"host '%s' %s".format([self.host, self.protocol == 'TCP' ? "must have protocol 'HTTP' or 'TLS'; a name is not visible in TCP" : 'must not set \`addresses\`'])`,
        },
        {
          id: 'MP12',
          rule: "self.protocol != 'TCP' || has(self.addresses)",
          messageExpression: `"host '%s' with \`protocol: TCP\` must set \`addresses\`".format([self.host])`,
        },
      ],
    },
  ),
  { max: 64, keys: ['host'] },
  { doc: 'Destinations; those of all policies apply together.', change: 'C' },
);

/** `egress`. */
export const egressSchema = object(
  {
    defaultAction: oneOf(['Allow', 'Deny'], {
      doc: 'What happens to traffic to unknown destinations.',
      effective: 'Allow',
      change: 'L',
      envoy: 'egress chain passthrough or blackhole',
    }),
    hosts: hostsSchema,
  },
  { doc: 'What the selected workloads may reach outside the cluster.' },
);

/** Egress after defaults. */
export type Egress = Static<typeof egressSchema>;
