// Tools that deliver a new version step by step decide how much of the traffic it gets.

import { expect } from 'chai';
import type { Written } from '../../envoy/objects.js';
import { expectCondition } from '../expectations.js';
import type { TestMesh } from '../mesh.js';
import { feature, misuse } from '../registry.js';
import { countBy, expectShares } from '../statistics.js';
import { service } from '../world.js';
import { route } from '../written.js';

const services = [...service('shop', ['v1']), ...service('app-primary', ['v1']), ...service('app-canary', ['v2'])];

const weighed = (weightsFrom: string): string =>
  route(
    'split',
    'shop',
    `
      - name: main
        backendRefs:
          - { name: app-primary, port: 80, weight: 100 }
          - { name: app-canary, port: 80, weight: 0 }
        weightsFrom: ${weightsFrom}`,
  );

const rollout = (status: string): string => `
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: { name: app }
spec:
  strategy:
    canary:
      stableService: app-primary
      canaryService: app-canary
      steps: [{ setWeight: 30 }, { pause: {} }, { setWeight: 70 }, { pause: {} }]
status: ${status}`;

const canary = (status: string): string => `
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: { name: app }
spec:
  targetRef: { apiVersion: apps/v1, kind: Deployment, name: app }
  service: { port: 80 }
status: ${status}`;

feature('1.2-delivery-tools', 'a Rollout moves requests step by step, and an abort takes them back', async (mesh) => {
  const asked = weighed('{ kind: Rollout, name: app }');
  const shares = async (status: string) => {
    await mesh.apply(services, rollout(status), asked);
    return countBy(await mesh.as('web').many(300, 'http://shop/'), (answer) => answer.by);
  };
  expectShares(await shares('{ currentStepIndex: 1, currentPodHash: new, stableRS: old }'), { v1: 0.7, v2: 0.3 });
  expectShares(await shares('{ currentStepIndex: 3, currentPodHash: new, stableRS: old }'), { v1: 0.3, v2: 0.7 });
  const aborted = '{ abort: true, currentStepIndex: 0, currentPodHash: new, stableRS: old }';
  expectShares(await shares(aborted), { v1: 1, v2: 0 });
});

feature('1.2-delivery-tools', 'a Canary of Flagger says what the new version gets', async (mesh) => {
  await mesh.apply(
    services,
    canary('{ phase: Progressing, canaryWeight: 40 }'),
    weighed('{ kind: Canary, name: app }'),
  );
  const answers = await mesh.as('web').many(300, 'http://shop/');
  expectShares(
    countBy(answers, (answer) => answer.by),
    { v1: 0.6, v2: 0.4 },
  );
});

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
        backendRefs: [backend('app-primary', 100 - percent), backend('app-canary', percent)],
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
      { name: 'main', backendRefs: [backend('app-primary', 100 - percent), backend('app-canary', percent)] },
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
              backendRefs: [{ group: '', kind: 'Service', name: 'app-canary', port: 80 }],
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

const backends = '{ name: app-primary, port: 80, weight: 100 }, { name: app-canary, port: 80, weight: 0 }';

feature(
  '1.2-delivery-tools',
  'the same members of a TrafficRoute can be patched, by the name of the rule',
  async (mesh) => {
    const rules = `
  - { name: pinned, matches: [{ path: { value: /pinned } }], backendRefs: [{ name: app-primary, port: 80 }] }
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

misuse('1.2-delivery-tools', 'a Rollout that is not there leaves the weights of the spec', async (mesh) => {
  await mesh.attempt(services, weighed('{ kind: Rollout, name: ap }'));
  const answers = await mesh.as('web').many(20, 'http://shop/');
  expect(countBy(answers, (answer) => answer.by)).to.deep.equal({ v1: 20 });
  const told = await mesh.condition('TrafficRoute', 'split', 'ResolvedRefs');
  expectCondition(told, 'False DeliveryObjectNotFound', "Rollout '", "/ap' not found", 'spec weights are used');
});

misuse('1.2-delivery-tools', 'weights that are read belong to a rule with two Services', async (mesh) => {
  const from = 'weightsFrom: { kind: Rollout, name: app }';
  await mesh.attempt(
    services,
    route('shop', 'shop', `  - { name: main, ${from}, backendRefs: [{ name: shop, port: 80 }] }`),
  );
  const told = await mesh.condition('TrafficRoute', 'shop', 'Accepted');
  expectCondition(told, 'False Invalid', '`weightsFrom` may only be used in a rule with two Service backends');
});
