// The Envoy binary: where it is, which version it has, how it is run as a sidecar on loopback. Must not know which
// pods there are.

import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { type Result, err, messageOf, ok } from '../lib/result.js';

/** A binary that runs. */
export interface EnvoyBinary {
  readonly path: string;
  /** `1.39.3`. */
  readonly version: string;
}

/** Where to look, in this order: the option, `$ENVOY`, the path, the project's own. */
export interface EnvoySearch {
  readonly option: string | undefined;
  readonly variable: string | undefined;
  /** `$PATH`. */
  readonly path: string;
  /** The script that installs the project's own Envoy and prints where it is. */
  readonly installScript: string;
}

const run = promisify(execFile);
const probeTimeoutMs = 20_000;
const installTimeoutMs = 300_000;

/** Finds an Envoy and asks for its version; the error says what to do. */
export async function findEnvoy(search: EnvoySearch): Promise<Result<EnvoyBinary, string>> {
  const named = namedBinary(search);
  if (named !== undefined) return probe(named.path, named.from);
  const onPath = await firstExecutable(search.path.split(delimiter).filter(isAbsolute));
  if (onPath !== undefined) return probe(onPath, 'the path');
  const installed = await install(search.installScript);
  return installed.ok ? probe(installed.value, search.installScript) : installed;
}

function namedBinary(search: EnvoySearch): { readonly path: string; readonly from: string } | undefined {
  if (search.option !== undefined) return { path: search.option, from: '--envoy' };
  return search.variable === undefined || search.variable === ''
    ? undefined
    : { path: search.variable, from: '$ENVOY' };
}

/** Arguments of a sidecar. Nothing is left of the machine's size or of hot restart. */
export function envoyArguments(bootstrapFile: string): readonly string[] {
  return [
    ...['--config-path', bootstrapFile],
    ...['--concurrency', '1'],
    '--disable-hot-restart',
    ...['--drain-strategy', 'immediate'],
    ...['--drain-time-s', '5'],
    // Lines of access logs are there when one looks.
    ...['--file-flush-interval-msec', '500'],
    ...['--log-level', 'warning'],
  ];
}

/** The version in the output of `envoy --version`. */
export function parseEnvoyVersion(output: string): string | undefined {
  return /version: [0-9a-f]+\/(\d+\.\d+\.\d+)/.exec(output)?.[1];
}

async function probe(path: string, from: string): Promise<Result<EnvoyBinary, string>> {
  try {
    const { stdout } = await run(path, ['--version'], { timeout: probeTimeoutMs });
    const version = parseEnvoyVersion(stdout);
    return version === undefined
      ? err(`'${path}' (from ${from}) is no Envoy: ${stdout.trim()}`)
      : ok({ path, version });
  } catch (thrown) {
    return err(`'${path}' (from ${from}) does not run: ${messageOf(thrown)}`);
  }
}

async function firstExecutable(folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const candidate = join(folder, 'envoy');
    if (await isExecutable(candidate)) return candidate;
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    // Not there, which is an answer.
    return false;
  }
}

async function install(script: string): Promise<Result<string, string>> {
  const advice = 'no Envoy found; name one with --envoy or $ENVOY, or put one on the path';
  if (!(await isExecutable(script))) return err(advice);
  try {
    const { stdout } = await run(script, [], { timeout: installTimeoutMs });
    return ok(stdout.trim().split('\n').at(-1) ?? '');
  } catch (thrown) {
    return err(`${advice} (${messageOf(thrown)})`);
  }
}
