// What is each proxy's own, and which view it sees: both by the version of its Envoy and by what that version refused.

import type { Capabilities } from '../features/feature.js';
import { listInterner, memoised } from '../lib/memo.js';
import type { MeshModel, ProxyModel } from '../model/mesh.js';
import { audienceOf, viewKeyOf } from './audience.js';
import type { ProxyEntry } from './cache.js';
import { capabilitiesOf, leastCapabilities } from './capabilities.js';
import { chosenOf, extensionLevelOf, newestLevel, onSide } from './extension-choice.js';
import { encode, type Extensions, type Layer } from './layer.js';
import { nothingRefused, type Guilt, type Quarantine } from './quarantine.js';
import type { EncodedResource } from './resources.js';
import { directionOf, translateProxy } from './translate.js';
import { forEachType, type OwnResources } from './view.js';

/** Quarantines by Envoy version. */
export type Quarantines = ReadonlyMap<string, Quarantine>;

const directions = ['outbound', 'inbound'] as const;

const ownLayers = memoised((proxy: ProxyModel, can: Capabilities, extensions: Extensions): readonly Layer[] => {
  const bundle = translateProxy(proxy, can);
  return directions.map((direction) =>
    encode(
      bundle.filter((one) => directionOf(one) === direction),
      onSide(extensions, direction),
    ),
  );
});

const ownOf = memoised((proxy: ProxyModel, can: Capabilities, extensions: Extensions): OwnResources => {
  const resources = ownLayers(proxy, can, extensions).flatMap((layer) => layer.resources);
  return forEachType((type) => {
    const ofType = resources.filter((one) => one.type === type);
    // One object for all that have none: what is worked out with it is shared.
    return ofType.length === 0 ? nothingOwn : ofType;
  });
});

const nothingOwn: readonly EncodedResource[] = [];

/** What was found wrong with the extensions of proxies before anybody was sent them. */
export const guiltyOwn = memoised((proxies: MeshModel['proxies']): readonly Guilt[] =>
  [...proxies.values()]
    .filter(({ extensions }) => extensions.length > 0)
    .flatMap((proxy) => ownLayers(proxy, leastCapabilities, chosenOf(proxy.extensions, newestLevel, nothingRefused)))
    .flatMap((layer) => layer.guilty),
);

/** Which versions refused something, and what. Entries of proxies keep their identity while it stays the same. */
interface Refused {
  readonly quarantines: Quarantines;
  /** The versions alone: enough for proxies without extensions. */
  readonly versions: ReadonlySet<string>;
}

const versionSets = new Map<string, Refused>();

function versionsOf(quarantines: Quarantines): Refused {
  const key = [...quarantines.keys()].sort().join();
  const known = versionSets.get(key) ?? { quarantines: new Map(), versions: new Set(quarantines.keys()) };
  versionSets.set(key, known);
  return known;
}

const internQuarantines = listInterner<Quarantine>();
const refusals = memoised((_quarantines: readonly Quarantine[], _versions: Refused) => new Map<'all', Refused>());

function refusedBy(quarantines: Quarantines): Refused {
  const versions = versionsOf(quarantines);
  const known = refusals(internQuarantines([...quarantines.values()]), versions);
  const refused = known.get('all') ?? { quarantines: new Map(quarantines), versions: versions.versions };
  known.set('all', refused);
  return refused;
}

const entryOf = memoised((proxy: ProxyModel, { quarantines, versions }: Refused): ProxyEntry => {
  const audience = audienceOf(proxy);
  const { extensions } = proxy;
  return {
    group: proxy.group,
    ownFor: (envoy) => {
      const quarantine = quarantines.get(envoy) ?? nothingRefused;
      return ownOf(proxy, capabilitiesOf(envoy), chosenOf(extensions, extensionLevelOf(envoy, extensions), quarantine));
    },
    viewFor: (envoy) => {
      const can = capabilitiesOf(envoy);
      if (versions.has(envoy)) return `${viewKeyOf(audience, { can, extensionLevel: '' })}|${envoy}`;
      return viewKeyOf(audience, { can, extensionLevel: extensionLevelOf(envoy, audience.extensions) });
    },
  };
});

const entries = memoised(
  (proxies: MeshModel['proxies'], refused: Refused, versions: Refused): ReadonlyMap<string, ProxyEntry> =>
    new Map(
      [...proxies].map(([key, proxy]) => [key, entryOf(proxy, proxy.extensions.length === 0 ? versions : refused)]),
    ),
);

/** The entry of every proxy. */
export const proxyEntries = (
  proxies: MeshModel['proxies'],
  quarantines: Quarantines,
): ReadonlyMap<string, ProxyEntry> => entries(proxies, refusedBy(quarantines), versionsOf(quarantines));
