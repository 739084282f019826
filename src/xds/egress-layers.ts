// Layers of what is outside of the cluster: hosts that policies and routes name, and all other destinations. Remembers
// bytes by the identity of what they were made from.

import { memoised } from '../lib/memo.js';
import type { EgressModel } from '../model/egress.js';
import { everyone } from '../model/caller.js';
import type { Caller, Capture, MeshModel, Rule } from '../model/mesh.js';
import type { DialledPort } from '../model/dialled.js';
import type { Capabilities } from '../features/feature.js';
import type { Audience, Served } from './audience.js';
import { isDynamic } from './dynamic-hosts.js';
import { rulesAt, type HostView } from './host-rules.js';
import { encode, encodeAll, encodeParts, isConcerned, type Divisible, type Extensions, type Layer } from './layer.js';
import type { Quarantine } from './quarantine.js';
import { isRule } from './substitution.js';
import { perFamilies } from './families.js';
import {
  besideServices,
  scopesOfServices,
  translateEgress,
  translateOutward,
  translateUnknown,
  type Outward,
} from './translate.js';

/** Some callers, and what they may reach outside. */
export interface Outgoing extends Pick<Audience, 'capture' | 'caller' | 'egress' | 'extensions'> {
  readonly view: HostView;
}

const viewsIn = (capture: Capture) => ({
  of: memoised((hosts: MeshModel['hosts'], caller: Caller): HostView => ({ hosts, caller, capture })),
  none: { hosts: new Map(), caller: everyone, capture } satisfies HostView,
});

const views = { explicit: viewsIn('explicit'), redirect: viewsIn('redirect') } as const;

/** Without rules on hosts it does not matter who looks. */
const viewFor = (hosts: MeshModel['hosts'], { caller, egress, capture }: Audience): HostView =>
  egress.ports.some(({ host }) => hosts.has(host)) ? views[capture].of(hosts, caller) : views[capture].none;

const outgoingIn = (capture: Capture) =>
  memoised((caller: Caller, view: HostView, reach: Reach): Outgoing => ({ ...{ capture, caller, view }, ...reach }));

const outgoingBy = { explicit: outgoingIn('explicit'), redirect: outgoingIn('redirect') } as const;

type Reach = Pick<Outgoing, 'egress' | 'extensions'>;

const reachOf = memoised((egress: EgressModel, extensions: Extensions): Reach => ({ egress, extensions }));

/** One object for callers of a class with the same egress, who see the same rules on hosts. */
export const outgoingOf = (audience: Audience, extensions: Extensions, hosts: MeshModel['hosts']): Outgoing =>
  outgoingBy[audience.capture](audience.caller, viewFor(hosts, audience), reachOf(audience.egress, extensions));

const rulesIn = memoised((egress: EgressModel, view: HostView): readonly Rule[] => [
  ...new Set(egress.ports.flatMap((port) => rulesAt(port, view))),
]);

const divisibleHosts = ({ egress, extensions }: Reach, view: HostView): Divisible<Rule> => ({
  parts: () => rulesIn(egress, view),
  translate: (substitute) => translateEgress(egress, { ...view, substitute }),
  isOne: isRule,
  extensions,
});

const goodHosts = memoised((reach: Reach, view: HostView): Layer =>
  encodeAll(translateEgress(reach.egress, view), divisibleHosts(reach, view)),
);
const partialHosts = memoised((reach: Reach, view: HostView, quarantine: Quarantine): Layer =>
  encodeParts(divisibleHosts(reach, view), quarantine.parts),
);

function hostLayer({ egress, extensions, view }: Outgoing, quarantine: Quarantine): Layer {
  const reach = reachOf(egress, extensions);
  const concerned = isConcerned(rulesIn(egress, view), quarantine.parts);
  return concerned ? partialHosts(reach, view, quarantine) : goodHosts(reach, view);
}

const namesOfServices = memoised((services: MeshModel['services'], { namespace }: Caller): ReadonlySet<string> =>
  scopesOfServices([...services.values()], namespace),
);

const unclaimed = memoised((layer: Layer, taken: ReadonlySet<string>): Layer => ({
  ...layer,
  resources: besideServices(layer.resources, taken),
}));

/** What some callers see of the world outside. */
export function* layersOfEgress(
  services: MeshModel['services'],
  of: Outgoing,
  quarantine: Quarantine,
): Generator<readonly [string, Layer]> {
  const { capture, caller, egress, extensions } = of;
  const hosts = hostLayer(of, quarantine);
  const dynamic = isDynamic(egress);
  if (capture !== 'explicit' || (egress.ports.length === 0 && !dynamic)) {
    yield ['egress', hosts];
    return;
  }
  const taken = namesOfServices(services, caller);
  yield ['egress', unclaimed(hosts, taken)];
  if (dynamic) yield ['unknown', encode(translateUnknown(taken, egress), extensions)];
}

type Calls = Omit<Outward, 'dialled'>;

const callsOf = memoised((egress: EgressModel, outbound: Served['outbound'], can: Capabilities): Calls => ({
  ...{ egress, outbound, can },
}));

const outward = perFamilies((families) =>
  memoised((calls: Calls, dialled: readonly DialledPort[], extensions: Extensions) =>
    encode(translateOutward(families, { ...calls, dialled }), extensions),
  ),
);

/** Redirect: the listener of what is no address of a Service; proxies with all of this in common share it. */
export const outwardLayer = (
  { families, egress }: Audience,
  { outbound, can, extensions }: Served,
  dialled: readonly DialledPort[],
): Layer => outward[families](callsOf(egress, outbound, can), dialled, extensions);
