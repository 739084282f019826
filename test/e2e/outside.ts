// The world outside of the mesh: servers without pods, and the policies and routes that name them.

import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type KeyPair, ownAddress } from '../envoy/connections.js';

/** A server outside of the mesh. It answers with its name, the authority that it was called by, and the SNI. */
export interface Outside {
  readonly address: string;
  readonly port: number;
  close(): Promise<void>;
}

const serverNameOf = ({ socket }: IncomingMessage): string =>
  'servername' in socket ? (socket as TLSSocket & { servername: string }).servername : 'plain';

/** Starts a server on an address of this run; `keys`: it speaks TLS. */
export async function openOutside(name: string, address: string, keys?: KeyPair): Promise<Outside> {
  const answer: RequestListener = (asked, response) => {
    const traces = Object.keys(asked.headers).filter((header) => header.startsWith('x-mesh-'));
    response.end([name, asked.headers.host ?? '', serverNameOf(asked), ...traces].join(' '));
  };
  const server: Server = keys === undefined ? createServer(answer) : createHttpsServer({ ...keys }, answer);
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

/** Runs with a server that is gone afterwards. */
export async function withOutside(
  options: { readonly name: string; readonly address?: string; readonly tls?: KeyPair },
  body: (server: Outside) => Promise<void>,
): Promise<void> {
  const server = await openOutside(options.name, options.address ?? ownAddress(40), options.tls);
  try {
    await body(server);
  } finally {
    await server.close();
  }
}

/** A MeshPolicy with an `egress` block in YAML. */
export const egress = (namespace: string, name: string, block: string): string => `
apiVersion: legation.dev/v1alpha1
kind: MeshPolicy
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  egress: ${block}`;

/** A ConfigMap with roots. */
export const roots = (namespace: string, name: string, certificate: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace, name },
  data: { 'ca.crt': certificate },
});
