// THE list of fields and values that the schemas admit and this version does not compile yet. A value that
// is not compiled is refused with a reason, never ignored. Nothing listed here is the default of a field, so
// raw and parsed objects give the same answer. Knows no schema.

import { isRecord } from '../lib/record.js';
import type { Problem } from '../lib/result.js';

/** One field, or one value of a field. */
export interface Unsupported {
  /** Below `spec`, list items as `[]`. A container stands for all that is in it. */
  readonly path: string;
  /** Only this value; absent: any. */
  readonly value?: string | boolean;
  /** What the author can do today. */
  readonly instead: string;
}

const only = (path: string, values: readonly (string | boolean)[], instead: string): readonly Unsupported[] =>
  values.map((value) => ({ path, value, instead }));

const fields = (paths: readonly string[], instead: string): readonly Unsupported[] =>
  paths.map((path) => ({ path, instead }));

const trafficRoute: readonly Unsupported[] = [
  ...only('parentRefs[].kind', ['MeshIdentity'], "kinds 'Service', 'Host' and 'TrafficRoute' work"),
  ...only('distribution', ['Namespace'], "use 'Learned' or 'Mesh'"),
  ...fields(['rules[].matches[].claims'], 'all other conditions of `matches` work'),
];

const builtIn = 'the built-in behaviour is in force';

const meshPolicy: readonly Unsupported[] = [
  ...fields(['egress.hosts[].tls.clientSecret'], "use `mode` 'Simple'"),
  ...only('egress.hosts[].tls.mode', ['Mutual', 'Mesh'], "use 'Simple'"),
  ...only('targetRefs[].kind', ['MeshIdentity'], 'target Services, ServiceAccounts or routes'),
  ...only(
    'rateLimit.rules[].per[].type',
    ['Principal', 'Claim'],
    "tell callers apart by 'Namespace', 'Header', 'RemoteIP' or 'Method'",
  ),
  ...fields(['mtls', 'authorization', 'jwt', 'extAuthz', 'scope', 'sidecar'], builtIn),
  ...fields(
    ['inbound.trustedHops', 'inbound.acceptProxyProtocol'],
    'a sidecar takes the address of the connection, and edges are not served yet',
  ),
  ...only('providers[].type', ['ExtAuthzGRPC', 'ExtAuthzHTTP'], 'nothing asks it yet'),
  ...only('providers[].backendRef.kind', ['Host'], "only kind 'Service' works"),
];

const meshIdentity: readonly Unsupported[] = fields(
  [
    'trustDomain',
    'trustDomainAliases',
    'namespaceSelector',
    'workloadSelector',
    'spiffePath',
    'certificate',
    'provider',
    'bundle',
    'rotation',
    'federation',
    'nodes',
  ],
  builtIn,
);

/** By kind. */
export const unsupported = { TrafficRoute: trafficRoute, MeshPolicy: meshPolicy, MeshIdentity: meshIdentity } as const;

interface Found {
  readonly path: string;
  readonly value: unknown;
}

const items = (found: Found): readonly Found[] => {
  if (!Array.isArray(found.value)) return [];
  const list: readonly unknown[] = found.value;
  return list.map((value, index) => ({ path: `${found.path}[${index}]`, value }));
};

function step(found: Found, segment: string): readonly Found[] {
  const isList = segment.endsWith('[]');
  const name = isList ? segment.slice(0, -2) : segment;
  if (!isRecord(found.value) || !Object.hasOwn(found.value, name)) return [];
  const member = { path: `${found.path}.${name}`, value: found.value[name] };
  return isList ? items(member) : [member];
}

const occurrences = (root: Found, path: string): readonly Found[] =>
  path.split('.').reduce<readonly Found[]>((all, segment) => all.flatMap((one) => step(one, segment)), [root]);

const isWritten = (value: unknown): boolean => value !== undefined && value !== null;

function problemsOf(root: Found, entry: Unsupported): readonly Problem[] {
  const wanted = (value: unknown): boolean => (entry.value === undefined ? isWritten(value) : value === entry.value);
  return occurrences(root, entry.path)
    .filter((found) => wanted(found.value))
    .map(({ path }) => {
      const what = entry.value === undefined ? 'is set' : `is '${entry.value}'`;
      const message = `\`${path}\` ${what}, which this version does not compile yet; ${entry.instead}`;
      return { path, reason: 'UnsupportedValue', message };
    });
}

/** Everything in a spec, raw or parsed, that this version does not compile. */
export const unsupportedValues = (kind: keyof typeof unsupported, spec: unknown): readonly Problem[] =>
  unsupported[kind].flatMap((entry) => problemsOf({ path: 'spec', value: spec }, entry));

const rulePrefix = 'rules[].';
const ruleEntries = trafficRoute
  .filter((entry) => entry.path.startsWith(rulePrefix))
  .map((entry) => ({ ...entry, path: entry.path.slice(rulePrefix.length) }));

/** The same for one rule of a TrafficRoute: the rule is refused, its neighbours stay. */
export const unsupportedInRule = (rule: unknown, index: number): readonly Problem[] =>
  ruleEntries.flatMap((entry) => problemsOf({ path: `spec.rules[${index}]`, value: rule }, entry));

/** The same for what is outside of rules: the whole route is refused. */
export const unsupportedOutsideRules = (spec: unknown): readonly Problem[] =>
  trafficRoute
    .filter((entry) => !entry.path.startsWith(rulePrefix))
    .flatMap((entry) => problemsOf({ path: 'spec', value: spec }, entry));

/** For documentation: what of a leaf is compiled. */
export function compiledNote(kind: keyof typeof unsupported, leafPath: string): string {
  const entries = unsupported[kind].filter(
    ({ path }) => path === leafPath || leafPath.startsWith(`${path}.`) || leafPath.startsWith(`${path}[]`),
  );
  if (entries.length === 0) return 'yes';
  const values = entries.flatMap(({ value }) => (value === undefined ? [] : [`\`${value}\``]));
  return values.length === entries.length ? `except ${values.join(', ')}` : 'not yet';
}
