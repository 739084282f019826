#!/usr/bin/env -S node --max-semi-space-size=8
// The entry of `legation`: the only file of the CLI that touches `process`. Turns streams, signals and environment into
// values, and an exit code back into the end of the process.

import { tmpdir } from 'node:os';
import type { WriteStream } from 'node:tty';
import { systemClock } from '../lib/clock.js';
import type { Cli, TextStream } from './command.js';
import { runCli } from './program.js';

const interrupted = 130;

function streamOf(stream: WriteStream): TextStream {
  return {
    write: (text) => {
      stream.write(text);
    },
    isTerminal: stream.isTTY,
    size: () => ({ columns: stream.isTTY ? stream.columns : 80, rows: stream.isTTY ? stream.rows : 24 }),
  };
}

/** Resolves once all that was written has left the process; a large answer into a pipe takes its time. */
const drained = (stream: WriteStream): Promise<void> =>
  new Promise((resolve) => {
    stream.write('', () => {
      resolve();
    });
  });

// Whoever reads the output may have had enough of it: `legation translate mesh | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});
process.stderr.on('error', () => undefined);

const stopping = new AbortController();
const stop = (): void => {
  // Nobody has to wait for a tidy end twice.
  if (stopping.signal.aborted) process.exit(interrupted);
  stopping.abort();
};
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, stop);

const cli: Cli = {
  clock: systemClock,
  stdout: streamOf(process.stdout),
  stderr: streamOf(process.stderr),
  stdin: process.stdin,
  environment: process.env,
  temporary: tmpdir(),
  program: { execPath: process.execPath, execArguments: process.execArgv, script: process.argv[1] ?? '' },
};

const code = await runCli(process.argv.slice(2), cli, stopping.signal);
await Promise.all([drained(process.stdout), drained(process.stderr)]);
process.exit(code);
