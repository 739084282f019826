// Model and quarantine to a publication: for every kind of proxy the layers that it sees, encoded and
// checked. Remembers bytes by the identity of what they were made from, and nothing else.

import type { Capture, EndpointSet, MeshModel, ProxyModel, Rule, ServiceModel } from '../model/mesh.js';
import type { Capabilities } from '../features/feature.js';
import { createInterner } from '../lib/intern.js';
import { memoised, memoisedList } from '../lib/memo.js';
import type { ProxyEntry, Publication, Section } from './cache.js';
import { capabilitiesOf, leastCapabilities, levelOf } from './capabilities.js';
import { checkConstraints } from './constraints.js';
import { familiesOf, type Families } from './listeners.js';
import { nothingRefused, type Guilt, type Quarantine } from './quarantine.js';
import { codecOf, encodeResource, type EncodedResource, type Part, type Resource } from './resources.js';
import {
  commonResources,
  translateClaims,
  translateEndpoints,
  translateListeners,
  translateLocalNames,
  translateProxy,
  translateRoutes,
  translateRoutesWith,
  translateService,
  type Bundle,
  type RouteAudience,
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
function encodeRoutes(
  service: ServiceModel,
  audience: RouteAudience,
  withheld: ReadonlyMap<Part, Part | undefined>,
): Layer {
  const broken = new Map<Part, Guilt>();
  const substitute = (rule: Rule): Rule | undefined => {
    if (broken.has(rule)) return undefined;
    if (!withheld.has(rule)) return rule;
    const good = withheld.get(rule);
    return good === undefined || !isRule(good) ? undefined : good;
  };
  const all = encode(translateRoutesWith(service, audience, substitute));
  if (all.guilty.length === 0) return all;
  for (const rule of rulesOf(service, audience.namespace)) {
    const alone = translateRoutesWith(service, audience, (one) => (one === rule ? one : undefined));
    const found = encode(alone).guilty[0];
    if (found !== undefined) broken.set(rule, { ...found, part: rule });
  }
  const layer = encode(translateRoutesWith(service, audience, substitute));
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

const serviceLayers: Readonly<Record<Capture, (service: ServiceModel) => Layer>> = {
  explicit: memoised((service: ServiceModel) => encode(translateService.explicit(service))),
  redirect: memoised((service: ServiceModel) => encode(translateService.redirect(service))),
};
const listenerLayers = memoised((service: ServiceModel, outbound: Outbound, can: Capabilities) =>
  encode(translateListeners(service, { outbound, can })),
);
const localNames = memoised((service: ServiceModel) => encode(translateLocalNames(service)));
const endpointLayer = memoised((sets: readonly EndpointSet[]) => encode(translateEndpoints(sets)));
const commonLayer = memoised(encode);

/** Claims depend on all Services: the last answer is kept for each namespace of callers. */
const claimants = createInterner<{ readonly namespace: string }>(100_000);
const claimsOf = memoisedList((caller: { readonly namespace: string }, services: readonly ServiceModel[]) =>
  encode(translateClaims(services, caller.namespace)),
);

/** All callers that have no rules of their own share the producer's. */
const producers = '';
const audiencesOfRoutes = memoised((_outbound: Outbound) => new Map<string, RouteAudience>());
const routeAudience = (namespace: string, outbound: Outbound): RouteAudience => {
  const known = audiencesOfRoutes(outbound);
  const audience = known.get(namespace) ?? { namespace, outbound };
  known.set(namespace, audience);
  return audience;
};

const goodRoutes = memoised((service: ServiceModel, audience: RouteAudience): Layer => {
  const layer = encode(translateRoutes(service, audience));
  return layer.guilty.length === 0 ? layer : encodeRoutes(service, audience, new Map());
});
const partialRoutes = memoised((service: ServiceModel, audience: RouteAudience, quarantine: Quarantine) =>
  encodeRoutes(service, audience, quarantine.parts),
);

function routesLayer(service: ServiceModel, { namespace, outbound }: Audience, quarantine: Quarantine): Layer {
  const consumed = service.ports.some((port) => port.consumers.has(namespace));
  const audience = routeAudience(consumed ? namespace : producers, outbound);
  const isWhole =
    quarantine.parts.size === 0 || !rulesOf(service, namespace).some((rule) => quarantine.parts.has(rule));
  return isWhole ? goodRoutes(service, audience) : partialRoutes(service, audience, quarantine);
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
  /** What policies say of the calls of their pods. */
  readonly outbound: Outbound;
}

/** A list with an identity. */
type Outbound = ProxyModel['outbound'];

/** One object for each audience. */
const audiences = createInterner<Audience>(100_000);
const audienceOf = ({ namespace, capture, addresses, outbound }: ProxyModel): Audience => {
  const audience = { namespace, capture, families: familiesOf(addresses), outbound };
  return audiences(audienceKeyOf(audience), () => audience);
};

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

/** An audience of which all proxies can do the same. Explicit: what differs between versions is each proxy's own. */
interface Served extends Audience {
  readonly can: Capabilities;
}

const served = memoised((audience: Audience, can: Capabilities): Served => ({ ...audience, can }));

function* layersOfServices(
  services: MeshModel['services'],
  audience: Served,
  quarantine: Quarantine,
): Generator<[string, Layer]> {
  const { namespace, capture, families, outbound, can } = audience;
  yield ['common', commonLayer(commonResources[capture][families])];
  for (const [key, service] of services) {
    yield [`s ${key}`, serviceLayers[capture](service)];
    if (capture === 'redirect') yield [`l ${key}`, listenerLayers(service, outbound, can)];
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

let outbounds = 0;
/** A short name for each list of policies. */
const nameOfOutbound = memoised((_outbound: Outbound) => String(outbounds++));

const audienceKeyOf = ({ namespace, capture, families, outbound }: Audience): string =>
  `${namespace}|${capture}|${families}|${nameOfOutbound(outbound)}`;

/** Redirect: proxies of older Envoys share a view of their own. */
const viewKeyOf = (audience: Audience, can: Capabilities): string =>
  audience.capture === 'explicit' ? audienceKeyOf(audience) : `${audienceKeyOf(audience)}|${levelOf(can)}`;

const ownOf = memoised((proxy: ProxyModel, can: Capabilities): OwnResources => {
  const { resources } = encode(translateProxy(proxy, can));
  return forEachType((type) => resources.filter((one) => one.type === type));
});

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
  const guilty: Guilt[] = [];
  const add = (key: string, audience: Served, quarantine: Quarantine): void => {
    const parts = [serviceSection(model.services, audience, quarantine), endpointSection(model.endpoints, quarantine)];
    views.set(
      key,
      parts.map((part) => part.section),
    );
    for (const part of parts) guilty.push(...part.guilty);
  };
  for (const audience of audiencesOf(model.proxies)) {
    for (const can of audience.capture === 'explicit' ? anyFleet : fleet) {
      const key = viewKeyOf(audience, can);
      add(key, served(audience, can), nothingRefused);
      for (const [envoy, quarantine] of quarantines) add(`${key}|${envoy}`, served(audience, can), quarantine);
    }
  }
  const proxies = proxyEntries(model.proxies, quarantineKeys(quarantines));
  return { publication: { revision: model.revision, views, proxies }, guilty: distinct(guilty) };
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
