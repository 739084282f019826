// Random meshes for property tests: what users might write, with the odd characters that they might write it with.

import fc from 'fast-check';
import { pod, type Raw } from './harness.js';

const services = ['web', 'api', 'db', 'gone'];
const namespaces = ['shop', 'other'];
const words = ['a', 'b-c', 'x.y', 'x_Y', '100%', '%REQ(x)%', 'é', '/p', '"', '\\1', '(?i)'];

const word = fc.constantFrom(...words);
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
/** Without members that are undefined, as YAML would have it. */
const object = (members: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<Raw> =>
  fc.record(members).map((value) => JSON.parse(JSON.stringify(value)) as Raw);

const header = fc.constantFrom('x-a', 'X-B', 'host', 'cookie', 'x!#$%');
const text = (types: readonly string[], names: fc.Arbitrary<string>): fc.Arbitrary<Raw> =>
  fc.oneof(
    object({ name: names, type: fc.constantFrom(...types), value: word }),
    object({ name: names, type: fc.constant('RegularExpression'), value: fc.constantFrom('.*', '[a-z]+', 'a|b') }),
    object({ name: names, type: fc.constant('Present') }),
  );
const unique = (items: fc.Arbitrary<Raw>): fc.Arbitrary<readonly Raw[]> =>
  fc.uniqueArray(items, { maxLength: 3, selector: (item) => String(item['name']).toLowerCase() });

const path = fc.oneof(
  object({
    type: maybe(fc.constantFrom('Exact', 'PathPrefix')),
    value: fc.constantFrom('/', '/a', '/a/', '/a/b', '/%20', '/a b', '/é'),
    ignoreCase: maybe(fc.boolean()),
  }),
  object({ type: fc.constant('RegularExpression'), value: fc.constantFrom('/.*', '/[0-9]{1,3}', 'x?') }),
);
const match = object({
  path: maybe(path),
  method: maybe(fc.constantFrom('GET', 'POST', 'PATCH')),
  headers: maybe(unique(text(['Exact', 'Prefix', 'Suffix', 'Contains'], header))),
  queryParams: maybe(unique(text(['Exact'], fc.constantFrom('q', 'Q', 'r')))),
  cookies: maybe(unique(object({ name: header, value: maybe(word) }))),
  source: maybe(
    object({
      namespaces: maybe(fc.constantFrom([], ['shop'], ['other', 'shop'])),
      podLabels: maybe(fc.constantFrom({}, { app: 'web' }, { 'example.com/X': 'Y.z' })),
      ipBlocks: maybe(fc.constantFrom([], ['127.0.0.0/8'], ['fd00::/8'])),
    }),
  ),
});

const edits = unique(object({ name: fc.constantFrom('x-a', 'x-b', 'Host', 'server'), value: word }));
const modifier = object({ set: maybe(edits), add: maybe(edits), remove: maybe(fc.constant(['x-gone'])) });
const reference = object({
  name: fc.constantFrom(...services),
  namespace: maybe(fc.constantFrom(...namespaces)),
  port: fc.constantFrom(80, 81, 5432),
});
const filter = fc.oneof(
  object({ type: fc.constant('RequestHeaderModifier'), requestHeaderModifier: modifier }),
  object({ type: fc.constant('ResponseHeaderModifier'), responseHeaderModifier: modifier }),
  object({
    type: fc.constant('RequestMirror'),
    requestMirror: object({ backendRef: reference, percent: maybe(fc.integer({ min: 0, max: 100 })) }),
  }),
  object({
    type: fc.constant('URLRewrite'),
    urlRewrite: object({
      hostname: maybe(fc.constant('inner.example.com')),
      path: maybe(
        object({ type: fc.constant('ReplaceFullPath'), replaceFullPath: fc.constantFrom('', '/x', 'x', '\\1') }),
      ),
    }),
  }),
);
const filters = fc.uniqueArray(filter, { maxLength: 3, selector: (item) => item['type'] });

const backend = reference.chain((ref) =>
  object({
    weight: maybe(fc.constantFrom(0, 1, 1_000_000)),
    subset: maybe(fc.constantFrom({}, { v: '1' }, { 'example.com/X': 'Y.z', app: 'web' })),
    filters: maybe(
      fc.uniqueArray(
        filter.filter((one) => String(one['type']).endsWith('HeaderModifier')),
        { maxLength: 2, selector: (item) => item['type'] },
      ),
    ),
  }).map((more) => ({ ...ref, ...more })),
);
const retry = object({
  attempts: maybe(fc.integer({ min: 0, max: 10 })),
  codes: maybe(fc.constantFrom([], [503], [429, 599])),
  retryOn: maybe(fc.constantFrom([], ['Reset'], ['ConnectFailure', 'ServerError'])),
  backoff: maybe(fc.constantFrom('1ms', '720h')),
  idempotent: maybe(fc.boolean()),
  honorRetryAfter: maybe(fc.boolean()),
});
const timeouts = object({
  request: maybe(fc.constantFrom('0s', '3s')),
  idle: maybe(fc.constant('1h')),
  maxStream: maybe(fc.constant('1m')),
});
const forward = object({
  matches: maybe(fc.array(match, { maxLength: 3 })),
  filters: maybe(filters),
  backendRefs: fc.array(backend, { minLength: 1, maxLength: 3 }),
  timeouts: maybe(timeouts),
});
const answer = object({
  matches: maybe(fc.array(match, { maxLength: 2 })),
  filters: fc
    .oneof(
      object({
        type: fc.constant('RequestRedirect'),
        requestRedirect: object({ scheme: maybe(fc.constant('https')), port: maybe(fc.constant(8443)) }),
      }),
      object({
        type: fc.constant('DirectResponse'),
        directResponse: object({ statusCode: fc.constantFrom(200, 599), body: maybe(word) }),
      }),
    )
    .map((one) => [one]),
});
const ruleOf = (kind: string): fc.Arbitrary<Raw> =>
  kind === 'HTTPRoute'
    ? fc.oneof(forward, answer)
    : fc.oneof(
        answer,
        fc
          .tuple(forward, maybe(retry))
          .map(([rule, policy]) => (policy === undefined ? rule : { ...rule, retry: policy })),
      );

const routeOf = (kind: string, apiVersion: string): fc.Arbitrary<Raw> =>
  fc
    .record({
      name: fc.constantFrom('r1', 'r2', 'r3'),
      namespace: fc.constantFrom(...namespaces),
      created: maybe(fc.constantFrom('2026-01-01T00:00:00Z', '2026-02-01T00:00:00Z')),
      parents: fc.array(
        fc.tuple(fc.constantFrom(...services), maybe(fc.constantFrom(80, 5432)), fc.constantFrom(...namespaces)),
        { minLength: 1, maxLength: 2 },
      ),
      hostnames: maybe(fc.subarray(['web', 'a.example.com', '*.example.com'], { minLength: 1 })),
      rules: fc.array(ruleOf(kind), { minLength: 1, maxLength: 3 }),
    })
    .map(({ name, namespace, created, parents, hostnames, rules }): Raw => ({
      apiVersion,
      kind,
      metadata: { name, namespace, ...(created === undefined ? {} : { creationTimestamp: created }) },
      spec: {
        parentRefs: parents.map(([parent, port, space]) => ({
          group: '',
          kind: 'Service',
          name: parent,
          namespace: space,
          ...(port === undefined ? {} : { port }),
        })),
        ...(hostnames === undefined ? {} : { hostnames }),
        rules,
      },
    }));

const service = fc
  .record({
    name: fc.constantFrom('web', 'api', 'db'),
    namespace: fc.constantFrom(...namespaces),
    ports: fc.subarray(
      [
        { name: 'http', port: 80, targetPort: 8080 },
        { name: 'constructor', port: 5432 },
        { name: 'udp', port: 53, protocol: 'UDP' },
      ],
      { minLength: 1 },
    ),
    headless: fc.boolean(),
  })
  .map(({ name, namespace, ports, headless }): Raw => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { selector: { app: name }, ports, ...(headless ? { clusterIP: 'None' } : {}) },
  }));

const grant: Raw = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'ReferenceGrant',
  metadata: { name: 'all', namespace: 'other' },
  spec: {
    from: [{ group: 'legation.dev', kind: 'TrafficRoute', namespace: 'shop' }],
    to: [{ group: '', kind: 'Service' }],
  },
};

const idOf = (raw: Raw): string =>
  JSON.stringify([
    raw['kind'],
    raw['metadata'] && (raw['metadata'] as Raw)['namespace'],
    (raw['metadata'] as Raw)['name'],
  ]);
/** Raw objects of a mesh: Services, routes of both kinds, pods; valid, and often at odds with each other. */
export const mesh = fc
  .tuple(
    fc.array(service, { maxLength: 4 }),
    fc.array(routeOf('TrafficRoute', 'legation.dev/v1alpha1'), { maxLength: 3 }),
    fc.array(routeOf('HTTPRoute', 'gateway.networking.k8s.io/v1'), { maxLength: 2 }),
    fc.boolean(),
  )
  .map(([some, ours, theirs, granted]) => {
    const all = [
      ...some,
      ...ours,
      ...theirs,
      ...(granted ? [grant] : []),
      pod('web-1', { app: 'web', v: '1' }),
      pod('api-1', { app: 'api' }),
    ];
    return [...new Map(all.map((raw) => [idOf(raw), raw])).values()];
  });
