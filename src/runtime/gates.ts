// What a policy asks for and some of its proxies cannot do, because their Envoy is too old. Only the runtime knows who
// is connected.

import { describeRef, idOf, systemNamespace, type ObjectRef } from '../api/meta.js';
import type { Capabilities } from '../features/feature.js';
import type { MeshPolicySpec } from '../kinds/mesh-policy.js';
import type { ExtensionInForce, MeshModel } from '../model/mesh.js';
import type { Finding } from '../model/finding.js';
import { capabilitiesOf } from '../xds/capabilities.js';
import { isAtLeast } from '../xds/extension-choice.js';

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

/** A patch that names the Envoy that it needs, and who has an older one. */
interface Gated {
  readonly extension: ExtensionInForce;
  readonly least: string;
  readonly below: ConnectedProxy[];
}

function gatedOf(extension: ExtensionInForce): readonly Gated[] {
  const { part } = extension;
  const least = part.kind === 'patch' ? part.minEnvoyVersion : undefined;
  return least === undefined ? [] : [{ extension, least, below: [] }];
}

const judged = ({ extension, least, below }: Gated): Finding => {
  const { ref, generation, part = '' } = extension.origin;
  const [first] = below;
  const pods = below.length === 1 ? '1 proxy' : `${String(below.length)} proxies`;
  const example =
    first === undefined ? '' : `${describeRef({ kind: 'Pod', ...keyParts(first.proxy) })} has ${first.envoy}`;
  const message = `\`${part}\` is not in force on ${pods}: it needs Envoy ${least}, ${example}`;
  return {
    ref,
    generation,
    condition: 'Degraded',
    status: 'True',
    reason: 'VersionGate',
    message,
    path: `spec.${part}`,
  };
};

const keyParts = (key: string): { readonly namespace: string; readonly name: string } => {
  const [namespace = '', name = ''] = key.split('/');
  return { namespace, name };
};

/** Patches that proxies in reach do not get, by how many. */
export function versionFindings(model: MeshModel, connected: readonly ConnectedProxy[]): readonly Finding[] {
  const gated = new Map<string, Gated>();
  for (const one of connected) {
    for (const found of (model.proxies.get(one.proxy)?.extensions ?? []).flatMap(gatedOf)) {
      const key = `${idOf(found.extension.origin.ref)} ${found.extension.name}`;
      const held = gated.get(key) ?? found;
      gated.set(key, held);
      if (!isAtLeast(one.envoy, held.least)) held.below.push(one);
    }
  }
  return [...gated.values()].filter(({ below }) => below.length > 0).map(judged);
}
