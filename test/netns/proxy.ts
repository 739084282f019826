// The Envoy of a pod: with the bootstrap that `legation bootstrap` prints, as a user of its own, in the pod's namespace.

import { type ChildProcess, execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { envoyArguments } from '../../src/sandbox/envoy.js';
import { type RealEnvoy, cliArguments, envoyBinary, realEnvoy } from '../envoy/harness.js';
import { launch } from '../envoy/processes.js';

const run = promisify(execFile);

/** The user of every proxy: the redirect rules know it by nothing else. */
export const proxyUid = 1337;
/** Where the control plane is, for an Envoy in a pod. */
export const xdsPort = 18_000;

/** An Envoy to start. */
export interface ProxyOrder {
  /** `namespace/name`. */
  readonly pod: string;
  readonly version: string;
  readonly binary: string;
  /** Of the network. */
  readonly namespace: string;
  /** File that says where names are asked for. */
  readonly resolver: string;
  /** The mesh. */
  readonly folder: string;
  /** A folder of its own, to be made. */
  readonly home: string;
}

/** Copies of Envoys by version: a binary may lie where only root can read. */
export async function binariesFor(
  versions: ReadonlySet<string>,
  scratch: string,
): Promise<ReadonlyMap<string, string>> {
  const copies = [...versions].map(async (version): Promise<[string, string]> => {
    const copy = join(scratch, `envoy-${version}`);
    await copyFile(await envoyBinary(version), copy, constants.COPYFILE_FICLONE);
    await chmod(copy, 0o755);
    return [version, copy];
  });
  return new Map(await Promise.all(copies));
}

async function writeBootstrap({ pod, version, folder, home }: ProxyOrder): Promise<{ file: string; socket: string }> {
  await mkdir(home);
  // The proxy's user makes the socket.
  await chmod(home, 0o777);
  const [file, socket] = [join(home, 'bootstrap.json'), join(home, 'admin.sock')];
  const where = ['--capture', 'redirect', '--xds', `127.0.0.1:${String(xdsPort)}`, '--admin-socket', socket];
  const how = ['--envoy-version', version, '--output', 'json'];
  const args = [...cliArguments, 'bootstrap', folder, '--proxy', pod, ...where, ...how];
  await writeFile(file, (await run(process.execPath, args)).stdout);
  return { file, socket };
}

/** Starts an Envoy; it need not serve yet. */
export async function startProxy(
  order: ProxyOrder,
): Promise<{ readonly envoy: RealEnvoy; readonly child: ChildProcess }> {
  const { version, binary, namespace, resolver, home } = order;
  const { file, socket } = await writeBootstrap(order);
  const logFile = join(home, 'envoy.log');
  const user = [`--reuid=${String(proxyUid)}`, `--regid=${String(proxyUid)}`, '--clear-groups'];
  // The namespace comes with mounts of its own. Each program replaces itself by the next: the id is that of Envoy.
  const asking = ['sh', '-ec', 'mount --bind "$1" /etc/resolv.conf; shift; exec "$@"', 'sh', resolver];
  const command = ['netns', 'exec', namespace, ...asking, 'setpriv', ...user, binary, ...envoyArguments(file)];
  const child = launch('ip', command, logFile);
  return { envoy: realEnvoy(child, { version, address: '127.0.0.1', adminSocket: socket, logFile }), child };
}
