// What random fields are filled with: texts and numbers that somebody might write, ordinary and odd. A field takes those
// that its schema allows. The names refer to what `meshes.ts` puts there, so that references mostly resolve.

/** Namespaces of every random mesh. */
export const namespaces = ['shop', 'other'] as const;

/** Services that may be there, and one that never is. */
export const serviceNames = ['web', 'api', 'db', 'out', 'gone'] as const;

/** Ports that Services have, and one that none has. */
export const servicePorts = [80, 5432, 9090, 81] as const;

const regexes = ['.*', '/v[0-9]+/(.*)', 'a|b', '[a-z]{1,3}', '(?i)x', '^/p$', '\\d+'];
const durations = ['0s', '1ms', '100ms', '1s', '3s', '1m30s', '15m', '1h', '12h', '24h', '168h', '720h', '87600h'];
const names = ['a', 'first', 'second', 'r0', 'x-y', 'a.b.c', 'legation-session', 'constructor'];
const hosts = ['web', 'web.shop', 'a.example.com', '*.example.com', 'example.org', '*'];
const addresses = ['10.0.0.1', '::1', 'fd00::7', '10.0.0.0/8', '127.0.0.1/32', '0.0.0.0/0', '::/0', 'fd00::/8'];
const identities = ['spiffe://mesh.example/ns/shop/sa/web', 'spiffe://mesh.example/ns/shop/*', '/ns/{{namespace}}/x'];
const urls = ['https://a.example.com/keys', 'http://a.example.com', 'https://*.example.com:8443', '*'];
const paths = ['/', '/a', '/a/', '/a/b', '/%20', '/a b', '/é', '/run/x.sock'];
const labels = ['app', 'v', 'example.com/X', 'topology.kubernetes.io/zone', '1', 'Y.z', 'web'];
const headers = ['x-a', 'X-B', 'x!#$%', 'server', 'cookie', 'host', 'authorization', ':path'];
const odd = [
  '',
  ' ',
  '"',
  '\\',
  '\\1',
  '%',
  '%REQ(x)%',
  '%%',
  '100%',
  '{{namespace}}',
  'é',
  '😀',
  'a\nb',
  '\u0000',
  '${x}',
];
const numbers = ['0', '7', '100', '256', '65536', '2026-01-01T00:00:00Z'];

/** Every text. */
export const texts: readonly string[] = [
  ...new Set([
    ...[names, labels, hosts, durations, regexes, addresses, identities, urls, paths, headers, odd, numbers].flat(),
    'x'.repeat(63),
    'long-'.repeat(50),
  ]),
];

/** Numbers with a meaning somewhere: ports, codes, denominators, limits. */
export const integers: readonly number[] = [
  ...[0, 1, 2, 3, 5, 7, 10, 16, 50, 99, 100, 101, 200, 204, 301, 302, 303, 307, 308, 400, 404, 429, 500, 503, 599],
  ...[1000, 8080, 10_000, 65_535, 1_000_000, 2_147_483_647],
];

/** A field, by its path, and what is written there. The first that fits counts. */
export const textsAt: readonly (readonly [RegExp, readonly string[]])[] = [
  [/(parentRefs|targetRefs)\[\]\.sectionName$/, ['http', 'first', 'nowhere']],
  [/(Refs?(\[\])?|provider|credential)\.namespace$/, namespaces],
  [/(parentRefs\[\]|backendRefs?(\[\])?|targetRefs\[\]|service)\.name$/, serviceNames],
  [/(namespaces|allowedNamespaces)\[\]$/, [...namespaces, '*']],
  [/\.group$/, ['', 'legation.dev']],
  [/rules\[\]\.name$/, ['first', 'second', 'third', 'a.b']],
  // What is compared by regular expression is one, and begins as a path does: so that any `type` may stand beside it.
  [/matches\[\]\.path\.value$/, ['/', '/a', '/a/', '/a/b', '/v[0-9]+', '/%20', '/é', '/.*', '/a b', '/x'.repeat(90)]],
  [/matches\[\]\.(headers|queryParams)\[\]\.value$/, [...regexes, ...hosts.slice(0, 3), '%REQ(x)%', 'é', '"', '100%']],
  [/matches\[\]\.(headers|queryParams|cookies)\[\]\.name$/, ['x-a', 'X-B', 'q', 'cookie', 'x!#$%', 'host', 'r']],
  [/matches\[\]\.grpc\.service$/, ['shop.Cart', 'a', 'shop[.].*', '']],
  [/matches\[\]\.grpc\.method$/, ['Get', 'Get|Put', '']],
  [/substitution$/, ['', '/x', '\\1', '/\\0', '\\\\', '\\9', 'é']],
  [/^upstream\.locality\.distribute\[\]\.from$/, ['*', 'r', 'r/a']],
];

/** Keys of maps, by path; otherwise label keys. */
export const keysAt: readonly (readonly [RegExp, readonly Readonly<Record<string, string>>[]])[] = [
  [/subset$/, [{}, { v: '1' }, { v: '2', app: 'web' }, { 'example.com/X': 'Y.z' }]],
  [/distribute\[\]\.to$/, [{ r: '100' }, { 'r/a': '80', 'r/b': '20' }, { 'r/a': '0', '*': '100' }]],
];

/** Numbers, by path. */
export const integersAt: readonly (readonly [RegExp, readonly number[]])[] = [
  [/(parentRefs\[\]|backendRefs?(\[\])?|service)\.port$/, servicePorts],
  [/weight$/, [0, 1, 2, 100, 1_000_000]],
];
