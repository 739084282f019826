// The one mesh of the matching tests: a Service for each question, and callers that differ in namespace, labels, address.

import { answering, deployment, ownNamespace, prefix, service, to, trafficRoute, type Written } from './objects.js';

export const home = ownNamespace('matching');
export const guest = ownNamespace('callers');

/** Calling pods. */
export const caller = `${home}/caller-0`;
export const batch = `${home}/batch-0`;
export const visitor = `${guest}/visitor-0`;

const echo = { app: 'echo' };
const v1 = { ...echo, version: 'v1' };
const v2 = { ...echo, version: 'v2' };

const named = (name: string, match: Written): Written => answering(name, { name, matches: [match] });

/** Long, and nothing but what an expression has to escape. */
export const longValue = '.'.repeat(900);

const cookies: readonly Written[] = [
  named('none', {}),
  named('present', { cookies: [{ name: 'canary' }] }),
  named('exact', { headers: [{ name: 'cookie', type: 'Present' }], cookies: [{ name: 'canary', value: 'v(2).0' }] }),
  named('long', { headers: [{ name: 'cookie', type: 'Present' }], cookies: [{ name: 'canary', value: longValue }] }),
  named('both', { cookies: [{ name: 'canary' }, { name: 'user' }] }),
];

/** A rule that tells by a header which one it was. */
const telling = (name: string, matches: readonly Written[], more: Written = {}): Written => ({
  name,
  matches,
  filters: [
    { type: 'ResponseHeaderModifier', responseHeaderModifier: { set: [{ name: 'x-rule', value: name }] } },
    ...((more['filters'] ?? []) as readonly Written[]),
  ],
  backendRefs: more['backendRefs'] ?? [to('echo')],
});

const cartList = { service: 'shop.Cart', method: 'List' };

const calls: readonly Written[] = [
  telling('by-method', [{ grpc: { method: 'List' } }]),
  telling('by-expression', [{ grpc: { type: 'RegularExpression', service: 'shop[.].*', method: 'Get.*' } }]),
  telling('by-service', [{ grpc: { service: 'shop.Cart' } }]),
  telling('exact', [{ grpc: cartList }]),
  telling('gold', [{ grpc: cartList, headers: [{ name: 'x-kind', value: 'gold' }] }]),
];

/** A Gateway API route with a Service parent. */
const gatewayRoute = (kind: string, name: string, rules: readonly Written[]): Written => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind,
  metadata: { namespace: home, name: `${name}-${kind.toLowerCase()}` },
  spec: { parentRefs: [{ group: '', kind: 'Service', name, port: 80 }], rules },
});

const wrongKind = { group: 'example.com', kind: 'Bucket', name: 'b' };
const setHeader = {
  type: 'RequestHeaderModifier',
  requestHeaderModifier: { set: [{ name: 'x-set', value: 'by route' }] },
};
const extension = { type: 'ExtensionRef', extensionRef: { group: 'example.com', kind: 'Thing', name: 't' } };
const mirrorTo = (backendRef: Written): Written => ({ type: 'RequestMirror', requestMirror: { backendRef } });

const gatewayCalls: readonly Written[] = [
  telling('gold', [{ method: { service: 'shop.Cart' }, headers: [{ name: 'x-kind', value: 'gold' }] }], {
    filters: [setHeader],
  }),
  telling('split', [{ method: { service: 'shop.Split', method: 'Go' } }], {
    backendRefs: [to('echo-v1', { weight: 3 }), to('echo-v2', { weight: 1 })],
  }),
  telling('mirrored', [{ method: { type: 'RegularExpression', service: 'shop.Mir[a-z]+' } }], {
    filters: [mirrorTo(to('shadow'))],
  }),
  { name: 'nothing', matches: [{ method: { service: 'shop.Closed' } }] },
  telling('extension', [{ method: { service: 'shop.Extension' } }], { filters: [extension] }),
  telling('missing', [{ method: { service: 'shop.Missing' } }], { backendRefs: [to('missing')] }),
  telling('wrong-kind', [{ method: { service: 'shop.Kind' } }], {
    backendRefs: [to('echo', { weight: 3 }), { ...wrongKind, weight: 1 }],
  }),
];

const exactly = (value: string): Written => ({ path: { type: 'Exact', value } });

const sources: readonly Written[] = [
  named('all', {}),
  named('guests', { source: { namespaces: [guest] } }),
  named('batch', { source: { podLabels: { tier: 'low' } } }),
  named('nobody', { ...exactly('/nobody'), source: { namespaces: [guest], podLabels: { tier: 'low' } } }),
  named('loopback', { ...prefix('/address'), source: { ipBlocks: ['127.0.0.0/8'] } }),
  named('elsewhere', { ...exactly('/address'), source: { ipBlocks: ['10.0.0.0/8'] } }),
];

const guestsOnly = [named('guests', { source: { namespaces: [guest] } })];
const fronts = ['cookies', 'calls', 'gateway', 'mixed', 'source', 'guests-only', 'tunnel', 'kinds', 'echo'];

/** Every object of the mesh. */
export const objects: readonly Written[] = [
  deployment(home, 'caller'),
  deployment(home, 'batch', { labels: { app: 'batch', tier: 'low' } }),
  deployment(guest, 'visitor'),
  deployment(home, 'echo-v1', { labels: v1 }),
  deployment(home, 'echo-v2', { labels: v2 }),
  deployment(home, 'shadow'),
  ...fronts.map((name) => service(home, name, { selector: echo })),
  service(home, 'echo-v1', { selector: v1 }),
  service(home, 'echo-v2', { selector: v2 }),
  service(home, 'shadow', { selector: { app: 'shadow' } }),
  trafficRoute(home, 'cookies', { parent: 'cookies', rules: cookies }),
  trafficRoute(home, 'calls', { parent: 'calls', protocol: 'GRPC', rules: calls }),
  gatewayRoute('GRPCRoute', 'gateway', gatewayCalls),
  gatewayRoute('GRPCRoute', 'mixed', [telling('grpc', [{ method: { service: 'shop.Cart' } }])]),
  gatewayRoute('HTTPRoute', 'mixed', [{ backendRefs: [to('echo')] }]),
  gatewayRoute('HTTPRoute', 'kinds', [
    { backendRefs: [to('echo', { weight: 3 }), { ...wrongKind, weight: 1 }] },
    { matches: [prefix('/mirrored')], filters: [mirrorTo(wrongKind)], backendRefs: [to('echo')] },
  ]),
  trafficRoute(home, 'source', { parent: 'source', rules: sources }),
  trafficRoute(home, 'guests-only', { parent: 'guests-only', rules: guestsOnly }),
  trafficRoute(home, 'tunnel', {
    parent: 'tunnel',
    rules: [
      { name: 'tunnel', matches: [{ method: 'CONNECT' }], backendRefs: [to('echo')] },
      answering('no tunnel', { name: 'rest' }),
    ],
  }),
];

/** A route whose one rule is for callers of a namespace. */
export const routeForCallersOf = (namespace: string): Written =>
  trafficRoute(home, 'moving', { parent: 'echo-v2', rules: [named('some', { source: { namespaces: [namespace] } })] });

const wrongRoute = (name: string, match: Written, protocol = 'HTTP'): Written =>
  trafficRoute(home, name, { parent: 'echo', protocol, rules: [named('a', match)] });

/** Objects that are wrong, by name, each with the words that say so. */
export const wrong: readonly (readonly [string, Written, string])[] = [
  ['cookie', wrongRoute('cookie', { cookies: [{ name: 'a b' }] }), 'spec.rules[0].matches[0].cookies[0].name'],
  [
    'cookie-value',
    wrongRoute('cookie-value', { cookies: [{ name: 'a', value: '.'.repeat(1024) }] }),
    'is too long to be compared by Envoy',
  ],
  [
    'protocol',
    wrongRoute('protocol', { grpc: { service: 'shop.Cart' } }),
    "`grpc` may only be used when `protocol` is 'GRPC'",
  ],
  [
    'call',
    wrongRoute('call', { grpc: { service: 'shop.Cart/List' } }, 'GRPC'),
    "must be a name without '/', found 'shop.Cart/List'",
  ],
  [
    'connect',
    wrongRoute('connect', { method: 'CONNECT', ...prefix('/api') }),
    "must not be set beside `method` 'CONNECT'",
  ],
  [
    'address',
    wrongRoute('address', { source: { ipBlocks: ['10.0.0.1/8'] } }),
    "'10.0.0.1/8' must be an IPv4 or IPv6 prefix",
  ],
];
