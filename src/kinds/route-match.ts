// The matches of a route rule: which requests a rule is for. Knows nothing of what happens to them.

import { cidr, headerName, label, labels } from '../api/fields.js';
import { bool, list, object, oneOf, text, type Rule, type Static } from '../api/schema.js';

const presentRule = (what: string): Rule => ({
  id: 'TR17',
  rule: "(self.type == 'Present') == !has(self.value)",
  messageExpression: `"${what} '%s' of type '%s' must %sset \`value\`".format([self.name, self.type, self.type == 'Present' ? 'not ' : ''])`,
});

const pathSchema = object(
  {
    type: oneOf(['Exact', 'PathPrefix', 'RegularExpression'], {
      doc: 'How `value` is compared.',
      default: 'PathPrefix',
      envoy: 'RouteMatch.path, path_separated_prefix, safe_regex',
    }),
    value: text(
      { max: 1024 },
      {
        doc: 'The path; starts with / unless it is a regular expression (RE2).',
        default: '/',
        envoy: 'RouteMatch.path, path_separated_prefix, safe_regex',
      },
    ),
    ignoreCase: bool({
      doc: 'Whether upper and lower case are the same.',
      default: false,
      envoy: 'RouteMatch.case_sensitive; (?i) in regular expressions',
    }),
  },
  {
    doc: 'Path of the request.',
    rules: [
      {
        id: 'path',
        rule: "self.type == 'RegularExpression' || self.value.startsWith('/')",
        messageExpression: `"path \`value\` '%s' must start with '/'".format([self.value])`,
      },
      {
        id: 're2',
        rule: "self.type != 'RegularExpression' || ''.matches(self.value) in [true, false]",
        message: '`value` must be a regular expression in RE2 syntax',
      },
    ],
  },
);

const headersSchema = list(
  object(
    {
      name: headerName({ doc: 'Header name; case does not matter.', required: true, envoy: 'HeaderMatcher.name' }),
      type: oneOf(['Exact', 'RegularExpression', 'Prefix', 'Suffix', 'Contains', 'Present'], {
        doc: 'How `value` is compared.',
        default: 'Exact',
        envoy: 'HeaderMatcher.string_match, present_match',
      }),
      value: text(
        { min: 1, max: 4096 },
        { doc: 'The value; absent only for Present.', envoy: 'HeaderMatcher.string_match' },
      ),
      invert: bool({
        doc: 'Match where the header is absent or different.',
        default: false,
        envoy: 'HeaderMatcher.invert_match',
      }),
    },
    { doc: 'A header condition.', rules: [presentRule('header')] },
  ),
  { keys: ['name'] },
  { doc: 'Headers of the request; all must match.' },
);

const queryParamsSchema = list(
  object(
    {
      name: headerName({ doc: 'Parameter name.', required: true, envoy: 'QueryParameterMatcher.name' }),
      type: oneOf(['Exact', 'RegularExpression', 'Present'], {
        doc: 'How `value` is compared.',
        default: 'Exact',
        envoy: 'QueryParameterMatcher.string_match, present_match',
      }),
      value: text(
        { min: 1, max: 1024 },
        {
          doc: 'The value; absent only for Present.',
          envoy: 'QueryParameterMatcher.string_match',
        },
      ),
    },
    { doc: 'A query parameter condition.', rules: [presentRule('query parameter')] },
  ),
  { keys: ['name'] },
  { doc: 'Query parameters of the request; all must match.' },
);

const cookiesSchema = list(
  object(
    {
      name: headerName({ doc: 'Cookie name.', required: true, envoy: 'HeaderMatcher cookie, safe_regex' }),
      value: text(
        { min: 1, max: 1024 },
        {
          doc: 'Exact value.',
          effective: 'present',
          envoy: 'HeaderMatcher cookie, safe_regex',
        },
      ),
    },
    { doc: 'A cookie condition.' },
  ),
  { keys: ['name'] },
  { doc: 'Cookies of the request; all must match.' },
);

const claimsSchema = list(
  object(
    {
      name: text(
        { min: 1, max: 256 },
        {
          doc: 'Name of the claim; dots descend.',
          required: true,
          change: 'R,F',
          envoy: 'RouteMatch.dynamic_metadata of jwt_authn',
        },
      ),
      values: list(
        text({ max: 256 }, { doc: 'A value.' }),
        { min: 1, max: 16 },
        {
          doc: 'Any of these; a list claim matches if it contains one.',
          required: true,
          envoy: 'ValueMatcher.or_match, list_match',
        },
      ),
    },
    { doc: 'Experimental: a condition on a validated claim.' },
  ),
  { max: 8, keys: ['name'] },
  { doc: 'Experimental: validated JWT claims; all must match.' },
);

const grpcRegex = (member: 'service' | 'method'): Rule => ({
  id: 're2',
  rule: `self.type != 'RegularExpression' || !has(self.${member}) || ''.matches(self.${member}) in [true, false]`,
  message: `\`${member}\` must be a regular expression in RE2 syntax`,
});

const grpcSchema = object(
  {
    type: oneOf(['Exact', 'RegularExpression'], { doc: 'How names are compared.', default: 'Exact' }),
    service: text(
      { max: 1024 },
      { doc: 'Service name with its package.', effective: 'any', envoy: 'RouteMatch path /<service>/' },
    ),
    method: text(
      { max: 1024 },
      { doc: 'Method name.', effective: 'any', envoy: 'RouteMatch path /<service>/<method>' },
    ),
  },
  { doc: 'gRPC service and method.', rules: [grpcRegex('service'), grpcRegex('method')] },
);

const sourceSchema = object(
  {
    namespaces: list(
      label({ doc: 'A namespace.' }),
      {},
      {
        doc: 'Namespaces of callers.',
        effective: 'all',
        envoy: 'presence in the route configuration of those proxies',
      },
    ),
    podLabels: labels({
      doc: 'Labels of calling pods.',
      effective: 'all',
      envoy: 'variant of the route configuration',
    }),
    ipBlocks: list(
      cidr({ doc: 'A prefix.' }),
      {},
      {
        doc: 'Addresses of calling pods; not at node groups.',
        effective: 'all',
        envoy: 'variant of the route configuration',
      },
    ),
  },
  { doc: 'Who is calling; decided by the control plane, never by the request.' },
);

/** `rules[].matches`. */
export const matchesSchema = list(
  object(
    {
      path: pathSchema,
      headers: headersSchema,
      queryParams: queryParamsSchema,
      cookies: cookiesSchema,
      claims: claimsSchema,
      method: oneOf(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'], {
        doc: 'Method of the request.',
        effective: 'any',
        envoy: 'HeaderMatcher :method, connect_matcher',
      }),
      grpc: grpcSchema,
      source: sourceSchema,
    },
    { doc: 'Conditions that must all hold.' },
  ),
  { max: 64 },
  { doc: 'Requests that the rule is for: any of these; none means every request.' },
);

/** One entry of `rules[].matches` after defaults. */
export type RouteMatch = Static<typeof matchesSchema>[number];
