// What tells the requests of a rate limit apart: the actions by which a proxy makes the key of a request, and the
// entries by which a bucket is found. A request that lacks a part of the key has none, and is not limited.

import {
  RateLimit_Action_MetaData_Source as MetaDataSource,
  type RateLimit_Action as Action,
} from '../gen/envoy/config/route/v3/route_components.js';
import { Descriptor } from '../gen/envoy/extensions/rate_limit_descriptors/expr/v3/expr.js';
import { packAny } from './any.js';
import { escapeRegex } from './envoy-values.js';
import type { Patch } from './feature.js';
import type { Per, RateLimitRule } from './rate-limit.js';

/** Addresses of the pods of a namespace. */
export type AddressesOf = Readonly<Record<string, readonly string[]>>;

/** A rule with what its key is made of. */
export interface KeyedRule extends RateLimitRule {
  /** Of the namespaces that it tells apart. */
  readonly addresses: AddressesOf;
  /** The rule of a route that it is about, as `namespace/route/rule`; undefined: all. */
  readonly at?: string | undefined;
  /** Some rules of routes have a limit of their own in its place; this is what they say so by. */
  readonly replacedAs: string | undefined;
}

/** A part of a key; an empty value is any value. */
export interface KeyEntry {
  readonly key: string;
  readonly value: string;
}

type Source = Patch<NonNullable<Action['actionSpecifier']>>;

interface KeyPart {
  readonly key: string;
  readonly source: Source;
  readonly values: readonly string[];
}

const ofHeader = (headerName: string, key: string): Omit<KeyPart, 'values'> => ({
  key,
  source: { $case: 'requestHeaders', value: { headerName, descriptorKey: key } },
});

/** The address of a peer as expressions see it: `10.0.0.1:43210`, `[fd00::1]:43210`. */
const isOneOf = (addresses: readonly string[]): string =>
  addresses.map((address) => escapeRegex(address.includes(':') ? `[${address}]` : address)).join('|');

/** No namespace is called so: callers from elsewhere. */
const elsewhere = '-';

/** Until callers have identities, the namespace of one is that of the pod with its address. */
function namespaceExpression(namespaces: readonly string[], addresses: AddressesOf): string {
  return namespaces.reduceRight((otherwise, namespace) => {
    const known = addresses[namespace] ?? [];
    if (known.length === 0) return otherwise;
    return `source.address.matches(r'^(${isOneOf(known)}):[0-9]+$') ? '${namespace}' : ${otherwise}`;
  }, `'${elsewhere}'`);
}

function ofNamespace(namespaces: readonly string[], addresses: AddressesOf): Omit<KeyPart, 'values'> {
  const key = 'namespace';
  const text = namespaceExpression(namespaces, addresses);
  const expression = Descriptor.fromPartial({ descriptorKey: key, exprSpecifier: { $case: 'text', value: text } });
  return {
    key,
    source: {
      $case: 'extension',
      value: { name: 'envoy.rate_limit_descriptors.expr', typedConfig: packAny(Descriptor, expression) },
    },
  };
}

function sourceOf(per: Per, addresses: AddressesOf): Omit<KeyPart, 'values'> {
  switch (per.type) {
    case 'Header':
      return ofHeader((per.name ?? '').toLowerCase(), (per.name ?? '').toLowerCase());
    case 'Method':
      return ofHeader(':method', 'method');
    case 'RemoteIP':
      return { key: 'remote_address', source: { $case: 'remoteAddress', value: {} } };
    case 'Namespace':
      return ofNamespace(per.values ?? [], addresses);
    // Refused as values that are not compiled.
    case 'Principal':
    case 'Claim':
      throw new Error(`a key by ${per.type} was not refused`);
  }
}

const markNamespace = 'legation.limits';

/** What routes carry, so that limits that count across routes know them. */
export const metadataOf = ({ at, replaces }: { readonly at: string; readonly replaces: readonly string[] }) => ({
  [markNamespace]: { at, replaced: Object.fromEntries(replaces.map((name) => [name, 'yes'])) },
});

const ofRoute = (key: string, path: readonly string[], defaultValue: string): Source => ({
  $case: 'metadata',
  value: {
    descriptorKey: key,
    metadataKey: { key: markNamespace, path: path.map((one) => ({ segment: { $case: 'key', value: one } })) },
    source: MetaDataSource.ROUTE_ENTRY,
    defaultValue,
  },
});

/** Limits of one rule of a route hold there alone; limits of all routes not where a rule has its own of the same name. */
function partsOfPlace({ at, replacedAs }: KeyedRule): readonly KeyPart[] {
  if (at !== undefined) return [{ key: 'at', source: ofRoute('at', ['at'], ''), values: [at] }];
  if (replacedAs === undefined) return [];
  return [{ key: 'replaced', source: ofRoute('replaced', ['replaced', replacedAs], 'no'), values: ['no'] }];
}

/** The parts of the key of a rule: its name, where it holds, and then what it says. */
function partsOf(keyed: KeyedRule): readonly KeyPart[] {
  const { name, per = [], addresses } = keyed;
  const rule: KeyPart = {
    key: 'rule',
    source: { $case: 'genericKey', value: { descriptorKey: 'rule', descriptorValue: name } },
    values: [name],
  };
  const said = per.map((one): KeyPart => {
    const values = one.values ?? [];
    return { ...sourceOf(one, addresses), values: values.length === 0 ? [''] : values };
  });
  return [rule, ...partsOfPlace(keyed), ...said];
}

/** How a proxy makes the key of a request for a rule. */
export const actionsFor = (rule: KeyedRule): readonly { actionSpecifier: Source }[] =>
  partsOf(rule).map(({ source }) => ({ actionSpecifier: source }));

/** The keys of a rule that have a bucket: every combination of its values. */
export const keysOf = (rule: KeyedRule): readonly (readonly KeyEntry[])[] =>
  partsOf(rule).reduce<readonly (readonly KeyEntry[])[]>(
    (keys, { key, values }) => keys.flatMap((entries) => values.map((value) => [...entries, { key, value }])),
    [[]],
  );
