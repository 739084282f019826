// The reference rate limit service with a Redis of its own, for one test: on loopback, without a file that outlives it.

import { type ChildProcess, execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { end, launch } from '../envoy/processes.js';
import { eventually } from '../support/eventually.js';
import { type BareServer, ports } from './world.js';

const run = promisify(execFile);

/** Paths of the service and of Redis, which are installed before the tests: that may take minutes. */
async function binaries(): Promise<readonly [service: string, redis: string]> {
  const { stdout } = await run('scripts/install-ratelimit.sh', ['--only-find']);
  const [service = '', redis = ''] = stdout.trim().split('\n');
  return [service, redis];
}

/** What the service is told by its environment. */
const settingsOf = (address: string, folder: string): Readonly<Record<string, string>> => ({
  GRPC_HOST: address,
  GRPC_PORT: String(ports.grpc),
  HOST: address,
  PORT: String(ports.http),
  DEBUG_HOST: address,
  DEBUG_PORT: String(ports.named),
  RUNTIME_ROOT: folder,
  RUNTIME_WATCH_ROOT: 'false',
  USE_STATSD: 'false',
  REDIS_SOCKET_TYPE: 'unix',
  REDIS_URL: join(folder, 'redis.sock'),
});

const answers = async (address: string): Promise<boolean> => {
  try {
    return (await fetch(`http://${address}:${String(ports.http)}/healthcheck`)).ok;
  } catch {
    return false;
  }
};

/** Starts it with its configuration, in YAML; speaks gRPC on port 8084 of `address`. */
export async function startRateLimitService(address: string, config: string): Promise<BareServer> {
  const [service, redis] = await binaries();
  const folder = await mkdtemp(join(tmpdir(), 'legation-ratelimit-'));
  await mkdir(join(folder, 'config'));
  await writeFile(join(folder, 'config', 'limits.yaml'), config);
  const log = join(folder, 'log');
  const socket = join(folder, 'redis.sock');
  const children: ChildProcess[] = [launch(redis, ['--port', '0', '--unixsocket', socket, '--save', ''], log)];
  const settings = Object.entries(settingsOf(address, folder)).map(([name, value]) => `${name}=${value}`);
  const stop = async (): Promise<void> => {
    await Promise.all(children.map(end));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const redisAnswers = async (): Promise<boolean> =>
      (await run('redis-cli', ['-s', socket, 'ping']).catch(() => undefined)) !== undefined;
    await eventually(redisAnswers, { what: 'Redis to answer' });
    children.push(launch('env', [...settings, service], log));
    await eventually(() => answers(address), { what: 'the rate limit service to answer' });
  } catch (error) {
    await stop();
    throw error;
  }
  return { name: 'limiter', address, stop };
}
