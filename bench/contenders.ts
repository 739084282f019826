// The contenders by name, and building the peers with Go.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TransportName } from '../src/xds/transport.js';
import type { ContenderSpec } from './contender.js';
import type { Size, Tape } from './plan.js';
import { OURS } from './report.js';
import { encodeLine } from './tape.js';

/** The peers, by the cache that they use. */
export const PEERS = { 'go-linear': 'linear', 'go-snapshot': 'snapshot' } as const;

/** The name of a peer. */
export type PeerName = keyof typeof PEERS;

/** Ours by the transport that serves it; undefined is what a user gets who asks for none. */
const OURS_BY_TRANSPORT: Readonly<Record<string, TransportName | undefined>> = {
  [OURS]: undefined,
  [`${OURS}-grpc-js`]: 'grpc-js',
};

/** All contenders, ours first. */
export const CONTENDERS: readonly string[] = [...Object.keys(OURS_BY_TRANSPORT), ...Object.keys(PEERS)];

/** Whether a name is a peer's. */
export const isPeer = (name: string): name is PeerName => Object.hasOwn(PEERS, name);

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The options of Node that `legation` runs with: they are in its first line. */
const nodeFlags = (): readonly string[] => {
  const [line = ''] = readFileSync(here('../dist/cli/main.js'), 'utf8').split('\n', 1);
  return line.split(' ').filter((word) => word.startsWith('--'));
};

/** Ours: compiles for itself, from objects made for a size. */
export const ours = ({ services, endpoints, proxies, routes }: Size, name: string = OURS): ContenderSpec => ({
  name,
  compiles: true,
  command: [
    process.execPath,
    ...nodeFlags(),
    '--expose-gc',
    '--import',
    'tsx',
    here('ours.ts'),
    ...['--services', String(services), '--endpoints', String(endpoints), '--proxies', String(proxies)],
    ...['--routes', String(routes)],
    ...(OURS_BY_TRANSPORT[name] === undefined ? [] : ['--transport', OURS_BY_TRANSPORT[name]]),
  ],
});

/** The program of the peers, or why there is none. */
export type PeerProgram =
  | { readonly kind: 'built'; readonly path: string; readonly version: string }
  | { readonly kind: 'missing'; readonly reason: string };

/** Builds the peers; Go keeps its own cache, so that this costs little the second time. */
export const buildPeers = (): PeerProgram => {
  const paths = [process.env['PATH'] ?? '', '/usr/local/go/bin'].join(':');
  const env = { ...process.env, PATH: paths };
  const version = spawnSync('go', ['version'], { env, encoding: 'utf8' });
  if (version.status !== 0) return { kind: 'missing', reason: 'Go is not installed: the peers are skipped' };
  const path = here('peers/bin/peers');
  mkdirSync(here('peers/bin'), { recursive: true });
  const build = spawnSync('go', ['build', '-o', path, '.'], { cwd: here('peers'), env, encoding: 'utf8' });
  if (build.status !== 0) return { kind: 'missing', reason: `go build failed: the peers are skipped\n${build.stderr}` };
  return { kind: 'built', path, version: version.stdout.trim() };
};

/** Writes the world file of a tape; the peers read it at their start. */
export const writeWorld = (tape: Tape): { readonly path: string; readonly remove: () => void } => {
  const folder = mkdtempSync(join(tmpdir(), 'legation-bench-'));
  const path = join(folder, 'world.jsonl');
  writeFileSync(path, `${tape.base.map(encodeLine).join('\n')}\n`);
  return {
    path,
    remove: () => {
      rmSync(folder, { recursive: true });
    },
  };
};

/** A peer that serves a world. */
export const peer = (
  name: PeerName,
  program: string,
  run: { world: string; size: Size; nodeId: string },
): ContenderSpec => ({
  name,
  compiles: false,
  partialScopes: PEERS[name] === 'linear',
  command: [
    program,
    `--cache=${PEERS[name]}`,
    `--world=${run.world}`,
    `--proxies=${String(run.size.proxies)}`,
    `--node-id=${run.nodeId}`,
  ],
});
