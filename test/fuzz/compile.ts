// Documents to what every proxy is served and what is said of every object, as a folder would have it.

import type { World, WorldObject } from '../../src/kinds/world.js';
import type { Finding } from '../../src/model/finding.js';
import type { Capture, MeshModel, ProxyModel } from '../../src/model/mesh.js';
import { reconcile } from '../../src/reconcilers/index.js';
import { expand } from '../../src/sources/expand.js';
import { readObject } from '../../src/sources/parse-object.js';
import type { Workload } from '../../src/sources/reduce-pod.js';
import { createStore, type Parsed } from '../../src/sources/store.js';
import type { Capabilities } from '../../src/features/feature.js';
import { buildPublication, type Built } from '../../src/xds/publication.js';
import { capabilitiesOf } from '../../src/xds/capabilities.js';
import { resourceTypes, type EncodedResource, type Resource } from '../../src/xds/resources.js';
import { translate } from '../../src/xds/translate.js';
import type { Raw } from './objects.js';

/** What the Envoys of all random meshes are: the oldest. */
const envoy = '1.36.4';

/** Documents as they were read. */
export interface Inputs {
  readonly parsed: readonly Parsed[];
  readonly workloads: readonly Workload[];
  /** Documents that are no object of any kind. */
  readonly refused: readonly Raw[];
}

/** Reads documents one by one. */
export function readAll(raws: readonly Raw[]): Inputs {
  const parsed: Parsed[] = [];
  const workloads: Workload[] = [];
  const refused: Raw[] = [];
  for (const raw of raws) {
    const reading = readObject(raw, { folder: true });
    if (reading.kind === 'object') parsed.push(reading.parsed);
    else if (reading.kind === 'workload') workloads.push(reading.workload);
    else refused.push(raw);
  }
  return { parsed, workloads, refused };
}

/** Whether a document passes its schema. */
export function isValid(raw: Raw): boolean {
  const { parsed, refused } = readAll([raw]);
  return refused.length === 0 && parsed.every((one) => one.ok);
}

/** A mesh, compiled. */
export interface Compilation {
  readonly world: World;
  readonly model: MeshModel;
  readonly findings: readonly Finding[];
  readonly built: Built;
}

/** Compiles whatever it is given, one mesh after the other, in a store of its own. */
export type Compiler = (raws: readonly Raw[], capture: Capture) => Compilation;

/** Objects with those that a cluster would have added. */
function expanded({ parsed, workloads }: Inputs): readonly Parsed[] {
  const good = parsed.flatMap((one): WorldObject[] => (one.ok ? [one.object] : []));
  const { objects } = expand({ objects: good, workloads }, { loopback: true });
  return [...objects.map((object): Parsed => ({ ok: true, object })), ...parsed.filter((one) => !one.ok)];
}

/** A compiler that has seen nothing; `fleet`: what the Envoys can do that will be served. */
export function createCompiler(fleet?: readonly Capabilities[]): Compiler {
  const store = createStore();
  const feed = store.feed();
  return (raws, capture) => {
    feed({ kind: 'init' });
    for (const object of expanded(readAll(raws))) feed({ kind: 'initApply', object });
    feed({ kind: 'initDone' });
    const world = store.world();
    const { model, findings } = reconcile(world, { capture });
    return { world, model, findings, built: buildPublication(model, new Map(), fleet) };
  };
}

/** What a proxy is served; proxies of one namespace differ only in what is their own. */
export function servedTo(model: MeshModel, proxy: ProxyModel): readonly Resource[] {
  const all = translate(model, proxy, capabilitiesOf(envoy));
  return resourceTypes.flatMap((type): readonly Resource[] => all[type]);
}

/** The first proxy of each namespace. */
export function audienceOf(model: MeshModel): readonly ProxyModel[] {
  const all = [...model.proxies.values()];
  return all.filter((one) => all.find(({ namespace }) => namespace === one.namespace) === one);
}

const line = (where: string) => (one: EncodedResource) => `${where} ${one.type} ${one.name} ${one.version}`;

/** All that anybody sees of a compilation, in an order of its own: findings do not count how often an object changed. */
export function seenOf({ findings, built }: Compilation): readonly string[] {
  const { views, proxies } = built.publication;
  const shared = [...views].flatMap(([key, sections]) =>
    sections.flatMap((section) => [...section.values()].flat().map(line(key.replace(/\|\d+(\|\d+)?$/, '')))),
  );
  const own = [...proxies].flatMap(([key, { ownFor }]) => Object.values(ownFor(envoy)).flat().map(line(key)));
  const said = findings.map(({ generation: _, ...finding }) => JSON.stringify(finding));
  return [...shared, ...own, ...said].sort();
}
