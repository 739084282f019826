// Whether a field that is written makes a difference: it is taken away from a route or policy that is in force, and then
// either something else is served, or something else is said, or somebody said that it is not compiled.

import type { UserKindName } from '../../src/kinds/index.js';
import { unsupportedValues } from '../../src/kinds/unsupported.js';
import { createCompiler, isValid, seenOf } from './compile.js';
import { placesIn, replacedAt, valueAt } from './minimal.js';
import type { Raw } from './objects.js';

const named = (namespace: string, name: string, more: Raw): Raw => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace },
  spec: {
    selector: { app: name },
    ports: [
      { name: 'http', port: 80, targetPort: 8080 },
      { name: 'db', port: 5432, targetPort: 8080 },
      { name: 'grpc', port: 9090, targetPort: 8080, appProtocol: 'kubernetes.io/h2c' },
    ],
    ...more,
  },
});

const podOf = (namespace: string, app: string, version: string): Raw => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `${app}-${version}`, namespace, labels: { app, v: version, 'example.com/X': 'Y.z' } },
  spec: { containers: [{ name: 'main', ports: [{ containerPort: 8080 }] }] },
});

const places = ['shop', 'other'];
const apps = ['web', 'api', 'db', 'out'];

/** A mesh in which every reference of the random objects resolves. */
const surroundings: readonly Raw[] = places.flatMap((namespace) => [
  ...apps.map((app) => named(namespace, app, {})),
  ...['1', '2'].map((version) => podOf(namespace, 'api', version)),
  {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'ReferenceGrant',
    metadata: { name: 'all', namespace },
    spec: {
      from: places.map((from) => ({ group: 'legation.dev', kind: 'TrafficRoute', namespace: from })),
      to: [{ group: '', kind: 'Service' }],
    },
  },
]);

/** One place of an object that can be taken away. */
export interface Leaf {
  readonly path: readonly (string | number)[];
  /** As the schema names it: `rules[].retry.codes[]`. */
  readonly field: string;
}

const fieldOf = (path: readonly (string | number)[]): string =>
  path
    .map((step) => (typeof step === 'number' ? '[]' : `.${step}`))
    .join('')
    .slice('.spec.'.length);

const isLeaf = (value: unknown): boolean => typeof value !== 'object' || value === null;

/** Keys of maps are one field. */
const withoutKeys = (field: string): string =>
  field.replace(/\b(subset|podLabels|matchLabels|to|limits|requests)\..*$/s, '$1');

/** The scalars of an object's spec. */
export function leavesOf(raw: Raw): readonly Leaf[] {
  return placesIn(raw)
    .filter((path) => path[0] === 'spec' && path.length > 1 && isLeaf(valueAt(raw, path)))
    .map((path) => ({ path, field: withoutKeys(fieldOf(path)) }));
}

/** What became of taking a leaf away; `moot`: the object needs it, or something else of the object is refused. */
export type Outcome = 'seen' | 'unseen' | 'moot';

/** One rule of a route is in nobody's way. */
export function simplified(raw: Raw): Raw {
  const spec = raw['spec'] as { readonly rules?: readonly unknown[] };
  const metadata = { name: 'probe', namespace: 'shop' };
  const alone = spec.rules === undefined ? {} : { rules: spec.rules.slice(0, 1) };
  const attached = raw['kind'] === 'TrafficRoute' ? { parentRefs: [{ name: 'web' }] } : {};
  return { ...raw, metadata, spec: { ...spec, ...attached, ...alone } };
}

const visible = (raw: Raw): string => seenOf(createCompiler()([...surroundings, raw], 'explicit')).join('\n');

/** As problems name it. */
const pathOf = (leaf: Leaf): string =>
  leaf.path
    .map((step) => (typeof step === 'number' ? `[${String(step)}]` : `.${step}`))
    .join('')
    .slice(1);

const isWithin = (path: string, outer: string): boolean =>
  path === outer || (/^[.[]/.test(path.slice(outer.length)) && path.startsWith(outer));

/** Values that a field has in other objects. */
export type Others = (field: string) => readonly unknown[];

/** The object without a leaf, or with another value of it, as far as that is valid. */
function variants(raw: Raw, leaf: Leaf, others: Others): readonly Raw[] {
  const value = valueAt(raw, leaf.path);
  return [undefined, ...others(leaf.field).filter((other) => other !== value)]
    .map((other) => replacedAt(raw, leaf.path, other) as Raw)
    .filter(isValid);
}

/** Compiles an object once, and then without each of some leaves, or with other values of them. */
export function withoutEach(
  { kind, raw, others }: { readonly kind: UserKindName; readonly raw: Raw; readonly others: Others },
  some: readonly Leaf[],
): readonly (readonly [Leaf, Outcome])[] {
  const refused = unsupportedValues(kind, raw['spec']);
  const whole = refused.length > 0 || some.length === 0 ? '' : visible(raw);
  const outcomeOf = (leaf: Leaf): Outcome => {
    if (refused.length > 0) return refused.some(({ path }) => isWithin(pathOf(leaf), path)) ? 'seen' : 'moot';
    const all = variants(raw, leaf, others);
    if (all.length === 0) return 'moot';
    return all.some((one) => visible(one) !== whole) ? 'seen' : 'unseen';
  };
  return some.map((leaf): readonly [Leaf, Outcome] => [leaf, outcomeOf(leaf)]);
}
