// What holds of every mesh. Each property says what is wrong, in words; nothing is right.

import { keyOf } from '../../src/api/meta.js';
import { isUserKind } from '../../src/kinds/index.js';
import { unsupportedValues } from '../../src/kinds/unsupported.js';
import type { Capture } from '../../src/model/mesh.js';
import type { Resource } from '../../src/xds/resources.js';
import { danglingOf } from '../support/references.js';
import { audienceOf, createCompiler, isValid, seenOf, servedTo, type Compilation, type Compiler } from './compile.js';
import type { Raw } from './objects.js';

/** A mesh, and how it is looked at. */
export interface Trial {
  readonly raws: readonly Raw[];
  readonly capture: Capture;
  /** Decides the other order of the documents. */
  readonly salt: number;
}

const metadataOf = (raw: Raw) => raw['metadata'] as { readonly name: string; readonly namespace?: string };

/** The same documents in another order. */
function shuffled<T>(items: readonly T[], salt: number): readonly T[] {
  const keyed = items.map((item, index) => ({
    item,
    key: ((index + 1) * 2_654_435_761 + salt * 40_503) % 4_294_967_296,
  }));
  return keyed.sort((left, right) => left.key - right.key).map(({ item }) => item);
}

/** What one list has and the other has not. */
function difference(left: readonly string[], right: readonly string[]): readonly string[] {
  const [ours, theirs] = [new Set(left), new Set(right)];
  return [
    ...left.filter((line) => !theirs.has(line)).map((line) => `only first: ${line}`),
    ...right.filter((line) => !ours.has(line)).map((line) => `only second: ${line}`),
  ];
}

const prefixed = (what: string, complaints: readonly string[]): readonly string[] =>
  complaints.slice(0, 5).map((complaint) => `${what}: ${complaint}`);

/** Our own check of Envoy's rules holds nothing back. */
const constraints = ({ built }: Compilation): readonly string[] =>
  built.guilty.map(({ resource, message }) => `${resource.type} ${resource.name} ${message}`);

type Served = ReadonlyMap<string, readonly Resource[]>;

const servedOf = ({ model }: Compilation): Served =>
  new Map(audienceOf(model).map((proxy) => [proxy.key, servedTo(model, proxy)]));

function names(served: Served, raws: readonly Raw[]): readonly string[] {
  const services = new Set(
    raws.filter((raw) => raw['kind'] === 'Service').map((raw) => keyOf({ namespace: 'default', ...metadataOf(raw) })),
  );
  const named = [...served.values()].flat().flatMap((one) => [one.name, ...(one.clusters ?? [])]);
  return [...new Set(named)].flatMap((name) => {
    const [, namespace, service] = /^o\/([^/]+)\/([^/]+)\//.exec(name) ?? [];
    const key = `${namespace ?? ''}/${service ?? ''}`;
    return service === undefined || services.has(key) ? [] : [`${name} names ${key}, which is not in the input`];
  });
}

function references(served: Served): readonly string[] {
  return [...served].flatMap(([proxy, resources]) => {
    const ids = resources.map((one) => `${one.type} ${one.name}`);
    const twice = ids.filter((id, index) => ids.indexOf(id) !== index);
    return [...danglingOf(resources), ...twice.map((id) => `${id} is there twice`)].map((one) => `${proxy}: ${one}`);
  });
}

/** The name of the rule that a path leads into. */
function ruleAt(raw: Raw, path: string): string {
  const index = /^spec\.rules\[(\d+)\]/.exec(path)?.[1];
  const { rules } = raw['spec'] as { readonly rules?: readonly { readonly name?: string }[] };
  return index === undefined ? '' : (rules?.[Number(index)]?.name ?? `r${index}`);
}

/** Everything that is not compiled is refused by name. */
function refusals(compilation: Compilation, raws: readonly Raw[]): readonly string[] {
  return raws.flatMap((raw) => {
    const kind = String(raw['kind']);
    if (!isUserKind(kind)) return [];
    const problems = unsupportedValues(kind, raw['spec']);
    if (problems.length === 0) return [];
    const { name, namespace = 'default' } = metadataOf(raw);
    const said = compilation.findings.filter(
      ({ ref }) => ref.kind === kind && ref.name === name && ref.namespace === namespace,
    );
    // Of several mistakes the first is explained; the others are counted, or their rules named.
    const isNamed = problems.some(({ path }) =>
      said.some(({ message }) =>
        [`\`${path}\``, `'${ruleAt(raw, path)}'`, ' more)'].some((word) => message.includes(word)),
      ),
    );
    return isNamed ? [] : [`nothing is said of ${problems.map(({ path }) => path).join(', ')} of ${kind} ${name}`];
  });
}

/** Compiled after whatever came before: memory of the past must not show. */
const veteran = createCompiler();

function attempt(compiler: Compiler, { raws, capture }: Trial): Compilation | string {
  try {
    return compiler(raws, capture);
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

/** All that is wrong with what becomes of a mesh. */
export function complaints(trial: Trial): readonly string[] {
  const first = attempt(createCompiler(), trial);
  if (typeof first === 'string') return [`throws: ${first}`];
  const other = attempt(createCompiler(), { ...trial, raws: shuffled(trial.raws, trial.salt) });
  if (typeof other === 'string') return [`throws in another order: ${other}`];
  // Every other time: it costs as much as the rest.
  const later = trial.salt % 2 === 0 ? first : attempt(veteran, trial);
  if (typeof later === 'string') return [`throws after other meshes: ${later}`];
  const seen = seenOf(first);
  const served = servedOf(first);
  return [
    ...prefixed('another order', difference(seen, seenOf(other))),
    ...prefixed('after other meshes', difference(seen, seenOf(later))),
    ...prefixed('names', names(served, trial.raws)),
    ...prefixed('references', references(served)),
    ...prefixed('constraints', constraints(first)),
    ...prefixed('unsupported', refusals(first, trial.raws)),
  ];
}

/** Only documents that pass their schemas, and how many did not. */
export function validOnly(raws: readonly Raw[]): { readonly raws: readonly Raw[]; readonly rejected: number } {
  const valid = raws.filter(isValid);
  return { raws: valid, rejected: raws.length - valid.length };
}
