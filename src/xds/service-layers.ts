// What proxies share, layer by layer: of each Service what all callers see, and what each class of them does. Remembers
// bytes by the identity of what they were made from.

import { isFor } from '../model/caller.js';
import {
  withPolicies,
  type Caller,
  type Capture,
  type EndpointSet,
  type PolicyInForce,
  type Rule,
  type ServiceModel,
} from '../model/mesh.js';
import { keysOf, nowhere, placeOf, type Place } from '../model/place.js';
import { createInterner } from '../lib/intern.js';
import { memoised, memoisedList } from '../lib/memo.js';
import { asEveryone, seenBy, type Served } from './audience.js';
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
import type { Quarantine } from './quarantine.js';
import type { Part } from './resources.js';
import { isRule } from './substitution.js';
import {
  translateClaims,
  translateEndpoints,
  translateEntrances,
  translateLocalNames,
  translateRules,
  translateService,
} from './translate.js';

const isPolicy = (part: Part): part is PolicyInForce => 'feature' in part;

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

const policiesOf = memoised((service: ServiceModel): readonly PolicyInForce[] =>
  service.ports.flatMap(({ policies }) => policies.inForce),
);

/** What all callers see of a Service, but for extensions. */
interface Seen {
  readonly capture: Capture;
  readonly extensions: Extensions;
}

const divisiblePolicies = (service: ServiceModel, { capture, extensions }: Seen): Divisible<PolicyInForce> => ({
  parts: () => policiesOf(service),
  translate: (substitute) => translateService[capture](withPolicies(service, substitute)),
  isOne: isPolicy,
  extensions,
});

const goodService = (capture: Capture) =>
  memoised((service: ServiceModel, extensions: Extensions): Layer =>
    encodeAll(translateService[capture](service), divisiblePolicies(service, { capture, extensions })),
  );
const partialService = (capture: Capture) =>
  memoised((service: ServiceModel, extensions: Extensions, quarantine: Quarantine): Layer =>
    encodeParts(divisiblePolicies(service, { capture, extensions }), quarantine.parts),
  );
const serviceLayers = {
  explicit: { good: goodService('explicit'), partial: partialService('explicit') },
  redirect: { good: goodService('redirect'), partial: partialService('redirect') },
} as const satisfies Record<Capture, unknown>;

function serviceLayer(service: ServiceModel, { capture, extensions }: Seen, quarantine: Quarantine): Layer {
  const { good, partial } = serviceLayers[capture];
  const concerned = isConcerned(policiesOf(service), quarantine.parts);
  return concerned ? partial(service, extensions, quarantine) : good(service, extensions);
}

const entrances = memoised((service: ServiceModel, callers: Served) =>
  encode(translateEntrances[callers.capture](service, callers), callers.extensions),
);

const localNames = memoised((service: ServiceModel) => encode(translateLocalNames(service), noExtensions));

/** Claims depend on all Services: the last answer is kept for each namespace of callers. */
const claimants = createInterner<{ readonly namespace: string }>(100_000);
const claimsOf = memoisedList((caller: { readonly namespace: string }, services: readonly ServiceModel[]) =>
  encode(translateClaims(services, caller.namespace), noExtensions),
);

/** What some callers see of all Services, but for their endpoints. */
export function* layersOfServices(
  services: ReadonlyMap<string, ServiceModel>,
  callers: Served,
  quarantine: Quarantine,
): Generator<readonly [string, Layer]> {
  const { caller, capture, can } = callers;
  const { namespace } = caller;
  const anybody = asEveryone(callers, can);
  for (const [key, service] of services) {
    yield [`s ${key}`, serviceLayer(service, callers, quarantine)];
    yield [`l ${key}`, entrances(service, anybody)];
    yield [`r ${key}`, rulesLayer(service, callers, quarantine)];
    if (capture === 'explicit' && service.ref.namespace === namespace) yield [`n ${key}`, localNames(service)];
  }
  if (capture !== 'explicit') return;
  const claimant = claimants(namespace, () => ({ namespace }));
  yield ['claims', claimsOf(claimant, [...services.values()])];
}

const endpointLayer = memoised((sets: readonly EndpointSet[], place: Place) =>
  encode(translateEndpoints(sets, place), noExtensions),
);

/** What of a place counts for the endpoints of a Service. */
const keysSeen = memoised((sets: readonly EndpointSet[]): readonly string[] =>
  sets.flatMap(({ preference }) => (preference === undefined ? [] : keysOf(preference))),
);

/** What callers at a place see of the endpoints of a Service: the same wherever it tells no places apart. */
export function endpointLayerFor(sets: readonly EndpointSet[], place: Place): Layer {
  const keys = keysSeen(sets);
  return endpointLayer(sets, keys.length === 0 ? nowhere : placeOf((key) => place[key], keys));
}
