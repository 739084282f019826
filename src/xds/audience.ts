// Proxies that see the same, so that what they are served is made once.

import { hash } from 'node:crypto';
import type { Capabilities } from '../features/feature.js';
import { createInterner } from '../lib/intern.js';
import { memoised } from '../lib/memo.js';
import type { EgressModel } from '../model/egress.js';
import type { ProxyModel } from '../model/mesh.js';
import { nowhere, type Place } from '../model/place.js';
import { levelOf } from './capabilities.js';
import { familiesOf, type Families } from './listeners.js';
import type { Callers } from './translate.js';

let outbounds = 0;
/** A short name for each list of policies. */
const nameOfOutbound = memoised((_outbound: ProxyModel['outbound']) => String(outbounds++));

/** Proxies that see one view, if they can do the same. */
export interface Audience extends Omit<Callers, 'can'> {
  readonly key: string;
  readonly place: Place;
  readonly families: Families;
  readonly egress: EgressModel;
}

const digestOf = memoised(({ key }: EgressModel) => hash('sha256', key, 'hex').slice(0, 16));

/** Those of an audience whose Envoys can do the same. */
export interface Served {
  readonly audience: Audience;
  readonly can: Capabilities;
}

/** One object for each audience, as far as egress is the same. */
const audiences = createInterner<Omit<Audience, 'egress'>>(100_000);
const withEgress = memoised((audience: Omit<Audience, 'egress'>, egress: EgressModel): Audience => ({
  ...audience,
  key: egress.key === '' ? audience.key : `${digestOf(egress)}|${audience.key}`,
  egress,
}));
/** The audience that a proxy is of. */
export const audienceOf = memoised((proxy: ProxyModel): Audience => {
  const { caller, capture, addresses, place = nowhere, outbound, egress } = proxy;
  const families = familiesOf(addresses);
  const at = Object.entries(place).map(([label, value]) => `@${label}=${value}`);
  const key = [caller.namespace, ...at, capture, families, ...caller.sources, nameOfOutbound(outbound)].join('|');
  return withEgress(
    audiences(key, () => ({ key, caller, capture, families, outbound, place })),
    egress,
  );
});

/** Explicit: what differs between versions is each proxy's own. Redirect: those that can do less share views of their own. */
export const viewKeyOf = ({ key, capture }: Audience, can: Capabilities): string =>
  capture === 'explicit' ? key : `${key}|${levelOf(can)}`;
