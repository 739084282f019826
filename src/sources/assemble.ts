// The contents of all files to one set of objects: settles duplicates, keeps the last good version of what is
// malformed, adds what a cluster would have added. Pure but for that memory; reads nothing.

import { idOf, refOf } from '../api/meta.js';
import type { WorldObject } from '../kinds/world.js';
import { expand } from './expand.js';
import type { ExpandOptions } from './expand.js';
import type { Diagnostic, FileItem } from './file-content.js';
import { idOfReading } from './parse-object.js';
import type { Workload } from './reduce-pod.js';
import type { Parsed } from './store.js';

/** The objects of one file, as they count now. */
export interface FileShare {
  readonly items: readonly FileItem[];
  readonly diagnostics: readonly Diagnostic[];
  /** The file is gone, but not for long enough to be sure: what others define is theirs. */
  readonly yields: boolean;
}

/** A kind that is not read, and how often it was found. */
export interface SkippedKind {
  readonly what: string;
  readonly count: number;
}

/** Everything that a folder amounts to. */
export interface Assembly {
  readonly objects: readonly Parsed[];
  readonly diagnostics: readonly Diagnostic[];
  readonly skipped: readonly SkippedKind[];
}

/** Assembles shares; remembers what was good last. */
export type Assembler = (shares: readonly FileShare[]) => Assembly;

type Good = { readonly object: WorldObject } | { readonly workload: Workload };

function goodOf({ reading }: FileItem): Good | undefined {
  if (reading.kind === 'workload') return { workload: reading.workload };
  return reading.kind === 'object' && reading.parsed.ok ? { object: reading.parsed.object } : undefined;
}

const placeOf = (item: FileItem): string => `${item.file}:${String(item.line)}`;

function duplicateOf(item: FileItem, holder: FileItem, id: string): Diagnostic {
  const { reading } = item;
  const good = reading.kind === 'object' && reading.parsed.ok ? reading.parsed.object : undefined;
  return {
    severity: 'error',
    file: item.file,
    line: item.line,
    ...(good === undefined ? {} : { object: refOf(good) }),
    message: `${id} is defined twice: at ${placeOf(holder)}, which holds, and at ${placeOf(item)}, which is ignored`,
  };
}

interface Settled {
  readonly holders: ReadonlyMap<string, FileItem>;
  readonly duplicates: readonly Diagnostic[];
  readonly skipped: ReadonlyMap<string, number>;
}

function settle(shares: readonly FileShare[]): Settled {
  const holders = new Map<string, FileItem>();
  const duplicates: Diagnostic[] = [];
  const skipped = new Map<string, number>();
  const take = (item: FileItem, yields: boolean): void => {
    const { reading } = item;
    if (reading.kind === 'skipped') skipped.set(reading.what, (skipped.get(reading.what) ?? 0) + 1);
    const id = idOfReading(reading);
    if (id === undefined) return;
    const holder = holders.get(id);
    if (holder === undefined) holders.set(id, item);
    else if (!yields) duplicates.push(duplicateOf(item, holder, id));
  };
  // Sorting is stable: the order of paths stays, but those that yield come last.
  for (const share of shares.toSorted((left, right) => Number(left.yields) - Number(right.yields))) {
    for (const item of share.items) take(item, share.yields);
  }
  return { holders, duplicates, skipped };
}

const wrapped = new WeakMap<WorldObject, Parsed>();

function wrap(object: WorldObject): Parsed {
  const known = wrapped.get(object);
  if (known !== undefined) return known;
  const parsed: Parsed = { ok: true, object };
  wrapped.set(object, parsed);
  return parsed;
}

/** An assembler that has seen nothing yet. */
export function createAssembler(options: ExpandOptions = {}): Assembler {
  let lastGood: ReadonlyMap<string, Good> = new Map();

  function remember(holders: ReadonlyMap<string, FileItem>): ReadonlyMap<string, Good> {
    const good = new Map<string, Good>();
    for (const [id, item] of holders) {
      const found = goodOf(item) ?? lastGood.get(id);
      if (found !== undefined) good.set(id, found);
    }
    lastGood = good;
    return good;
  }

  return (shares) => {
    const { holders, duplicates, skipped } = settle(shares);
    const good = [...remember(holders).values()];
    const malformed = [...holders.values()].flatMap(({ reading }) =>
      reading.kind === 'object' && !reading.parsed.ok ? [reading.parsed] : [],
    );
    const bad = new Set(malformed.map((parsed) => idOf(parsed.malformed.ref)));
    const folder = {
      objects: good.flatMap((entry) => ('object' in entry ? [entry.object] : [])),
      workloads: good.flatMap((entry) => ('workload' in entry ? [entry.workload] : [])),
    };
    const expansion = expand(folder, options);
    const notes = expansion.notes.map(({ workload, message }): Diagnostic => {
      const { namespace, name, place } = workload.meta;
      const subject = `${workload.kind} '${namespace}/${name}'`;
      return {
        severity: 'warning',
        file: place?.file ?? '',
        line: place?.line ?? 1,
        message: `${subject}: ${message}`,
      };
    });
    return {
      objects: [...expansion.objects.filter((object) => !bad.has(idOf(refOf(object)))).map(wrap), ...malformed],
      diagnostics: [...shares.flatMap((share) => share.diagnostics), ...duplicates, ...notes],
      skipped: [...skipped].map(([what, count]) => ({ what, count })),
    };
  };
}
