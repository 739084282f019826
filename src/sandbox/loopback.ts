// Free places on loopback. Ports are chosen below the range that outgoing connections use, so that a restarted
// control plane finds its own port free.

import { createServer } from 'node:net';
import { messageOf } from '../lib/result.js';

const tries = 500;

/** The first free port from `first` on; undefined if there is none for long. */
export async function freePort(address: string, first: number): Promise<number | undefined> {
  for (let port = first; port < first + tries; port += 1) {
    if ((await bindFailure(address, port)) === undefined) return port;
  }
  return undefined;
}

/** Whether ports below 1024 may be bound: by root, and where the kernel allows it to everybody. */
export const mayBindLowPorts = async (address: string): Promise<boolean> =>
  (await bindFailure(address, 81))?.includes('EACCES') !== true;

/** Why a port cannot be bound; undefined if it can. */
export async function bindFailure(address: string, port: number): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const server = createServer();
  server.once('error', (error) => {
    resolve(messageOf(error));
  });
  server.listen(port, address, () => {
    server.close(() => {
      resolve(undefined);
    });
  });
  return promise;
}
