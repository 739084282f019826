// Where a caller is, as far as some Service looks at it. How its workload is spread over localities is counted only where
// some Service is zone aware.

import { wellKnownLabels } from '../api/meta.js';
import type { Pod, World } from '../kinds/world.js';
import { memoised } from '../lib/memo.js';
import { placeOf, spreadOfWorkload, type Place } from '../model/place.js';
import { nameOfLocality, writeSpread } from '../model/spread.js';
import { hasProxy } from './held-rules.js';
import { labelAt, type Placing, type Whereabouts } from './places.js';

/** What tells of places. */
type Tables = Pick<World, 'pods' | 'nodes'>;

const whereabouts = ({ meta, nodeName: name }: Pod, nodes: World['nodes']): Whereabouts => ({
  pod: meta.labels,
  node: (name === undefined ? undefined : nodes.get(`/${name}`))?.meta.labels ?? {},
  nodeName: name,
});

const workloadOf = ({ workload }: Pod): string => `${workload.kind}/${workload.namespace}/${workload.name}`;

/** By workload. */
const spreadsIn = memoised((pods: World['pods'], nodes: World['nodes']): ReadonlyMap<string, string> => {
  const workloads = new Map<string, Map<string, number>>();
  for (const pod of pods.values()) {
    if (!hasProxy(pod)) continue;
    const where = whereabouts(pod, nodes);
    const name = nameOfLocality(labelAt(where, wellKnownLabels.region), labelAt(where, wellKnownLabels.zone));
    const counts = workloads.get(workloadOf(pod)) ?? new Map<string, number>();
    workloads.set(workloadOf(pod), counts.set(name, (counts.get(name) ?? 0) + 1));
  }
  return new Map([...workloads].map(([workload, counts]) => [workload, writeSpread(counts)]));
});

/** What of the place of a pod counts. */
export function placeOfCaller(pod: Pod, { pods, nodes }: Tables, { keys }: Placing): Place {
  const where = whereabouts(pod, nodes);
  const spread = keys.includes(spreadOfWorkload) ? spreadsIn(pods, nodes).get(workloadOf(pod)) : undefined;
  return placeOf((key) => (key === spreadOfWorkload ? spread : labelAt(where, key)), keys);
}
