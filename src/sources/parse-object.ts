// A raw object of any kind, from a cluster or a folder, to what the World holds. Never throws: whatever is wrong
// becomes Problems. Knows neither files nor watches.

import { group, idOf } from '../api/meta.js';
import type { KindName, ObjectMeta, ObjectRef, SourcePlace } from '../api/meta.js';
import { parseGRPCRoute, parseHTTPRoute } from '../kinds/gateway.js';
import { parseReferenceGrant } from '../kinds/reference-grant.js';
import { isUserKind, parseUserObject, userKinds } from '../kinds/index.js';
import type { UserKindName } from '../kinds/index.js';
import { createReader, describeValue, optional } from '../kinds/reader.js';
import type { Fields, Reader } from '../kinds/reader.js';
import type { WorldObject } from '../kinds/world.js';
import { isRecord } from '../lib/record.js';
import type { Problem } from '../lib/result.js';
import { messageOf } from '../lib/result.js';
import { isTooDeep, maxDepth } from './depth.js';
import { fingerprintOf } from './fingerprint.js';
import { reduceWorkload, workloadKinds } from './reduce-pod.js';
import type { Workload, WorkloadKind } from './reduce-pod.js';
import { reductions } from './reduce.js';
import type { Parsed } from './store.js';

/** Where an object comes from. */
export interface Origin {
  /** A folder: namespace `default`, pods ready unless they say otherwise, generation counted by the store. */
  readonly folder: boolean;
  readonly place?: SourcePlace;
}

/** What a raw object turned out to be. */
export type Reading =
  | { readonly kind: 'object'; readonly parsed: Parsed; readonly warnings: readonly Problem[] }
  /** Of a folder only: what makes pods. */
  | { readonly kind: 'workload'; readonly workload: Workload }
  /** A kind that is not read, or an object of no use. */
  | { readonly kind: 'skipped'; readonly what: string }
  /** Nothing of the World can be named: a broken workload (then with an `id`), or an object without a proper name. */
  | { readonly kind: 'refused'; readonly id?: string; readonly problems: readonly Problem[] };

type CoreKind = keyof typeof reductions;

type Family =
  | { readonly type: 'user'; readonly kind: UserKindName }
  | { readonly type: 'gateway'; readonly kind: 'HTTPRoute' | 'GRPCRoute' | 'ReferenceGrant' }
  | { readonly type: 'core'; readonly kind: CoreKind }
  | { readonly type: 'workload'; readonly kind: WorkloadKind };

const gatewayGroup = 'gateway.networking.k8s.io';
const coreKinds = ['Service', 'Pod', 'Namespace', 'Node', 'ServiceAccount', 'Secret', 'ConfigMap'] as const;

/** `apiVersion kind` of every kind that is read. */
const families: ReadonlyMap<string, Family> = new Map<string, Family>([
  ...userKinds.map((kind): [string, Family] => [`${group}/v1alpha1 ${kind}`, { type: 'user', kind }]),
  ...coreKinds.map((kind): [string, Family] => [`v1 ${kind}`, { type: 'core', kind }]),
  ...workloadKinds.map((kind): [string, Family] => [`apps/v1 ${kind}`, { type: 'workload', kind }]),
  ['discovery.k8s.io/v1 EndpointSlice', { type: 'core', kind: 'EndpointSlice' }],
  ['argoproj.io/v1alpha1 Rollout', { type: 'core', kind: 'Rollout' }],
  ['flagger.app/v1beta1 Canary', { type: 'core', kind: 'Canary' }],
  [`${gatewayGroup}/v1 HTTPRoute`, { type: 'gateway', kind: 'HTTPRoute' }],
  [`${gatewayGroup}/v1beta1 HTTPRoute`, { type: 'gateway', kind: 'HTTPRoute' }],
  [`${gatewayGroup}/v1 GRPCRoute`, { type: 'gateway', kind: 'GRPCRoute' }],
  [`${gatewayGroup}/v1 ReferenceGrant`, { type: 'gateway', kind: 'ReferenceGrant' }],
  [`${gatewayGroup}/v1beta1 ReferenceGrant`, { type: 'gateway', kind: 'ReferenceGrant' }],
]);

const clusterScoped: ReadonlySet<string> = new Set(['Namespace', 'Node']);

const label = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const subdomain = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const isLabel = (text: string): boolean => text.length <= 63 && label.test(text);
const isSubdomain = (text: string): boolean => text.length <= 253 && subdomain.test(text);

function nameOf(read: Reader, metadata: Fields): string | undefined {
  const name = read.text(metadata['name'], 'metadata.name');
  if (name !== undefined && isSubdomain(name)) return name;
  const rule = "lower case letters, digits, '-' and '.', at most 253 characters (RFC 1123)";
  const absent = metadata['name'] === undefined || metadata['name'] === null;
  if (absent) read.refuse('metadata.name', '`metadata.name` must be set');
  else if (name !== undefined) {
    read.refuse('metadata.name', `\`metadata.name\` must be ${rule}; found ${describeValue(name)}`);
  }
  return undefined;
}

function namespaceOf(read: Reader, metadata: Fields, kind: string): string | undefined {
  if (clusterScoped.has(kind)) return '';
  const written = read.text(metadata['namespace'], 'metadata.namespace');
  const namespace = written === undefined || written === '' ? 'default' : written;
  if (isLabel(namespace)) return namespace;
  const rule = "lower case letters, digits and '-', at most 63 characters (RFC 1123)";
  read.refuse('metadata.namespace', `\`metadata.namespace\` must be ${rule}; found ${describeValue(namespace)}`);
  return undefined;
}

// Annotations of foreign kinds can be large, and none but ours are read. What kubectl applied last is never read.
function keptAnnotations(all: Readonly<Record<string, string>>, foreign: boolean): Readonly<Record<string, string>> {
  const kept = Object.entries(all).filter(([key]) =>
    foreign ? (key.split('/')[0] ?? '').endsWith(group) : key !== 'kubectl.kubernetes.io/last-applied-configuration',
  );
  return Object.fromEntries(kept);
}

function metaOf(read: Reader, raw: Fields, options: { family: Family; origin: Origin }): ObjectMeta | undefined {
  const { family, origin } = options;
  const metadata = read.fields(raw['metadata'], 'metadata') ?? {};
  const name = nameOf(read, metadata);
  const namespace = namespaceOf(read, metadata, family.kind);
  if (name === undefined || namespace === undefined) return undefined;
  const annotations = read.texts(metadata['annotations'], 'metadata.annotations') ?? {};
  return {
    name,
    namespace,
    labels: read.texts(metadata['labels'], 'metadata.labels') ?? {},
    annotations: keptAnnotations(annotations, family.type === 'core'),
    generation: origin.folder ? 0 : (read.integer(metadata['generation'], 'metadata.generation') ?? 0),
    ...optional('creationTimestamp', read.text(metadata['creationTimestamp'], 'metadata.creationTimestamp')),
    ...optional('uid', origin.folder ? undefined : read.text(metadata['uid'], 'metadata.uid')),
    ...optional(
      'resourceVersion',
      origin.folder ? undefined : read.text(metadata['resourceVersion'], 'metadata.resourceVersion'),
    ),
    ...optional('place', origin.place),
  };
}

interface Outcome {
  readonly object?: WorldObject | undefined;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

const gatewayParsers = {
  HTTPRoute: parseHTTPRoute,
  GRPCRoute: parseGRPCRoute,
  ReferenceGrant: parseReferenceGrant,
} as const;

function outcomeOf(family: Exclude<Family, { type: 'workload' }>, input: Input): Outcome {
  const { raw, meta, read } = input;
  if (family.type === 'user') {
    const result = parseUserObject(family.kind, raw, meta);
    return result.ok
      ? { object: result.value, problems: read.problems, warnings: [] }
      : { problems: [...read.problems, ...result.error], warnings: [] };
  }
  if (family.type === 'gateway') {
    const result = gatewayParsers[family.kind](raw, meta);
    return result.ok
      ? { object: result.value.object, problems: read.problems, warnings: result.value.warnings }
      : { problems: [...read.problems, ...result.error], warnings: [] };
  }
  const object = reductions[family.kind]({ raw, meta, read, readyByDefault: input.origin.folder });
  return { object, problems: read.problems, warnings: [] };
}

interface Input {
  readonly raw: Fields;
  readonly meta: ObjectMeta;
  readonly read: Reader;
  readonly origin: Origin;
}

// What the user edits, so that an edit of a malformed object is seen as one; of what is too deep to walk, nothing.
const writtenBy = (raw: Fields): string =>
  fingerprintOf(isTooDeep(raw) ? undefined : { ...raw, metadata: undefined, status: undefined });

const tooDeep = (raw: Fields): Problem => {
  const path = Object.keys(raw).find((member) => isTooDeep({ member: raw[member] })) ?? '';
  const message = `\`${path}\` must not be nested deeper than ${String(maxDepth)} levels`;
  return { path, reason: 'Invalid', message };
};

function malformed(kind: KindName, input: Input, problems: readonly Problem[]): Parsed {
  const { meta, raw } = input;
  const ref: ObjectRef = { kind, namespace: meta.namespace, name: meta.name };
  return {
    ok: false,
    malformed: { ref, generation: meta.generation, problems, lastGood: false, ...optional('place', meta.place) },
    fingerprint: writtenBy(raw),
  };
}

function guarded(family: Exclude<Family, { type: 'workload' }>, input: Input): Outcome {
  if (isTooDeep(input.raw)) return { problems: [tooDeep(input.raw)], warnings: [] };
  try {
    return outcomeOf(family, input);
  } catch (thrown) {
    // A bug in one kind's parser must cost that object only.
    const message = `cannot be read: ${messageOf(thrown)}`;
    return { problems: [{ path: '', reason: 'Invalid', message }], warnings: [] };
  }
}

function readKnown(family: Family, input: Input): Reading {
  if (family.type === 'workload') {
    const workload = reduceWorkload(family.kind, { ...input, readyByDefault: true });
    const { problems } = input.read;
    if (problems.length === 0) return { kind: 'workload', workload };
    return { kind: 'refused', id: idOfWorkload(workload), problems };
  }
  const { object, problems, warnings } = guarded(family, input);
  if (problems.length > 0) return { kind: 'object', parsed: malformed(family.kind, input, problems), warnings };
  if (object === undefined) return { kind: 'skipped', what: `${family.kind} of no Service` };
  return { kind: 'object', parsed: { ok: true, object }, warnings };
}

/** The id of a workload, of the same form as those of objects of the World. */
export const idOfWorkload = ({ kind, meta }: { readonly kind: WorkloadKind; readonly meta: ObjectMeta }): string =>
  `${kind}/${meta.namespace}/${meta.name}`;

/** The id of any reading that has a name. */
export function idOfReading(reading: Reading): string | undefined {
  if (reading.kind === 'workload') return idOfWorkload(reading.workload);
  if (reading.kind === 'refused') return reading.id;
  if (reading.kind === 'skipped') return undefined;
  const { parsed } = reading;
  if (!parsed.ok) return idOf(parsed.malformed.ref);
  const { kind, meta } = parsed.object;
  return idOf({ kind, namespace: meta.namespace, name: meta.name });
}

const invalid = (path: string, message: string): Reading => ({
  kind: 'refused',
  problems: [{ path, reason: 'Invalid', message }],
});

function readUnknown(apiVersion: string, kind: string): Reading {
  if (apiVersion !== group && !apiVersion.startsWith(`${group}/`)) {
    return { kind: 'skipped', what: apiVersion === '' ? kind : `${kind} (${apiVersion})` };
  }
  const known = isUserKind(kind);
  const message = known
    ? `\`apiVersion\` must be '${group}/v1alpha1' for ${kind}; found ${describeValue(apiVersion)}`
    : `\`kind\` must be ${userKinds.join(', ')} in '${group}'; found ${describeValue(kind)}`;
  return invalid(known ? 'apiVersion' : 'kind', message);
}

/** Reads one raw object. */
export function readObject(raw: unknown, origin: Origin): Reading {
  if (!isRecord(raw))
    return invalid('', `an object must be a mapping with apiVersion and kind; found ${describeValue(raw)}`);
  const { apiVersion, kind } = raw;
  if (typeof apiVersion !== 'string') return invalid('apiVersion', '`apiVersion` must be set to a string');
  if (typeof kind !== 'string') return invalid('kind', '`kind` must be set to a string');
  const family = families.get(`${apiVersion} ${kind}`);
  if (family === undefined) return readUnknown(apiVersion, kind);
  const read = createReader();
  const meta = metaOf(read, raw, { family, origin });
  if (meta === undefined) return { kind: 'refused', problems: read.problems };
  return readKnown(family, { raw, meta, read, origin });
}
