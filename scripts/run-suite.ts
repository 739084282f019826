// One mocha suite in a process of its own. Prints as mocha does and leaves its counts as JSON for run-tests.ts.
// Usage: tsx scripts/run-suite.ts <file for the counts> <timeout in ms> <test file>…
import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

/** How many tests of a suite passed, failed and were skipped. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const patienceMs = 10_000;

async function main(): Promise<void> {
  const [countsFile, timeout, ...files] = process.argv.slice(2);
  if (countsFile === undefined || timeout === undefined) throw new Error('usage: counts file, timeout, test files');
  const mocha = new Mocha({ timeout: Number(timeout), forbidOnly: true, reporter: 'spec' });
  for (const file of files) mocha.addFile(file);
  await mocha.loadFilesAsync();
  const runner = mocha.run((failures) => {
    const { passes, pending } = runner.stats ?? { passes: 0, pending: 0 };
    const counts: Counts = { passed: passes, failed: failures, skipped: pending };
    writeFileSync(countsFile, JSON.stringify(counts));
    process.exitCode = failures > 0 ? 1 : 0;
    endSoon();
  });
}

/** A test that leaves a server or a process behind keeps this one alive: that is a failure, not a hang. */
function endSoon(): void {
  const timer = setTimeout(() => {
    console.error(
      `still open ${patienceMs / 1000} s after the last test: ${process.getActiveResourcesInfo().join(', ')}`,
    );
    process.exit(2);
  }, patienceMs);
  timer.unref();
}

await main();
