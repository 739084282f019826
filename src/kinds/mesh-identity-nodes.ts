// Node groups: Envoys that nobody injected, enrolled by a MeshIdentity. Knows nothing of certificates.

import { dns, glob, label, labelOrAny, name, port } from '../api/fields.js';
import { bool, list, object, oneOf, text, type Rule, type Static } from '../api/schema.js';

const credentialMembers =
  "{'ServiceAccount': 'serviceAccount', 'Certificate': 'certificateSAN', 'Token': 'tokenSecret'}";

const credentialSchema = object(
  {
    type: oneOf(['ServiceAccount', 'Certificate', 'Token'], { doc: 'Names the member that is set.', required: true }),
    serviceAccount: label({ doc: 'ServiceAccount of this namespace whose tokens are accepted.' }),
    certificateSAN: text(
      { max: 512, pattern: '^(spiffe://[^\\s*]+(/[*])?|([*][.])?[a-z0-9]([-a-z0-9.]*[a-z0-9])?)$' },
      {
        doc: 'SPIFFE ID or DNS name in the certificate of the Envoy.',
      },
    ),
    tokenSecret: name({ doc: 'Secret of this namespace with keys `token` and optionally `token-next`.' }),
  },
  { doc: 'How the Envoy proves that it belongs to the group.', required: true },
);

const listenersSchema = list(
  object(
    {
      port: port({ doc: 'Port that parentRefs name.', required: true, envoy: 'listener tcp-<port>' }),
      protocol: oneOf(['HTTP', 'HTTPS', 'TCP', 'TLS'], {
        doc: 'Protocol of clients; TLS is passed through by SNI.',
        default: 'HTTPS',
        envoy: 'filter chains',
      }),
      hostnames: list(
        dns({ doc: 'A name.' }),
        {},
        {
          doc: 'Names that routes may claim.',
          effective: 'any',
          envoy: 'FilterChainMatch.server_names',
        },
      ),
      certificateSecrets: list(
        name({ doc: 'A Secret.' }),
        { max: 4 },
        {
          doc: 'Secrets of this namespace, type kubernetes.io/tls.',
          change: 'S',
          envoy: 'SDS gw/<ns>/<name>',
        },
      ),
    },
    {
      doc: 'A listener.',
      rules: [
        {
          id: 'MI7',
          rule: "self.protocol != 'HTTPS' || has(self.certificateSecrets)",
          messageExpression: `"listener %d must set \`certificateSecrets\`".format([self.port])`,
        },
        {
          id: 'MI7',
          rule: "self.protocol != 'TLS' || !has(self.certificateSecrets)",
          messageExpression: `"listener %d must not set \`certificateSecrets\`; protocol 'TLS' is passed through".format([self.port])`,
        },
      ],
    },
  ),
  { keys: ['port'] },
  { doc: 'Mode Full: listeners that the Envoys open.', change: 'L' },
);

const modeRule = (member: string, mode: string, condition: string): Rule => ({
  id: 'MI6',
  rule: `has(self.${member}) == (${condition})`,
  messageExpression: `"node '%s' %s \`${member}\` when \`mode\` is '${mode}'".format([self.name, has(self.${member}) ? 'may only set' : 'must set'])`,
});

const nodeRules: readonly Rule[] = [
  {
    id: 'MI5',
    rule: "has(self.credential.serviceAccount) == (self.credential.type == 'ServiceAccount') && has(self.credential.certificateSAN) == (self.credential.type == 'Certificate') && has(self.credential.tokenSecret) == (self.credential.type == 'Token')",
    messageExpression: `"node '%s' with credential '%s' must set \`%s\` and nothing else".format([self.name, self.credential.type, ${credentialMembers}[self.credential.type]])`,
  },
  modeRule('listeners', 'Full', "has(self.mode) && self.mode == 'Full'"),
  modeRule('routeConfigs', 'Routes', "!has(self.mode) || self.mode == 'Routes'"),
];

/** `spec.nodes`. */
export const nodesSchema = list(
  object(
    {
      name: label({ doc: 'Name of the node group.', required: true, envoy: 'spiffe://…/ns/<ns>/node/<name>' }),
      mode: oneOf(['Full', 'Routes', 'Clusters', 'Endpoints'], {
        doc: 'Resource types that we serve.',
        effective: 'Routes',
        envoy: 'xDS types of the stream',
      }),
      clusters: list(
        glob({ doc: 'A cluster.' }),
        { min: 1, max: 16 },
        {
          doc: 'Accepted values of node.cluster.',
          required: true,
          envoy: 'Node.cluster',
        },
      ),
      credential: credentialSchema,
      issueIdentity: bool({
        doc: 'Whether the Envoy gets an identity of the mesh.',
        default: true,
        change: 'S',
        envoy: 'SDS identity and ca',
      }),
      routeConfigs: list(
        name({ doc: 'A name.' }),
        {},
        {
          doc: 'Mode Routes: route configurations that the Envoy asks for.',
          change: 'R',
          envoy: 'RouteConfiguration.name',
        },
      ),
      allowedNamespaces: list(
        labelOrAny({ doc: "A namespace, or '*'." }),
        { max: 64 },
        {
          doc: 'Namespaces whose routes may attach.',
          effective: 'own',
        },
      ),
      listeners: listenersSchema,
    },
    { doc: 'A node group.', rules: nodeRules },
  ),
  { max: 32, keys: ['name'] },
  { doc: 'Envoys that we did not inject.', change: '-' },
);

/** One node group after defaults. */
export type NodeGroup = Static<typeof nodesSchema>[number];
