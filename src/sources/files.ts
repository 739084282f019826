// A folder of YAML as a source of objects, and the same folder read once. What is last good stays in force while a
// file is broken. Knows neither a cluster nor who listens.

import { basename } from 'node:path';
import { idOf } from '../api/meta.js';
import type { ObjectRef } from '../api/meta.js';
import type { Malformed, WorldObject } from '../kinds/world.js';
import type { Clock } from '../lib/clock.js';
import { systemClock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import type { SkippedKind } from './assemble.js';
import { createDocumentReader } from './documents.js';
import type { Diagnostic } from './file-content.js';
import { createFolder } from './folder.js';
import type { Folder, FolderView, InputStream, Look } from './folder.js';
import { idOfReading } from './parse-object.js';
import type { ObjectEvent, ObjectSource, Parsed } from './store.js';
import { createWatcher } from './watcher.js';

export type { SkippedKind } from './assemble.js';
export type { Diagnostic } from './file-content.js';
export type { InputStream } from './folder.js';

/** What a file source needs. */
export interface FileSourceOptions {
  /** Files, folders, or `-` for standard input, which is read once. */
  readonly paths: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly stdin?: InputStream;
  /** Replaces written pod addresses that are not on loopback, also in slices: for a mesh on one machine. */
  readonly loopback?: boolean;
  /** Moves container ports below 1024 up, for who may not bind them. */
  readonly highPorts?: boolean;
  /** Between two rescans; watches notice most changes sooner. */
  readonly rescanMs?: number;
}

/** A folder as a source; it also tells what is wrong with the folder now. */
export interface FileSource {
  readonly source: ObjectSource;
  diagnostics(): readonly Diagnostic[];
  skipped(): readonly SkippedKind[];
}

const defaultRescanMs = 1000;
/** A burst of watch events is one change. */
const gatherMs = 10;
const settleMs = 100;
/** Now and then content is read although its status did not change, where that is cheap. */
const rereadMs = 5000;
const rereadBytes = 4 * 1024 * 1024;
const rereadFiles = 256;

const isCheap = (view: FolderView): boolean => view.size <= rereadBytes && view.count <= rereadFiles;

/** A scan may take this share of the time, no more. */
const idleFactor = 20;
const eventsPerTurn = 256;

const textOf = ({ severity, file, line, path, message }: Diagnostic): string =>
  [severity, file, line, path ?? '', message].join('\u0000');

/** Logs each problem once, and once when it is gone. */
function createReporter(log: Logger): (now: readonly Diagnostic[]) => void {
  let known: ReadonlyMap<string, Diagnostic> = new Map();
  const fieldsOf = ({ file, line, column, path, message }: Diagnostic): Record<string, unknown> => ({
    place: [file, line, ...(column === undefined ? [] : [column])].join(':'),
    ...(path === undefined ? {} : { path }),
    problem: message,
  });
  return (diagnostics) => {
    const now = new Map(diagnostics.map((diagnostic) => [textOf(diagnostic), diagnostic]));
    for (const [key, diagnostic] of now) {
      if (known.has(key)) continue;
      if (diagnostic.severity === 'error') log.error('file has a problem', fieldsOf(diagnostic));
      else log.warn('file has a doubtful value', fieldsOf(diagnostic));
    }
    for (const [key, diagnostic] of known) {
      if (!now.has(key)) log.info('file problem is gone', fieldsOf(diagnostic));
    }
    known = now;
  };
}

/** Names each kind that is skipped, once. */
function createSkipReporter(log: Logger): (now: readonly SkippedKind[]) => void {
  const named = new Set<string>();
  return (skipped) => {
    for (const { what, count } of skipped) {
      if (named.has(what)) continue;
      named.add(what);
      log.info('kind is not read', { what, count });
    }
  };
}

interface Wake {
  /** Notes a changed path; `undefined`: look everywhere. */
  note(path: string | undefined): void;
  /** Resolves after `delayMs`, or as soon as something was noted. */
  wait(delayMs: number, signal: AbortSignal): Promise<void>;
  /** What was noted since the last call. */
  take(): ReadonlySet<string | undefined>;
}

function createWake(clock: Clock): Wake {
  let noted = new Set<string | undefined>();
  let rouse: (() => void) | undefined;
  return {
    note(path) {
      noted.add(path);
      rouse?.();
    },
    async wait(delayMs, signal) {
      if (noted.size > 0) return;
      const early = new AbortController();
      rouse = () => {
        early.abort();
      };
      await clock.sleep(delayMs, AbortSignal.any([signal, early.signal]));
      rouse = undefined;
    },
    take() {
      const taken = noted;
      noted = new Set();
      return taken;
    },
  };
}

const sameObjects = (left: readonly Parsed[] | undefined, right: readonly Parsed[]): boolean =>
  left?.length === right.length && left.every((parsed, nth) => parsed === right[nth]);

async function* asEvents(objects: readonly Parsed[], clock: Clock): AsyncGenerator<ObjectEvent> {
  yield { kind: 'init' };
  for (const [index, object] of objects.entries()) {
    if (index % eventsPerTurn === eventsPerTurn - 1) await clock.sleep(0);
    yield { kind: 'initApply', object };
  }
  yield { kind: 'initDone' };
}

// Dot names are not read, but kubelet swaps a mounted ConfigMap by renaming `..data`; names of other endings are
// editors' and writers' own business until they become a file that is.
const isOfInterest = (path: string): boolean => {
  const name = basename(path);
  return name.startsWith('..') || (!name.startsWith('.') && (/\.(?:ya?ml|json)$/.test(name) || !name.includes('.')));
};

/** A source over files. Nothing is read before it is run. */
export function createFileSource(options: FileSourceOptions): FileSource {
  const { clock, log, paths } = options;
  const rescanMs = options.rescanMs ?? defaultRescanMs;
  const report = createReporter(log);
  const reportSkipped = createSkipReporter(log);
  let current: FolderView['assembly'] = { objects: [], diagnostics: [], skipped: [] };

  function nextLook(noted: ReadonlySet<string | undefined>, folder: Folder): Look {
    const files = [...noted].filter((path) => path !== undefined);
    const precise = files.length > 0 && files.length === noted.size && files.every((path) => folder.knows(path));
    return precise ? { kind: 'some', files } : { kind: 'all', reread: false };
  }

  function note(view: FolderView): void {
    current = view.assembly;
    report(current.diagnostics);
    reportSkipped(current.skipped);
  }

  // What wakes the loop: (1) a watched directory changed, (2) the time for a rescan has come, (3) a change that
  // looked half done has had time to settle, (4) the signal aborts.
  async function* run(signal: AbortSignal): AsyncGenerator<ObjectEvent> {
    const folder = createFolder({ ...options, paths, settleMs });
    const wake = createWake(clock);
    const watcher = createWatcher((path) => {
      if (path === undefined || folder.knows(path) || isOfInterest(path)) wake.note(path);
    });
    let emitted: readonly Parsed[] | undefined;
    let lastReread = clock.now();
    let how: Look = { kind: 'all', reread: false };
    try {
      while (!signal.aborted) {
        const started = clock.now();
        const view = await folder.look(how);
        const lookMs = clock.now() - started;
        watcher.follow(view.directories);
        note(view);
        if (view.complete && !sameObjects(emitted, view.assembly.objects)) {
          emitted = view.assembly.objects;
          yield* asEvents(emitted, clock);
        }
        await wake.wait(view.unsettled ? settleMs : Math.max(rescanMs, lookMs * idleFactor), signal);
        await clock.sleep(gatherMs, signal);
        how = nextLook(wake.take(), folder);
        if (how.kind === 'all' && isCheap(view) && clock.now() - lastReread >= rereadMs) {
          lastReread = clock.now();
          how = { kind: 'all', reread: true };
        }
      }
    } finally {
      watcher.close();
      await folder.close();
    }
  }

  return { source: run, diagnostics: () => current.diagnostics, skipped: () => current.skipped };
}

/** A folder, read once. */
export interface FolderContent {
  /** With what a cluster would have added. */
  readonly objects: readonly WorldObject[];
  readonly malformed: readonly Malformed[];
  readonly diagnostics: readonly Diagnostic[];
  readonly skipped: readonly SkippedKind[];
  /** The same objects as events: feeding them to a store gives the World of the folder. */
  readonly events: readonly ObjectEvent[];
  /** Where a field of an object is written, or its nearest ancestor; `undefined` for what nobody wrote. */
  locate(ref: ObjectRef, path: string): Promise<Place | undefined>;
}

/** A place in a file, from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** How to read a folder once. */
export interface ReadFolderOptions {
  readonly clock?: Clock;
  readonly stdin?: InputStream;
  readonly loopback?: boolean;
  /** Moves container ports below 1024 up, for who may not bind them. */
  readonly highPorts?: boolean;
}

/** Reads files and folders once: for commands that need no mesh. */
export async function readFolder(paths: readonly string[], options: ReadFolderOptions = {}): Promise<FolderContent> {
  const clock = options.clock ?? systemClock;
  const folder = createFolder({ ...options, clock, paths, settleMs: 0 });
  const { assembly } = await folder.look({ kind: 'all', reread: false });
  const items = folder.items();
  await folder.close();
  const reader = createDocumentReader(clock);

  async function locate(ref: ObjectRef, path: string): Promise<Place | undefined> {
    const item = items.find((candidate) => idOfReading(candidate.reading) === idOf(ref));
    if (item === undefined) return undefined;
    const full = [item.prefix, path].filter((part) => part !== '').join('.');
    const [position] = await reader.locate(item.piece, [full]);
    await reader.close();
    return position === undefined ? undefined : { file: item.file, ...position };
  }

  return {
    objects: assembly.objects.flatMap((parsed) => (parsed.ok ? [parsed.object] : [])),
    malformed: assembly.objects.flatMap((parsed) => (parsed.ok ? [] : [parsed.malformed])),
    diagnostics: assembly.diagnostics,
    skipped: assembly.skipped,
    events: [
      { kind: 'init' },
      ...assembly.objects.map((object) => ({ kind: 'initApply', object }) as const),
      { kind: 'initDone' },
    ],
    locate,
  };
}
