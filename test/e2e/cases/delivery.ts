// Tools that deliver by steps edit weights of a route and leave all else: in the shapes in which they write it.

import { expect } from 'chai';
import type { Written } from '../../envoy/objects.js';
import { expectCondition } from '../expectations.js';
import type { TestMesh } from '../mesh.js';
import { feature, misuse } from '../registry.js';
import { countBy, expectShares } from '../statistics.js';
import { service } from '../world.js';
import { route } from '../written.js';

const services = [...service('shop', ['v1']), ...service('stable', ['v1']), ...service('canary', ['v2'])];

/** Percent to the canary, as a tool goes up, and back when an analysis fails. */
const steps = [0, 20, 50, 0, 100] as const;

/** Requests fall as a step says; none is lost on the way. */
async function expectStep(mesh: TestMesh, percent: number): Promise<void> {
  const seen = countBy(await mesh.as('web').many(200, 'http://shop/'), ({ by }) => by);
  expectShares(seen, { v1: 1 - percent / 100, v2: percent / 100 });
}

const backend = (name: string, weight: number): Written => ({ group: '', kind: 'Service', name, port: 80, weight });

/** What Flagger creates for a Canary with provider `gatewayapi:v1`, and owns: two backends in one rule, all written out. */
const ofFlagger = (percent: number): Written => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: {
    name: 'shop',
    annotations: { 'helm.toolkit.fluxcd.io/driftDetection': 'disabled' },
    ownerReferences: [
      { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', name: 'shop', uid: '5f0e', controller: true },
    ],
  },
  spec: {
    parentRefs: [{ group: '', kind: 'Service', name: 'shop', port: 80 }],
    rules: [
      {
        matches: [{ path: { type: 'PathPrefix', value: '/' } }],
        backendRefs: [backend('stable', 100 - percent), backend('canary', percent)],
      },
    ],
  },
});

feature('1.2-delivery-tools', 'each step of Flagger is in force when status says so', async (mesh) => {
  for (const percent of steps) {
    await mesh.apply(services, ofFlagger(percent));
    await expectStep(mesh, percent);
  }
});

/** What the plugin of Argo Rollouts makes of a route: it sets weights, a label while it is at work, and a header route. */
const ofRollouts = (percent: number): Written => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: {
    name: 'shop',
    labels: percent % 100 === 0 ? {} : { 'rollouts.argoproj.io/gatewayapi-canary': 'in-progress' },
  },
  spec: {
    parentRefs: [{ group: '', kind: 'Service', name: 'shop', port: 80 }],
    rules: [
      { name: 'main', backendRefs: [backend('stable', 100 - percent), backend('canary', percent)] },
      ...(percent % 100 === 0
        ? []
        : [
            {
              matches: [
                {
                  path: { type: 'PathPrefix', value: '/' },
                  headers: [{ type: 'Exact', name: 'x-canary', value: 'me' }],
                },
              ],
              backendRefs: [{ group: '', kind: 'Service', name: 'canary', port: 80 }],
            },
          ]),
    ],
  },
});

feature('1.2-delivery-tools', 'each step of Argo Rollouts, its header route included', async (mesh) => {
  for (const percent of steps) {
    await mesh.apply(services, ofRollouts(percent));
    await expectStep(mesh, percent);
    const { by } = await mesh.as('web').get('http://shop/', { 'x-canary': 'me' });
    expect(by, String(percent)).to.equal(percent === 0 ? 'v1' : 'v2');
  }
});

const backends = '{ name: stable, port: 80, weight: 100 }, { name: canary, port: 80, weight: 0 }';

feature(
  '1.2-delivery-tools',
  'the same members of a TrafficRoute can be patched, by the name of the rule',
  async (mesh) => {
    const rules = `
  - { name: pinned, matches: [{ path: { value: /pinned } }], backendRefs: [{ name: stable, port: 80 }] }
  - { name: main, backendRefs: [${backends}] }`;
    for (const percent of steps) {
      const patched = rules.replace('weight: 0', `weight: ${String(percent)}`);
      await mesh.apply(
        services,
        route('shop', 'shop', patched.replace('weight: 100', `weight: ${String(100 - percent)}`)),
      );
      await expectStep(mesh, percent);
      expect((await mesh.as('web').get('http://shop/pinned')).by).to.equal('v1');
    }
  },
);

misuse(
  '1.2-delivery-tools',
  'weights that are read from the tool are refused, and the message says what works',
  async (mesh) => {
    const from = 'weightsFrom: { kind: Rollout, name: shop }';
    await mesh.attempt(services, route('shop', 'shop', `  - { name: main, ${from}, backendRefs: [${backends}] }`));
    const told = await mesh.condition('TrafficRoute', 'shop', 'Accepted');
    expectCondition(told, 'False UnsupportedValue', '`spec.rules[0].weightsFrom`', 'write `weight` at the backends');
    await mesh.attempt(
      services,
      route('shop', 'shop', `  - { name: main, ${from}, backendRefs: [{ name: stable, port: 80 }] }`),
    );
    const wrong = await mesh.condition('TrafficRoute', 'shop', 'Accepted');
    expectCondition(wrong, 'False Invalid', '`weightsFrom` may only be used in a rule with two Service backends');
  },
);
