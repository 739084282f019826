// The endpoints behind each Service port and subset, from EndpointSlices.

import { refOf, wellKnownLabels, type ObjectKey } from '../api/meta.js';
import type { Endpoint, EndpointSlice, Labelled, Pod, Service, Table, World } from '../kinds/world.js';
import { memoised } from '../lib/memo.js';
import type { EndpointModel, EndpointSet, Subset } from '../model/mesh.js';
import type { SubsetList } from './services.js';

interface Located {
  readonly region: string;
  readonly zone: string;
}

/** What a subset or a locality is decided by: present only where a Service needs it. */
interface Inputs {
  readonly pods: Table<Pod>;
  readonly nodes: Table<Labelled<'Node'>>;
  readonly list: SubsetList;
}

function localityOf(endpoint: Endpoint, nodes: Inputs['nodes']): Located {
  const labels = endpoint.nodeName === undefined ? undefined : nodes.get(`/${endpoint.nodeName}`)?.meta.labels;
  return { region: labels?.[wellKnownLabels.region] ?? '', zone: endpoint.zone ?? labels?.[wellKnownLabels.zone] ?? '' };
}

/** Ready endpoints take requests, terminating ones that still serve are drained, others are not there. */
function endpointModel(endpoint: Endpoint, port: number, nodes: Inputs['nodes']): EndpointModel | undefined {
  const draining = endpoint.terminating && endpoint.serving;
  if (!endpoint.ready && !draining) return undefined;
  return { address: endpoint.address, port, draining, ...localityOf(endpoint, nodes) };
}

const hasLabels = (pod: Pod | undefined, subset: Subset): boolean =>
  pod !== undefined && Object.entries(subset).every(([key, value]) => pod.meta.labels[key] === value);

function select(slices: readonly EndpointSlice[], portName: string, inputs: Inputs & { readonly subset?: Subset }): readonly EndpointModel[] {
  const { pods, nodes, subset } = inputs;
  const found = slices.flatMap((slice) => {
    const port = slice.ports.find((one) => one.name === portName)?.port;
    if (port === undefined) return [];
    const chosen =
      subset === undefined
        ? slice.endpoints
        : slice.endpoints.filter((one) => hasLabels(one.pod === undefined ? undefined : pods.get(one.pod), subset));
    return chosen.flatMap((endpoint) => endpointModel(endpoint, port, nodes) ?? []);
  });
  return distinct(found);
}

/** An address may stand in two slices for a moment; it is one endpoint, sorted by address. */
function distinct(endpoints: readonly EndpointModel[]): readonly EndpointModel[] {
  const byAddress = new Map(endpoints.map((one) => [`${one.address} ${String(one.port)}`, one]));
  return [...byAddress.keys()].sort().flatMap((key) => byAddress.get(key) ?? []);
}

const endpointSets = memoised(
  (service: Service, slices: readonly EndpointSlice[], inputs: Inputs): readonly EndpointSet[] =>
    buildSets(service, slices, inputs),
);

function buildSets(service: Service, slices: readonly EndpointSlice[], inputs: Inputs): readonly EndpointSet[] {
  const ref = refOf(service);
  const origin = { ref, generation: service.meta.generation };
  const { namespace, name } = service.meta;
  return service.ports.flatMap((port) => {
    if (port.protocol !== 'TCP') return [];
    const target = { namespace, name, port: port.port };
    const whole = { target, origin, endpoints: select(slices, port.name, inputs) };
    const parts = inputs.list.subsets.map((subset) => ({
      target: { ...target, subset },
      origin,
      endpoints: select(slices, port.name, { ...inputs, subset }),
    }));
    return [whole, ...parts];
  });
}

const noSubsets: SubsetList = { subsets: [] };
const noSlices: readonly EndpointSlice[] = [];
const noPods: Table<Pod> = new Map();

/** Only Services with subsets look at pods: for the others a change of a pod changes nothing. */
const inputsFor = memoised(
  (nodes: Inputs['nodes'], list: SubsetList, pods: Table<Pod>): Inputs => ({ nodes, list, pods }),
);

/** The endpoint sets of all Services. */
export function reconcileEndpoints(
  world: World,
  subsets: ReadonlyMap<ObjectKey, SubsetList>,
): ReadonlyMap<ObjectKey, readonly EndpointSet[]> {
  const sets = new Map<ObjectKey, readonly EndpointSet[]>();
  for (const [key, service] of world.services) {
    if (service.type === 'ExternalName') continue;
    const wanted = subsets.get(key) ?? noSubsets;
    const inputs = inputsFor(world.nodes, wanted, wanted.subsets.length === 0 ? noPods : world.pods);
    sets.set(key, endpointSets(service, world.endpointSlices.get(key) ?? noSlices, inputs));
  }
  return sets;
}
