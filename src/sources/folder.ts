// The state of a folder between two looks at it: which files are known, what of them was good last, and whether a
// change has settled. Reads when told to; the loop that tells it is in files.ts.

import type { Clock } from '../lib/clock.js';
import { messageOf } from '../lib/result.js';
import type { Assembly, FileShare } from './assemble.js';
import { createAssembler } from './assemble.js';
import { createDocumentReader } from './documents.js';
import { createEntries, goneHash, isBelow } from './entries.js';
import type { Entry } from './entries.js';
import { maxFileBytes, readContent, tooLarge, unreadable } from './file-content.js';
import type { Diagnostic, FileContent, FileItem } from './file-content.js';
import { scanPaths, statFile } from './scan.js';
import type { Scan } from './scan.js';

/** Chunks of standard input. */
export type InputStream = AsyncIterable<Uint8Array | string>;

/** What a folder is made of. */
export interface FolderOptions {
  /** Files, folders, or `-` for standard input, which is read once. */
  readonly paths: readonly string[];
  readonly clock: Clock;
  readonly stdin?: InputStream;
  /** Replaces written pod addresses that are not on loopback. */
  readonly loopback?: boolean;
  /** Moves container ports below 1024 up. */
  readonly highPorts?: boolean;
  /** A file that shrinks, breaks or vanishes is believed after this long: it may be half written. */
  readonly settleMs: number;
}

/** How to look: at everything, reading even what looks unchanged, or at some known files alone. */
export type Look =
  { readonly kind: 'all'; readonly reread: boolean } | { readonly kind: 'some'; readonly files: readonly string[] };

/** What a look found. */
export interface FolderView {
  readonly assembly: Assembly;
  /** False while a path that was asked for has never been readable: then nobody knows what is missing. */
  readonly complete: boolean;
  /** True while a change waits to settle; look again after `settleMs`. */
  readonly unsettled: boolean;
  readonly directories: readonly string[];
  /** How many files there are, and their bytes. */
  readonly count: number;
  readonly size: number;
}

/** A folder that can be looked at again and again. */
export interface Folder {
  look(how: Look): Promise<FolderView>;
  /** True for a file that the last look knew. */
  knows(path: string): boolean;
  /** What the files held when they were good last, in order of their paths. */
  items(): readonly FileItem[];
  close(): Promise<void>;
}

/** Reading one file waits for the disk several times. */
const readsAtOnce = 16;
const stdinPath = '-';
const stdinName = '<stdin>';

async function readInput(input: InputStream | undefined): Promise<{ bytes: Uint8Array } | { problem: string }> {
  if (input === undefined) return { problem: 'standard input is not available' };
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of input) {
      const bytes = Buffer.from(chunk);
      length += bytes.length;
      if (length > maxFileBytes) return { problem: tooLarge(length) };
      chunks.push(bytes);
    }
  } catch (thrown) {
    return { problem: `cannot be read: ${messageOf(thrown)}` };
  }
  return { bytes: Buffer.concat(chunks) };
}

const retained = (diagnostic: Diagnostic): Diagnostic => ({
  ...diagnostic,
  message: `${diagnostic.message}; the last good objects of this file stay in force`,
});

const problemAt = (file: string, message: string): Diagnostic => ({ severity: 'error', file, line: 1, message });

function shareOf(entry: Entry): FileShare {
  const { good, current, pending, failure } = entry;
  const items = good?.items ?? [];
  const yields = pending?.hash === goneHash;
  if (failure !== undefined) return { items, diagnostics: [retained(problemAt(entry.path, failure))], yields };
  if (!current.failed) return { items, diagnostics: current.diagnostics, yields };
  const kept = good !== undefined && good.items.length > 0;
  return { items, diagnostics: kept ? current.diagnostics.map(retained) : current.diagnostics, yields };
}

/** A folder that nobody has looked at yet. */
export function createFolder(options: FolderOptions): Folder {
  const { clock, settleMs } = options;
  const reader = createDocumentReader(clock);
  const assemble = createAssembler({ loopback: options.loopback === true, highPorts: options.highPorts === true });
  const entries = createEntries({ clock, reader, settleMs });
  const paths = [...new Set(options.paths)].filter((path) => path !== stdinPath);
  const neverRead = new Set(paths);
  let input: Promise<FileContent> | undefined;
  let found: readonly FileItem[] = [];
  let last: Scan = { files: [], directories: [], failures: [] };

  async function lookAtAll(reread: boolean): Promise<void> {
    last = await scanPaths(paths);
    const present = new Set(last.files.map((fact) => fact.path));
    for (let start = 0; start < last.files.length; start += readsAtOnce) {
      const batch = last.files.slice(start, start + readsAtOnce);
      await Promise.all(batch.map((fact) => entries.update(fact, reread)));
    }
    for (const entry of entries.all()) if (!present.has(entry.path)) entries.miss(entry, last.failures);
    const failed = new Set(last.failures.filter((failure) => failure.root).map((failure) => failure.path));
    for (const path of [...neverRead]) if (!failed.has(path)) neverRead.delete(path);
  }

  async function lookAtSome(files: readonly string[]): Promise<void> {
    for (const path of files) {
      const fact = await statFile(path);
      if (fact === undefined) {
        await lookAtAll(false);
        return;
      }
      await entries.update(fact, false);
    }
  }

  function readStdin(): Promise<FileContent> {
    input ??= readInput(options.stdin).then((read) =>
      'problem' in read
        ? unreadable(stdinName, read.problem)
        : readContent({ file: stdinName, bytes: read.bytes, reader }),
    );
    return input;
  }

  async function shares(): Promise<readonly FileShare[]> {
    const files = entries
      .all()
      .toSorted((left, right) => (left.path < right.path ? -1 : 1))
      .map(shareOf);
    const uncovered = last.failures.filter(({ path }) => !entries.all().some((entry) => isBelow(entry.path, path)));
    const failures = uncovered.map(({ path, message }) => problemAt(path, `cannot be read: ${message}`));
    const missing: FileShare = { items: [], diagnostics: failures, yields: false };
    if (!options.paths.includes(stdinPath)) return [...files, missing];
    const { items, diagnostics } = await readStdin();
    return [{ items, diagnostics, yields: false }, ...files, missing];
  }

  return {
    async look(how) {
      await (how.kind === 'all' ? lookAtAll(how.reread) : lookAtSome(how.files));
      const all = await shares();
      found = all.flatMap((share) => share.items);
      const known = entries.all();
      return {
        assembly: assemble(all),
        complete: neverRead.size === 0,
        unsettled: known.some((entry) => entry.pending !== undefined),
        directories: last.directories,
        count: known.length,
        size: known.reduce((sum, entry) => sum + entry.size, 0),
      };
    },
    knows: (path) => entries.has(path),
    items: () => found,
    close: () => reader.close(),
  };
}
