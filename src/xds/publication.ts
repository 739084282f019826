// Model and quarantine to a publication: for every kind of proxy the layers that it sees, encoded and
// checked. Remembers bytes by the identity of what they were made from, and nothing else.

import type { Capabilities } from '../features/feature.js';
import { createInterner } from '../lib/intern.js';
import { memoised, memoisedList } from '../lib/memo.js';
import type { Capture, EndpointSet, MeshModel, Rule, ServiceModel } from '../model/mesh.js';
import {
  audienceOf,
  served,
  viewKeyOf,
  type Audience,
  type Extensions,
  type Outbound,
  type Served,
} from './audience.js';
import type { Publication, Section } from './cache.js';
import { leastCapabilities } from './capabilities.js';
import { buildExtensions } from './extend.js';
import { chosenOf, extensionsIn, levelOf, levelsOf, newestLevel } from './extension-choice.js';
import { encodeLayer, type Layer } from './layer.js';
import { guiltyOwn, proxyEntries, type Quarantines } from './proxy-entries.js';
import { nothingRefused, type Guilt, type Quarantine } from './quarantine.js';
import type { EncodedResource, Part } from './resources.js';
import {
  commonResources,
  translateClaims,
  translateEndpoints,
  translateListeners,
  translateLocalNames,
  translateRoutes,
  translateRoutesWith,
  translateService,
  type Bundle,
  type RouteAudience,
} from './translate.js';

export type { Quarantines } from './proxy-entries.js';

/** A publication with what was held back before sending. */
export interface Built {
  readonly publication: Publication;
  /** Found by our own check of Envoy's rules. */
  readonly guilty: readonly Guilt[];
}

/** Routes as some callers get them. */
interface RoutesOf {
  readonly audience: RouteAudience;
  readonly extensions: Extensions;
}

/** Extensions that are held back leave what they would have changed whole. */
const isWhole = (layer: Layer): boolean => layer.guilty.every(({ part }) => part !== undefined);

/** A layer without the rules that are withheld, nor those that could not be sent. */
function encodeRoutes(service: ServiceModel, of: RoutesOf, withheld: ReadonlyMap<Part, Part | undefined>): Layer {
  const { audience, extensions } = of;
  const broken = new Map<Part, Guilt>();
  const substitute = (rule: Rule): Rule | undefined => {
    if (broken.has(rule)) return undefined;
    if (!withheld.has(rule)) return rule;
    const good = withheld.get(rule);
    return good === undefined || !isRule(good) ? undefined : good;
  };
  const all = encodeLayer(translateRoutesWith(service, audience, substitute), extensions);
  if (isWhole(all)) return all;
  for (const rule of rulesOf(service, audience.namespace)) {
    const alone = translateRoutesWith(service, audience, (one) => (one === rule ? one : undefined));
    const found = encodeLayer(alone).guilty[0];
    if (found !== undefined) broken.set(rule, { ...found, part: rule });
  }
  const layer = encodeLayer(translateRoutesWith(service, audience, substitute), extensions);
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
const listenerLayers = memoised((service: ServiceModel, of: Served) =>
  encodeLayer(translateListeners(service, of), of.extensions),
);
const localNames = memoised((service: ServiceModel) => encodeLayer(translateLocalNames(service)));
const endpointLayer = memoised((sets: readonly EndpointSet[]) => encodeLayer(translateEndpoints(sets)));
const commonLayer = memoised((bundle: Bundle) => encodeLayer(bundle));
const filterLayer = memoised((extensions: Extensions) => encodeLayer(buildExtensions(extensions)));

/** Claims depend on all Services: the last answer is kept for each namespace of callers. */
const claimants = createInterner<{ readonly namespace: string }>(100_000);
const claimsOf = memoisedList((caller: { readonly namespace: string }, services: readonly ServiceModel[]) =>
  encodeLayer(translateClaims(services, caller.namespace)),
);

/** All callers that have no rules of their own share the producer's. */
const producers = '';
const routesOfAudiences = memoised((_outbound: Outbound, _extensions: Extensions) => new Map<string, RoutesOf>());
const routesOf = (namespace: string, { outbound, extensions }: Audience): RoutesOf => {
  const known = routesOfAudiences(outbound, extensions);
  const routes = known.get(namespace) ?? { audience: { namespace, outbound }, extensions };
  known.set(namespace, routes);
  return routes;
};

const goodRoutes = memoised((service: ServiceModel, of: RoutesOf): Layer => {
  const layer = encodeLayer(translateRoutes(service, of.audience), of.extensions);
  return isWhole(layer) ? layer : encodeRoutes(service, of, new Map());
});
const partialRoutes = memoised((service: ServiceModel, of: RoutesOf, quarantine: Quarantine) =>
  encodeRoutes(service, of, quarantine.parts),
);

function routesLayer(service: ServiceModel, audience: Audience, quarantine: Quarantine): Layer {
  const { namespace } = audience;
  const consumed = service.ports.some((port) => port.consumers.has(namespace));
  const routes = routesOf(consumed ? namespace : producers, audience);
  const none = quarantine.parts.size === 0 || !rulesOf(service, namespace).some((rule) => quarantine.parts.has(rule));
  return none ? goodRoutes(service, routes) : partialRoutes(service, routes, quarantine);
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
  audience: Served,
  quarantine: Quarantine,
): Generator<[string, Layer]> {
  const { namespace, capture, families, extensions } = audience;
  yield ['common', commonLayer(commonResources[capture][families])];
  for (const [key, service] of services) {
    yield [`s ${key}`, serviceLayers[capture](service, extensions)];
    if (capture === 'redirect') yield [`l ${key}`, listenerLayers(service, audience)];
    yield [`r ${key}`, routesLayer(service, audience, quarantine)];
    if (capture === 'explicit' && service.ref.namespace === namespace) yield [`n ${key}`, localNames(service)];
  }
  if (capture === 'explicit') yield ['claims', claimsOf(claimant(namespace), [...services.values()])];
}

const serviceSection = memoised((services: MeshModel['services'], audience: Served, quarantine: Quarantine) =>
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
  checked([['extensions', filterLayer(chosenOf(extensions, newestLevel, quarantine))]], quarantine),
);

const audiencesOf = memoised(
  (proxies: MeshModel['proxies']): ReadonlySet<Audience> => new Set([...proxies.values()].map(audienceOf)),
);

/** The same layer may be in several views: each thing that is held back is told once. */
const distinct = (guilty: readonly Guilt[]): readonly Guilt[] => [
  ...new Map(guilty.map((one) => [`${one.resource.name} ${one.part?.origin.part ?? ''} ${one.message}`, one])).values(),
];

/** Where nothing is known of the Envoys. */
const anyFleet: readonly Capabilities[] = [leastCapabilities];

/** What views depend on besides the mesh. */
interface Inputs {
  readonly quarantines: Quarantines;
  readonly fleet: readonly Capabilities[];
}

/** One view: its key, and what it is made for. */
interface Planned {
  readonly key: string;
  readonly of: Served;
  readonly quarantine: Quarantine;
}

/** The views of an audience: for what its Envoys can do, and for each version that refused something. */
function plannedFor(audience: Audience, { quarantines, fleet }: Inputs): readonly Planned[] {
  const { capture, extensions } = audience;
  const plan = (key: string, by: { readonly can: Capabilities; readonly level: string; quarantine: Quarantine }) => ({
    key,
    of: served(audience, by.can, chosenOf(extensions, by.level, by.quarantine)),
    quarantine: by.quarantine,
  });
  return (capture === 'explicit' ? anyFleet : fleet).flatMap((can) => [
    ...['', ...levelsOf(extensions)].map((level) =>
      plan(viewKeyOf(audience, can, level), { can, level, quarantine: nothingRefused }),
    ),
    ...[...quarantines].map(([envoy, quarantine]) =>
      plan(`${viewKeyOf(audience, can, '')}|${envoy}`, { can, level: levelOf(envoy, extensions), quarantine }),
    ),
  ]);
}

/** Builds everything that is to be served for a model; `fleet`: what the Envoys can do that there are. */
export function buildPublication(model: MeshModel, quarantines: Quarantines, fleet = anyFleet): Built {
  const views = new Map<string, readonly Section[]>();
  const guilty: Guilt[] = [...guiltyOwn(model.proxies)];
  const extensions = extensionsIn(model.proxies);
  for (const audience of audiencesOf(model.proxies)) {
    for (const { key, of, quarantine } of plannedFor(audience, { quarantines, fleet })) {
      const parts = [
        serviceSection(model.services, of, quarantine),
        endpointSection(model.endpoints, quarantine),
        filterSection(extensions, quarantine),
      ];
      views.set(
        key,
        parts.map((part) => part.section),
      );
      for (const part of parts) guilty.push(...part.guilty);
    }
  }
  const proxies = proxyEntries(model.proxies, quarantines);
  return { publication: { revision: model.revision, views, proxies }, guilty: distinct(guilty) };
}
