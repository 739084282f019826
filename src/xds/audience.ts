// Who sees the same: proxies of one namespace, capture and families of addresses, of which policies say the same, and
// whose Envoys can do the same. What is made for an audience is made once.

import type { Capabilities } from '../features/feature.js';
import { createInterner } from '../lib/intern.js';
import { memoised } from '../lib/memo.js';
import type { Capture, ExtensionInForce, ProxyModel } from '../model/mesh.js';
import { levelOf } from './capabilities.js';
import { sharedExtensions } from './extension-choice.js';
import { familiesOf, type Families } from './listeners.js';

/** Lists with an identity. */
export type Outbound = ProxyModel['outbound'];
export type Extensions = readonly ExtensionInForce[];

/** Proxies with these in common see the same, but for the versions of their Envoys. */
export interface Audience {
  readonly namespace: string;
  readonly capture: Capture;
  readonly families: Families;
  /** What policies say of the calls of their pods. */
  readonly outbound: Outbound;
  /** Those that change what is shared. */
  readonly extensions: Extensions;
}

/** An audience of which all proxies can do the same. Explicit: what differs between versions is each proxy's own. */
export interface Served extends Audience {
  readonly can: Capabilities;
}

let lists = 0;
/** A short name for each list. */
const nameOfList = memoised((_list: object) => String(lists++));

const keyOf = ({ namespace, capture, families, outbound, extensions }: Audience): string =>
  [
    `${namespace}|${capture}|${families}`,
    ...(extensions.length === 0 ? [] : [`extended ${nameOfList(extensions)}`]),
    nameOfList(outbound),
  ].join('|');

/** One object for each audience. */
const audiences = createInterner<Audience>(100_000);

/** The audience of a proxy. */
export function audienceOf({ namespace, capture, addresses, outbound, extensions }: ProxyModel): Audience {
  const families = familiesOf(addresses);
  const audience = { namespace, capture, families, outbound, extensions: sharedExtensions(extensions, capture) };
  return audiences(keyOf(audience), () => audience);
}

/** An audience as those of its proxies are served that can do this, and to whom these extensions are left. */
export const served = memoised((audience: Audience, can: Capabilities, extensions: Extensions): Served => ({
  ...audience,
  can,
  extensions,
}));

/** The view of an audience. Redirect: proxies of older Envoys share a view of their own. */
export function viewKeyOf(audience: Audience, can: Capabilities, extensionLevel: string): string {
  const level = audience.capture === 'explicit' ? [] : [levelOf(can)];
  const least = extensionLevel === '' ? [] : [`≥${extensionLevel}`];
  return [keyOf(audience), ...least, ...level].join('|');
}
