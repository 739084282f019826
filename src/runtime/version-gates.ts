// What some of the connected Envoys are too old for: said in the status of the policy that asks for it.

import { describeRef, idOf } from '../api/meta.js';
import type { ExtensionInForce, MeshModel } from '../model/mesh.js';
import type { Finding } from '../model/finding.js';
import { isAtLeast } from '../xds/extension-choice.js';

/** A connected Envoy. */
interface Connected {
  /** `namespace/name` of its pod. */
  readonly proxy: string;
  readonly envoy: string;
}

interface Gated {
  readonly extension: ExtensionInForce;
  readonly least: string;
  readonly below: Connected[];
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
export function versionFindings(model: MeshModel, connected: readonly Connected[]): readonly Finding[] {
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
