// Finds the files of a folder and tells, from their status alone, which may have changed. Reads no content.

import { readdir, stat } from 'node:fs/promises';
import type { BigIntStats, Dirent } from 'node:fs';
import { dirname, join } from 'node:path';

import { isRecord } from '../lib/record.js';
import { messageOf } from '../lib/result.js';

/** A file that was found. */
export interface FileFact {
  readonly path: string;
  readonly size: number;
  /** Equal stamps: the same file with, as far as its status tells, the same content. */
  readonly stamp: string;
}

/** A path that could not be read; `gone`: because nothing is there. */
export interface ScanFailure {
  readonly path: string;
  readonly message: string;
  readonly gone: boolean;
  /** One of the paths that were asked for. */
  readonly root: boolean;
}

/** What was found. */
export interface Scan {
  /** In order of their paths; a file that is reached by two paths is listed under the first. */
  readonly files: readonly FileFact[];
  readonly directories: readonly string[];
  readonly failures: readonly ScanFailure[];
}

const maxDirectoryDepth = 32;
const atOnce = 64;
const wanted = /\.(?:ya?ml|json)$/;

const codeOf = (thrown: unknown): unknown => (isRecord(thrown) ? thrown['code'] : undefined);
const isGone = (thrown: unknown): boolean => codeOf(thrown) === 'ENOENT' || codeOf(thrown) === 'ENOTDIR';
const identityOf = (status: BigIntStats): string => `${String(status.dev)}:${String(status.ino)}`;

const factOf = (path: string, status: BigIntStats): FileFact => ({
  path,
  size: Number(status.size),
  stamp: [identityOf(status), status.size, status.mtimeNs, status.ctimeNs].map(String).join(':'),
});

/** The fact of one file; `undefined` where there is no such file any more. */
export async function statFile(path: string): Promise<FileFact | undefined> {
  try {
    const status = await stat(path, { bigint: true });
    return status.isFile() ? factOf(path, status) : undefined;
  } catch {
    // Whatever the cause: the full scan that follows names it.
    return undefined;
  }
}

interface Walk {
  readonly files: FileFact[];
  readonly directories: string[];
  readonly failures: ScanFailure[];
  readonly seen: Set<string>;
}

interface Visit {
  readonly path: string;
  readonly root: boolean;
  readonly depth: number;
}

function fail(walk: Walk, visit: Visit, thrown: unknown): void {
  walk.failures.push({ path: visit.path, message: messageOf(thrown), gone: isGone(thrown), root: visit.root });
}

// Symbolic links are followed, also through dot names: kubelet mounts a ConfigMap as links through `..data`.
const isCandidate = (entry: Dirent): boolean =>
  !entry.name.startsWith('.') && (entry.isDirectory() || entry.isSymbolicLink() || wanted.test(entry.name));

async function visitDirectory(walk: Walk, visit: Visit): Promise<void> {
  if (visit.depth > maxDirectoryDepth) {
    fail(walk, visit, new Error(`folders are nested deeper than ${String(maxDirectoryDepth)} levels`));
    return;
  }
  walk.directories.push(visit.path);
  const entries = (await readdir(visit.path, { withFileTypes: true })).filter(isCandidate);
  const names = entries.map((entry) => entry.name).sort();
  for (let start = 0; start < names.length; start += atOnce) {
    const paths = names.slice(start, start + atOnce).map((name) => join(visit.path, name));
    const statuses = await Promise.allSettled(paths.map((path) => stat(path, { bigint: true })));
    for (const [index, path] of paths.entries()) {
      const settled = statuses[index];
      const below = { path, root: false, depth: visit.depth + 1 };
      if (settled?.status === 'fulfilled') await visitStatus(walk, below, settled.value);
      else if (settled !== undefined && wanted.test(path)) fail(walk, below, settled.reason);
    }
  }
}

async function visitStatus(walk: Walk, visit: Visit, status: BigIntStats): Promise<void> {
  const identity = identityOf(status);
  if (walk.seen.has(identity)) return;
  if (status.isDirectory()) {
    walk.seen.add(identity);
    try {
      await visitDirectory(walk, visit);
    } catch (thrown) {
      fail(walk, visit, thrown);
    }
  } else if (status.isFile() && (visit.root || wanted.test(visit.path))) {
    walk.seen.add(identity);
    walk.files.push(factOf(visit.path, status));
    if (visit.root) walk.directories.push(dirname(visit.path));
  } else if (visit.root) fail(walk, visit, new Error('neither a file nor a folder'));
}

/** Scans `paths`, files and folders alike. Never rejects. */
export async function scanPaths(paths: readonly string[]): Promise<Scan> {
  const walk: Walk = { files: [], directories: [], failures: [], seen: new Set() };
  for (const path of paths) {
    const visit = { path, root: true, depth: 0 };
    try {
      await visitStatus(walk, visit, await stat(path, { bigint: true }));
    } catch (thrown) {
      fail(walk, visit, thrown);
    }
  }
  return {
    files: walk.files.sort((left, right) => (left.path < right.path ? -1 : 1)),
    directories: [...new Set(walk.directories)],
    failures: walk.failures,
  };
}
