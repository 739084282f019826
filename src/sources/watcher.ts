// Tells, soon, that something in some directories may have changed. It may miss or invent changes: a scan decides.

import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { join } from 'node:path';

/** Watches directories. */
export interface Watcher {
  /** Watches these directories and no others. */
  follow(directories: readonly string[]): void;
  close(): void;
}

/** Calls `changed` with the path of what changed, or with `undefined` where that is unknown. */
export function createWatcher(changed: (path: string | undefined) => void): Watcher {
  const watchers = new Map<string, FSWatcher>();

  function stop(directory: string): void {
    watchers.get(directory)?.close();
    watchers.delete(directory);
  }

  function start(directory: string): void {
    try {
      const watcher = watch(directory, { persistent: false }, (_event, name) => {
        changed(name === null ? undefined : join(directory, name));
      });
      // A directory that vanished, or too many watches: the regular rescan does without.
      watcher.on('error', () => {
        stop(directory);
        changed(undefined);
      });
      watchers.set(directory, watcher);
    } catch {
      // As above: the rescan notices what this watch would have noticed sooner.
      watchers.delete(directory);
    }
  }

  return {
    follow(directories) {
      const wanted = new Set(directories);
      for (const directory of [...watchers.keys()]) if (!wanted.has(directory)) stop(directory);
      for (const directory of wanted) if (!watchers.has(directory)) start(directory);
    },
    close() {
      for (const directory of [...watchers.keys()]) stop(directory);
    },
  };
}
