// A real folder in a temporary place, and a running file source over it.

import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { World } from '../../../src/kinds/world.js';
import { systemClock } from '../../../src/lib/clock.js';
import type { LogFields, Logger } from '../../../src/lib/logger.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { createFileSource } from '../../../src/sources/files.js';
import type { FileSource, FileSourceOptions } from '../../../src/sources/files.js';
import { createStore } from '../../../src/sources/store.js';
import type { ObjectEvent } from '../../../src/sources/store.js';
import { until } from '../../support/until.js';

/** A temporary folder. */
export interface TempFolder {
  readonly path: string;
  at(name: string): string;
  write(name: string, content: string | Uint8Array): Promise<void>;
  /** Writes beside and renames over, as careful writers do. */
  replace(name: string, content: string): Promise<void>;
  remove(): Promise<void>;
}

export async function createTempFolder(): Promise<TempFolder> {
  const path = await mkdtemp(join(tmpdir(), 'legation-files-'));
  const at = (name: string): string => join(path, name);
  return {
    path,
    at,
    async write(name, content) {
      await mkdir(dirname(at(name)), { recursive: true });
      await writeFile(at(name), content);
    },
    async replace(name, content) {
      await writeFile(`${at(name)}.tmp`, content);
      await rename(`${at(name)}.tmp`, at(name));
    },
    remove: () => rm(path, { recursive: true, force: true }),
  };
}

/** A file source that feeds a store. */
export interface Running {
  readonly files: FileSource;
  readonly events: readonly ObjectEvent[];
  readonly logged: readonly string[];
  world(): World;
  /** Waits until the World, or the diagnostics, are as wanted. */
  until(condition: (world: World) => boolean, what: string): Promise<void>;
  stop(): Promise<void>;
}

/** Runs a source over `paths`. */
export function run(paths: readonly string[], more: Partial<FileSourceOptions> = {}): Running {
  const logged: string[] = [];
  const listeners = new Set<() => void>();
  const note = (message: string, fields?: LogFields): void => {
    logged.push(`${message}: ${JSON.stringify(fields ?? {})}`);
    // Diagnostics are in place once their line is written.
    queueMicrotask(() => {
      for (const listener of [...listeners]) listener();
    });
  };
  const log: Logger = { ...silentLogger, info: note, warn: note, error: note };
  const files = createFileSource({ paths, clock: systemClock, log, ...more });
  const store = createStore();
  const feed = store.feed();
  const events: ObjectEvent[] = [];
  const control = new AbortController();
  const done = (async () => {
    for await (const event of files.source(control.signal)) {
      events.push(event);
      feed(event);
      for (const listener of [...listeners]) listener();
    }
  })();
  return {
    files,
    events,
    logged,
    world: () => store.world(),
    until: (condition, what) =>
      until(
        () => condition(store.world()),
        (listener) => {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
        { what },
      ),
    async stop() {
      control.abort();
      await done;
    },
  };
}

/** YAML of a ServiceAccount. */
export const accountYaml = (name: string, label = ''): string =>
  `apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: ${name}\n  labels: {v: "${label}"}\n`;

/** YAML of a TrafficRoute with one rule. */
export const routeYaml = (name: string, path = '/x'): string =>
  [
    'apiVersion: legation.dev/v1alpha1',
    'kind: TrafficRoute',
    `metadata: {name: ${name}, namespace: shop}`,
    'spec:',
    '  parentRefs: [{name: web}]',
    '  rules:',
    '  - name: main',
    '    matches:',
    '    - path:',
    `        value: ${path}`,
    '    backendRefs: [{name: web, port: 80}]',
    '',
  ].join('\n');
