// The mesh of the tests about several owners of one host: Services of one namespace, and routes of three.

import { supportedVersions } from './harness.js';
import { answering, deployment, ownNamespace, prefix, service, to, trafficRoute, type Written } from './objects.js';

/** Owns the Services that are called. */
export const edge = ownNamespace('edge');
/** Owns routes below rules of `edge`. */
export const team = ownNamespace('team');
/** Owns Services that `edge` refers to, and consumer routes. */
export const guest = ownNamespace('guest');

/** One calling pod for each version of Envoy. */
export const callers = supportedVersions.map((_, index) => `${edge}/caller-${String(index)}`);
/** A caller of another namespace. */
export const visitor = `${guest}/visitor-0`;
export const applications = [`${edge}/echo-0`, `${guest}/api-0`, `${team}/own-0`];

/** A rule that hands on what is below a path. */
export const handing = (name: string, path: string, namespaces: readonly string[]): Written => ({
  name,
  matches: [prefix(path)],
  delegate: { namespaces },
});

/** A route below a rule of a route of `edge`. */
export const childRoute = (
  id: readonly [namespace: string, name: string],
  parent: { readonly route: string; readonly rule: string; readonly namespace?: string },
  rules: readonly Written[],
): Written => ({
  apiVersion: 'legation.dev/v1alpha1',
  kind: 'TrafficRoute',
  metadata: { namespace: id[0], name: id[1] },
  spec: {
    parentRefs: [
      {
        group: 'legation.dev',
        kind: 'TrafficRoute',
        namespace: parent.namespace ?? edge,
        name: parent.route,
        sectionName: parent.rule,
      },
    ],
    rules,
  },
});

/** Lets routes of `edge` refer to a Service of `guest`. */
export const grantFor = (name: string): Written => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'ReferenceGrant',
  metadata: { namespace: guest, name: `for-${name}` },
  spec: {
    from: [{ group: 'legation.dev', kind: 'TrafficRoute', namespace: edge }],
    to: [{ group: '', kind: 'Service', name }],
  },
});

/** The same object, written at another time. */
export const createdAt = (object: Written, creationTimestamp: string): Written => ({
  ...object,
  metadata: { ...(object['metadata'] as Written), creationTimestamp },
});

/** What `team` may do below the Service `web`. */
export const webRoute = (namespaces: readonly string[]): Written =>
  trafficRoute(edge, 'web', {
    parent: 'web',
    rules: [
      answering('health', { name: 'health', matches: [prefix('/team/health')] }),
      {
        ...handing('team', '/team', namespaces),
        filters: [
          { type: 'ResponseHeaderModifier', responseHeaderModifier: { set: [{ name: 'x-by', value: 'edge' }] } },
        ],
      },
      answering('rest', { name: 'rest' }),
    ],
  });

const own = (value: string): Written => ({
  filters: [
    { type: 'DirectResponse', directResponse: { statusCode: 200, body: value } },
    { type: 'ResponseHeaderModifier', responseHeaderModifier: { set: [{ name: 'x-by', value }] } },
  ],
});

/** Children of `web`, and children of theirs. */
export const webChildren: readonly Written[] = [
  childRoute([team, 'app'], { route: 'web', rule: 'team' }, [
    answering('all', { name: 'all', matches: [prefix('/team/app')] }),
    answering('exact', { name: 'exact', matches: [{ path: { type: 'Exact', value: '/team/app' } }] }),
    answering('health-of-team', { name: 'health', matches: [prefix('/team/health')] }),
    answering('html', { name: 'html', matches: [{ path: { type: 'RegularExpression', value: '/.*[.]html' } }] }),
    { name: 'own', matches: [prefix('/team/own')], ...own('team') },
    answering('outside', { name: 'outside', matches: [prefix('/elsewhere')] }),
    {
      name: 'rewritten',
      matches: [prefix('/team/old')],
      filters: [
        { type: 'URLRewrite', urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/new' } } },
      ],
      backendRefs: [to('own')],
    },
    handing('deeper', '/team/deep', [edge]),
  ]),
  childRoute([edge, 'deep'], { route: 'app', rule: 'deeper', namespace: team }, [
    answering('deep', { name: 'deep', matches: [{ ...prefix('/team/deep/x'), method: 'GET' }] }),
    handing('deepest', '/team/deep/y', ['*']),
  ]),
  childRoute([edge, 'deepest'], { route: 'deep', rule: 'deepest' }, [answering('too deep')]),
  childRoute([guest, 'stranger'], { route: 'web', rule: 'team' }, [answering('stranger')]),
  childRoute([team, 'misnamed'], { route: 'web', rule: 'teem' }, [answering('misnamed')]),
];

const names = ['web', 'echo', 'granted', 'mirrored', 'shared'];

/** Everything that does not change. */
export const objects: readonly Written[] = [
  deployment(edge, 'caller', { replicas: callers.length }),
  deployment(guest, 'visitor'),
  deployment(edge, 'echo'),
  deployment(guest, 'api'),
  ...names.map((name) => service(edge, name, { selector: { app: 'echo' } })),
  service(guest, 'api', { selector: { app: 'api' } }),
  service(guest, 'shadow', { selector: { app: 'api' } }),
  deployment(team, 'own'),
  service(team, 'own', { selector: { app: 'own' } }),
  trafficRoute(edge, 'echo', {
    parent: 'echo',
    rules: [{ name: 'main', backendRefs: [to('echo')], retry: { attempts: 0 } }],
  }),
  trafficRoute(edge, 'granted', {
    parent: 'granted',
    rules: [{ name: 'main', backendRefs: [to('api', { namespace: guest })] }],
  }),
  trafficRoute(edge, 'mirrored', {
    parent: 'mirrored',
    rules: [
      {
        name: 'main',
        filters: [{ type: 'RequestMirror', requestMirror: { backendRef: to('shadow', { namespace: guest }) } }],
        backendRefs: [to('echo')],
      },
    ],
  }),
];
