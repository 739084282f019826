// What is known of each file: its content now, its last good content, and a change that is not believed yet. Told by
// a scan what is there; knows nothing of the objects inside.

import type { Clock } from '../lib/clock.js';
import type { DocumentReader } from './documents.js';
import { maxFileBytes, readBytes, readContent, tooLarge, unreadable } from './file-content.js';
import type { FileContent } from './file-content.js';
import type { FileFact, ScanFailure } from './scan.js';

/** What is known of one file. */
export interface Entry {
  readonly path: string;
  /** Stamp of the content below; empty: to be read again. */
  readonly stamp: string;
  readonly size: number;
  /** The last content that parsed. */
  readonly good?: FileContent;
  /** The content as it is, with what is wrong with it. */
  readonly current: FileContent;
  /** A change that is not believed yet; `gone` where the file vanished. */
  readonly pending?: { readonly hash: string; readonly since: number };
  /** Why the file could not be looked at. */
  readonly failure?: string;
}

/** Files by path. */
export interface Entries {
  all(): readonly Entry[];
  has(path: string): boolean;
  /** A scan found the file. */
  update(fact: FileFact, reread: boolean): Promise<void>;
  /** A scan did not find the file. */
  miss(entry: Entry, failures: readonly ScanFailure[]): void;
}

/** What entries need. */
export interface EntriesOptions {
  readonly clock: Clock;
  readonly reader: DocumentReader;
  readonly settleMs: number;
}

/** The pending hash of a file that vanished. */
export const goneHash = 'gone';

/** True where `path` is `folder`, or in it. */
export const isBelow = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);

const isCurrent = (entry: Entry | undefined, stamp: string): boolean =>
  entry?.stamp === stamp && entry.pending === undefined && entry.failure === undefined;

/** No files yet. */
export function createEntries({ clock, reader, settleMs }: EntriesOptions): Entries {
  const entries = new Map<string, Entry>();

  async function contentOf(fact: FileFact, before: FileContent | undefined): Promise<FileContent> {
    if (fact.size > maxFileBytes) return unreadable(fact.path, tooLarge(fact.size), tooLarge(fact.size));
    const read = await readBytes(fact.path);
    if ('problem' in read) return unreadable(fact.path, read.problem, read.problem);
    return readContent({ file: fact.path, bytes: read.bytes, reader, before });
  }

  // A file that loses objects may be half written, or between two steps of an editor: it must hold still for a while.
  function isCredible(entry: Entry | undefined, content: FileContent): boolean {
    const good = entry?.good;
    if (entry === undefined || good === undefined || settleMs === 0) return true;
    if (!content.failed && content.items.length >= good.items.length) return true;
    if (entry.current.hash === content.hash) return true;
    return entry.pending?.hash === content.hash && clock.now() - entry.pending.since >= settleMs;
  }

  function pendingAfter(entry: Entry, hash: string): { readonly hash: string; readonly since: number } {
    return entry.pending?.hash === hash ? entry.pending : { hash, since: clock.now() };
  }

  async function update(fact: FileFact, reread: boolean): Promise<void> {
    const { path, stamp, size } = fact;
    const entry = entries.get(path);
    if (!reread && isCurrent(entry, stamp)) return;
    const content = await contentOf(fact, entry?.current);
    const good = content.failed ? entry?.good : content;
    if (isCredible(entry, content) || entry === undefined) {
      entries.set(path, { path, stamp, size, current: content, ...(good === undefined ? {} : { good }) });
      return;
    }
    const { failure: _healed, ...rest } = entry;
    entries.set(path, { ...rest, stamp: '', pending: pendingAfter(entry, content.hash) });
  }

  function miss(entry: Entry, failures: readonly ScanFailure[]): void {
    const failure = failures.find((candidate) => isBelow(entry.path, candidate.path));
    // A path that was asked for and is not there may be a volume that is not mounted; what is below it stays.
    if (failure !== undefined && (!failure.gone || failure.root)) {
      const { pending: _pending, ...rest } = entry;
      entries.set(entry.path, { ...rest, stamp: '', failure: failure.message });
      return;
    }
    const pending = pendingAfter(entry, goneHash);
    const hasObjects = entry.good !== undefined && entry.good.items.length > 0;
    if (!hasObjects || clock.now() - pending.since >= settleMs) entries.delete(entry.path);
    else entries.set(entry.path, { ...entry, stamp: '', pending });
  }

  return { all: () => [...entries.values()], has: (path) => entries.has(path), update, miss };
}
