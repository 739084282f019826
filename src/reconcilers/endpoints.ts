// The endpoints behind each Service port and subset, from EndpointSlices. What a slice says of its pods and
// nodes is looked up once per Service, so that a pod or a node costs only the Services that it stands behind.

import { refOf, wellKnownLabels, type ObjectKey } from '../api/meta.js';
import type { Endpoint, EndpointSlice, Labelled, Pod, Service, ServicePort, Table, World } from '../kinds/world.js';
import { createInterner } from '../lib/intern.js';
import { memoised } from '../lib/memo.js';
import type { EndpointModel, EndpointSet, Subset, Target } from '../model/mesh.js';
import { keysOf, placeOf, type Preference } from '../model/place.js';
import { instancesOf } from './instances.js';
import { labelAt, type PreferenceList, type PreferenceTable, type Whereabouts } from './places.js';
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

const whereabouts = ({ endpoint, pod, node }: Located): Whereabouts => ({
  pod: pod.labels,
  node: node.labels,
  nodeName: endpoint.nodeName,
  zone: endpoint.zone,
});

/** Ready endpoints take requests, terminating ones that still serve are drained, others are not there. */
function endpointModel(located: Located, port: number, preference?: Preference): EndpointModel | undefined {
  const { address, ready, serving, terminating } = located.endpoint;
  const draining = !ready && terminating && serving;
  if (!ready && !draining) return undefined;
  const labelOf = (key: string): string | undefined => labelAt(whereabouts(located), key);
  return {
    ...{ address, port, draining },
    region: labelOf(wellKnownLabels.region) ?? '',
    zone: labelOf(wellKnownLabels.zone) ?? '',
    ...(preference === undefined ? {} : { place: placeOf(labelOf, keysOf(preference)) }),
  };
}

interface LocatedSlice {
  readonly slice: EndpointSlice;
  readonly endpoints: readonly Located[];
}

const selects = (subset: Subset, { pod }: Located): boolean =>
  Object.entries(subset).every(([key, value]) => Object.hasOwn(pod.labels, key) && pod.labels[key] === value);

/** Which endpoints of which port. */
interface Choice {
  readonly port: string;
  readonly preference?: Preference | undefined;
  readonly chooses: (one: Located) => boolean;
}

function modelsOf(
  slices: readonly LocatedSlice[],
  { port: name, preference, chooses }: Choice,
): readonly EndpointModel[] {
  const found = slices.flatMap(({ slice, endpoints }) => {
    const port = slice.ports.find((one) => one.name === name)?.port;
    if (port === undefined) return [];
    return endpoints.filter(chooses).flatMap((one) => endpointModel(one, port, preference) ?? []);
  });
  return distinct(found.every(({ draining }) => draining) ? found.map(kept) : found);
}

/** Where all are going, those that still serve are better than nobody. */
const kept = (endpoint: EndpointModel): EndpointModel => ({ ...endpoint, draining: false });

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
  readonly preferences: PreferenceList;
  readonly located: readonly LocatedSlice[];
}

const isInstance =
  (hostname: string) =>
  ({ endpoint }: Located): boolean =>
    endpoint.hostname === hostname;

/** Who calls a pod by name wants that one, wherever it is. */
function setsOfPort(service: Service, port: ServicePort, inputs: Inputs): readonly EndpointSet[] {
  const { slices, list, located } = inputs;
  const { namespace, name, generation } = service.meta;
  const origin = { ref: refOf(service), generation };
  const target = { namespace, name, port: port.port };
  const preference = inputs.preferences.byPort.get(port.port);
  const all = (part: Pick<Target, 'subset'>, chooses: Choice['chooses']): EndpointSet => ({
    target: { ...target, ...part },
    origin,
    endpoints: modelsOf(located, { port: port.name, preference, chooses }),
    ...(preference === undefined ? {} : { preference }),
  });
  const one = (instance: string): EndpointSet => ({
    target: { ...target, instance },
    origin,
    endpoints: modelsOf(located, { port: port.name, chooses: isInstance(instance) }),
  });
  return [
    all({}, () => true),
    ...list.subsets.map((subset) => all({ subset }, (endpoint) => selects(subset, endpoint))),
    ...instancesOf(service, slices).instances.map(one),
  ];
}

const buildSets = (service: Service, inputs: Inputs): ServiceEndpoints => ({
  sets: service.ports.filter((port) => port.protocol === 'TCP').flatMap((port) => setsOfPort(service, port, inputs)),
  sizes: inputs.list.subsets.map((subset) => sizeOf(subset, inputs.located)),
});

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
  inputs.preferences,
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
    { tables, list, preferences }: { tables: Tables; list: ServiceUses; preferences: PreferenceList },
  ) => {
    const own = ofOneFamily(service, slices).map((slice) => ({
      slice,
      endpoints: slice.endpoints.map((endpoint) => locate(endpoint, tables)),
    }));
    return endpointsOf(service, { slices, list, preferences, located: own });
  },
);

const inputsOf = memoised((tables: Tables, list: ServiceUses, preferences: PreferenceList) => ({
  tables,
  list,
  preferences,
}));

const noPreferences: PreferenceList = { service: '', byPort: new Map() };
const noSlices: readonly EndpointSlice[] = [];

/** The endpoints of all Services. */
export function reconcileEndpoints(
  world: Pick<World, 'services' | 'endpointSlices' | 'pods' | 'nodes'>,
  subsets: ReadonlyMap<ObjectKey, ServiceUses>,
  preferences: PreferenceTable,
): ReadonlyMap<ObjectKey, ServiceEndpoints> {
  const tables = tablesOf(world.pods, world.nodes);
  const found = new Map<ObjectKey, ServiceEndpoints>();
  for (const [key, service] of world.services) {
    if (service.type === 'ExternalName') continue;
    const inputs = inputsOf(tables, subsets.get(key) ?? noUses, preferences.get(key) ?? noPreferences);
    found.set(key, located(service, world.endpointSlices.get(key) ?? noSlices, inputs));
  }
  return found;
}
