// What a policy asks for and some of its proxies cannot do, because their Envoy is too old. Only the runtime knows who
// is connected.

import type { ObjectRef } from '../api/meta.js';
import { systemNamespace } from '../api/meta.js';
import type { Capabilities } from '../features/feature.js';
import type { MeshPolicySpec } from '../kinds/mesh-policy.js';
import type { Finding } from '../model/finding.js';
import { capabilitiesOf } from '../xds/capabilities.js';

/** A connected proxy: `namespace/name`, and the version of its Envoy. */
export interface ConnectedProxy {
  readonly proxy: string;
  readonly envoy: string;
}

interface Gate {
  readonly path: string;
  readonly needs: keyof Capabilities;
  readonly isAsked: (spec: MeshPolicySpec) => boolean;
  /** What is missing, and what there is instead. */
  readonly instead: string;
}

const gates: readonly Gate[] = [
  {
    path: 'telemetry.metrics',
    needs: 'statsLogger',
    isAsked: ({ telemetry }) => telemetry?.metrics !== undefined,
    instead: 'which lacks the stats access logger (from 1.37); they count by cluster and rule, without a source',
  },
  {
    path: 'telemetry.metrics.maxSeries',
    needs: 'statsScope',
    isAsked: ({ telemetry }) => telemetry?.metrics?.maxSeries !== undefined,
    instead: 'which cannot bound the number of series (from 1.39)',
  },
];

/** Workload policies are judged by all proxies of their namespace. */
const isInReach = ({ namespace }: ObjectRef, { proxy }: ConnectedProxy): boolean =>
  namespace === systemNamespace || proxy.startsWith(`${namespace}/`);

/** What is in force in a weaker form somewhere; one finding at most. */
export function gateFindings(
  about: Pick<Finding, 'ref' | 'generation'>,
  spec: MeshPolicySpec,
  connected: readonly ConnectedProxy[],
): readonly Finding[] {
  const inReach = connected.filter((one) => isInReach(about.ref, one));
  const found = gates.flatMap(({ path, needs, isAsked, instead }): Finding[] => {
    const old = isAsked(spec) ? inReach.filter(({ envoy }) => !capabilitiesOf(envoy)[needs]) : [];
    const [first] = old;
    if (first === undefined) return [];
    const message = `\`${path}\`: ${String(old.length)} of ${String(inReach.length)} proxies run Envoy ${first.envoy}, ${instead}`;
    const { ref, generation } = about;
    return [
      {
        ref,
        generation,
        condition: 'Degraded',
        status: 'True',
        reason: 'UnsupportedByProxy',
        message,
        path: `spec.${path}`,
      },
    ];
  });
  return found.slice(0, 1);
}
