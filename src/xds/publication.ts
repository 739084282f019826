// Model and quarantine to a publication: for every kind of proxy the layers that it sees, encoded and
// checked. Remembers bytes by the identity of what they were made from, and nothing else.

import type { Capabilities } from '../features/feature.js';
import { isFor } from '../model/caller.js';
import type { Caller, Capture, EndpointSet, MeshModel, Rule, ServiceModel } from '../model/mesh.js';
import { createInterner } from '../lib/intern.js';
import { memoised, memoisedList } from '../lib/memo.js';
import {
  asEveryone,
  audienceOf,
  placeOf,
  seenBy,
  served,
  viewKeyOf,
  type Audience,
  type Place,
  type Served,
} from './audience.js';
import type { Names, Publication, Section } from './cache.js';
import { leastCapabilities } from './capabilities.js';
import { buildExtensions } from './extend.js';
import { chosenOf, extensionLevelOf, extensionsIn, levelsOf, newestLevel } from './extension-choice.js';
import {
  encode,
  encodeAll,
  encodeParts,
  isConcerned,
  noExtensions,
  type Divisible,
  type Extensions,
  type Layer,
} from './layer.js';
import { guiltyOwn, proxyEntries, type Quarantines } from './proxy-entries.js';
import { nothingRefused, type Guilt, type Quarantine } from './quarantine.js';
import type { EncodedResource, Part } from './resources.js';
import {
  commonResources,
  translateClaims,
  translateEndpoints,
  translateEntrances,
  translateLocalNames,
  translateRules,
  translateService,
  type Bundle,
} from './translate.js';

export type { Quarantines } from './proxy-entries.js';

/** A publication with what was held back before sending. */
export interface Built {
  readonly publication: Publication;
  /** Found by our own check of Envoy's rules. */
  readonly guilty: readonly Guilt[];
}

const isRule = (part: Part): part is Rule => 'backends' in part;

const rulesOf = (service: ServiceModel, caller: Caller): readonly Rule[] => [
  ...new Set(
    service.ports.flatMap((port) =>
      (port.consumers.get(caller.namespace) ?? port.hosts).flatMap((host) =>
        host.entries.filter(({ match }) => isFor(match, caller)).map(({ rule }) => rule),
      ),
    ),
  ),
];

const divisibleRules = (service: ServiceModel, callers: Served): Divisible<Rule> => ({
  parts: () => rulesOf(service, callers.caller),
  translate: (substitute) => translateRules(service, callers, substitute),
  isOne: isRule,
  extensions: callers.extensions,
});

const serviceLayersIn = (capture: Capture) =>
  memoised((service: ServiceModel, extensions: Extensions) => encode(translateService[capture](service), extensions));

const serviceLayers = { explicit: serviceLayersIn('explicit'), redirect: serviceLayersIn('redirect') } as const;

/** What differs between those whom rules leave alike. */
const entrances = memoised((service: ServiceModel, callers: Served) =>
  encode(translateEntrances[callers.capture](service, callers), callers.extensions),
);

const localNames = memoised((service: ServiceModel) => encode(translateLocalNames(service), noExtensions));
const endpointLayer = memoised((sets: readonly EndpointSet[]) =>
  encode(translateEndpoints(sets, undefined), noExtensions),
);
const nodeLayer = memoised((sets: readonly EndpointSet[], { node }: Place) =>
  encode(translateEndpoints(sets, node), noExtensions),
);

/** What callers at a place see of the endpoints of a Service. */
const endpointLayerFor = (sets: readonly EndpointSet[], place: Place): Layer =>
  sets.some(({ nodeLocal }) => nodeLocal === true) ? nodeLayer(sets, place) : endpointLayer(sets);
const commonLayer = memoised((bundle: Bundle) => encode(bundle, noExtensions));
const filterLayer = memoised((extensions: Extensions) => encode(buildExtensions(extensions), noExtensions));

/** Claims depend on all Services: the last answer is kept for each namespace of callers. */
const claimants = createInterner<{ readonly namespace: string }>(100_000);
const claimsOf = memoisedList((caller: { readonly namespace: string }, services: readonly ServiceModel[]) =>
  encode(translateClaims(services, caller.namespace), noExtensions),
);

const goodRules = memoised((service: ServiceModel, callers: Served): Layer =>
  encodeAll(translateRules(service, callers), divisibleRules(service, callers)),
);
const partialRules = memoised((service: ServiceModel, callers: Served, quarantine: Quarantine): Layer =>
  encodeParts(divisibleRules(service, callers), quarantine.parts),
);

function rulesLayer(service: ServiceModel, audience: Served, quarantine: Quarantine): Layer {
  const callers = seenBy(service, audience);
  const { parts } = quarantine;
  const concerned = parts.size > 0 && isConcerned(rulesOf(service, callers.caller), parts);
  return concerned ? partialRules(service, callers, quarantine) : goodRules(service, callers);
}

/** Refused resources are replaced by the last good ones, or withheld. */
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

/** What must not be sent and has no good version: what came from rules does without the culprits instead. */
function withheldOf({ resources, guilty }: Layer, quarantine: Quarantine): Names {
  const isWithheld = ({ version }: EncodedResource): boolean =>
    quarantine.resources.has(version) && quarantine.resources.get(version) === undefined;
  const refused = quarantine.resources.size === 0 ? [] : resources.filter(isWithheld);
  const broken = guilty.flatMap((one) => (one.part === undefined ? one.resource : []));
  return [...refused, ...broken];
}

/** A section of a view with what it holds back. */
interface Checked {
  readonly section: Section;
  readonly guilty: readonly Guilt[];
  readonly withheld: Names;
}

function checked(layers: Iterable<readonly [string, Layer]>, quarantine: Quarantine): Checked {
  const section = new Map<string, readonly EncodedResource[]>();
  const guilty: Guilt[] = [];
  const withheld: Names[number][] = [];
  for (const [key, layer] of layers) {
    section.set(key, withoutRefused(layer, quarantine));
    withheld.push(...withheldOf(layer, quarantine));
    guilty.push(...layer.guilty);
  }
  return { section, guilty, withheld };
}

function* layersOfServices(
  services: MeshModel['services'],
  callers: Served,
  quarantine: Quarantine,
): Generator<[string, Layer]> {
  const { caller, capture, can, extensions } = callers;
  const { namespace } = caller;
  const anybody = asEveryone(callers, can);
  for (const [key, service] of services) {
    yield [`s ${key}`, serviceLayers[capture](service, extensions)];
    yield [`l ${key}`, entrances(service, anybody)];
    yield [`r ${key}`, rulesLayer(service, callers, quarantine)];
    if (capture === 'explicit' && service.ref.namespace === namespace) yield [`n ${key}`, localNames(service)];
  }
  if (capture === 'explicit') yield ['claims', claimsOf(claimant(namespace), [...services.values()])];
}

const commonSection = memoised((bundle: Bundle, quarantine: Quarantine) =>
  checked([['common', commonLayer(bundle)]], quarantine),
);

const serviceSection = memoised((services: MeshModel['services'], callers: Served, quarantine: Quarantine) =>
  checked(layersOfServices(services, callers, quarantine), quarantine),
);

const endpointSection = memoised((endpoints: MeshModel['endpoints'], place: Place, quarantine: Quarantine) =>
  checked(
    [...endpoints].map(([key, sets]): [string, Layer] => [`e ${key}`, endpointLayerFor(sets, place)]),
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
  readonly callers: Served;
  readonly quarantine: Quarantine;
}

/** The views of an audience: for what its Envoys can do, and for each version that refused something. */
function viewsOf(audience: Audience, { quarantines, fleet }: Inputs): readonly Planned[] {
  const { capture, extensions } = audience;
  const left = (level: string, quarantine: Quarantine): Extensions => chosenOf(extensions, level, quarantine);
  return (capture === 'explicit' ? anyFleet : fleet).flatMap((can): readonly Planned[] => {
    const callers = (some: Extensions): Served => served({ ...audience, can, extensions: some });
    return [
      ...['', ...levelsOf(extensions)].map((extensionLevel) => ({
        key: viewKeyOf(audience, { can, extensionLevel }),
        callers: callers(left(extensionLevel, nothingRefused)),
        quarantine: nothingRefused,
      })),
      ...[...quarantines].map(([envoy, quarantine]) => ({
        key: `${viewKeyOf(audience, { can, extensionLevel: '' })}|${envoy}`,
        callers: callers(left(extensionLevelOf(envoy, extensions), quarantine)),
        quarantine,
      })),
    ];
  });
}

/** Builds everything that is to be served for a model; `fleet`: what the Envoys can do that there are. */
export function buildPublication(model: MeshModel, quarantines: Quarantines, fleet = anyFleet): Built {
  const views = new Map<string, readonly Section[]>();
  const withheld = new Map<string, Names>();
  const guilty: Guilt[] = [...guiltyOwn(model.proxies)];
  const extensions = extensionsIn(model.proxies);
  for (const audience of audiencesOf(model.proxies)) {
    for (const { key, callers, quarantine } of viewsOf(audience, { quarantines, fleet })) {
      const parts = [
        commonSection(commonResources[audience.capture][audience.families], quarantine),
        // But for endpoints, callers on all nodes see the same.
        serviceSection(model.services, callers, quarantine),
        endpointSection(model.endpoints, placeOf(audience), quarantine),
        filterSection(extensions, quarantine),
      ];
      views.set(
        key,
        parts.map((part) => part.section),
      );
      withheld.set(
        key,
        parts.flatMap((part) => part.withheld),
      );
      for (const part of parts) guilty.push(...part.guilty);
    }
  }
  const proxies = proxyEntries(model.proxies, quarantines);
  return { publication: { revision: model.revision, views, withheld, proxies }, guilty: distinct(guilty) };
}
