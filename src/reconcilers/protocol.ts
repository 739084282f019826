// What is spoken on a port of a Service. The strongest word counts: a route of the Service's own namespace, then the
// port's `appProtocol`, then the prefix of its name, then its number where servers of that port speak first.

import { isForConnections } from '../kinds/connection-rules.js';
import type { TrafficRouteSpec } from '../kinds/traffic-route.js';
import { isHttp, type Protocol } from '../model/mesh.js';

const known: ReadonlyMap<string, Protocol> = new Map([
  ['http', 'http'],
  ['kubernetes.io/ws', 'http'],
  ['ws', 'http'],
  ['http2', 'http2'],
  ['h2c', 'http2'],
  ['kubernetes.io/h2c', 'http2'],
  ['grpc', 'grpc'],
  ['grpc-web', 'http'],
  ['https', 'tls'],
  ['kubernetes.io/wss', 'tls'],
  ['wss', 'tls'],
  ['tls', 'tls'],
  ['tcp', 'tcp'],
  ['mysql', 'tcp'],
  ['mongo', 'tcp'],
  ['redis', 'tcp'],
  ['postgresql', 'tcp'],
]);

/** SMTP, its relatives and databases: the server speaks first, or bytes are no requests. */
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

/** The protocol of a port by itself; `auto` where nothing names it. */
export function protocolOf(port: NamedPort): Protocol {
  const named = known.get(port.appProtocol?.toLowerCase() ?? '') ?? ofName(port.name);
  if (named !== undefined) return named;
  return opaquePorts.has(port.port) ? 'tcp' : 'auto';
}

/** What a route is for: requests, calls, connections, or connections that begin with a name. */
export type RouteProtocol = TrafficRouteSpec['protocol'];

const spokenBy = { HTTP: 'http', GRPC: 'grpc', TCP: 'tcp', TLS: 'tls' } as const satisfies Record<
  RouteProtocol,
  Protocol
>;

/** Who may say what a port speaks, beside the port. */
export interface ProtocolWords {
  /** The oldest route of the Service's own namespace. */
  readonly route: RouteProtocol | undefined;
}

/** The protocol of a port, all things considered. A route for HTTP leaves it to the port which HTTP it is. */
export function effectiveProtocol(port: NamedPort, { route }: ProtocolWords): Protocol {
  const own = protocolOf(port);
  if (route === undefined) return own;
  return route === 'HTTP' && isHttp(own) && own !== 'auto' ? own : spokenBy[route];
}

/** Whether routes for one thing have a say where another is spoken: bytes are bytes, also under TLS. */
export function suits(route: RouteProtocol, spoken: Protocol): boolean {
  if (!isForConnections({ protocol: route })) return isHttp(spoken);
  return spoken === 'tls' || spoken === spokenBy[route];
}
