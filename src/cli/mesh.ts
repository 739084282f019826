// Reads a mesh from files for a command that needs no running one: the same reader and the same compiler as the control
// plane. Must not know what is done with it.

import { stat } from 'node:fs/promises';
import { gatesOf } from '../kinds/gates.js';
import type { World } from '../kinds/world.js';
import type { Capture } from '../model/mesh.js';
import { type Reconciled, reconcile } from '../reconcilers/index.js';
import { type FolderContent, readFolder } from '../sources/files.js';
import { createStore } from '../sources/store.js';
import { type Cli, UsageError } from './command.js';
import { type Remark, remarksOf } from './remarks.js';

/** A mesh that was read from files, and what is to be said of it. */
export interface FileMesh {
  readonly content: FolderContent;
  readonly world: World;
  readonly reconciled: Reconciled;
  /** In order of files and lines. */
  readonly remarks: readonly Remark[];
}

/** What to read, and how its requests reach the proxies. */
export interface MeshRequest {
  readonly paths: readonly string[];
  readonly capture: Capture;
  /** Replace pod addresses that are not on loopback. */
  readonly loopback?: boolean;
  readonly enableExtensions?: boolean;
}

const standardInput = '-';

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    // Whatever the cause, it cannot be read.
    return false;
  }
}

/** Reads files, folders and `-`, and compiles what they hold. */
export async function readMesh(
  request: MeshRequest,
  { clock, stdin }: Pick<Cli, 'clock' | 'stdin'>,
): Promise<FileMesh> {
  const { paths, capture, loopback = false, enableExtensions = false } = request;
  for (const path of paths) {
    if (path !== standardInput && !(await isThere(path))) throw new UsageError(`no such file or folder: '${path}'`);
  }
  const content = await readFolder(paths, { clock, stdin, loopback });
  const store = createStore();
  const feed = store.feed();
  for (const event of content.events) feed(event);
  const world = store.world();
  const reconciled = reconcile(world, { capture, gates: gatesOf({ extensions: enableExtensions }) });
  return { content, world, reconciled, remarks: await remarksOf(content, reconciled.findings) };
}
