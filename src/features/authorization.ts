// Who may do what. Rules are a union over all policies; `defaultAction` is merged. Knows no kind.

import { cidr, glob, label, port, spiffe } from '../api/fields.js';
import { bool, list, object, oneOf, text, type Static } from '../api/schema.js';

const fromSchema = list(
  object(
    {
      principals: list(
        spiffe({ doc: 'A SPIFFE ID.' }),
        { max: 32 },
        {
          doc: "SPIFFE IDs of callers, exact or ending in '/*'.",
          effective: 'any',
          envoy: 'Principal.authenticated.principal_name',
        },
      ),
      serviceAccounts: list(
        text(
          { pattern: '^([a-z0-9]([-a-z0-9]*[a-z0-9])?/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$' },
          { doc: 'A ServiceAccount.' },
        ),
        { max: 32 },
        {
          doc: 'ServiceAccounts of callers: name, or namespace/name.',
          effective: 'any',
          envoy: 'Principal.authenticated.principal_name',
        },
      ),
      namespaces: list(
        label({ doc: 'A namespace.' }),
        { max: 32 },
        {
          doc: 'Namespaces of callers.',
          effective: 'any',
          envoy: 'Principal.authenticated.principal_name prefix',
        },
      ),
      ipBlocks: list(
        cidr({ doc: 'A prefix.' }),
        { max: 32 },
        {
          doc: 'Addresses of callers.',
          effective: 'any',
          envoy: 'Principal.direct_remote_ip, at edges remote_ip',
        },
      ),
      invert: bool({
        doc: 'Match callers for whom the rest does not hold.',
        default: false,
        envoy: 'Principal.not_id',
      }),
    },
    { doc: 'Conditions on the caller that must all hold.' },
  ),
  {},
  { doc: 'Callers: any of these; none means everyone.' },
);

const toSchema = list(
  object(
    {
      hosts: list(
        glob({ doc: 'A host.' }),
        {},
        {
          doc: "Hosts of requests without their port; '*' may stand first or last.",
          effective: 'any',
          change: 'R',
          envoy: 'Permission.header :authority',
        },
      ),
      methods: list(
        text({ min: 1 }, { doc: 'A method.' }),
        {},
        {
          doc: 'Methods of requests.',
          effective: 'any',
          change: 'R',
          envoy: 'Permission.header :method',
        },
      ),
      paths: list(
        text({ max: 1024, pattern: '^(/[*]|([*]/|/)([^*{}]|\\{[*]\\})*(/[*])?)$' }, { doc: 'A path.' }),
        { max: 32 },
        {
          doc: "Paths of requests: exact, '/x/*' for all below /x, '*/y' for a suffix, '{*}' for one segment.",
          effective: 'any',
          change: 'R',
          envoy: 'Permission.url_path, uri_template',
        },
      ),
      ports: list(
        port({ doc: 'A port.' }),
        {},
        {
          doc: 'Ports of the container.',
          effective: 'any',
          envoy: 'listener i/<port> that carries the rule',
        },
      ),
      invert: bool({
        doc: 'Match requests for which the rest does not hold.',
        default: false,
        change: 'R',
        envoy: 'Permission.not_rule',
      }),
    },
    { doc: 'Conditions on the request that must all hold.' },
  ),
  {},
  { doc: 'Requests: any of these; none means everything.' },
);

const whenSchema = list(
  object(
    {
      key: text(
        { pattern: '^(request[.]headers\\[[^\\[\\]]+\\]|jwt[.]claims[.][^\\s]+|source[.]trustDomain|tls[.]sni)$' },
        {
          doc: 'request.headers[name], jwt.claims.<path>, source.trustDomain or tls.sni.',
          required: true,
          envoy: 'Permission.header, sourced_metadata, requested_server_name',
        },
      ),
      values: list(
        glob({ doc: 'A value.' }),
        { min: 1, max: 32 },
        {
          doc: "Any of these; '*' may stand first or last.",
          required: true,
          envoy: 'StringMatcher',
        },
      ),
      invert: bool({ doc: 'Match where no value does.', default: false, envoy: 'Permission.not_rule' }),
    },
    { doc: 'A further condition.' },
  ),
  {},
  { doc: 'Further conditions; all must hold.' },
);

/** `authorization`. */
export const authorizationSchema = object(
  {
    defaultAction: oneOf(['Allow', 'Deny'], {
      doc: 'What happens to traffic that no rule decides.',
      effective: 'Deny if this object has an Allow rule; Allow if nothing is set anywhere',
      envoy: 'RBAC.rules',
    }),
    drainExisting: bool({
      doc: 'After a change, close connections that the old rules admitted.',
      effective: 'false',
      change: 'L',
      envoy: 'drain of the filter chains',
    }),
    rules: list(
      object(
        {
          name: label({ doc: 'Name of the rule.', required: true, envoy: 'RBAC policy key <ns>/<policy>/<rule>' }),
          action: oneOf(['Allow', 'Deny'], {
            doc: 'A Deny rule wins over any Allow rule.',
            default: 'Allow',
            envoy: 'mesh.rbac.allow, mesh.rbac.deny',
          }),
          from: fromSchema,
          to: toSchema,
          when: whenSchema,
          condition: text(
            { max: 1024 },
            {
              doc: 'CEL over request.*, source.* and connection.*.',
              effective: 'true',
              envoy: 'Policy.condition',
            },
          ),
        },
        { doc: 'A rule.' },
      ),
      { max: 32, keys: ['name'] },
      { doc: 'Rules; those of all policies apply together.' },
    ),
  },
  { doc: 'Who may send what to the selected workloads.', change: 'R,F' },
);

/** Authorization after defaults. */
export type Authorization = Static<typeof authorizationSchema>;
