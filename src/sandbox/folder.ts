// The folder as the supervisor sees it: a World of its own, read by the same code that the control plane runs, so that
// both agree which pods there are.

import { stat } from 'node:fs/promises';
import type { World } from '../kinds/world.js';
import type { Clock } from '../lib/clock.js';
import { silentLogger } from '../lib/logger.js';
import { createFileSource } from '../sources/files.js';
import { createStore } from '../sources/store.js';

/** A folder that is followed. */
export interface FollowedFolder {
  readonly world: () => World;
  /** Calls the listener after each change. */
  readonly onChange: (listener: () => void) => void;
}

/** Follows a folder until `signal` aborts; resolves once it has been read. */
export async function followFolder(
  from: { readonly path: string; readonly highPorts: boolean },
  clock: Clock,
  signal: AbortSignal,
): Promise<FollowedFolder> {
  const store = createStore();
  // The control plane reads the same folder and says what is wrong with it.
  const { source } = createFileSource({
    paths: [from.path],
    clock,
    log: silentLogger,
    loopback: true,
    highPorts: from.highPorts,
  });
  const { promise: synced, resolve } = Promise.withResolvers<undefined>();
  const stop = store.subscribe(() => {
    if (store.synced()) resolve(undefined);
  });
  void store.attach(source, signal).then(() => {
    resolve(undefined);
  });
  await synced;
  stop();
  return {
    world: () => store.world(),
    onChange: (listener) => {
      store.subscribe(listener);
    },
  };
}

/** True where there is a folder that can be read. */
export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    // Not there, or not ours to read.
    return false;
  }
}
