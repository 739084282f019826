// What is spoken on a port of a Service, where no policy says so: `appProtocol`, then the prefix of the
// port's name, then well-known ports of protocols in which the server speaks first.

import type { Protocol } from '../model/mesh.js';

const known: ReadonlyMap<string, Protocol> = new Map([
  ['http', 'http'],
  ['kubernetes.io/ws', 'http'],
  ['kubernetes.io/wss', 'tls'],
  ['http2', 'http2'],
  ['kubernetes.io/h2c', 'http2'],
  ['grpc', 'grpc'],
  ['grpc-web', 'http'],
  ['https', 'tls'],
  ['tls', 'tls'],
  ['tcp', 'tcp'],
  ['mysql', 'tcp'],
  ['mongo', 'tcp'],
  ['redis', 'tcp'],
  ['postgresql', 'tcp'],
]);

/** Ports on which the server speaks first, or bytes are no requests. */
const opaquePorts: ReadonlySet<number> = new Set([25, 465, 587, 3306, 5432, 6379, 9092, 11211, 27017]);

/** As a policy says it of a port of a container. */
export const protocolSaid = {
  HTTP: 'http',
  HTTP2: 'http2',
  GRPC: 'grpc',
  TCP: 'tcp',
  TLS: 'tls',
  Auto: 'auto',
} as const satisfies Readonly<Record<string, Protocol>>;

/** What of a port says what it speaks. */
export interface NamedPort {
  readonly name: string;
  readonly port: number;
  readonly appProtocol?: string;
}

/** `grpc-web-public` begins with `grpc-web`, `grpc-public` with `grpc`. */
function ofName(name: string): Protocol | undefined {
  const [first = '', second = ''] = name.toLowerCase().split('-');
  return known.get(`${first}-${second}`) ?? known.get(first);
}

/** The protocol of a port; `auto` where nothing names it. */
export function protocolOf(port: NamedPort): Protocol {
  const named = known.get(port.appProtocol?.toLowerCase() ?? '') ?? ofName(port.name);
  if (named !== undefined) return named;
  return opaquePorts.has(port.port) ? 'tcp' : 'auto';
}
