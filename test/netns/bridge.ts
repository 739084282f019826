// The way from a pod's namespace to the control plane: a unix socket, which knows no networks.

import { chmod } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';

/** A socket at `path` that leads to a port of the machine's loopback, for every user; closes by what it returns. */
export async function bridge(path: string, port: number): Promise<() => Promise<void>> {
  const open = new Set<Socket>();
  const keep = (socket: Socket, other: () => Socket): Socket => {
    open.add(socket);
    socket.on('error', () => other().destroy());
    return socket.on('close', () => {
      open.delete(socket);
      other().destroy();
    });
  };
  const server = createServer((incoming) => {
    const outgoing: Socket = keep(connect({ host: '127.0.0.1', port }), () => incoming);
    keep(incoming, () => outgoing);
    incoming.pipe(outgoing).pipe(incoming);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  await chmod(path, 0o666);
  return () =>
    new Promise((resolve) => {
      server.close(() => {
        resolve();
      });
      for (const socket of open) socket.destroy();
    });
}
