// Validation of JSON web tokens. Knows no kind.

import { headerName, httpsUrl, label, name } from '../api/fields.js';
import { bool, list, object, oneOf, text, type Static } from '../api/schema.js';

const providersSchema = list(
  object(
    {
      name: label({ doc: 'Name of the provider.', required: true, envoy: 'JwtAuthentication.providers key' }),
      issuer: text({ min: 1, max: 512 }, { doc: 'Who signs.', required: true, envoy: 'JwtProvider.issuer' }),
      audiences: list(
        text({ min: 1 }, { doc: 'An audience.' }),
        {},
        {
          doc: 'Accepted audiences.',
          effective: 'any',
          envoy: 'JwtProvider.audiences',
        },
      ),
      jwksUri: httpsUrl({
        doc: 'Where the keys are; fetched by the control plane.',
        envoy: 'JwtProvider.local_jwks',
      }),
      jwksConfigMap: name({
        doc: 'ConfigMap of this namespace with key `jwks.json`.',
        envoy: 'JwtProvider.local_jwks',
      }),
      headers: list(
        object(
          {
            name: headerName({ doc: 'Header name.', required: true, envoy: 'JwtProvider.from_headers[].name' }),
            prefix: text(
              { max: 32 },
              {
                doc: 'Text before the token.',
                default: 'Bearer ',
                envoy: 'JwtProvider.from_headers[].value_prefix',
              },
            ),
          },
          { doc: 'A header.' },
        ),
        { max: 4, keys: ['name'] },
        { doc: 'Headers that carry the token; Authorization where nothing is said.' },
      ),
      params: list(
        text({ min: 1 }, { doc: 'A parameter.' }),
        { max: 4 },
        {
          doc: 'Query parameters that carry the token.',
          effective: 'none',
          envoy: 'JwtProvider.from_params',
        },
      ),
      cookies: list(
        text({ min: 1 }, { doc: 'A cookie.' }),
        { max: 4 },
        {
          doc: 'Cookies that carry the token.',
          effective: 'none',
          envoy: 'JwtProvider.from_cookies',
        },
      ),
      forwardToken: bool({
        doc: 'Whether the application sees the token.',
        default: true,
        envoy: 'JwtProvider.forward',
      }),
      claimsToHeaders: list(
        object(
          {
            claim: text(
              { min: 1, max: 256 },
              {
                doc: 'Name of the claim.',
                required: true,
                envoy: 'JwtProvider.claim_to_headers[].claim_name',
              },
            ),
            header: headerName({
              doc: 'Header that gets the claim; requests of callers lose it first.',
              required: true,
              envoy: 'JwtProvider.claim_to_headers[].header_name',
            }),
          },
          { doc: 'A claim.' },
        ),
        { keys: ['header'] },
        { doc: 'Claims that the application gets as headers.' },
      ),
    },
    {
      doc: 'A provider of tokens.',
      rules: [
        {
          id: 'MP10',
          rule: 'has(self.jwksUri) != has(self.jwksConfigMap)',
          messageExpression: `"provider '%s' must set exactly one of \`jwksUri\` and \`jwksConfigMap\`".format([self.name])`,
        },
      ],
    },
  ),
  { max: 8, keys: ['name'] },
  { doc: 'Providers that this object declares.' },
);

/** `jwt`. */
export const jwtSchema = object(
  {
    providers: providersSchema,
    use: list(
      label({ doc: 'A provider.' }),
      { max: 8 },
      {
        doc: 'Providers whose tokens are accepted, of this object or of the mesh default.',
        effective: 'the providers of this object',
        change: 'R',
        envoy: 'JwtAuthentication.requirement_map',
      },
    ),
    requirement: oneOf(['Required', 'Optional'], {
      doc: 'Optional accepts a missing token, never a bad one.',
      default: 'Required',
      change: 'R',
      envoy: 'JwtRequirement.allow_missing',
    }),
  },
  { doc: 'Tokens that requests must carry.', change: 'F' },
);

/** JWT validation after defaults. */
export type Jwt = Static<typeof jwtSchema>;
