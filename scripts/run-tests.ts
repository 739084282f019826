// Runs the named parts of the test suite one after the other and closes with one line that counts them all.
// Usage: tsx scripts/run-tests.ts <part>…; a check that is not a mocha suite counts as one test.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pico from 'picocolors';
import type { Counts } from './run-suite.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

const searchPath = [join(root, 'node_modules', '.bin'), process.env['PATH'] ?? ''].join(delimiter);

type Part =
  | { readonly kind: 'command'; readonly command: readonly string[] }
  | {
      readonly kind: 'mocha';
      readonly path: string;
      readonly timeoutMs: number;
      readonly envoys?: readonly string[];
      readonly tools?: string;
    };

const supportedEnvoys = ['1.36.4', '1.39.3', '1.40.0'];

const parts: Readonly<Record<string, Part>> = {
  format: {
    kind: 'command',
    command: ['prettier', '--check', '--cache', '--cache-location', 'node_modules/.cache/prettier-files', '.'],
  },
  lint: { kind: 'command', command: ['eslint', '.'] },
  types: { kind: 'command', command: ['tsc', '--noEmit', '-p', 'tsconfig.json'] },
  generated: { kind: 'command', command: ['scripts/generate-all.sh', '--check'] },
  architecture: { kind: 'mocha', path: 'test/architecture.test.ts', timeoutMs: 20_000 },
  docs: { kind: 'mocha', path: 'test/docs.test.ts', timeoutMs: 20_000 },
  unit: { kind: 'mocha', path: 'test/unit', timeoutMs: 20_000 },
  golden: { kind: 'mocha', path: 'test/golden', timeoutMs: 30_000 },
  wire: { kind: 'mocha', path: 'test/wire', timeoutMs: 20_000 },
  fuzz: { kind: 'mocha', path: 'test/fuzz', timeoutMs: 20_000 },
  scaffold: { kind: 'mocha', path: 'test/scaffold', timeoutMs: 240_000 },
  envoy: { kind: 'mocha', path: 'test/envoy', timeoutMs: 120_000, envoys: supportedEnvoys },
  'e2e-traffic': {
    kind: 'mocha',
    path: 'test/e2e',
    timeoutMs: 30_000,
    envoys: supportedEnvoys,
    tools: 'scripts/install-ratelimit.sh',
  },
  'soak-traffic': { kind: 'mocha', path: 'test/soak', timeoutMs: 60_000, envoys: supportedEnvoys },
  netns: { kind: 'mocha', path: 'test/netns', timeoutMs: 60_000, envoys: supportedEnvoys },
  'fuzz-envoy': { kind: 'mocha', path: 'test/envoy/fuzz.test.ts', timeoutMs: 120_000, envoys: supportedEnvoys },
};

const nothing: Counts = { passed: 0, failed: 0, skipped: 0 };
const oneFailed: Counts = { ...nothing, failed: 1 };

/** Runs a program with our own terminal; resolves to its exit code. */
function run(command: readonly string[]): Promise<number> {
  const [program = '', ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, stdio: 'inherit', env: { ...process.env, PATH: searchPath } });
    child.on('error', (error) => {
      console.error(error.message);
      resolve(1);
    });
    child.on('exit', (code) => {
      resolve(code ?? 1);
    });
  });
}

function testFiles(path: string): readonly string[] {
  const full = join(root, path);
  if (!existsSync(full)) return [];
  if (path.endsWith('.ts')) return [full];
  return readdirSync(full, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .sort()
    .map((name) => join(full, name));
}

async function runPart(part: Part): Promise<Counts> {
  if (part.kind === 'command') return (await run(part.command)) === 0 ? { ...nothing, passed: 1 } : oneFailed;
  const files = testFiles(part.path);
  if (files.length === 0) {
    console.log(pico.yellow(`  nothing in ${part.path}`));
    return nothing;
  }
  if (part.envoys !== undefined && (process.env['ENVOY'] ?? '') === '') {
    if ((await run(['scripts/install-envoy.sh', ...part.envoys])) !== 0) return oneFailed;
  }
  // It says what is missing; so does each test that needs it.
  if (part.tools !== undefined) await run([part.tools]);
  return await runSuite(files, part.timeoutMs);
}

async function runSuite(files: readonly string[], timeoutMs: number): Promise<Counts> {
  const scratch = mkdtempSync(join(tmpdir(), 'legation-tests-'));
  const countsFile = join(scratch, 'counts.json');
  try {
    const code = await run(['tsx', 'scripts/run-suite.ts', countsFile, String(timeoutMs), ...files]);
    if (!existsSync(countsFile)) return oneFailed;
    const counts = JSON.parse(readFileSync(countsFile, 'utf8')) as Counts;
    const ranNothing = counts.passed + counts.failed + counts.skipped === 0;
    // The suite may also fail as a whole: no test in it, or something left open.
    return counts.failed === 0 && (code !== 0 || ranNothing) ? { ...counts, failed: 1 } : counts;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function main(names: readonly string[]): Promise<number> {
  const unknown = names.filter((name) => parts[name] === undefined);
  if (unknown.length > 0 || names.length === 0) {
    console.error(`unknown part: ${unknown.join(', ')}; known: ${Object.keys(parts).join(', ')}`);
    return 2;
  }
  let total = nothing;
  const failing: string[] = [];
  for (const name of names) {
    const part = parts[name];
    if (part === undefined) continue;
    console.log(pico.bold(`\n=== ${name}`));
    const started = performance.now();
    const counts = await runPart(part);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`--- ${name}: ${counts.passed} passed, ${counts.failed} failed in ${seconds} s`);
    if (counts.failed > 0) failing.push(name);
    total = {
      passed: total.passed + counts.passed,
      failed: total.failed + counts.failed,
      skipped: total.skipped + counts.skipped,
    };
  }
  if (failing.length > 0) console.log(pico.red(`\nfailed: ${failing.join(', ')}`));
  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
  console.log(`\n${total.passed} passed, ${total.failed} failed${skipped}`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
