// Entry of the application process: each line on standard input is the complete list of pods as JSON; problems go to
// standard error. It ends when its input ends, which is also what happens when the supervisor dies.

import { createInterface } from 'node:readline';
import { systemClock } from '../lib/clock.js';
import { createApplications } from './application.js';
import { parseApplicationPods } from './application-orders.js';

// Ctrl-C is for the supervisor, which stops this process in its own time.
process.on('SIGINT', () => undefined);

const applications = createApplications({ clock: systemClock });
for await (const line of createInterface({ input: process.stdin })) {
  for (const problem of await applications.apply(parseApplicationPods(line))) process.stderr.write(`${problem}\n`);
}
await applications.close();
