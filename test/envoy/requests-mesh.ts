// The one mesh of the request tests: a Service for each question, nearly all of them in front of the same two pods.

import {
  answering,
  deployment,
  httpRoute,
  ownNamespace,
  prefix,
  service,
  to,
  trafficRoute,
  type Written,
} from './objects.js';

/** Namespace of the producers, and of a consumer with rules of its own. */
export const home = ownNamespace('requests');
export const guest = ownNamespace('guests');

/** Calling pods. */
export const caller = `${home}/caller-0`;
export const visitor = `${guest}/visitor-0`;

const echo = { app: 'echo' };
const v1 = { ...echo, version: 'v1' };
const v2 = { ...echo, version: 'v2' };

const header = (name: string, type: string, value?: string): Written => ({
  headers: [{ name, type, ...(value === undefined ? {} : { value }) }],
});
const notHeader = (name: string, type: string, value?: string): Written => ({
  headers: [{ name, type, invert: true, ...(value === undefined ? {} : { value }) }],
});
const query = (name: string, type: string, value?: string): Written => ({
  queryParams: [{ name, type, ...(value === undefined ? {} : { value }) }],
});
const path = (type: string, value: string, more: Written = {}): Written => ({ path: { type, value, ...more } });
const named = (name: string, match: Written): Written => answering(name, { name, matches: [match] });
const filtered = (type: string, config: Written): Written => ({
  type,
  [type.charAt(0).toLowerCase() + type.slice(1)]: config,
});
const urlRewrite = (urlRewrite: Written): Written => ({ type: 'URLRewrite', urlRewrite });
const replacePrefix = (value: string): Written => ({ type: 'ReplacePrefixMatch', replacePrefixMatch: value });

const paths: readonly Written[] = [
  named('exact', path('Exact', '/exact')),
  named('prefix', prefix('/api')),
  named('slash', prefix('/dir/')),
  named('regex', path('RegularExpression', '/users/[0-9]+')),
  named('any-case-exact', path('Exact', '/AnyCase', { ignoreCase: true })),
  named('any-case-prefix', path('PathPrefix', '/Folder', { ignoreCase: true })),
  named('any-case-regex', path('RegularExpression', '/Reg[a-z]+', { ignoreCase: true })),
];

const conditions: readonly Written[] = [
  named('h-exact', { ...prefix('/h/exact'), ...header('x-kind', 'Exact', 'gold') }),
  named('h-regex', { ...prefix('/h/regex'), ...header('x-kind', 'RegularExpression', 'g[a-z]+d') }),
  named('h-prefix', { ...prefix('/h/prefix'), ...header('x-kind', 'Prefix', 'go') }),
  named('h-suffix', { ...prefix('/h/suffix'), ...header('x-kind', 'Suffix', 'ld') }),
  named('h-contains', { ...prefix('/h/contains'), ...header('x-kind', 'Contains', 'ol') }),
  named('h-present', { ...prefix('/h/present'), ...header('x-kind', 'Present') }),
  named('h-not-exact', { ...prefix('/h/not-exact'), ...notHeader('x-kind', 'Exact', 'gold') }),
  named('h-not-regex', { ...prefix('/h/not-regex'), ...notHeader('x-kind', 'RegularExpression', 'g[a-z]+d') }),
  named('h-absent', { ...prefix('/h/absent'), ...notHeader('x-kind', 'Present') }),
  named('q-exact', { ...prefix('/q/exact'), ...query('v', 'Exact', '1') }),
  named('q-regex', { ...prefix('/q/regex'), ...query('v', 'RegularExpression', '[0-9]+') }),
  named('q-present', { ...prefix('/q/present'), ...query('v', 'Present') }),
  named('m-delete', { ...prefix('/m'), method: 'DELETE' }),
  named('m-get', { ...prefix('/m'), method: 'GET' }),
];

/** Written from the least specific to the most: the file must not decide. */
const order: readonly Written[] = [
  named('none', {}),
  named('short', prefix('/a')),
  named('long', prefix('/a/b')),
  named('long-query', { ...prefix('/a/b'), ...query('v', 'Exact', '1') }),
  named('long-header', { ...prefix('/a/b'), ...header('x-kind', 'Exact', 'gold') }),
  named('long-method', { ...prefix('/a/b'), method: 'PUT' }),
  named('regex', path('RegularExpression', '/a/b/c.*')),
  named('exact', path('Exact', '/a/b/c')),
];

const forwarding = (name: string, match: Written, rule: Written): Written => ({
  name,
  matches: [match],
  backendRefs: [to('echo')],
  ...rule,
});

const modifiers: readonly Written[] = [
  forwarding('request', prefix('/request'), {
    filters: [
      filtered('RequestHeaderModifier', {
        set: [
          { name: 'x-set', value: 'new' },
          { name: 'x-percent', value: '100% %REQ(:path)% %%' },
        ],
        add: [{ name: 'x-add', value: 'second' }],
        remove: ['x-remove'],
      }),
    ],
  }),
  forwarding('response', prefix('/response'), {
    filters: [
      filtered('ResponseHeaderModifier', {
        set: [
          { name: 'x-set', value: 'new' },
          { name: 'x-percent', value: '50% %RESPONSE_CODE%' },
        ],
        add: [{ name: 'x-add', value: 'second' }],
        remove: ['x-remove'],
      }),
    ],
  }),
  {
    name: 'backends',
    matches: [prefix('/backends')],
    backendRefs: [v1, v2].map(({ version }) =>
      to(`echo-${version}`, {
        filters: [
          filtered('RequestHeaderModifier', { set: [{ name: 'x-backend', value: `${version} 1%` }] }),
          filtered('ResponseHeaderModifier', { set: [{ name: 'x-from', value: `${version} 2%` }] }),
        ],
      }),
    ),
  },
];

const redirecting = (name: string, requestRedirect: Written): Written => ({
  name,
  matches: [prefix(`/${name}`)],
  filters: [{ type: 'RequestRedirect', requestRedirect }],
});

const redirects: readonly Written[] = [
  redirecting('host', { hostname: 'example.org' }),
  redirecting('scheme', { scheme: 'https' }),
  redirecting('port', { port: 8443 }),
  redirecting('all', { scheme: 'https', hostname: 'example.org', port: 8443, statusCode: 301 }),
  redirecting('full', { path: { type: 'ReplaceFullPath', replaceFullPath: '/new' }, statusCode: 303 }),
  redirecting('moved', { path: replacePrefix('/to'), statusCode: 307 }),
  redirecting('cut', { path: replacePrefix('/'), statusCode: 308 }),
];

const rewriting = (name: string, match: string, config: Written): Written =>
  forwarding(name, prefix(match), { filters: [urlRewrite(config)] });

/** Gateway API's table of `ReplacePrefixMatch`: prefix, replacement, path, what the backend sees. */
export const prefixTable: readonly (readonly [string, string, string, string])[] = [
  ['/foo', '/xyz', '/foo/bar', '/xyz/bar'],
  ['/foo', '/xyz/', '/foo/bar', '/xyz/bar'],
  ['/foo/', '/xyz', '/foo/bar', '/xyz/bar'],
  ['/foo/', '/xyz/', '/foo/bar', '/xyz/bar'],
  ['/foo', '/xyz', '/foo', '/xyz'],
  ['/foo', '/xyz', '/foo/', '/xyz/'],
  ['/foo', '', '/foo/bar', '/bar'],
  ['/foo', '', '/foo/', '/'],
  ['/foo', '', '/foo', '/'],
  ['/foo', '/', '/foo/', '/'],
  ['/foo', '/', '/foo', '/'],
  ['/foo', '/', '/foo/bar', '/bar'],
];

/** The table's rows share a path; a host name of its own keeps each apart. */
export const rowHost = (row: number): string => `row-${String(row)}.table.test`;

const rewrites: readonly Written[] = [
  rewriting('host', '/host', { hostname: 'other.example.org' }),
  rewriting('full', '/full', { path: { type: 'ReplaceFullPath', replaceFullPath: '/all/new' } }),
  rewriting('regex', '/regex', {
    path: { type: 'RegularExpression', pattern: '^/regex/([a-z]+)/([0-9]+)', substitution: '/\\2/\\1' },
  }),
  forwarding('any-case', path('PathPrefix', '/Any', { ignoreCase: true }), {
    filters: [urlRewrite({ path: replacePrefix('/') })],
  }),
];

const retries: readonly Written[] = [
  forwarding('hidden', prefix('/hidden'), { retry: { attempts: 3, codes: [503], backoff: '5ms' } }),
  forwarding('promised', prefix('/promised'), {
    retry: { attempts: 3, codes: [503], backoff: '5ms', idempotent: true },
  }),
  forwarding('per-try', prefix('/per-try'), {
    timeouts: { request: '3s', backendRequest: '150ms' },
    retry: { attempts: 3, retryOn: ['GatewayError'], backoff: '5ms' },
  }),
  forwarding('off', prefix('/off'), { retry: { attempts: 0 } }),
  forwarding('timeout', prefix('/timeout'), { timeouts: { request: '200ms' } }),
  forwarding('stream', prefix('/stream'), { timeouts: { maxStream: '200ms' } }),
  forwarding('both', prefix('/both'), { timeouts: { request: '200ms', maxStream: '5s' } }),
  forwarding('usual', prefix('/usual'), {}),
];

const mirroring = (name: string, more: Written): Written =>
  forwarding(name, prefix(`/${name}`), {
    filters: [{ type: 'RequestMirror', requestMirror: { backendRef: { name: 'shadow', port: 80 }, ...more } }],
  });

const fronts = [
  ...['paths', 'conditions', 'order', 'weights', 'subsets', 'modifiers', 'rewrites', 'table', 'retries', 'mirrored'],
  ...['answers', 'hosted', 'broken', 'unresolved', 'plain', 'gateway', 'echo'],
];

/** Every object of the mesh. */
export const objects: readonly Written[] = [
  deployment(home, 'caller'),
  deployment(guest, 'visitor'),
  deployment(home, 'echo-v1', { labels: v1 }),
  deployment(home, 'echo-v2', { labels: v2 }),
  deployment(home, 'shadow'),
  ...fronts.map((name) => service(home, name, { selector: echo })),
  service(home, 'redirects', {
    selector: echo,
    ports: [
      { name: 'http', port: 80, targetPort: 8080 },
      { name: 'http-more', port: 9080, targetPort: 8080 },
    ],
  }),
  service(home, 'echo-v1', { selector: v1 }),
  service(home, 'echo-v2', { selector: v2 }),
  service(home, 'shadow', { selector: { app: 'shadow' } }),
  service(home, 'nobody', { selector: { app: 'nobody' } }),
  service(home, 'h2c', {
    selector: echo,
    ports: [{ name: 'main', port: 80, targetPort: 8080, appProtocol: 'kubernetes.io/h2c' }],
  }),
  trafficRoute(home, 'paths', { parent: 'paths', rules: paths }),
  trafficRoute(home, 'conditions', { parent: 'conditions', rules: conditions }),
  trafficRoute(home, 'order', { parent: 'order', rules: order }),
  trafficRoute(home, 'weights', {
    parent: 'weights',
    rules: [
      { backendRefs: [to('echo-v1', { weight: 80 }), to('echo-v2', { weight: 20 }), to('shadow', { weight: 0 })] },
    ],
  }),
  trafficRoute(home, 'subsets', {
    parent: 'subsets',
    rules: [
      { matches: [prefix('/one')], backendRefs: [to('echo', { subset: { version: 'v1' } })] },
      { matches: [prefix('/two')], backendRefs: [to('echo', { subset: { version: 'v2' } })] },
      { matches: [prefix('/none')], backendRefs: [to('echo', { subset: { version: 'v9' } })] },
    ],
  }),
  trafficRoute(home, 'modifiers', { parent: 'modifiers', rules: modifiers }),
  trafficRoute(home, 'redirects', { parent: 'redirects', rules: redirects }),
  trafficRoute(home, 'rewrites', { parent: 'rewrites', rules: rewrites }),
  ...prefixTable.map(([match, replacement], row) =>
    trafficRoute(home, `table-${String(row)}`, {
      parent: 'table',
      hostnames: [rowHost(row)],
      rules: [rewriting('row', match, { path: replacePrefix(replacement) })],
    }),
  ),
  trafficRoute(home, 'retries', { parent: 'retries', rules: retries }),
  trafficRoute(home, 'mirrored', {
    parent: 'mirrored',
    rules: [
      mirroring('all', {}),
      mirroring('some', { fraction: { numerator: 1, denominator: 4 } }),
      mirroring('zero', { percent: 0 }),
    ],
  }),
  trafficRoute(home, 'answers', {
    parent: 'answers',
    rules: [
      {
        matches: [prefix('/teapot')],
        filters: [{ type: 'DirectResponse', directResponse: { statusCode: 418, body: '100% short and stout' } }],
      },
      { matches: [prefix('/nothing')], filters: [{ type: 'DirectResponse', directResponse: { statusCode: 204 } }] },
    ],
  }),
  trafficRoute(home, 'hosted', { parent: 'hosted', hostnames: ['api.example.test'], rules: [answering('by name')] }),
  trafficRoute(home, 'broken', {
    parent: 'broken',
    rules: [{ backendRefs: [to('echo', { weight: 3 }), to('missing', { weight: 1 })] }],
  }),
  trafficRoute(home, 'unresolved', { parent: 'unresolved', rules: [{ backendRefs: [to('missing')] }] }),
  httpRoute(home, 'gateway', {
    parent: 'gateway',
    rules: [{ matches: [prefix('/v2')], backendRefs: [to('echo-v2')] }, { backendRefs: [to('echo-v1')] }],
  }),
  httpRoute(guest, 'gateway', {
    parent: 'gateway',
    parentNamespace: home,
    rules: [
      {
        matches: [prefix('/guests')],
        filters: [filtered('ResponseHeaderModifier', { set: [{ name: 'x-rules', value: 'of the guest' }] })],
        backendRefs: [to('echo-v2', { namespace: home })],
      },
    ],
  }),
  {
    apiVersion: 'gateway.networking.k8s.io/v1beta1',
    kind: 'ReferenceGrant',
    metadata: { namespace: home, name: 'guests' },
    spec: {
      from: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: guest }],
      to: [{ group: '', kind: 'Service' }],
    },
  },
];
