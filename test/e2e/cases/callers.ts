// Rules for some callers only: who is calling is known to the control plane, so nothing in a request can pretend.

import { expect } from 'chai';
import { callers as callerNames, type CallerName, service } from '../world.js';
import { expectCondition, ruleOf } from '../expectations.js';
import type { TestMesh } from '../mesh.js';
import { feature, misuse } from '../registry.js';
import { answeringRules, route } from '../written.js';

const names: readonly CallerName[] = ['web', 'guest'];

const rules = (matches: Readonly<Record<string, string>>): string => route('main', 'shop', answeringRules(matches));

/** Which rule each caller meets. */
const met = async (mesh: TestMesh, path = ''): Promise<Readonly<Record<string, string>>> => {
  const url = `http://shop/${path}`;
  const seen = names.map(async (name) => [name, ruleOf(await mesh.as(name).get(url))] as const);
  return Object.fromEntries(await Promise.all(seen));
};

const addressOf = (mesh: TestMesh, name: CallerName): string => mesh.envoy(name).proxy.split(':')[0] ?? '';

feature('1.1-source', 'callers are told apart by namespace, by labels, and by address', async (mesh) => {
  await mesh.apply(
    service('shop', ['v1']),
    rules({
      all: '{}',
      namespace: `{ path: { value: /namespace }, source: { namespaces: [${mesh.guests}] } }`,
      labels: '{ path: { value: /labels }, source: { podLabels: { app: web } } }',
      address: `{ path: { value: /address }, source: { ipBlocks: ["${addressOf(mesh, 'guest')}/32"] } }`,
      nobody: `{ path: { value: /nobody }, source: { namespaces: [${mesh.guests}], podLabels: { app: web } } }`,
    }),
  );
  expect(await met(mesh, 'namespace')).to.deep.equal({ web: 'all', guest: 'namespace' });
  expect(await met(mesh, 'labels')).to.deep.equal({ web: 'labels', guest: 'all' });
  expect(await met(mesh, 'address')).to.deep.equal({ web: 'all', guest: 'address' });
  expect(await met(mesh, 'nobody')).to.deep.equal({ web: 'all', guest: 'all' });
});

feature('1.1-source', 'a rule moves with the words that say for whom it is, and others never hold it', async (mesh) => {
  for (const [namespace, wanted] of [
    [mesh.guests, { web: '404', guest: 'some' }],
    [mesh.apps, { web: 'some', guest: '404' }],
  ] as const) {
    await mesh.apply(service('shop', ['v1']), rules({ some: `{ source: { namespaces: [${namespace}] } }` }));
    expect(await met(mesh)).to.deep.equal(wanted);
    for (const name of names) {
      const held = await mesh.envoy(name).admin('/config_dump?resource=dynamic_route_configs');
      expect(held.includes(`${mesh.namespace}/main/some`), name).to.equal(callerNames[name].startsWith(namespace));
    }
  }
});

misuse('1.1-source', 'an address that is no prefix is named', async (mesh) => {
  await mesh.attempt(service('shop', ['v1']), rules({ some: '{ source: { ipBlocks: ["10.0.0.1/8"] } }' }));
  const told = await mesh.condition('TrafficRoute', 'main', 'Accepted');
  expectCondition(told, 'False Invalid', 'ipBlocks', "'10.0.0.1/8' must be an IPv4 or IPv6 prefix");
});
