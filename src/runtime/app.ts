// A control plane as a process: the pipeline with its listeners, and its end. The composition root.

import { rename, writeFile } from 'node:fs/promises';
import type { Clock } from '../lib/clock.js';
import { disableFreezing } from '../lib/deep-freeze.js';
import type { Logger } from '../lib/logger.js';
import { messageOf } from '../lib/result.js';
import { createFileSource, type FileSource } from '../sources/files.js';
import { startAdmin } from './admin.js';
import type { RunConfig } from './config.js';
import { startPipeline, type Pipeline } from './pipeline.js';

/** What a control plane needs. */
export interface ControlPlaneDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Bytes for the path `-`. */
  readonly stdin?: AsyncIterable<Uint8Array | string>;
  /** Told once both ports listen, with the ports that were chosen. */
  readonly onReady?: (addresses: { readonly xds: string; readonly admin: string }) => void;
}

/** Runs until `signal` aborts. Throws OperationalError when a port or a folder cannot be used. */
export async function runControlPlane(config: RunConfig, deps: ControlPlaneDeps, signal: AbortSignal): Promise<void> {
  disableFreezing();
  const { clock, log } = deps;
  const files = createFileSource({
    paths: config.sources,
    clock,
    log: log.child({ room: 'sources' }),
    loopback: config.loopbackPods,
    highPorts: config.highPorts,
    ...(deps.stdin === undefined ? {} : { stdin: deps.stdin }),
  });
  const pipeline = startPipeline(config, { clock, log, sources: [files.source] }, signal);
  const admin = await startAdmin({ pipeline, files, log }, config.adminListen);
  try {
    await untilReady(pipeline, signal);
    if (signal.aborted) return;
    // Nobody is served before the first whole picture is there: a proxy keeps what it has and redials.
    const xds = await pipeline.serveXds(config.xdsListen);
    admin.serving();
    log.info('serving', { xds: xds.address, admin: admin.address, proxies: pipeline.reconciled()?.model.proxies.size });
    deps.onReady?.({ xds: xds.address, admin: admin.address });
    await statusUntilEnd({ config, pipeline, files }, deps, signal);
    await xds.stop();
  } finally {
    await admin.stop();
  }
}

async function untilReady(pipeline: Pipeline, signal: AbortSignal): Promise<void> {
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => {
      resolve();
    });
  });
  await Promise.race([pipeline.ready, aborted]);
}

interface Running {
  readonly config: RunConfig;
  readonly pipeline: Pipeline;
  readonly files: FileSource;
}

/** Writes the status file, if one is asked for, whenever it would read differently; returns at the end. */
async function statusUntilEnd(
  { config, pipeline }: Running,
  deps: ControlPlaneDeps,
  signal: AbortSignal,
): Promise<void> {
  let written = '';
  while (!signal.aborted) {
    await deps.clock.sleep(1_000, signal);
    pipeline.status.observe();
    if (config.statusFile === undefined) continue;
    const text = `${JSON.stringify({ apiVersion: 'v1', kind: 'List', items: pipeline.status.statuses() }, undefined, 2)}\n`;
    if (text === written) continue;
    try {
      await writeFile(`${config.statusFile}.tmp`, text);
      await rename(`${config.statusFile}.tmp`, config.statusFile);
      written = text;
    } catch (error) {
      deps.log.warn('status file not written', { file: config.statusFile, error: messageOf(error) });
    }
  }
}
