// What Argo Rollouts and Flagger say of a canary, read as the split that they want now.

import { expect } from 'chai';
import { objectOf } from './objects.js';

const metadata = { name: 'x', namespace: 'shop' };
const steps = [{ setWeight: 20 }, { pause: {} }, { setWeight: 60 }, { pause: {} }];
const canary = { stableService: 'a', canaryService: 'b', steps };

const rollout = (status: unknown, strategy: unknown = { canary }) => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Rollout',
  metadata,
  spec: { strategy },
  status,
});

const flagger = (spec: unknown, status?: unknown) => ({
  apiVersion: 'flagger.app/v1beta1',
  kind: 'Canary',
  metadata,
  spec,
  status,
});

const under = { currentPodHash: 'new', stableRS: 'old' };

describe('sources/reduce-delivery', () => {
  const rows: readonly (readonly [string, unknown, number, string])[] = [
    ['nothing is known yet', undefined, 0, 'promoted'],
    ['the first weight waits for its pods', { ...under, currentStepIndex: 0 }, 0, 'step 0 of 4'],
    ['a weight holds once its step is done', { ...under, currentStepIndex: 1 }, 20, 'step 1 of 4'],
    ['the next weight waits in its turn', { ...under, currentStepIndex: 2 }, 20, 'step 2 of 4'],
    ['the second weight', { ...under, currentStepIndex: 3 }, 60, 'step 3 of 4'],
    ['all steps are done', { ...under, currentStepIndex: 4 }, 100, 'step 4 of 4'],
    ['aborted', { ...under, currentStepIndex: 3, abort: true }, 0, 'aborted'],
    ['promoted', { currentPodHash: 'new', stableRS: 'new', currentStepIndex: 4 }, 0, 'promoted'],
  ];
  for (const [what, status, weight, phase] of rows) {
    it(`a Rollout: ${what}`, () => {
      expect(objectOf(rollout(status))).to.deep.include({
        split: { stable: 100 - weight, canary: weight },
        phase,
        stableService: 'a',
        canaryService: 'b',
      });
    });
  }

  it('a Rollout with a traffic router: what the router was told', () => {
    const weights = { canary: { weight: 30 }, stable: { weight: 60 }, additional: [{ weight: 10 }] };
    expect(objectOf(rollout({ ...under, currentStepIndex: 0, canary: { weights } }))).to.deep.include({
      split: { stable: 60, canary: 30 },
    });
  });

  it('a Rollout without a canary strategy splits nothing', () => {
    expect(objectOf(rollout(under, { blueGreen: { activeService: 'a' } }))).not.to.have.any.keys(
      'stableService',
      'canaryService',
    );
  });

  it('a Canary: the Services that Flagger makes, named after its service or its target', () => {
    const targetRef = { kind: 'Deployment', name: 'app' };
    expect(objectOf(flagger({ targetRef }, { phase: 'Progressing', canaryWeight: 15 }))).to.deep.include({
      stableService: 'app-primary',
      canaryService: 'app-canary',
      split: { stable: 85, canary: 15 },
      phase: 'phase Progressing',
    });
    expect(objectOf(flagger({ targetRef, service: { name: 'shop' } }))).to.deep.include({
      stableService: 'shop-primary',
      split: { stable: 100, canary: 0 },
      phase: 'phase Initializing',
    });
  });
});
