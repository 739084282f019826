// Who sees the same: proxies of one class of callers, at one place, of which policies say the same. What is made for an
// audience is made once; Services tell fewer classes of callers apart.

import { hash } from 'node:crypto';
import type { Capabilities } from '../features/feature.js';
import { createInterner } from '../lib/intern.js';
import { memoised } from '../lib/memo.js';
import { callerOf, everyone } from '../model/caller.js';
import type { EgressModel } from '../model/egress.js';
import type { Caller, Capture, ProxyModel, Rule, ServiceModel } from '../model/mesh.js';
import { nowhere, type Place } from '../model/place.js';
import { leastCapabilities, levelOf } from './capabilities.js';
import { sharedExtensions } from './extension-choice.js';
import { familiesOf, type Families } from './families.js';
import type { Extensions } from './layer.js';
import { hasConnectionRules } from './tcp.js';
import type { Callers } from './translate.js';

/** A list with an identity. */
type Outbound = ProxyModel['outbound'];

/** Callers as their proxies are served: with the extensions that are left to them. */
export interface Served extends Callers {
  readonly outbound: Outbound;
  readonly extensions: Extensions;
}

/** Proxies that see one view, if they can do the same. Of their extensions: those that change what is shared. */
export interface Audience extends Omit<Served, 'can'> {
  readonly key: string;
  readonly egress: EgressModel;
  readonly place: Place;
  readonly families: Families;
}

let lists = 0;
/** A short name for each list. */
const nameOfList = memoised((_list: object) => String(lists++));

/** One object for each audience, as far as egress is the same. */
const audiences = createInterner<Omit<Audience, 'egress'>>(100_000);
const digestOf = memoised(({ key }: EgressModel) => hash('sha256', key, 'hex').slice(0, 16));
const withEgress = memoised((audience: Omit<Audience, 'egress'>, egress: EgressModel): Audience => ({
  ...audience,
  key: egress.key === '' ? audience.key : `${digestOf(egress)}|${audience.key}`,
  egress,
}));

/** The audience of a proxy. */
export const audienceOf = memoised((proxy: ProxyModel): Audience => {
  const { caller, capture, outbound, place = nowhere } = proxy;
  const families = familiesOf(proxy.addresses);
  const extensions = sharedExtensions(proxy.extensions, capture);
  const at = Object.entries(place).map(([label, value]) => `@${label}=${value}`);
  const extended = extensions.length === 0 ? [] : [`extended ${nameOfList(extensions)}`];
  const names = [...caller.sources, ...extended, nameOfList(outbound)];
  const key = [caller.namespace, ...at, capture, families, ...names].join('|');
  const audience = audiences(key, () => ({ key, caller, capture, families, outbound, extensions, place }));
  return withEgress(audience, proxy.egress);
});

/** What policies say to callers. */
type Told = Pick<Served, 'outbound' | 'extensions'>;

const toldTo = memoised((outbound: Outbound, extensions: Extensions): Told => ({ outbound, extensions }));

const servedIn = (capture: Capture) =>
  memoised((caller: Caller, told: Told, can: Capabilities): Served => ({ caller, capture, can, ...told }));

const servedBy = { explicit: servedIn('explicit'), redirect: servedIn('redirect') } as const;

/** One object for each class of callers. */
export const served = ({ caller, capture, outbound, extensions, can }: Served): Served =>
  servedBy[capture](caller, toldTo(outbound, extensions), can);

/** Keys of the source conditions that some rule on a Service has. */
const sourcesNamed = memoised((service: ServiceModel): ReadonlySet<string> => {
  const hosts = service.ports.flatMap((port) => [port.hosts, ...port.consumers.values()].flat());
  return new Set(hosts.flatMap(({ entries }) => entries.flatMap(({ match }) => match.sources.map(({ key }) => key))));
});

/** Those of whom policies say the same, and whose proxies can do this, whoever they are. */
export const asEveryone = memoised((callers: Served, can: Capabilities): Served =>
  served({ ...callers, caller: everyone, can }),
);

const allRulesOf = ({ ports }: ServiceModel): readonly Rule[] =>
  ports.flatMap((port) =>
    [port.hosts, ...port.consumers.values()].flatMap((hosts) =>
      hosts.flatMap(({ entries }) => entries.map(({ rule }) => rule)),
    ),
  );

/** A host outside of the cluster is for callers of the route's namespace: it matters where a caller is. */
const sendsOutside = memoised((service: ServiceModel): boolean =>
  allRulesOf(service).some((rule) => rule.hosts.length > 0 || rule.backends.some(({ kind }) => kind === 'host')),
);

/** Callers as a Service tells them apart: all that have neither rules nor conditions of their own are one class. */
export function seenBy(service: ServiceModel, callers: Served): Served {
  const { caller } = callers;
  // Only listeners differ by what an Envoy can do.
  const can = service.ports.some(hasConnectionRules) ? callers.can : leastCapabilities;
  const named = sourcesNamed(service);
  const sources = named.size === 0 ? [] : caller.sources.filter((key) => named.has(key));
  const consumed = sendsOutside(service) || service.ports.some((port) => port.consumers.has(caller.namespace));
  if (sources.length === 0 && !consumed) return asEveryone(callers, can);
  return served({ ...callers, caller: callerOf(consumed ? caller.namespace : '', sources), can });
}

/** What the Envoys of proxies can do, and from which version on they have more extensions. */
export interface Ability {
  readonly can: Capabilities;
  readonly extensionLevel: string;
}

/**
 * The view of an audience. Explicit: what differs between versions is each proxy's own. Redirect: those that can do less
 * share views of their own. With extensions: those that are too old for some of them, too.
 */
export function viewKeyOf({ key, capture }: Audience, { can, extensionLevel }: Ability): string {
  const least = extensionLevel === '' ? [] : [`≥${extensionLevel}`];
  const level = capture === 'explicit' ? [] : [levelOf(can)];
  return [key, ...least, ...level].join('|');
}
