// Where a run keeps its files: logs, bootstraps, the process id of the control plane. A folder that nobody named is
// temporary and goes when the run ends well.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** The folders of one run. */
export interface RunFolder {
  readonly path: string;
  /** Short, because the path of a unix socket may not be longer than about 100 characters. */
  readonly sockets: string;
  /** Removes what is temporary. */
  remove(): Promise<void>;
}

const longestSocketFolder = 80;

/** Opens the folder named, or a temporary one. */
export async function openRunFolder(named: string | undefined, temporary: string): Promise<RunFolder> {
  const stem = temporary.length <= longestSocketFolder ? temporary : '/tmp';
  const scratch = await mkdtemp(join(stem, 'legation-'));
  const path = named ?? scratch;
  await mkdir(path, { recursive: true });
  return {
    path: await realpath(path),
    sockets: scratch,
    remove: () => rm(scratch, { recursive: true, force: true }),
  };
}

const tailBytes = 4096;

/** The last lines of a log file. */
export function lastLines(file: string, count: number): readonly string[] {
  const descriptor = openSync(file, 'r');
  const { size } = fstatSync(descriptor);
  const buffer = Buffer.alloc(Math.min(size, tailBytes));
  readSync(descriptor, buffer, 0, buffer.length, size - buffer.length);
  closeSync(descriptor);
  const lines = buffer.toString('utf8').split('\n');
  return lines.filter((line) => line !== '').slice(-count);
}
