// Model and quarantine to a publication: for every kind of proxy the layers that it sees, encoded and
// checked. Remembers bytes by the identity of what they were made from, and nothing else.

import type { Capabilities } from '../features/feature.js';
import { callerOf, everyone, isFor } from '../model/caller.js';
import {
  withPolicies,
  type Caller,
  type Capture,
  type EndpointSet,
  type MeshModel,
  type PolicyInForce,
  type ProxyModel,
  type Rule,
  type ServiceModel,
} from '../model/mesh.js';
import type { EgressModel } from '../model/egress.js';
import { keysOf, nowhere, placeOf, type Place } from '../model/place.js';
import { createInterner } from '../lib/intern.js';
import { memoised, memoisedList } from '../lib/memo.js';
import { audienceOf, viewKeyOf, type Audience, type Served } from './audience.js';
import type { Names, ProxyEntry, Publication, Section } from './cache.js';
import { capabilitiesOf, leastCapabilities } from './capabilities.js';
import { isDynamic } from './dynamic-hosts.js';
import { encode, encodeAll, encodeParts, isConcerned, type Divisible, type Layer } from './layer.js';
import { nothingRefused, type Guilt, type Quarantine } from './quarantine.js';
import type { EncodedResource, Part } from './resources.js';
import {
  commonResources,
  translateClaims,
  translateEgress,
  translateUnknown,
  translateEndpoints,
  translateEntrances,
  translateLocalNames,
  translateProxy,
  translateRules,
  translateService,
  type Bundle,
  type Callers,
} from './translate.js';
import { hasConnectionRules } from './tcp.js';
import { forEachType, type OwnResources } from './view.js';

/** Quarantines by Envoy version. */
export type Quarantines = ReadonlyMap<string, Quarantine>;

/** A publication with what was held back before sending. */
export interface Built {
  readonly publication: Publication;
  /** Found by our own check of Envoy's rules. */
  readonly guilty: readonly Guilt[];
}

const rulesOf = (service: ServiceModel, caller: Caller): readonly Rule[] => [
  ...new Set(
    service.ports.flatMap((port) =>
      (port.consumers.get(caller.namespace) ?? port.hosts).flatMap((host) =>
        host.entries.filter(({ match }) => isFor(match, caller)).map(({ rule }) => rule),
      ),
    ),
  ),
];

const isRule = (part: Part): part is Rule => 'backends' in part;
const isPolicy = (part: Part): part is PolicyInForce => 'feature' in part;

/** A list with an identity. */
type Outbound = ProxyModel['outbound'];

const entrances = {
  explicit: memoised((service: ServiceModel, outbound: Outbound, can: Capabilities) =>
    encode(translateEntrances.explicit(service, { outbound, can })),
  ),
  redirect: memoised((service: ServiceModel, outbound: Outbound, can: Capabilities) =>
    encode(translateEntrances.redirect(service, { outbound, can })),
  ),
} as const;

const divisibleRules = (service: ServiceModel, callers: Callers): Divisible<Rule> => ({
  parts: () => rulesOf(service, callers.caller),
  translate: (substitute) => translateRules(service, callers, substitute),
  isOne: isRule,
});

const policiesOf = memoised((service: ServiceModel): readonly PolicyInForce[] =>
  service.ports.flatMap(({ policies }) => policies.inForce),
);

const divisiblePolicies = (service: ServiceModel, capture: Capture): Divisible<PolicyInForce> => ({
  parts: () => policiesOf(service),
  translate: (substitute) => translateService[capture](withPolicies(service, substitute)),
  isOne: isPolicy,
});

const goodService = (capture: Capture) =>
  memoised((service: ServiceModel): Layer =>
    encodeAll(translateService[capture](service), divisiblePolicies(service, capture)),
  );
const partialService = (capture: Capture) =>
  memoised((service: ServiceModel, quarantine: Quarantine): Layer =>
    encodeParts(divisiblePolicies(service, capture), quarantine.parts),
  );
const serviceLayers = {
  explicit: { good: goodService('explicit'), partial: partialService('explicit') },
  redirect: { good: goodService('redirect'), partial: partialService('redirect') },
} as const satisfies Record<Capture, unknown>;

function serviceLayer(service: ServiceModel, capture: Capture, quarantine: Quarantine): Layer {
  const { good, partial } = serviceLayers[capture];
  return isConcerned(policiesOf(service), quarantine.parts) ? partial(service, quarantine) : good(service);
}

const localNames = memoised((service: ServiceModel) => encode(translateLocalNames(service)));
const endpointLayer = memoised((sets: readonly EndpointSet[], place: Place) => encode(translateEndpoints(sets, place)));

/** What of a place counts for the endpoints of a Service. */
const keysSeen = memoised((sets: readonly EndpointSet[]): readonly string[] =>
  sets.flatMap(({ preference }) => (preference === undefined ? [] : keysOf(preference))),
);

/** What callers at a place see of the endpoints of a Service: the same wherever it tells no places apart. */
function endpointLayerFor(sets: readonly EndpointSet[], place: Place): Layer {
  const keys = keysSeen(sets);
  return endpointLayer(sets, keys.length === 0 ? nowhere : placeOf((key) => place[key], keys));
}
const commonLayer = memoised(encode);

/** Claims depend on all Services: the last answer is kept for each namespace of callers. */
const claimants = createInterner<{ readonly namespace: string }>(100_000);
const claimsOf = memoisedList((caller: { readonly namespace: string }, services: readonly ServiceModel[]) =>
  encode(translateClaims(services, caller.namespace)),
);

/** Keys of the source conditions that some rule on a Service has. */
const sourcesNamed = memoised((service: ServiceModel): ReadonlySet<string> => {
  const hosts = service.ports.flatMap((port) => [port.hosts, ...port.consumers.values()].flat());
  return new Set(hosts.flatMap(({ entries }) => entries.flatMap(({ match }) => match.sources.map(({ key }) => key))));
});

const callersBy = (capture: Capture) =>
  memoised((caller: Caller, outbound: Outbound, can: Capabilities): Callers => ({ caller, capture, outbound, can }));

/** One object for each class of callers. */
const callersOf = { explicit: callersBy('explicit'), redirect: callersBy('redirect') } as const;

/** A host outside of the cluster is for callers of the route's namespace: it matters where a caller is. */
const sendsOutside = memoised((service: ServiceModel): boolean =>
  allRulesOf(service).some((rule) => rule.hosts.length > 0 || rule.backends.some(({ kind }) => kind === 'host')),
);

const allRulesOf = ({ ports }: ServiceModel): readonly Rule[] =>
  ports.flatMap((port) =>
    [port.hosts, ...port.consumers.values()].flatMap((hosts) =>
      hosts.flatMap(({ entries }) => entries.map(({ rule }) => rule)),
    ),
  );

/** Callers as a Service tells them apart: all that have neither rules nor conditions of their own are one class. */
function seenBy(service: ServiceModel, { caller, capture, outbound, can }: Callers): Callers {
  // Only listeners differ by what an Envoy can do.
  const least = service.ports.some(hasConnectionRules) ? can : leastCapabilities;
  const named = sourcesNamed(service);
  const sources = named.size === 0 ? [] : caller.sources.filter((key) => named.has(key));
  const consumed = sendsOutside(service) || service.ports.some((port) => port.consumers.has(caller.namespace));
  if (sources.length === 0 && !consumed) return callersOf[capture](everyone, outbound, least);
  return callersOf[capture](callerOf(consumed ? caller.namespace : '', sources), outbound, least);
}

const goodRules = memoised((service: ServiceModel, callers: Callers): Layer =>
  encodeAll(translateRules(service, callers), divisibleRules(service, callers)),
);
const partialRules = memoised((service: ServiceModel, callers: Callers, quarantine: Quarantine): Layer =>
  encodeParts(divisibleRules(service, callers), quarantine.parts),
);

function rulesLayer(service: ServiceModel, audience: Callers, quarantine: Quarantine): Layer {
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
  callers: Callers,
  quarantine: Quarantine,
): Generator<[string, Layer]> {
  const { caller, capture, outbound, can } = callers;
  const { namespace } = caller;
  for (const [key, service] of services) {
    yield [`s ${key}`, serviceLayer(service, capture, quarantine)];
    yield [`l ${key}`, entrances[capture](service, outbound, can)];
    yield [`r ${key}`, rulesLayer(service, callers, quarantine)];
    if (capture === 'explicit' && service.ref.namespace === namespace) yield [`n ${key}`, localNames(service)];
  }
  if (capture === 'explicit') yield ['claims', claimsOf(claimant(namespace), [...services.values()])];
}

const commonSection = memoised((bundle: Bundle, quarantine: Quarantine) =>
  checked([['common', commonLayer(bundle)]], quarantine),
);

const serviceSection = memoised((services: MeshModel['services'], callers: Callers, quarantine: Quarantine) =>
  checked(layersOfServices(services, callers, quarantine), quarantine),
);

const endpointSection = memoised((endpoints: MeshModel['endpoints'], place: Place, quarantine: Quarantine) =>
  checked(
    [...endpoints].map(([key, sets]): [string, Layer] => [`e ${key}`, endpointLayerFor(sets, place)]),
    quarantine,
  ),
);

const egressLayers: Readonly<Record<Capture, (egress: EgressModel) => Layer>> = {
  explicit: memoised((egress: EgressModel) => encode(translateEgress(egress, 'explicit'))),
  redirect: memoised((egress: EgressModel) => encode(translateEgress(egress, 'redirect'))),
};
/** Callers of a namespace with the same egress are one object. */
const dynamicCallers = memoised((caller: Caller, egress: EgressModel) => ({ caller, egress }));
const unknownSection = memoised(
  (services: MeshModel['services'], { caller, egress }: Outgoing, quarantine: Quarantine) =>
    checked([['unknown', encode(translateUnknown([...services.values()], caller, egress))]], quarantine),
);

type Outgoing = Pick<Audience, 'caller' | 'egress'>;

const unknownSections = (
  services: MeshModel['services'],
  { capture, caller, egress }: Audience,
  quarantine: Quarantine,
): readonly Checked[] =>
  capture === 'explicit' && isDynamic(egress)
    ? [unknownSection(services, dynamicCallers(caller, egress), quarantine)]
    : [];

const egressSections: Readonly<Record<Capture, (egress: EgressModel, quarantine: Quarantine) => Checked>> = {
  explicit: memoised((egress: EgressModel, quarantine: Quarantine) =>
    checked([['egress', egressLayers.explicit(egress)]], quarantine),
  ),
  redirect: memoised((egress: EgressModel, quarantine: Quarantine) =>
    checked([['egress', egressLayers.redirect(egress)]], quarantine),
  ),
};

const claimant = (namespace: string) => claimants(namespace, () => ({ namespace }));

const ownOf = memoised((proxy: ProxyModel, can: Capabilities): OwnResources => {
  const { resources } = encode(translateProxy(proxy, can));
  return forEachType((type) => {
    const ofType = resources.filter((one) => one.type === type);
    // One object for all that have none: what is worked out with it is shared.
    return ofType.length === 0 ? nothingOwn : ofType;
  });
});

const nothingOwn: readonly EncodedResource[] = [];

const proxyEntries = memoised(
  (proxies: MeshModel['proxies'], versions: ReadonlySet<string>): ReadonlyMap<string, ProxyEntry> =>
    new Map([...proxies].map(([key, proxy]) => [key, entryOf(proxy, versions)])),
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

/** Builds everything that is to be served for a model; `fleet`: what the Envoys can do that there are. */
export function buildPublication(model: MeshModel, quarantines: Quarantines, fleet = anyFleet): Built {
  const views = new Map<string, readonly Section[]>();
  const withheld = new Map<string, Names>();
  const guilty: Guilt[] = [];
  const add = (key: string, { audience, can }: Served, quarantine: Quarantine): void => {
    const { caller, capture, outbound, families, place } = audience;
    const parts = [
      commonSection(commonResources[capture][families], quarantine),
      // But for endpoints, callers at all places see the same.
      serviceSection(model.services, callersOf[capture](caller, outbound, can), quarantine),
      endpointSection(model.endpoints, place, quarantine),
      ...unknownSections(model.services, audience, quarantine),
      egressSections[audience.capture](audience.egress, quarantine),
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
  };
  for (const audience of audiencesOf(model.proxies)) {
    for (const can of audience.capture === 'explicit' ? anyFleet : fleet) {
      const key = viewKeyOf(audience, can);
      add(key, { audience, can }, nothingRefused);
      for (const [envoy, quarantine] of quarantines) add(`${key}|${envoy}`, { audience, can }, quarantine);
    }
  }
  const proxies = proxyEntries(model.proxies, quarantineKeys(quarantines));
  return { publication: { revision: model.revision, views, withheld, proxies }, guilty: distinct(guilty) };
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
  const audience = audienceOf(proxy);
  return {
    group: proxy.group,
    ownFor: (envoy) => ownOf(proxy, capabilitiesOf(envoy)),
    viewFor: (envoy) => {
      const base = viewKeyOf(audience, capabilitiesOf(envoy));
      return versions.has(envoy) ? `${base}|${envoy}` : base;
    },
  };
});
