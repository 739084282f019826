// Entry of the guard process: reads orders from standard input. It ignores the signals that a terminal sends to
// everybody; the end of the pipe is what it waits for.

import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { systemClock } from '../lib/clock.js';
import { guard } from './guard.js';

const [, , , socketFolder] = process.argv;

process.on('SIGINT', () => undefined);
process.on('SIGHUP', () => undefined);

await guard(createInterface({ input: process.stdin }), {
  clock: systemClock,
  signal: (pid, name) => {
    try {
      return process.kill(pid, name);
    } catch {
      // Gone already, which is what is wanted.
      return false;
    }
  },
});

// Temporary, and only the supervisor's to remove while there is one.
if (socketFolder !== undefined) await rm(socketFolder, { recursive: true, force: true });
