// Tools that deliver a new version step by step decide how much of the traffic it gets.

import { expect } from 'chai';
import { expectCondition } from '../expectations.js';
import { feature, misuse } from '../registry.js';
import { countBy, expectShares } from '../statistics.js';
import { service } from '../world.js';
import { route } from '../written.js';

const services = [service('shop', []), service('app-primary', ['v1']), service('app-canary', ['v2'])];

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
    await mesh.apply(...services, rollout(status), asked);
    return countBy(await mesh.as('web').many(300, 'http://shop/'), (answer) => answer.by);
  };
  expectShares(await shares('{ currentStepIndex: 1, currentPodHash: new, stableRS: old }'), { v1: 0.7, v2: 0.3 });
  expectShares(await shares('{ currentStepIndex: 3, currentPodHash: new, stableRS: old }'), { v1: 0.3, v2: 0.7 });
  const aborted = '{ abort: true, currentStepIndex: 0, currentPodHash: new, stableRS: old }';
  expectShares(await shares(aborted), { v1: 1, v2: 0 });
});

feature('1.2-delivery-tools', 'a Canary of Flagger says what the new version gets', async (mesh) => {
  await mesh.apply(
    ...services,
    canary('{ phase: Progressing, canaryWeight: 40 }'),
    weighed('{ kind: Canary, name: app }'),
  );
  const answers = await mesh.as('web').many(300, 'http://shop/');
  expectShares(
    countBy(answers, (answer) => answer.by),
    { v1: 0.6, v2: 0.4 },
  );
});

misuse('1.2-delivery-tools', 'a Rollout that is not there leaves the weights of the spec', async (mesh) => {
  await mesh.attempt(...services, weighed('{ kind: Rollout, name: ap }'));
  const answers = await mesh.as('web').many(20, 'http://shop/');
  expect(countBy(answers, (answer) => answer.by)).to.deep.equal({ v1: 20 });
  const told = await mesh.condition('TrafficRoute', 'split', 'ResolvedRefs');
  expectCondition(told, 'False DeliveryObjectNotFound', "Rollout '", "/ap' not found", 'spec weights are used');
});
