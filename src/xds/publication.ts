// Model and quarantine to a publication: for every kind of proxy the layers that it sees, encoded and
// checked. Remembers bytes by the identity of what they were made from, and nothing else.

import type { Capture, EndpointSet, MeshModel, ProxyModel, Rule, ServiceModel } from '../model/mesh.js';
import { memoised, memoisedByKey, memoisedList } from '../lib/memo.js';
import type { Layers, ProxyEntry, Publication } from './cache.js';
import { checkConstraints } from './constraints.js';
import { nothingRefused, type Guilt, type Quarantine } from './quarantine.js';
import { codecOf, encodeResource, type EncodedResource, type Part, type Resource } from './resources.js';
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

/** Encoded resources, and those that break Envoy's own rules and are not sent. */
interface Layer {
  readonly resources: readonly EncodedResource[];
  readonly guilty: readonly Guilt[];
}

/** Quarantines by Envoy version. */
export type Quarantines = ReadonlyMap<string, Quarantine>;


/** A publication with what was held back before sending. */
export interface Built {
  readonly publication: Publication;
  /** Found by our own check of Envoy's rules. */
  readonly guilty: readonly Guilt[];
}

const isChecked = (resource: Resource): boolean => resource.type !== 'endpoint';

function encode(bundle: Bundle): Layer {
  const guilty: Guilt[] = [];
  const resources: EncodedResource[] = [];
  for (const resource of bundle) {
    const encoded = encodeResource(resource);
    const [violation] = isChecked(resource) ? checkConstraints(codecOf[resource.type].$type, resource.message) : [];
    if (violation === undefined) resources.push(encoded);
    else guilty.push({ part: undefined, resource: encoded, message: `${violation.path} ${violation.message}` });
  }
  return { resources, guilty };
}

/** A layer whose broken route configurations were taken apart until they could be sent. */
function encodeRoutes(service: ServiceModel, namespace: string, withheld: ReadonlyMap<Part, Part | undefined>): Layer {
  const broken = new Map<Part, Guilt>();
  const substitute = (rule: Rule): Rule | undefined => {
    if (broken.has(rule)) return undefined;
    if (!withheld.has(rule)) return rule;
    const good = withheld.get(rule);
    return good === undefined || !isRule(good) ? undefined : good;
  };
  for (const rule of rulesOf(service, namespace)) {
    const alone = translateRoutesWith(service, namespace, (one) => (one === rule ? one : undefined));
    const found = encode(alone).guilty[0];
    if (found !== undefined) broken.set(rule, { ...found, part: rule });
  }
  const layer = encode(translateRoutesWith(service, namespace, substitute));
  return { resources: layer.resources, guilty: [...broken.values(), ...layer.guilty] };
}

const isRule = (part: Part): part is Rule => 'backends' in part;

const rulesOf = (service: ServiceModel, namespace: string): readonly Rule[] => [
  ...new Set(
    service.ports.flatMap((port) => (port.consumers.get(namespace) ?? port.hosts).flatMap((host) => host.entries.map((entry) => entry.rule))),
  ),
];

const serviceLayers: Readonly<Record<Capture, (service: ServiceModel) => Layer>> = {
  explicit: memoised((service: ServiceModel) => encode(translateService.explicit(service))),
  redirect: memoised((service: ServiceModel) => encode(translateService.redirect(service))),
};
const localNames = memoised((service: ServiceModel) => encode(translateLocalNames(service)));
const endpointLayer = memoised((sets: readonly EndpointSet[]) => encode(translateEndpoints(sets)));
const common: Readonly<Record<Capture, Layer>> = { explicit: encode(commonResources.explicit), redirect: encode(commonResources.redirect) };
const claimsOf = memoisedList((_: object, services: readonly ServiceModel[]) => encode(translateClaims(services)));
const theClaims = {};

/** All callers that have no rules of their own share the producer's. */
const producers = '';
const goodRoutes = memoisedByKey((service: ServiceModel, namespace): Layer => {
  const layer = encode(translateRoutes(service, namespace));
  return layer.guilty.length === 0 ? layer : encodeRoutes(service, namespace, new Map());
});
const partialRoutes = memoised((_service: ServiceModel, _quarantine: Quarantine) => new Map<string, Layer>());

function routesLayer(service: ServiceModel, namespace: string, quarantine: Quarantine): Layer {
  const consumed = service.ports.some((port) => port.consumers.has(namespace));
  const audience = consumed ? namespace : producers;
  if (quarantine.parts.size === 0 || !rulesOf(service, namespace).some((rule) => quarantine.parts.has(rule))) return goodRoutes(service, audience);
  const known = partialRoutes(service, quarantine);
  const layer = known.get(audience) ?? encodeRoutes(service, audience, quarantine.parts);
  known.set(audience, layer);
  return layer;
}

/** Refused resources are replaced by the last good ones, or left out. */
function withoutRefused(layer: Layer, quarantine: Quarantine): readonly EncodedResource[] {
  if (quarantine.resources.size === 0 || !layer.resources.some((one) => quarantine.resources.has(one.version))) return layer.resources;
  return replaced(layer, quarantine);
}

const replaced = memoised((layer: Layer, quarantine: Quarantine): readonly EncodedResource[] =>
  layer.resources.flatMap((one) => (quarantine.resources.has(one.version) ? (quarantine.resources.get(one.version) ?? []) : one)),
);

interface Audience {
  readonly namespace: string;
  readonly capture: Capture;
}

function layersFor(model: MeshModel, audience: Audience, use: (key: string, layer: Layer) => readonly EncodedResource[], quarantine: Quarantine): Layers {
  const layers = new Map<string, readonly EncodedResource[]>();
  const add = (key: string, layer: Layer): void => {
    layers.set(key, use(key, layer));
  };
  add('common', common[audience.capture]);
  for (const [key, service] of model.services) {
    add(`s ${key}`, serviceLayers[audience.capture](service));
    add(`r ${key}`, routesLayer(service, audience.namespace, quarantine));
    if (audience.capture === 'explicit' && service.ref.namespace === audience.namespace) add(`n ${key}`, localNames(service));
  }
  for (const [key, sets] of model.endpoints) add(`e ${key}`, endpointLayer(sets));
  if (audience.capture === 'explicit') add('claims', claimsOf(theClaims, [...model.services.values()]));
  return layers;
}

const viewKeyOf = (proxy: Audience): string => `${proxy.namespace}|${proxy.capture}`;

const ownOf = memoised((proxy: ProxyModel): OwnResources => {
  const { resources } = encode(translateProxy(proxy));
  return forEachType((type) => resources.filter((one) => one.type === type));
});

/** Collects what the layers of all views hold back, once each. */
function collector(): { readonly take: (quarantine: Quarantine) => (key: string, layer: Layer) => readonly EncodedResource[]; readonly guilty: () => readonly Guilt[] } {
  const found = new Map<string, Guilt>();
  return {
    take: (quarantine) => (_, layer) => {
      for (const guilt of layer.guilty) found.set(`${guilt.resource.name} ${guilt.part?.origin.part ?? ''} ${guilt.message}`, guilt);
      return withoutRefused(layer, quarantine);
    },
    guilty: () => [...found.values()],
  };
}

/** Builds everything that is to be served for a model. */
export function buildPublication(model: MeshModel, quarantines: Quarantines): Built {
  const audiences = new Map<string, Audience>();
  for (const proxy of model.proxies.values()) audiences.set(viewKeyOf(proxy), { namespace: proxy.namespace, capture: proxy.capture });
  const { take, guilty } = collector();
  const views = new Map<string, Layers>();
  for (const [key, audience] of audiences) {
    views.set(key, layersFor(model, audience, take(nothingRefused), nothingRefused));
    for (const [envoy, quarantine] of quarantines) {
      views.set(`${key}|${envoy}`, layersFor(model, audience, take(quarantine), quarantine));
    }
  }
  const proxies = new Map([...model.proxies].map(([key, proxy]): [string, ProxyEntry] => [key, entryOf(proxy, quarantineKeys(quarantines))]));
  return { publication: { revision: model.revision, views, proxies }, guilty: guilty() };
}

/** One object for each set of Envoy versions that have a quarantine, so that proxy entries keep their identity. */
const versionSets = new Map<string, ReadonlySet<string>>();
function quarantineKeys(quarantines: Quarantines): ReadonlySet<string> {
  const key = [...quarantines.keys()].sort().join();
  const known = versionSets.get(key) ?? new Set(quarantines.keys());
  versionSets.set(key, known);
  return known;
}

const entryOf = memoised((proxy: ProxyModel, versions: ReadonlySet<string>): ProxyEntry => {
  const base = viewKeyOf(proxy);
  return { group: proxy.group, own: ownOf(proxy), viewFor: (envoy) => (versions.has(envoy) ? `${base}|${envoy}` : base) };
});
