// Policies of several levels on one Service: whose word a request meets, and what each of them is told.

import { expect } from 'chai';
import { expectCondition, timed } from '../expectations.js';
import type { TestMesh } from '../mesh.js';
import { feature, misuse } from '../registry.js';
import { service } from '../world.js';
import { route } from '../written.js';

/** A MeshPolicy with a time for requests; `spec` has more members, in YAML. */
const policy = (name: string, request: string, spec = ''): string => `
apiVersion: legation.dev/v1alpha1
kind: MeshPolicy
metadata: { name: ${name} }
spec:
  upstream: { timeouts: { request: ${request} } }
  ${spec}`;

const onService = (...names: readonly string[]): string =>
  `targetRefs: [${names.map((name) => `{ kind: Service, name: ${name} }`).join(', ')}]`;

const onRule = (rule: string): string =>
  `targetRefs: [{ group: legation.dev, kind: TrafficRoute, name: shop, sectionName: ${rule} }]`;

const ofRules = `
  - { name: named, matches: [{ path: { value: /named } }], backendRefs: [{ name: shop, port: 80 }] }
  - { name: own, matches: [{ path: { value: /own } }], timeouts: { request: 200ms }, backendRefs: [{ name: shop, port: 80 }] }
  - { name: rest, backendRefs: [{ name: shop, port: 80 }] }`;

/** Milliseconds until a request that would take 5 s is given up. */
async function patience(mesh: TestMesh, url: string): Promise<number> {
  const [answer, took] = await timed(() => mesh.as('web').get(url, { 'x-app-slow': '9' }));
  expect(answer.status, url).to.equal(504);
  return took;
}

/** A member of the status of `MeshPolicy limits`. */
async function told(mesh: TestMesh, object: string, member: string): Promise<unknown> {
  const [kind = '', name = ''] = object.split(' ');
  const status: object = (await mesh.statusOf(kind, name))?.status ?? {};
  return new Map<string, unknown>(Object.entries(status)).get(member);
}

feature('1.6-attachment', 'a rule, a policy on it, its Service, its namespace: the nearest wins', async (mesh) => {
  const { namespace } = mesh;
  await mesh.apply(
    ...[service('shop', ['v1']), service('other', ['v1']), route('shop', 'shop', ofRules)],
    ...[
      policy('base', '2500ms'),
      policy('limits', '1500ms', onService('shop')),
      policy('named', '700ms', onRule('named')),
    ],
  );
  const urls = ['http://shop/own', 'http://shop/named', 'http://shop/', 'http://other/'];
  const times = await Promise.all(urls.map((url) => patience(mesh, url)));
  // Each is over before the next one could be.
  const bounds = [200, 700, 1500, 2500, 4500];
  times.forEach((time, at) => expect(time, urls[at]).to.be.within((bounds[at] ?? 0) - 10, (bounds[at + 1] ?? 0) - 10));

  expect(await told(mesh, 'MeshPolicy base', 'blocks')).to.deep.equal([
    `upstream: in force, in places overridden by ${namespace}/limits`,
  ]);
  expect(await told(mesh, 'MeshPolicy limits', 'blocks')).to.deep.equal(['upstream: in force']);
  expect(await told(mesh, 'MeshPolicy limits', 'selected')).to.deep.equal({ services: 1, workloads: 1 });
  expect(await told(mesh, 'TrafficRoute shop', 'policies')).to.deep.equal([
    `${namespace}/named (upstream)`,
    `${namespace}/limits (upstream)`,
  ]);
});

misuse('1.6-attachment', 'the younger of two, a missing target, and a rule that is not there', async (mesh) => {
  const { namespace } = mesh;
  await mesh.attempt(
    ...[service('shop', ['v1']), route('shop', 'shop', ofRules)],
    ...[policy('a', '300ms', onService('shop', 'shops')), policy('b', '3s', onService('shop'))],
    policy('nowhere', '100ms', onRule('name')),
  );
  expect(await patience(mesh, 'http://shop/')).to.be.within(290, 2900);
  const [a, b] = [`MeshPolicy '${namespace}/a'`, 'upstream.timeouts'];
  expectCondition(await mesh.condition('MeshPolicy', 'b', 'Conflicted'), 'True OlderWins', a, b);
  expectCondition(await mesh.condition('MeshPolicy', 'b', 'Ready'), 'False Overridden', `overridden by ${a}`);
  expectCondition(await mesh.condition('MeshPolicy', 'a', 'Ready'), 'True Programmed');
  const text = JSON.stringify(await told(mesh, 'MeshPolicy a', 'ancestors'));
  expect(text).to.include(`Service '${namespace}/shops' does not exist; did you mean 'shop'?`);
  const nowhere = await mesh.condition('MeshPolicy', 'nowhere', 'Accepted');
  expectCondition(nowhere, 'False TargetNotFound', "has no rule 'name'; did you mean 'named'?");
});
