// Kinds of addresses, and where a listener is bound that is there for each of them.

import type { Listener } from '../gen/envoy/config/listener/v3/listener.js';
import { socketAddress } from './config-source.js';

/** The kinds of addresses that a pod has. Where it lacks one, nothing of that kind can be bound. */
export type Families = 'ipv4' | 'ipv6' | 'both';

/** The kinds among these addresses. */
export function familiesOf(addresses: readonly string[]): Families {
  const sixes = addresses.filter((address) => address.includes(':')).length;
  if (sixes === 0) return 'ipv4';
  return sixes === addresses.length ? 'ipv6' : 'both';
}

/** At least one address. */
export type Places = readonly [string, ...string[]];

/** One value for each kind. */
export const perFamilies = <T>(make: (families: Families) => T): Readonly<Record<Families, T>> => ({
  ipv4: make('ipv4'),
  ipv6: make('ipv6'),
  both: make('both'),
});

/** Only these two fields: a whole message here would reset what stands before it. */
export const boundTo = (
  [first, ...more]: Places,
  port: number,
): Pick<Listener, 'address'> & { readonly additionalAddresses: { address: Listener['address'] }[] } => ({
  address: socketAddress(first, port),
  additionalAddresses: more.map((address) => ({ address: socketAddress(address, port) })),
});
