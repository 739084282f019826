// Cross-origin resource sharing, answered at the destination. Knows no kind.

import { CorsPolicy } from '../gen/envoy/extensions/filters/http/cors/v3/cors.js';
import { StringMatcher } from '../gen/envoy/type/matcher/v3/string.js';
import { bool, integer, list, object, text, type Static } from '../api/schema.js';
import { collect, err, ok, type Problem, type Result } from '../lib/result.js';
import { packAny } from './any.js';
import { escapeRegex } from './envoy-values.js';
import { defineFeature } from './feature.js';

/** `filters[].cors`. */
export const corsSchema = object(
  {
    allowOrigins: list(
      text(
        { min: 1, pattern: '^([*]|[a-zA-Z][a-zA-Z0-9+.-]+://[^:/?#]+(:([0-9]{1,5}|[*]))?)$' },
        { doc: 'An origin.' },
      ),
      { max: 64 },
      {
        doc: "Origins that may read answers: '*' or scheme://host:port; the host may start with '*.'.",
        envoy: 'CorsPolicy.allow_origin_string_match',
      },
    ),
    allowMethods: list(
      text({ min: 1 }, { doc: 'A method.' }),
      { max: 9 },
      {
        doc: 'Methods that may be used.',
        envoy: 'CorsPolicy.allow_methods',
      },
    ),
    allowHeaders: list(
      text({ min: 1 }, { doc: 'A header name.' }),
      { max: 64 },
      {
        doc: 'Request headers that may be used.',
        envoy: 'CorsPolicy.allow_headers',
      },
    ),
    exposeHeaders: list(
      text({ min: 1 }, { doc: 'A header name.' }),
      { max: 64 },
      {
        doc: 'Response headers that scripts may read.',
        envoy: 'CorsPolicy.expose_headers',
      },
    ),
    allowCredentials: bool({
      doc: 'Whether requests may carry credentials.',
      default: false,
      envoy: 'CorsPolicy.allow_credentials',
    }),
    maxAge: integer(
      { min: 1 },
      {
        doc: 'Seconds that a browser may keep a preflight answer.',
        default: 5,
        envoy: 'CorsPolicy.max_age',
      },
    ),
  },
  { doc: 'Answer preflight requests and mark answers for browsers.' },
);

/** CORS after defaults. */
export type Cors = Static<typeof corsSchema>;

const problem = (path: string, message: string): Problem => ({ path: `cors.${path}`, reason: 'Invalid', message });

const exactly = (value: string): StringMatcher =>
  StringMatcher.fromPartial({ matchPattern: { $case: 'exact', value } });

/** Browsers leave the default port of a scheme out. */
const defaultPorts: Readonly<Record<string, string>> = { http: ':80', https: ':443' };

/** A host may begin with `*.`, which stands for one label or more. */
function hostPattern(host: string): string | undefined {
  if (host === '*') return '[^:]+';
  const named = host.replace(/^[*]\./, '');
  if (named.includes('*')) return undefined;
  return `${named === host ? '' : '([^.:]+\\.)+'}${escapeRegex(named)}`;
}

/** `*`, or scheme, host and port, of which host and port may be any. */
function originMatcher(origin: string, index: number): Result<StringMatcher> {
  if (origin === '*') return ok(exactly('*'));
  const [, scheme = '', host = '', port = ''] = /^([^:]+):\/\/([^:]+)(:.+)?$/.exec(origin.toLowerCase()) ?? [];
  const written = port === defaultPorts[scheme] ? '' : port;
  if (!origin.includes('*')) return ok(exactly(`${scheme}://${host}${written}`));
  const pattern = hostPattern(host);
  if (pattern === undefined) {
    const message = `origin '${origin}' may hold '*' only as its whole host, before the first dot of it, or as its port`;
    return err([problem(`allowOrigins[${String(index)}]`, message)]);
  }
  const regex = `${escapeRegex(`${scheme}://`)}${pattern}${port === ':*' ? '(:[0-9]+)?' : escapeRegex(written)}`;
  return ok(StringMatcher.fromPartial({ matchPattern: { $case: 'safeRegex', value: { regex } } }));
}

/** To browsers that send credentials `*` is a name like any other. */
function starProblem({ allowCredentials, allowHeaders, exposeHeaders }: Cors): Problem | undefined {
  if (!allowCredentials) return undefined;
  const lists = { allowHeaders, exposeHeaders };
  const [starred] = Object.entries(lists).find(([, names]) => names?.includes('*')) ?? [];
  if (starred === undefined) return undefined;
  const message = `\`${starred}\` must list names when \`allowCredentials\` is true; browsers take '*' for a name there`;
  return problem(starred, message);
}

const everyMethod = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'CONNECT'];

const methodsOf = ({ allowCredentials, allowMethods = [] }: Cors): readonly string[] =>
  allowCredentials && allowMethods.includes('*') ? everyMethod : allowMethods;

function compile(config: Cors): Result<CorsPolicy> {
  const origins = collect((config.allowOrigins ?? []).map((origin, index) => listed(originMatcher(origin, index))));
  if (!origins.ok) return origins;
  const starred = starProblem(config);
  if (starred !== undefined) return err([starred]);
  return ok(
    CorsPolicy.fromPartial({
      allowOriginStringMatch: origins.value.flat(),
      allowMethods: methodsOf(config).join(','),
      allowHeaders: (config.allowHeaders ?? []).join(','),
      exposeHeaders: (config.exposeHeaders ?? []).join(','),
      allowCredentials: config.allowCredentials,
      maxAge: String(config.maxAge),
      // A preflight of a stranger is answered without permission, and is no business of the application.
      forwardNotMatchingPreflights: false,
    }),
  );
}

const listed = (result: Result<StringMatcher>): Result<readonly StringMatcher[]> =>
  result.ok ? ok([result.value]) : result;

/** Answered before anything else looks at the request, by the proxy of the pod that is called. */
export const cors = defineFeature<'cors', Cors, CorsPolicy>({
  key: 'cors',
  summary: 'Answer preflight requests of browsers, and tell them which answers scripts may read.',
  compile,
  heldAt: () => 'destination',
  answersPreflight: true,
  onRoute: (policy, { direction }) =>
    direction === 'inbound' ? { route: { typedPerFilterConfig: { 'mesh.cors': packAny(CorsPolicy, policy) } } } : {},
});
