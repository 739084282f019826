// Who is calling: source conditions of matches, and which of them hold for a pod. Proxies are never told; each gets only
// the rules that are for it.

import { isInCidr } from '../api/cidr.js';
import type { RouteMatch } from '../kinds/route-match.js';
import type { Pod } from '../kinds/world.js';
import { memoised, memoisedList } from '../lib/memo.js';
import type { SourceMatch } from '../model/mesh.js';
import { compareText } from './precedence.js';
import type { CompiledRoute } from './traffic-route.js';

/** The source conditions of a mesh; the same object while they stay the same. */
export interface SourceList {
  readonly sources: readonly SourceMatch[];
}

/** A condition in one form, whatever order it was written in. */
export function sourceOf(written: NonNullable<RouteMatch['source']>): SourceMatch {
  const namespaces = [...(written.namespaces ?? [])].sort();
  const ipBlocks = [...(written.ipBlocks ?? [])].sort();
  const podLabels = Object.entries(written.podLabels ?? {}).sort(([left], [right]) => compareText(left, right));
  const key = JSON.stringify([namespaces, podLabels, ipBlocks]);
  return { key, namespaces, podLabels: Object.fromEntries(podLabels), ipBlocks };
}

const sourcesOfRoute = memoised((route: CompiledRoute): readonly SourceMatch[] =>
  route.rules.flatMap(({ matches }) => matches.flatMap(({ sources }) => sources)),
);

const mesh = {};
const listOf = memoisedList((_: object, sources: readonly SourceMatch[]): SourceList => ({ sources }));

/** The conditions that the routes of a mesh name, each once. */
export function sourcesOf(routes: readonly CompiledRoute[]): SourceList {
  const found = routes.flatMap(sourcesOfRoute).map((source) => [source.key, source] as const);
  return listOf(mesh, [...new Map(found).values()]);
}

const holdsFor = ({ namespaces, podLabels, ipBlocks }: SourceMatch, { meta, ips }: Pod): boolean =>
  (namespaces.length === 0 || namespaces.includes(meta.namespace)) &&
  Object.entries(podLabels).every(([name, value]) => meta.labels[name] === value) &&
  (ipBlocks.length === 0 || ips.some((ip) => ipBlocks.some((block) => isInCidr(ip, block))));

/** Keys of the conditions that hold for a pod as a caller. */
export const sourcesFor = (pod: Pod, { sources }: SourceList): readonly string[] =>
  sources.filter((source) => holdsFor(source, pod)).map(({ key }) => key);
