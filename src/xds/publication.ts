// Model and quarantine to a publication: for every kind of proxy the view that it sees, made of sections that change
// together. Must not know how anything is translated.

import type { Capabilities } from '../features/feature.js';
import { memoised } from '../lib/memo.js';
import { dialledIn } from '../model/dialled.js';
import type { MeshModel } from '../model/mesh.js';
import type { Place } from '../model/place.js';
import { audienceOf, served, viewKeyOf, type Audience, type Served } from './audience.js';
import type { Names, Publication, Section } from './cache.js';
import { leastCapabilities } from './capabilities.js';
import { layersOfEgress, outgoingOf, outwardLayer, type Outgoing } from './egress-layers.js';
import { buildExtensions } from './extend.js';
import { chosenOf, extensionLevelOf, extensionsIn, levelsOf, newestLevel } from './extension-choice.js';
import { encode, noExtensions, type Extensions, type Layer } from './layer.js';
import { guiltyOwn, proxyEntries, type Quarantines } from './proxy-entries.js';
import { nothingRefused, type Guilt, type Quarantine } from './quarantine.js';
import type { EncodedResource } from './resources.js';
import { endpointLayerFor, layersOfServices } from './service-layers.js';
import { commonResources, type Bundle } from './translate.js';

export type { Quarantines } from './proxy-entries.js';

/** A publication with what was held back before sending. */
export interface Built {
  readonly publication: Publication;
  /** Found by our own check of Envoy's rules. */
  readonly guilty: readonly Guilt[];
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

const commonLayer = memoised((bundle: Bundle) => encode(bundle, noExtensions));
const commonSection = memoised((bundle: Bundle, quarantine: Quarantine) =>
  checked([['common', commonLayer(bundle)]], quarantine),
);

const serviceSection = memoised((services: MeshModel['services'], callers: Served, quarantine: Quarantine) =>
  checked(layersOfServices(services, callers, quarantine), quarantine),
);

const endpointSection = memoised((endpoints: MeshModel['endpoints'], place: Place, quarantine: Quarantine) =>
  checked(
    [...endpoints].map(([key, sets]) => [`e ${key}`, endpointLayerFor(sets, place)] as const),
    quarantine,
  ),
);

const egressSection = memoised((services: MeshModel['services'], of: Outgoing, quarantine: Quarantine) =>
  checked(layersOfEgress(services, of, quarantine), quarantine),
);

const outwardSection = memoised((layer: Layer, quarantine: Quarantine) => checked([['outward', layer]], quarantine));

const filterLayer = memoised((extensions: Extensions) => encode(buildExtensions(extensions), noExtensions));
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
  const dialled = dialledIn(model);
  for (const audience of audiencesOf(model.proxies)) {
    for (const { key, callers, quarantine } of viewsOf(audience, { quarantines, fleet })) {
      const parts = [
        commonSection(commonResources[audience.capture][audience.families], quarantine),
        // But for endpoints, callers at all places see the same.
        serviceSection(model.services, callers, quarantine),
        endpointSection(model.endpoints, audience.place, quarantine),
        egressSection(model.services, outgoingOf(audience, callers.extensions, model.hosts), quarantine),
        ...(audience.capture === 'redirect'
          ? [outwardSection(outwardLayer(audience, callers, dialled), quarantine)]
          : []),
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
