// Whose rules count, who may refer to whom, and what happens where nobody is there.

import { expect } from 'chai';
import { httpRoute } from '../../envoy/objects.js';
import { expectAnswers, expectCondition, ruleOf } from '../expectations.js';
import type { TestMesh } from '../mesh.js';
import { feature, misuse } from '../registry.js';
import { countBy, expectShares } from '../statistics.js';
import { service } from '../world.js';
import { answeringRules, route } from '../written.js';

feature('1.2-owners', 'rules of several routes are one set, ordered by their matches', async (mesh) => {
  await mesh.apply(
    service('shop', ['v1']),
    route('team-a', 'shop', answeringRules({ a: '{ path: { value: /a } }' })),
    route('team-b', 'shop', answeringRules({ b: '{ path: { value: /a/b } }', rest: '{}' })),
  );
  await expectAnswers(mesh.as('web'), { 'http://shop/a': 'a', 'http://shop/a/b': 'b', 'http://shop/x': 'rest' });
});

misuse('1.2-owners', 'a TrafficRoute owns its port, and an HTTPRoute beside it is told', async (mesh) => {
  await mesh.attempt(
    service('shop', ['v1']),
    route('ours', 'shop', answeringRules({ ours: '{}' })),
    httpRoute(mesh.namespace, 'theirs', { parent: 'shop', rules: [{ backendRefs: [{ name: 'shop', port: 80 }] }] }),
  );
  await expectAnswers(mesh.as('web'), { 'http://shop/': 'ours' });
  const told = await mesh.condition('HTTPRoute', 'theirs', 'Accepted');
  expectCondition(told, 'False OverriddenByTrafficRoute', `TrafficRoute '${mesh.namespace}/ours' owns`);
});

feature('1.2-overlap', 'what loses in part is told, and the rest of it is in force', async (mesh) => {
  await mesh.apply(
    service('shop', ['v1']),
    route('a', 'shop', answeringRules({ first: '{ path: { value: /same } }' })),
    route('b', 'shop', answeringRules({ second: '{ path: { value: /same } }, { path: { value: /own } }' })),
  );
  await expectAnswers(mesh.as('web'), { 'http://shop/same': 'first', 'http://shop/own': 'second' });
  const told = await mesh.condition('TrafficRoute', 'b', 'Conflicted');
  expectCondition(told, 'True RuleOverlap', "Rule 'second' loses to rule 'first'", `'${mesh.namespace}/a'`, '/same');
  expect((await mesh.condition('TrafficRoute', 'a', 'Conflicted')).is).to.equal('');
});

misuse('1.2-overlap', 'a route of which nothing is left is not accepted', async (mesh) => {
  const rules = (name: string): string => route(name, 'shop', answeringRules({ [name]: '{ path: { value: /same } }' }));
  await mesh.attempt(service('shop', ['v1']), rules('a'), rules('b'));
  const told = await mesh.condition('TrafficRoute', 'b', 'Accepted');
  expectCondition(told, 'False Conflicted', `All rules duplicate rules of TrafficRoute '${mesh.namespace}/a'`);
});

feature(
  '1.6-invalid-backend',
  'what matches nothing is 404, an empty Service 503, a broken share 500',
  async (mesh) => {
    const shared = `[{ name: shop, port: 80, weight: 3 }, { name: missing, port: 80, weight: 1 }]`;
    await mesh.attempt(
      ...[service('shop', ['v1']), service('empty', [])],
      route('main', 'shop', `  - { matches: [{ path: { value: /split } }], backendRefs: ${shared} }`),
    );
    await expectAnswers(mesh.as('web'), { 'http://shop/': '404', 'http://empty/': '503', 'http://unknown/': '404' });
    const answers = await mesh.as('web').many(300, 'http://shop/split');
    expectShares(
      countBy(answers, ({ by }) => by),
      { v1: 0.75, 500: 0.25 },
    );
  },
);

misuse('1.6-invalid-backend', 'a Service and a port that are not there are named', async (mesh) => {
  const to = async (backend: string): Promise<void> => {
    await mesh.attempt(service('shop', ['v1']), route('main', 'shop', `  - { name: main, backendRefs: [${backend}] }`));
    await expectAnswers(mesh.as('web'), { 'http://shop/': '500' });
  };
  await to('{ name: missing, port: 80 }');
  const service404 = await mesh.condition('TrafficRoute', 'main', 'ResolvedRefs');
  expectCondition(
    service404,
    'False BackendNotFound',
    `Service '${mesh.namespace}/missing' does not exist`,
    'answers 500',
  );
  await to('{ name: shop, port: 81 }');
  const port404 = await mesh.condition('TrafficRoute', 'main', 'ResolvedRefs');
  expectCondition(port404, 'False PortNotFound', 'has no port 81 (ports: 80)');
});

/** A backend in another namespace of the test. */
function acrossNamespaces(mesh: TestMesh) {
  const namespace = `${mesh.namespace}-other`;
  return {
    objects: [
      ...[service('shop', ['v1']), service('two', ['v2'], { namespace })],
      route('main', 'shop', `  - { name: main, backendRefs: [{ name: two, namespace: ${namespace}, port: 80 }] }`),
    ],
    grant: {
      apiVersion: 'gateway.networking.k8s.io/v1beta1',
      kind: 'ReferenceGrant',
      metadata: { namespace, name: 'shop' },
      spec: {
        from: [{ group: 'legation.dev', kind: 'TrafficRoute', namespace: mesh.namespace }],
        to: [{ group: '', kind: 'Service', name: 'two' }],
      },
    },
  };
}

feature('1.6-grants', 'a grant opens another namespace, and its withdrawal closes it', async (mesh) => {
  const { objects, grant } = acrossNamespaces(mesh);
  const by = async (): Promise<string> => (await mesh.as('web').get('http://shop/')).by;
  await mesh.attempt(...objects);
  expect(await by()).to.equal('500');
  await mesh.apply(...objects, grant);
  expect(await by()).to.equal('v2');
  await mesh.attempt(...objects);
  expect(await by()).to.equal('500');
});

misuse('1.6-grants', 'without a grant the message does not tell what exists', async (mesh) => {
  const { objects } = acrossNamespaces(mesh);
  await mesh.attempt(...objects);
  const told = await mesh.condition('TrafficRoute', 'main', 'ResolvedRefs');
  expectCondition(told, 'False RefNotPermitted', 'no ReferenceGrant there allows TrafficRoute', `'${mesh.namespace}'`);
});

const toService = (name: string, namespace?: string) => ({
  name,
  port: 80,
  ...(namespace === undefined ? {} : { namespace }),
});

feature('1.6-gamma', 'the producer decides for all, a consumer for its own namespace', async (mesh) => {
  const { namespace, guests } = mesh;
  const producer = httpRoute(namespace, 'producer', {
    parent: 'shop',
    rules: [
      { matches: [{ path: { type: 'PathPrefix', value: '/two' } }], backendRefs: [toService('two')] },
      { backendRefs: [toService('one')] },
    ],
  });
  const consumer = httpRoute(guests, `consumer-${namespace}`, {
    parent: 'shop',
    parentNamespace: namespace,
    rules: [
      {
        matches: [{ path: { type: 'PathPrefix', value: '/mine' } }],
        filters: [
          {
            type: 'ResponseHeaderModifier',
            responseHeaderModifier: { set: [{ name: 'x-rules', value: 'of the guest' }] },
          },
        ],
        backendRefs: [toService('two', namespace)],
      },
    ],
  });
  const grant = {
    apiVersion: 'gateway.networking.k8s.io/v1beta1',
    kind: 'ReferenceGrant',
    metadata: { name: 'guests' },
    spec: {
      from: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: guests }],
      to: [{ group: '', kind: 'Service' }],
    },
  };
  const services = [service('shop', []), service('one', ['v1']), service('two', ['v2'])];
  await mesh.apply(...services, producer, consumer, grant);
  await expectAnswers(mesh.as('web'), { 'http://shop/two': 'v2', 'http://shop/': 'v1' });
  const mine = await mesh.as('guest').get('http://shop/mine');
  expect([mine.by, mine.headers['x-rules']]).to.deep.equal(['v2', 'of the guest']);
  expect(ruleOf(await mesh.as('guest').get('http://shop/two')), 'a guest has only its own rules').to.equal('404');
  await mesh.apply(...services, producer);
  await expectAnswers(mesh.as('guest'), { 'http://shop/two': 'v2', 'http://shop/mine': 'v1' });
});

misuse('1.6-gamma', 'a filter that names nothing we know answers 500, and status says which', async (mesh) => {
  const extension = { type: 'ExtensionRef', extensionRef: { group: 'example.org', kind: 'Thing', name: 'x' } };
  await mesh.attempt(
    service('shop', ['v1']),
    httpRoute(mesh.namespace, 'main', {
      parent: 'shop',
      rules: [
        {
          name: 'extended',
          matches: [{ path: { type: 'PathPrefix', value: '/x' } }],
          filters: [extension],
          backendRefs: [toService('shop')],
        },
        { backendRefs: [toService('shop')] },
      ],
    }),
  );
  await expectAnswers(mesh.as('web'), { 'http://shop/x': '500', 'http://shop/': 'v1' });
  const told = await mesh.condition('HTTPRoute', 'main', 'PartiallyInvalid');
  expectCondition(told, 'True UnsupportedValue', "Rule 'extended' answers 500", "found 'ExtensionRef'");
});

feature('1.5-endpoints', 'the ready answer, the unready do not, the terminating get nothing new', async (mesh) => {
  const endpoints = {
    v2: { conditions: { ready: false } },
    v3: { conditions: { ready: false, serving: true, terminating: true } },
  };
  const main = route('main', 'shop', '  - backendRefs: [{ name: shop, port: 80 }]');
  await mesh.apply(service('shop', ['v1', 'v2', 'v3'], { endpoints }), main);
  const answers = await mesh.as('web').many(40, 'http://shop/');
  expect(countBy(answers, ({ by }) => by)).to.deep.equal({ v1: 40 });
});

misuse('1.5-endpoints', 'an endpoint without an address is named', async (mesh) => {
  await mesh.attempt(service('shop', ['v1']), {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'broken', labels: { 'kubernetes.io/service-name': 'shop' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [] }],
  });
  expect(mesh.complaints()).to.deep.equal(['`endpoints[0].addresses` must hold an address']);
});
