// Layers of what is outside of the cluster: hosts that policies and routes name, and all other destinations. Remembers
// bytes by the identity of what they were made from.

import { memoised } from '../lib/memo.js';
import type { EgressModel } from '../model/egress.js';
import type { Caller, Capture, MeshModel } from '../model/mesh.js';
import type { Audience } from './audience.js';
import { isDynamic } from './dynamic-hosts.js';
import { encode, type Extensions, type Layer } from './layer.js';
import { translateEgress, translateUnknown } from './translate.js';

/** Some callers, and what they may reach outside. */
export type Outgoing = Pick<Audience, 'capture' | 'caller' | 'egress' | 'extensions'>;

const outgoingIn = (capture: Capture) =>
  memoised((caller: Caller, egress: EgressModel, extensions: Extensions): Outgoing => ({
    ...{ capture, caller },
    ...{ egress, extensions },
  }));

const outgoingBy = { explicit: outgoingIn('explicit'), redirect: outgoingIn('redirect') } as const;

/** One object for callers of a class with the same egress. */
export const outgoingOf = ({ capture, caller, egress }: Audience, extensions: Extensions): Outgoing =>
  outgoingBy[capture](caller, egress, extensions);

const hostsIn = (capture: Capture) =>
  memoised((egress: EgressModel, extensions: Extensions) => encode(translateEgress(egress, capture), extensions));

const hosts = { explicit: hostsIn('explicit'), redirect: hostsIn('redirect') } as const;

/** What some callers see of the world outside. */
export function* layersOfEgress(
  services: MeshModel['services'],
  { capture, caller, egress, extensions }: Outgoing,
): Generator<readonly [string, Layer]> {
  yield ['egress', hosts[capture](egress, extensions)];
  if (capture === 'explicit' && isDynamic(egress))
    yield ['unknown', encode(translateUnknown([...services.values()], caller, egress), extensions)];
}
