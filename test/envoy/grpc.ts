// A gRPC caller in tests: the ordinary client library, through a pod's own Envoy as an explicit proxy.

import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { Arrival } from './application.js';

/** A call of one method, with an empty message. */
export interface Call {
  /** The Envoy of the calling pod, `host:port`. */
  readonly proxy: string;
  /** The Service, as a caller names it. */
  readonly host: string;
  /** `shop.Cart/Add`. */
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A status, 0 for OK, and what the application says of the call, if one answered. */
export interface CallReply {
  readonly code: number;
  readonly seen: Arrival | undefined;
  readonly headers: Metadata;
}

/** Calls; never rejects. */
export function call({ proxy, host, method, headers = {} }: Call): Promise<CallReply> {
  const client = new Client(proxy, credentials.createInsecure(), { 'grpc.default_authority': host });
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return new Promise((resolve) => {
    let received = new Metadata();
    const done = (error: ServiceError | null, seen?: Arrival): void => {
      client.close();
      resolve({ code: error?.code ?? 0, seen, headers: received });
    };
    const asked = client.makeUnaryRequest(
      `/${method}`,
      () => Buffer.alloc(0),
      (bytes) => JSON.parse(bytes.toString()) as Arrival,
      undefined,
      metadata,
      done,
    );
    asked.on('metadata', (found: Metadata) => {
      received = found;
    });
  });
}
