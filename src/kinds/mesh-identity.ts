// MeshIdentity: who is who, and who signs? Schema of spec and status. Knows no other object.

import { systemNamespace, type ObjectMeta } from '../api/meta.js';
import { dur, exactDns, httpsUrl, name, selector, spiffe } from '../api/fields.js';
import { integer, list, object, oneOf, text, type Rule, type Static } from '../api/schema.js';
import type { Problem } from '../lib/result.js';
import { nodesSchema } from './mesh-identity-nodes.js';
import { commonStatus, lines, time } from './status-schema.js';

const certificateSchema = object(
  {
    ttl: dur(
      { min: '1m', max: '168h' },
      {
        doc: 'Life of certificates; proxies outlive a dead control plane by half of it at worst.',
        default: '12h',
        envoy: 'NotAfter of the leaf',
      },
    ),
    keyAlgorithm: oneOf(['ECDSAP256', 'ECDSAP384', 'RSA2048', 'RSA3072'], {
      doc: 'Kind of private keys.',
      default: 'ECDSAP256',
      envoy: 'Secret.tls_certificate.private_key',
    }),
    keySource: oneOf(['Auto', 'ControlPlane', 'PodCertificate'], {
      doc: 'Where private keys are made; Auto: PodCertificate if the cluster serves it.',
      default: 'Auto',
      change: 'A',
      envoy: 'SDS inline or a file',
    }),
  },
  { doc: 'Certificates of workloads.', change: 'S' },
);

const issuerRefSchema = object(
  {
    group: text({}, { doc: 'Group of the issuer.', default: 'cert-manager.io' }),
    kind: text({ min: 1, max: 63 }, { doc: 'Issuer, ClusterIssuer or an external kind.', default: 'ClusterIssuer' }),
    name: name({ doc: 'Name of the issuer.', required: true }),
  },
  { doc: 'Issuer of the intermediate.', required: true },
);

const providerMembers =
  "{'SelfSigned': 'selfSigned', 'Secret': 'secret', 'CertManager': 'certManager', 'SPIRE': 'spire'}";

const providerSchema = object(
  {
    type: oneOf(['SelfSigned', 'Secret', 'CertManager', 'SPIRE'], {
      doc: 'Names the member that is set.',
      default: 'SelfSigned',
    }),
    selfSigned: object(
      {
        rootTTL: dur({ min: '1h', max: '175200h' }, { doc: 'Life of the root.', default: '87600h' }),
      },
      { doc: 'Root and intermediate made and kept by Legation.' },
    ),
    secret: object(
      { name: name({ doc: 'Secret with ca.crt, tls.crt and tls.key of an intermediate.', required: true }) },
      { doc: 'An intermediate that somebody else made.' },
    ),
    certManager: object(
      { issuerRef: issuerRefSchema },
      { doc: 'An intermediate from cert-manager, also for Vault and cloud CAs.' },
    ),
    spire: object(
      {
        socketPath: text(
          { max: 255 },
          {
            doc: 'Socket of the SPIRE agent on each node.',
            default: '/run/spire/agent-sockets/spire-agent.sock',
            change: 'A',
            envoy: 'SDS over a UNIX socket',
          },
        ),
      },
      { doc: 'SPIRE signs.' },
    ),
  },
  {
    doc: 'Who signs.',
    change: 'S',
    rules: [
      {
        id: 'MI2',
        rule: "has(self.secret) == (self.type == 'Secret') && has(self.certManager) == (self.type == 'CertManager') && (!has(self.selfSigned) || self.type == 'SelfSigned') && (!has(self.spire) || self.type == 'SPIRE')",
        messageExpression: `"\`provider\` of type '%s' %s set \`%s\` and nothing else".format([self.type, self.type in ['Secret', 'CertManager'] ? 'must' : 'may', ${providerMembers}[self.type]])`,
      },
    ],
  },
);

const bundleSchema = object(
  {
    configMap: name({
      doc: 'ConfigMap with further anchors, key `ca.crt`; always trusted.',
      effective: 'none',
      change: 'S',
      envoy: 'CertificateValidationContext.trusted_ca',
    }),
    crlConfigMap: name({
      doc: 'ConfigMap with revocation lists, key `ca.crl`.',
      effective: 'none',
      change: 'S',
      envoy: 'CertificateValidationContext.crl',
    }),
    publish: oneOf(['None', 'ClusterTrustBundle'], {
      doc: 'Export the anchors for others.',
      default: 'None',
      change: '-',
    }),
  },
  { doc: 'What is trusted beside our own roots.' },
);

const rotationSchema = object(
  {
    mode: oneOf(['Automatic', 'Manual'], {
      doc: 'Manual stops after each phase until `approve` names the next.',
      default: 'Automatic',
    }),
    request: text({ max: 64 }, { doc: 'Any new value starts a rotation; put a date in it.', effective: 'none' }),
    approve: oneOf(['Distribute', 'Issue', 'Retire'], {
      doc: 'Mode Manual: last phase that may begin.',
      effective: 'none',
    }),
    soak: dur({ max: '168h' }, { doc: 'Least time in each phase.', default: '1h' }),
    startBefore: dur(
      { min: '1h', max: '8760h' },
      {
        doc: 'Start by itself this long before the issuer expires.',
        default: '720h',
      },
    ),
    stragglerTimeout: dur(
      { min: '1m', max: '720h' },
      {
        doc: 'How long disconnected proxies can block a phase; connected ones always do.',
        default: '24h',
      },
    ),
  },
  {
    doc: 'How roots and intermediates are replaced.',
    change: '-',
    rules: [
      {
        id: 'MI9',
        rule: "!has(self.approve) || self.mode == 'Manual'",
        message: "`approve` may only be set when `mode` is 'Manual'",
      },
    ],
  },
);

const federationSchema = list(
  object(
    {
      trustDomain: exactDns({
        doc: 'The other trust domain.',
        required: true,
        change: 'S,C',
        envoy: 'SPIFFECertValidatorConfig.trust_domains[].name',
      }),
      configMap: name({
        doc: 'ConfigMap with its anchors, key `ca.crt`.',
        envoy: 'SPIFFECertValidatorConfig.trust_domains[].trust_bundle',
      }),
      url: httpsUrl({
        doc: 'Its SPIFFE bundle endpoint; fetched by the control plane.',
        envoy: 'SPIFFECertValidatorConfig.trust_domains[].trust_bundle',
      }),
      endpointSpiffeID: spiffe({
        doc: 'Identity of the endpoint (profile https_spiffe).',
        effective: 'profile https_web',
        change: '-',
      }),
    },
    {
      doc: 'A trust domain.',
      rules: [
        {
          id: 'MI8',
          rule: 'has(self.configMap) != has(self.url)',
          messageExpression: `"trust domain '%s' must set exactly one of \`configMap\` and \`url\`".format([self.trustDomain])`,
        },
      ],
    },
  ),
  { keys: ['trustDomain'] },
  { doc: 'Other trust domains whose workloads may call.', change: 'S' },
);

const ttl = "(has(self.certificate) ? self.certificate.ttl : '12h')";
const rootTtl = "(has(self.provider) && has(self.provider.selfSigned) ? self.provider.selfSigned.rootTTL : '87600h')";
const usesSpire = "has(self.provider) && self.provider.type == 'SPIRE'";

const specRules: readonly Rule[] = [
  {
    id: 'MI1',
    rule: '!has(oldSelf.trustDomain) || (has(self.trustDomain) && self.trustDomain == oldSelf.trustDomain)',
    message: '`trustDomain` is immutable; create a second MeshIdentity and list the old domain in `trustDomainAliases`',
  },
  {
    id: 'MI4',
    rule: `(has(self.provider) && self.provider.type != 'SelfSigned') || duration(${ttl}) + duration(${ttl}) + duration(${ttl}) <= duration(${rootTtl})`,
    messageExpression: `"\`certificate.ttl\` '%s' must not exceed a third of \`selfSigned.rootTTL\` '%s'".format([${ttl}, ${rootTtl}])`,
  },
  {
    id: 'MI8',
    rule: '!has(self.federation) || self.federation.all(f, (!has(self.trustDomain) || f.trustDomain != self.trustDomain) && (!has(self.trustDomainAliases) || !(f.trustDomain in self.trustDomainAliases)))',
    messageExpression: `"trust domain '%s' must not be federated with itself".format([self.federation.filter(f, (has(self.trustDomain) && f.trustDomain == self.trustDomain) || (has(self.trustDomainAliases) && f.trustDomain in self.trustDomainAliases))[0].trustDomain])`,
  },
  {
    id: 'MI10',
    rule: `!(${usesSpire}) || !has(self.rotation)`,
    message: "`rotation` may not be used with provider 'SPIRE'",
  },
  {
    id: 'MI10',
    rule: `!(${usesSpire}) || !has(self.certificate)`,
    message: "`certificate` may not be used with provider 'SPIRE'",
  },
];

/** Spec of a MeshIdentity. */
export const meshIdentitySpecSchema = object(
  {
    trustDomain: exactDns({
      doc: 'Name of the trust domain; immutable, required in the system namespace.',
      change: '-',
      envoy: 'URI SANs and their matchers',
    }),
    trustDomainAliases: list(
      exactDns({ doc: 'A trust domain.' }),
      { max: 8 },
      {
        doc: 'Accepted as equal in every match.',
        effective: 'none',
        change: 'R,F,C',
        envoy: 'URI SAN matchers',
      },
    ),
    namespaceSelector: selector('Labels of namespaces.', {
      doc: 'Namespaces whose workloads get this identity; all by default.',
    }),
    workloadSelector: selector('Labels of pods.', { doc: 'Pods within them; all by default.' }),
    spiffePath: text(
      { min: 1, max: 512 },
      {
        doc: 'Path of identities; knows {{namespace}}, {{serviceAccount}}, {{pod.label:<key>}} and {{node}}.',
        effective: '/ns/{{namespace}}/sa/{{serviceAccount}}',
        change: 'S,C',
        envoy: 'URI SAN of the leaf',
        rules: [
          {
            id: 'MI3',
            rule: "self.contains('{{namespace}}')",
            message: "`spiffePath` must contain '{{namespace}}', otherwise one namespace could act as another",
          },
        ],
      },
    ),
    certificate: certificateSchema,
    provider: providerSchema,
    bundle: bundleSchema,
    rotation: rotationSchema,
    federation: federationSchema,
    nodes: nodesSchema,
  },
  { doc: 'Who is who, and who signs.', required: true, rules: specRules },
);

/** Spec of a MeshIdentity after defaults. */
export type MeshIdentitySpec = Static<typeof meshIdentitySpecSchema>;

const rotationStatusSchema = object(
  {
    phase: oneOf(['Idle', 'Distribute', 'Issue', 'Retire'], { doc: 'Phase of the rotation.' }),
    request: text({ max: 64 }, { doc: 'Request that is served.' }),
    since: time('When the phase began.'),
    progress: text({ max: 256 }, { doc: 'How far the phase is.' }),
    blockedBy: lines({ max: 10 }, 'Who keeps the phase from ending.'),
    next: text({ max: 256 }, { doc: 'What comes next, and when.' }),
  },
  { doc: 'The rotation.' },
);

/** Status of a MeshIdentity. */
export const meshIdentityStatusSchema = object(
  {
    ...commonStatus,
    trustDomain: text({}, { doc: 'Trust domain in force.' }),
    roots: list(
      object(
        {
          fingerprint: text({ max: 128 }, { doc: 'Fingerprint of the root.' }),
          notAfter: time('When it expires.'),
          state: oneOf(['Next', 'Active', 'Retiring', 'Extra'], { doc: 'What it is used for.' }),
        },
        { doc: 'A root.' },
      ),
      { max: 8, type: 'atomic' },
      { doc: 'Roots that are trusted.' },
    ),
    rotation: rotationStatusSchema,
    leaves: object(
      {
        live: integer({}, { doc: 'Certificates that are valid.' }),
        oldIssuer: integer({}, { doc: 'Of these, signed by the old issuer.' }),
        nextExpiry: time('When the first of them expires.'),
      },
      { doc: 'Certificates of workloads.' },
    ),
    nodes: list(
      object(
        {
          name: text({ max: 63 }, { doc: 'Node group.', required: true }),
          connected: integer({}, { doc: 'Envoys that are connected.' }),
          current: integer({}, { doc: 'Envoys that run the current configuration.' }),
          rejected: integer({}, { doc: 'Envoys that rejected it.' }),
          message: text({ max: 1024 }, { doc: 'What else there is to say.' }),
        },
        { doc: 'A node group.' },
      ),
      { max: 32, keys: ['name'] },
      { doc: 'Node groups.' },
    ),
    federation: list(
      object(
        {
          trustDomain: text({}, { doc: 'The other trust domain.', required: true }),
          roots: integer({}, { doc: 'Roots of it.' }),
          fetchedAt: time('When they were fetched.'),
          message: text({ max: 1024 }, { doc: 'What else there is to say.' }),
        },
        { doc: 'A trust domain.' },
      ),
      { keys: ['trustDomain'] },
      { doc: 'Other trust domains.' },
    ),
  },
  { doc: 'What became of the identity.' },
);

/** Status of a MeshIdentity. */
export type MeshIdentityStatus = Static<typeof meshIdentityStatusSchema>;

/** A MeshIdentity that passed its schema. */
export interface MeshIdentity {
  readonly kind: 'MeshIdentity';
  readonly meta: ObjectMeta;
  readonly spec: MeshIdentitySpec;
}

const invalid = (path: string, rest: string): Problem => ({
  path,
  reason: 'Invalid',
  message: `\`${path.slice('spec.'.length)}\` ${rest}`,
});

/** Checks that need the namespace of the object: the API server makes them in an admission policy. */
export function meshIdentityProblems(spec: MeshIdentitySpec, meta: ObjectMeta): readonly Problem[] {
  if (meta.namespace === systemNamespace)
    return spec.trustDomain === undefined
      ? [invalid('spec.trustDomain', `must be set in namespace '${systemNamespace}'`)]
      : [];
  return Object.keys(spec)
    .filter((member) => member !== 'nodes')
    .map((member) => invalid(`spec.${member}`, `may only be set in namespace '${systemNamespace}'`));
}
