// Model and quarantine to a publication: for every kind of proxy the layers that it sees, encoded and
// checked. Remembers bytes by the identity of what they were made from, and nothing else.

import type {
  Capture,
  EndpointSet,
  ExtensionInForce,
  MeshModel,
  ProxyModel,
  Rule,
  ServiceModel,
} from '../model/mesh.js';
import { createInterner } from '../lib/intern.js';
import { listInterner, memoised, memoisedList } from '../lib/memo.js';
import type { ProxyEntry, Publication, Section } from './cache.js';
import { buildExtensions } from './extend.js';
import { chosenOf, extensionsIn, levelOf, levelsOf, onSide, sharedExtensions } from './extension-choice.js';
import { encodeLayer, type Layer } from './layer.js';
import { familiesOf, type Families } from './listeners.js';
import { explicitListener, nameOfExtension } from './names.js';
import { nothingRefused, type Guilt, type Quarantine } from './quarantine.js';
import type { EncodedResource, Part } from './resources.js';
import {
  commonResources,
  translateClaims,
  translateEndpoints,
  translateLocalNames,
  translateProxy,
  translateRoutes,
  translateRoutesWith,
  translateService,
  type Bundle,
} from './translate.js';
import { forEachType, type OwnResources } from './view.js';

/** Quarantines by Envoy version. */
export type Quarantines = ReadonlyMap<string, Quarantine>;

/** A publication with what was held back before sending. */
export interface Built {
  readonly publication: Publication;
  /** Found by our own check of Envoy's rules. */
  readonly guilty: readonly Guilt[];
}

type Extensions = readonly ExtensionInForce[];

/** Routes of a Service as some callers get them. */
interface RoutesFor {
  readonly service: ServiceModel;
  readonly namespace: string;
  readonly extensions: Extensions;
}

/** A layer without the rules that are withheld, nor those that could not be sent. */
function encodeRoutes(
  { service, namespace, extensions }: RoutesFor,
  withheld: ReadonlyMap<Part, Part | undefined>,
): Layer {
  const broken = new Map<Part, Guilt>();
  const substitute = (rule: Rule): Rule | undefined => {
    if (broken.has(rule)) return undefined;
    if (!withheld.has(rule)) return rule;
    const good = withheld.get(rule);
    return good === undefined || !isRule(good) ? undefined : good;
  };
  const all = encodeLayer(translateRoutesWith(service, namespace, substitute), extensions);
  if (isWhole(all)) return all;
  for (const rule of rulesOf(service, namespace)) {
    const alone = translateRoutesWith(service, namespace, (one) => (one === rule ? one : undefined));
    const found = encodeLayer(alone).guilty[0];
    if (found !== undefined) broken.set(rule, { ...found, part: rule });
  }
  const layer = encodeLayer(translateRoutesWith(service, namespace, substitute), extensions);
  return { resources: layer.resources, guilty: [...broken.values(), ...layer.guilty] };
}

const isRule = (part: Part): part is Rule => 'backends' in part;

const rulesOf = (service: ServiceModel, namespace: string): readonly Rule[] => [
  ...new Set(
    service.ports.flatMap((port) =>
      (port.consumers.get(namespace) ?? port.hosts).flatMap((host) => host.entries.map((entry) => entry.rule)),
    ),
  ),
];

const serviceLayers: Readonly<Record<Capture, (service: ServiceModel, extensions: Extensions) => Layer>> = {
  explicit: memoised((service: ServiceModel, extensions: Extensions) =>
    encodeLayer(translateService.explicit(service), extensions),
  ),
  redirect: memoised((service: ServiceModel, extensions: Extensions) =>
    encodeLayer(translateService.redirect(service), extensions),
  ),
};
const localNames = memoised((service: ServiceModel) => encodeLayer(translateLocalNames(service)));
const endpointLayer = memoised((sets: readonly EndpointSet[]) => encodeLayer(translateEndpoints(sets)));
const commonLayer = memoised((bundle: Bundle) => encodeLayer(bundle));
const filtersLayer = memoised((extensions: Extensions) => encodeLayer(buildExtensions(extensions)));

/** Claims depend on all Services: the last answer is kept for each namespace of callers. */
const claimants = createInterner<{ readonly namespace: string }>(100_000);
const claimsOf = memoisedList((caller: { readonly namespace: string }, services: readonly ServiceModel[]) =>
  encodeLayer(translateClaims(services, caller.namespace)),
);

/** All callers that have no rules of their own share the producer's. */
const producers = '';
const goodRoutes = memoised((_service: ServiceModel, _extensions: Extensions) => new Map<string, Layer>());
const partialRoutes = memoised(
  (_service: ServiceModel, _extensions: Extensions, _quarantine: Quarantine) => new Map<string, Layer>(),
);

const isWhole = (layer: Layer): boolean => layer.guilty.every(({ part }) => part !== undefined);

function wholeRoutes(routes: RoutesFor): Layer {
  const layer = encodeLayer(translateRoutes(routes.service, routes.namespace), routes.extensions);
  return isWhole(layer) ? layer : encodeRoutes(routes, new Map());
}

/** What is known under a key, or else is made. */
function remembered(known: Map<string, Layer>, key: string, make: () => Layer): Layer {
  const layer = known.get(key) ?? make();
  known.set(key, layer);
  return layer;
}

function routesLayer(service: ServiceModel, { namespace, extensions }: Audience, quarantine: Quarantine): Layer {
  const consumed = service.ports.some((port) => port.consumers.has(namespace));
  const audience = consumed ? namespace : producers;
  const routes = { service, namespace: audience, extensions };
  if (quarantine.parts.size === 0 || !rulesOf(service, namespace).some((rule) => quarantine.parts.has(rule)))
    return remembered(goodRoutes(service, extensions), audience, () => wholeRoutes(routes));
  return remembered(partialRoutes(service, extensions, quarantine), audience, () =>
    encodeRoutes(routes, quarantine.parts),
  );
}

/** Refused resources are replaced by the last good ones, or left out. */
function withoutRefused(layer: Layer, quarantine: Quarantine): readonly EncodedResource[] {
  if (quarantine.resources.size === 0 || !layer.resources.some((one) => quarantine.resources.has(one.version)))
    return layer.resources;
  return replaced(layer, quarantine);
}

const replaced = memoised((layer: Layer, quarantine: Quarantine): readonly EncodedResource[] =>
  layer.resources.flatMap((one) =>
    quarantine.resources.has(one.version) ? (quarantine.resources.get(one.version) ?? []) : one,
  ),
);

/** Proxies with these in common see the same. */
interface Audience {
  readonly namespace: string;
  readonly capture: Capture;
  readonly families: Families;
  /** That change what is shared. */
  readonly extensions: Extensions;
}

const audiences = memoised((_extensions: Extensions) => new Map<string, Audience>());

/** One object for each audience. */
function audience(of: Omit<Audience, 'extensions'>, extensions: Extensions): Audience {
  const key = `${of.namespace}|${of.capture}|${of.families}`;
  const known = audiences(extensions).get(key) ?? { ...of, extensions };
  audiences(extensions).set(key, known);
  return known;
}

/** Before any of its extensions is left out. */
const audienceOf = ({ namespace, capture, addresses, extensions }: ProxyModel): Audience =>
  audience({ namespace, capture, families: familiesOf(addresses) }, sharedExtensions(extensions, capture));

/** A section of a view with what it holds back. */
interface Checked {
  readonly section: Section;
  readonly guilty: readonly Guilt[];
}

function checked(layers: Iterable<readonly [string, Layer]>, quarantine: Quarantine): Checked {
  const section = new Map<string, readonly EncodedResource[]>();
  const guilty: Guilt[] = [];
  for (const [key, layer] of layers) {
    section.set(key, withoutRefused(layer, quarantine));
    if (layer.guilty.length > 0) guilty.push(...layer.guilty);
  }
  return { section, guilty };
}

function* layersOfServices(
  services: MeshModel['services'],
  audience: Audience,
  quarantine: Quarantine,
): Generator<[string, Layer]> {
  const { namespace, capture, families, extensions } = audience;
  yield ['common', commonLayer(commonResources[capture][families])];
  for (const [key, service] of services) {
    yield [`s ${key}`, serviceLayers[capture](service, extensions)];
    yield [`r ${key}`, routesLayer(service, audience, quarantine)];
    if (capture === 'explicit' && service.ref.namespace === namespace) yield [`n ${key}`, localNames(service)];
  }
  if (capture === 'explicit') yield ['claims', claimsOf(claimant(namespace), [...services.values()])];
}

const serviceSection = memoised((services: MeshModel['services'], audience: Audience, quarantine: Quarantine) =>
  checked(layersOfServices(services, audience, quarantine), quarantine),
);

const endpointSection = memoised((endpoints: MeshModel['endpoints'], quarantine: Quarantine) =>
  checked(
    [...endpoints].map(([key, sets]): [string, Layer] => [`e ${key}`, endpointLayer(sets)]),
    quarantine,
  ),
);

const claimant = (namespace: string) => claimants(namespace, () => ({ namespace }));

const filterSection = memoised((extensions: Extensions, quarantine: Quarantine) =>
  checked([['extensions', filtersLayer(chosenOf(extensions, newest, quarantine))]], quarantine),
);

/** Filters have no least version. */
const newest = '999.0';

const viewKeyOf = ({ namespace, capture, families, extensions }: Audience): string =>
  [namespace, capture, families, ...extensions.map(nameOfExtension)].join('|');

/** The view of an audience whose Envoys reach a level. */
const keyAtLevel = (key: string, level: string): string => (level === '' ? key : `${key}|≥${level}`);

const ownLayers = memoised((proxy: ProxyModel, extensions: Extensions): readonly Layer[] => {
  const bundle = translateProxy(proxy);
  const isOutbound = ({ name }: Bundle[number]): boolean => name === explicitListener;
  return [
    encodeLayer(bundle.filter(isOutbound), onSide(extensions, 'outbound')),
    encodeLayer(
      bundle.filter((one) => !isOutbound(one)),
      onSide(extensions, 'inbound'),
    ),
  ];
});

const ownOf = memoised((proxy: ProxyModel, extensions: Extensions): OwnResources => {
  const resources = ownLayers(proxy, extensions).flatMap((layer) => layer.resources);
  return forEachType((type) => resources.filter((one) => one.type === type));
});

/** What was found wrong with the extensions of proxies before anybody was sent them. */
const guiltyOwn = memoised((proxies: MeshModel['proxies']): readonly Guilt[] =>
  [...proxies.values()]
    .filter(({ extensions }) => extensions.length > 0)
    .flatMap((proxy) => ownLayers(proxy, chosenOf(proxy.extensions, newest, nothingRefused)))
    .flatMap((layer) => layer.guilty),
);

const proxyEntries = memoised(
  (proxies: MeshModel['proxies'], refused: Refused): ReadonlyMap<string, ProxyEntry> =>
    new Map(
      [...proxies].map(([key, proxy]) => [key, entryOf(proxy, proxy.extensions.length === 0 ? refused.keys : refused)]),
    ),
);

const audiencesOf = memoised(
  (proxies: MeshModel['proxies']): ReadonlySet<Audience> => new Set([...proxies.values()].map(audienceOf)),
);

/** The same layer may be in several views: each thing that is held back is told once. */
const distinct = (guilty: readonly Guilt[]): readonly Guilt[] => [
  ...new Map(guilty.map((one) => [`${one.resource.name} ${one.part?.origin.part ?? ''} ${one.message}`, one])).values(),
];

/** Builds everything that is to be served for a model. */
export function buildPublication(model: MeshModel, quarantines: Quarantines): Built {
  const views = new Map<string, readonly Section[]>();
  const guilty: Guilt[] = [...guiltyOwn(model.proxies)];
  const all = extensionsIn(model.proxies);
  const add = (key: string, by: { readonly of: Audience; readonly level: string }, quarantine: Quarantine): void => {
    const reader = audience(by.of, chosenOf(by.of.extensions, by.level, quarantine));
    const parts = [
      serviceSection(model.services, reader, quarantine),
      endpointSection(model.endpoints, quarantine),
      filterSection(all, quarantine),
    ];
    views.set(
      key,
      parts.map((part) => part.section),
    );
    for (const part of parts) guilty.push(...part.guilty);
  };
  for (const of of audiencesOf(model.proxies)) {
    const key = viewKeyOf(of);
    for (const level of ['', ...levelsOf(of.extensions)]) add(keyAtLevel(key, level), { of, level }, nothingRefused);
    for (const [envoy, quarantine] of quarantines)
      add(`${key}|${envoy}`, { of, level: levelOf(envoy, of.extensions) }, quarantine);
  }
  const proxies = proxyEntries(model.proxies, refusedBy(quarantines));
  return { publication: { revision: model.revision, views, proxies }, guilty: distinct(guilty) };
}

/** Which versions refused something, and what. Entries of proxies keep their identity while it stays the same. */
interface Refused {
  readonly quarantines: Quarantines;
  /** Without saying what: enough for proxies that have no extension. */
  readonly keys: Refused;
}

const keySets = new Map<string, Refused>();

function keysOf(quarantines: Quarantines): Refused {
  const versions = [...quarantines.keys()].sort();
  const key = versions.join();
  const known = keySets.get(key);
  if (known !== undefined) return known;
  const refused: Refused = {
    quarantines: new Map(versions.map((envoy) => [envoy, nothingRefused])),
    get keys() {
      return refused;
    },
  };
  keySets.set(key, refused);
  return refused;
}

const internQuarantines = listInterner<Quarantine>();

const refusals = memoised((_quarantines: readonly Quarantine[], _keys: Refused) => new Map<'', Refused>());

function refusedBy(quarantines: Quarantines): Refused {
  const keys = keysOf(quarantines);
  const slot = refusals(internQuarantines([...quarantines.values()]), keys);
  const refused = slot.get('') ?? { quarantines: new Map(quarantines), keys };
  slot.set('', refused);
  return refused;
}

const entryOf = memoised((proxy: ProxyModel, { quarantines }: Refused): ProxyEntry => {
  const audience = audienceOf(proxy);
  const base = viewKeyOf(audience);
  return {
    group: proxy.group,
    viewFor: (envoy) =>
      quarantines.has(envoy) ? `${base}|${envoy}` : keyAtLevel(base, levelOf(envoy, audience.extensions)),
    ownFor: (envoy) => {
      const { extensions } = proxy;
      const quarantine = quarantines.get(envoy) ?? nothingRefused;
      return ownOf(proxy, chosenOf(extensions, levelOf(envoy, extensions), quarantine));
    },
  };
});
