// Delivery objects of Argo Rollouts and Flagger to the one thing that is read of them: how requests are to be split
// right now between the Service of the stable version and that of the new one. Knows no routes.

import { optional } from '../kinds/reader.js';
import type { Fields, Reader } from '../kinds/reader.js';
import type { DeliveryObject } from '../kinds/world.js';
import type { Reduction } from './reduce.js';

const percent = { min: 0, max: 100 };

type Split = DeliveryObject['split'];

const canaryGets = (weight: number): Split => ({ stable: 100 - weight, canary: weight });

/** What Rollouts itself set at a traffic router; beside experiments the two are less than 100. */
function routedSplit(read: Reader, status: Fields): Split | undefined {
  const path = 'status.canary.weights';
  const weights = read.fields(read.fields(status['canary'], 'status.canary')?.['weights'], path);
  if (weights === undefined) return undefined;
  const weightOf = (side: string): number | undefined =>
    read.integer(read.fields(weights[side], `${path}.${side}`)?.['weight'], `${path}.${side}.weight`, percent);
  const canary = weightOf('canary') ?? 0;
  return { stable: weightOf('stable') ?? 100 - canary, canary };
}

/** The last `setWeight` that is done: the one at hand waits until the pods for it are ready. */
function weightAtStep(read: Reader, steps: readonly unknown[], index: number): number {
  if (index >= steps.length) return 100;
  const done = steps.slice(0, index).flatMap((step, place) => {
    const path = `spec.strategy.canary.steps[${String(place)}]`;
    return read.integer(read.fields(step, path)?.['setWeight'], `${path}.setWeight`, percent) ?? [];
  });
  return done.at(-1) ?? 0;
}

const phaseOf = (aborted: boolean, promoted: boolean): string | undefined =>
  aborted ? 'aborted' : promoted ? 'promoted' : undefined;

/** A Rollout with a canary strategy; one without names no Services. */
export function reduceRollout({ raw, meta, read }: Reduction): DeliveryObject<'Rollout'> {
  const spec = read.fields(raw['spec'], 'spec') ?? {};
  const status = read.fields(raw['status'], 'status') ?? {};
  const path = 'spec.strategy.canary';
  const canary = read.fields(read.fields(spec['strategy'], 'spec.strategy')?.['canary'], path) ?? {};
  const steps = read.list(canary['steps'], `${path}.steps`);
  const index = read.integer(status['currentStepIndex'], 'status.currentStepIndex', { min: 0, max: 10_000 }) ?? 0;
  const hash = read.text(status['currentPodHash'], 'status.currentPodHash');
  const promoted = hash === read.text(status['stableRS'], 'status.stableRS');
  const settled = phaseOf(read.flag(status['abort'], 'status.abort') === true, promoted);
  return {
    kind: 'Rollout',
    meta,
    ...optional('stableService', read.text(canary['stableService'], `${path}.stableService`)),
    ...optional('canaryService', read.text(canary['canaryService'], `${path}.canaryService`)),
    split: routedSplit(read, status) ?? canaryGets(settled === undefined ? weightAtStep(read, steps, index) : 0),
    phase: settled ?? `step ${String(index)} of ${String(steps.length)}`,
  };
}

/** A Canary of Flagger; its Services are those that Flagger makes. */
export function reduceCanary({ raw, meta, read }: Reduction): DeliveryObject<'Canary'> {
  const spec = read.fields(raw['spec'], 'spec') ?? {};
  const status = read.fields(raw['status'], 'status') ?? {};
  const target = read.text(read.fields(spec['targetRef'], 'spec.targetRef')?.['name'], 'spec.targetRef.name');
  const name = read.text(read.fields(spec['service'], 'spec.service')?.['name'], 'spec.service.name') ?? target;
  const phase = read.text(status['phase'], 'status.phase') ?? 'Initializing';
  return {
    kind: 'Canary',
    meta,
    ...(name === undefined ? {} : { stableService: `${name}-primary`, canaryService: `${name}-canary` }),
    split: canaryGets(read.integer(status['canaryWeight'], 'status.canaryWeight', percent) ?? 0),
    phase: `phase ${phase}`,
  };
}
