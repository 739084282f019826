// Model and quarantine to a publication: for every kind of proxy the layers that it sees, encoded and
// checked. Remembers bytes by the identity of what they were made from, and nothing else.

import type { Capabilities } from '../features/feature.js';
import { callerOf, everyone, isFor } from '../model/caller.js';
import type { Caller, Capture, EndpointSet, MeshModel, ProxyModel, Rule, ServiceModel } from '../model/mesh.js';
import { createInterner } from '../lib/intern.js';
import { memoised, memoisedList } from '../lib/memo.js';
import type { Names, ProxyEntry, Publication, Section } from './cache.js';
import { capabilitiesOf, leastCapabilities, levelOf } from './capabilities.js';
import { checkConstraints } from './constraints.js';
import { familiesOf, type Families } from './listeners.js';
import { nothingRefused, type Guilt, type Quarantine } from './quarantine.js';
import { codecOf, encodeResource, type EncodedResource, type Part, type Resource } from './resources.js';
import {
  commonResources,
  translateClaims,
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

/** Endpoints and scopes hold nothing that a user wrote but names, which Kubernetes has checked. */
const isChecked = ({ type }: Resource): boolean => type !== 'endpoint' && type !== 'scope';

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

/** A layer without the rules that are withheld, nor those that could not be sent. */
function encodeRules(service: ServiceModel, callers: Callers, withheld: ReadonlyMap<Part, Part | undefined>): Layer {
  const broken = new Map<Part, Guilt>();
  const substitute = (rule: Rule): Rule | undefined => {
    if (broken.has(rule)) return undefined;
    if (!withheld.has(rule)) return rule;
    const good = withheld.get(rule);
    return good === undefined || !isRule(good) ? undefined : good;
  };
  const all = encode(translateRules(service, callers, substitute));
  if (all.guilty.length === 0) return all;
  for (const rule of rulesOf(service, callers.caller)) {
    const alone = translateRules(service, callers, (one) => (one === rule ? one : undefined));
    const found = encode(alone).guilty[0];
    if (found !== undefined) broken.set(rule, { ...found, part: rule });
  }
  const layer = encode(translateRules(service, callers, substitute));
  return { resources: layer.resources, guilty: [...broken.values(), ...layer.guilty] };
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

const serviceLayers: Readonly<Record<Capture, (service: ServiceModel) => Layer>> = {
  explicit: memoised((service: ServiceModel) => encode(translateService.explicit(service))),
  redirect: memoised((service: ServiceModel) => encode(translateService.redirect(service))),
};
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
const localNames = memoised((service: ServiceModel) => encode(translateLocalNames(service)));
const endpointLayer = memoised((sets: readonly EndpointSet[]) => encode(translateEndpoints(sets, undefined)));
const nodeLayer = memoised((sets: readonly EndpointSet[], { node }: Place) => encode(translateEndpoints(sets, node)));

/** What callers at a place see of the endpoints of a Service. */
const endpointLayerFor = (sets: readonly EndpointSet[], place: Place): Layer =>
  sets.some(({ nodeLocal }) => nodeLocal === true) ? nodeLayer(sets, place) : endpointLayer(sets);
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

/** Callers as a Service tells them apart: all that have neither rules nor conditions of their own are one class. */
function seenBy(service: ServiceModel, { caller, capture, outbound, can }: Callers): Callers {
  // Only listeners differ by what an Envoy can do.
  const least = service.ports.some(hasConnectionRules) ? can : leastCapabilities;
  const named = sourcesNamed(service);
  const sources = named.size === 0 ? [] : caller.sources.filter((key) => named.has(key));
  const consumed = service.ports.some((port) => port.consumers.has(caller.namespace));
  if (sources.length === 0 && !consumed) return callersOf[capture](everyone, outbound, least);
  return callersOf[capture](callerOf(consumed ? caller.namespace : '', sources), outbound, least);
}

const goodRules = memoised((service: ServiceModel, callers: Callers): Layer => {
  const layer = encode(translateRules(service, callers));
  return layer.guilty.length === 0 ? layer : encodeRules(service, callers, new Map());
});
const partialRules = memoised((service: ServiceModel, callers: Callers, quarantine: Quarantine): Layer =>
  encodeRules(service, callers, quarantine.parts),
);

function rulesLayer(service: ServiceModel, audience: Callers, quarantine: Quarantine): Layer {
  const callers = seenBy(service, audience);
  const { parts } = quarantine;
  const isConcerned = parts.size > 0 && rulesOf(service, callers.caller).some((rule) => parts.has(rule));
  return isConcerned ? partialRules(service, callers, quarantine) : goodRules(service, callers);
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

/** Where callers are. */
interface Place {
  /** Where it matters. */
  readonly node?: string;
}

let outbounds = 0;
/** A short name for each list of policies. */
const nameOfOutbound = memoised((_outbound: Outbound) => String(outbounds++));

/** Proxies that see one view, if they can do the same. */
interface Audience extends Omit<Callers, 'can'>, Place {
  readonly key: string;
  readonly families: Families;
}

/** Those of an audience that can do the same. */
interface Served {
  readonly audience: Audience;
  readonly can: Capabilities;
}

/** One object for each audience. */
const audiences = createInterner<Audience>(100_000);
const audienceOf = memoised(({ caller, capture, addresses, node, outbound }: ProxyModel): Audience => {
  const families = familiesOf(addresses);
  const place = node === undefined ? caller.namespace : `${caller.namespace}@${node}`;
  const key = [place, capture, families, ...caller.sources, nameOfOutbound(outbound)].join('|');
  return audiences(key, () => ({ key, caller, capture, families, outbound, ...(node === undefined ? {} : { node }) }));
});

const places = createInterner<Place>(100_000);
const placeOf = ({ node }: Place): Place =>
  places(node === undefined ? '' : `@${node}`, () => (node === undefined ? {} : { node }));

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
    yield [`s ${key}`, serviceLayers[capture](service)];
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

const claimant = (namespace: string) => claimants(namespace, () => ({ namespace }));

/** Explicit: what differs between versions is each proxy's own. Redirect: those that can do less share views of their own. */
const viewKeyOf = ({ key, capture }: Audience, can: Capabilities): string =>
  capture === 'explicit' ? key : `${key}|${levelOf(can)}`;

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
    const { caller, capture, outbound, families } = audience;
    const parts = [
      commonSection(commonResources[capture][families], quarantine),
      // But for endpoints, callers on all nodes see the same.
      serviceSection(model.services, callersOf[capture](caller, outbound, can), quarantine),
      endpointSection(model.endpoints, placeOf(audience), quarantine),
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
