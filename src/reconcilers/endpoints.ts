// The endpoints behind each Service port and subset, from EndpointSlices. What a slice says of its pods and
// nodes is looked up once per Service, so that a pod or a node costs only the Services that it stands behind.

import { refOf, wellKnownLabels, type ObjectKey } from '../api/meta.js';
import type { Endpoint, EndpointSlice, Labelled, Pod, Service, Table, World } from '../kinds/world.js';
import { createInterner } from '../lib/intern.js';
import { memoised } from '../lib/memo.js';
import type { EndpointModel, EndpointSet, Subset } from '../model/mesh.js';
import { noUses, type ServiceUses } from './services.js';

/** How many of a Service's pods a subset selects. */
export interface SubsetSize {
  readonly subset: Subset;
  readonly selected: number;
  readonly pods: number;
}

/** The endpoints of a Service. */
export interface ServiceEndpoints {
  readonly sets: readonly EndpointSet[];
  readonly sizes: readonly SubsetSize[];
}

type Labels = Readonly<Record<string, string>>;

/** What is known of a pod or a node behind an endpoint; equal facts are one object. */
interface Facts {
  readonly labels: Labels;
}

const internFacts = createInterner<Facts>(100_000);
const factsOf = memoised((meta: { readonly labels: Labels }): Facts => {
  const labels = Object.entries(meta.labels).sort();
  return internFacts(JSON.stringify(labels), () => ({ labels: meta.labels }));
});
const noFacts: Facts = { labels: {} };

/** An endpoint with what its pod and its node say. */
interface Located {
  readonly endpoint: Endpoint;
  readonly pod: Facts;
  readonly node: Facts;
}

interface Tables {
  readonly pods: Table<Pod>;
  readonly nodes: Table<Labelled<'Node'>>;
}

function locate(endpoint: Endpoint, tables: Tables): Located {
  const pod = endpoint.pod === undefined ? undefined : tables.pods.get(endpoint.pod);
  const node = endpoint.nodeName === undefined ? undefined : tables.nodes.get(`/${endpoint.nodeName}`);
  return {
    endpoint,
    pod: pod === undefined ? noFacts : factsOf(pod.meta),
    node: node === undefined ? noFacts : factsOf(node.meta),
  };
}

/** Ready endpoints take requests, terminating ones that still serve are drained, others are not there. */
function endpointModel({ endpoint, pod, node }: Located, port: number): EndpointModel | undefined {
  const { region, zone } = wellKnownLabels;
  const draining = !endpoint.ready && endpoint.terminating && endpoint.serving;
  if (!endpoint.ready && !draining) return undefined;
  return {
    address: endpoint.address,
    port,
    draining,
    region: pod.labels[region] ?? node.labels[region] ?? '',
    zone: endpoint.zone ?? pod.labels[zone] ?? node.labels[zone] ?? '',
  };
}

interface LocatedSlice {
  readonly slice: EndpointSlice;
  readonly endpoints: readonly Located[];
}

const selects = (subset: Subset, { pod }: Located): boolean =>
  Object.entries(subset).every(([key, value]) => Object.hasOwn(pod.labels, key) && pod.labels[key] === value);

function modelsOf(slices: readonly LocatedSlice[], portName: string, subset?: Subset): readonly EndpointModel[] {
  const found = slices.flatMap(({ slice, endpoints }) => {
    const port = slice.ports.find((one) => one.name === portName)?.port;
    if (port === undefined) return [];
    const chosen = subset === undefined ? endpoints : endpoints.filter((one) => selects(subset, one));
    return chosen.flatMap((one) => endpointModel(one, port) ?? []);
  });
  return distinct(found);
}

/** An address may stand in two slices for a moment; it is one endpoint, sorted by address. */
function distinct(endpoints: readonly EndpointModel[]): readonly EndpointModel[] {
  const byAddress = new Map(endpoints.map((one) => [`${one.address} ${String(one.port)}`, one]));
  return [...byAddress.keys()].sort().flatMap((key) => byAddress.get(key) ?? []);
}

/** A Service of two families has its pods twice: those of its first address count. */
function ofOneFamily(service: Service, slices: readonly EndpointSlice[]): readonly EndpointSlice[] {
  const families = new Set(slices.map((slice) => slice.addressType));
  if (families.size < 2) return slices;
  const first = service.clusterIPs[0]?.includes(':') === true ? 'IPv6' : 'IPv4';
  return slices.filter((slice) => slice.addressType === first);
}

interface Inputs {
  readonly slices: readonly EndpointSlice[];
  readonly list: ServiceUses;
  readonly located: readonly LocatedSlice[];
}

function buildSets(service: Service, { list, located }: Inputs): ServiceEndpoints {
  const { namespace, name } = service.meta;
  const origin = { ref: refOf(service), generation: service.meta.generation };
  const sets = service.ports
    .filter((port) => port.protocol === 'TCP')
    .flatMap((port): readonly EndpointSet[] => {
      const target = { namespace, name, port: port.port };
      const parts = list.subsets.map((subset) => ({
        target: { ...target, subset },
        origin,
        endpoints: modelsOf(located, port.name, subset),
      }));
      return [{ target, origin, endpoints: modelsOf(located, port.name) }, ...parts];
    });
  return { sets, sizes: list.subsets.map((subset) => sizeOf(subset, located)) };
}

function sizeOf(subset: Subset, located: readonly LocatedSlice[]): SubsetSize {
  const all = located.flatMap(({ endpoints }) => endpoints);
  const keyOfPod = ({ endpoint }: Located): string => endpoint.pod ?? endpoint.address;
  return {
    subset,
    selected: new Set(all.filter((one) => selects(subset, one)).map(keyOfPod)).size,
    pods: new Set(all.map(keyOfPod)).size,
  };
}

/** Everything that a result was made from, by identity, as one list. */
const partsOf = (inputs: Inputs): readonly object[] => [
  inputs.slices,
  inputs.list,
  ...inputs.located.flatMap(({ endpoints }) => endpoints.flatMap(({ pod, node }) => [pod, node])),
];

interface Remembered {
  readonly parts: readonly object[];
  readonly value: ServiceEndpoints;
}

const remembered = new WeakMap<Service, Remembered>();

/** Computed again only when a slice, the subsets, or what a pod or a node says has changed. */
function endpointsOf(service: Service, inputs: Inputs): ServiceEndpoints {
  const parts = partsOf(inputs);
  const known = remembered.get(service);
  if (known?.parts.length === parts.length && parts.every((part, index) => part === known.parts[index]))
    return known.value;
  const value = buildSets(service, inputs);
  remembered.set(service, { parts, value });
  return value;
}

const tablesOf = memoised((pods: Tables['pods'], nodes: Tables['nodes']): Tables => ({ pods, nodes }));

/** Looked up first: where no table has changed, no endpoint is looked at. */
const located = memoised(
  (
    service: Service,
    slices: readonly EndpointSlice[],
    inputs: { readonly tables: Tables; readonly list: ServiceUses },
  ) => {
    const { tables, list } = inputs;
    const own = ofOneFamily(service, slices).map((slice) => ({
      slice,
      endpoints: slice.endpoints.map((endpoint) => locate(endpoint, tables)),
    }));
    return endpointsOf(service, { slices, list, located: own });
  },
);

const inputsOf = memoised((tables: Tables, list: ServiceUses) => ({ tables, list }));

const noSlices: readonly EndpointSlice[] = [];

/** The endpoints of all Services. */
export function reconcileEndpoints(
  world: Pick<World, 'services' | 'endpointSlices' | 'pods' | 'nodes'>,
  subsets: ReadonlyMap<ObjectKey, ServiceUses>,
): ReadonlyMap<ObjectKey, ServiceEndpoints> {
  const tables = tablesOf(world.pods, world.nodes);
  const found = new Map<ObjectKey, ServiceEndpoints>();
  for (const [key, service] of world.services) {
    if (service.type === 'ExternalName') continue;
    const inputs = inputsOf(tables, subsets.get(key) ?? noUses);
    found.set(key, located(service, world.endpointSlices.get(key) ?? noSlices, inputs));
  }
  return found;
}
