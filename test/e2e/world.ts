// What every test finds: two callers and three versions of an echo server, each pod with a real Envoy. A Service
// belongs to the test that asks about it, and Services choose pods of their own namespace only; so a test writes its
// own Services without a selector, with EndpointSlices that name the shared pods. One set of Envoys then serves
// any number of namespaces, and what a test writes into its own namespace touches no other test.

import { deployment, ownNamespace, type Written } from '../envoy/objects.js';

/** Namespace of the shared pods `web`, `v1`, `v2` and `v3`. */
export const apps = ownNamespace('apps');
/** Namespace of the pod `guest`: a caller from elsewhere. */
export const guests = ownNamespace('guests');

/** The servers: pods with label `app: echo` and a `version` each. */
export const servers = ['v1', 'v2', 'v3'] as const;
export type Server = (typeof servers)[number];

/** A server of one test, without a pod and without an Envoy: an address that it can also stop. */
export interface BareServer {
  /** As answers name it. */
  readonly name: string;
  readonly address: string;
  /** From then on connections are refused. */
  stop(): Promise<void>;
}

/** The callers. */
export const callers = { web: `${apps}/web-0`, guest: `${guests}/guest-0` } as const;
export type CallerName = keyof typeof callers;

/** The nodes that the callers are on; what they are like is up to the test that cares. */
export const nodes = { web: 'node-of-web', guest: 'node-of-guest' } as const;

/** A node in a zone of a region. */
export const nodeIn = (name: string, region: string, zone: string): Written => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { 'topology.kubernetes.io/region': region, 'topology.kubernetes.io/zone': zone } },
});

/** Ports of every server. What is spoken on a port is the same for all Services that lead there. */
export const ports = { http: 8080, h2c: 8081, named: 8082, detected: 8083, grpc: 8084, tcp: 8085, tls: 8086 } as const;
export type Speaks = keyof typeof ports;

const protocols: Readonly<Record<Speaks, Written>> = {
  http: { name: 'http', appProtocol: 'http' },
  h2c: { name: 'h2c', appProtocol: 'kubernetes.io/h2c' },
  grpc: { name: 'grpc', appProtocol: 'kubernetes.io/h2c' },
  named: { name: 'http2-main' },
  detected: { name: 'plain' },
  tcp: { name: 'tcp', appProtocol: 'tcp' },
  tls: { name: 'tls', appProtocol: 'tls' },
};

const server = (version: Server): Written => {
  const labels = { app: 'echo', version };
  const declared = Object.values(ports).map((containerPort) => ({ containerPort }));
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { namespace: apps, name: version },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'app', image: 'app', ports: declared }] } },
    },
  };
};

/** The shared pods. */
export const sharedObjects: readonly Written[] = [
  deployment(apps, 'web', { nodeName: nodes.web }),
  deployment(guests, 'guest', { nodeName: nodes.guest }),
  ...servers.map(server),
];

/** The pods that have an Envoy. */
export const sharedPods: readonly string[] = [
  ...Object.values(callers),
  ...servers.map((version) => `${apps}/${version}-0`),
];

/** More about a Service than who is behind it. */
export interface ServiceOptions {
  /** Ports by number; port 80 speaks HTTP unless told otherwise. */
  readonly ports?: Readonly<Record<number, Speaks>>;
  /** Another namespace than that of the test. */
  readonly namespace?: string;
  /** More fields of endpoints, by server: `conditions`, `zone`, `nodeName`. */
  readonly endpoints?: Readonly<Record<string, Written>>;
}

const placed = (namespace: string | undefined): Written => (namespace === undefined ? {} : { namespace });

/** The address of a pod is replaced by the one that it has on loopback. */
const placeOf = (server: Server | BareServer): Written =>
  typeof server === 'string'
    ? { addresses: ['192.0.2.1'], targetRef: { kind: 'Pod', namespace: apps, name: `${server}-0` } }
    : { addresses: [server.address] };

const nameOf = (server: Server | BareServer): string => (typeof server === 'string' ? server : server.name);

/** A Service and the EndpointSlice that puts servers behind it; none: a Service without endpoints. */
export function service(
  name: string,
  behind: readonly (Server | BareServer)[],
  options: ServiceOptions = {},
): readonly Written[] {
  const spoken = Object.entries<Speaks>(options.ports ?? { 80: 'http' });
  const named = (port: string, speaks: Speaks): Written =>
    spoken.length === 1
      ? protocols[speaks]
      : { ...protocols[speaks], name: `${String(protocols[speaks]['name'])}-${port}` };
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, ...placed(options.namespace) },
      spec: {
        ports: spoken.map(([port, speaks]) => ({
          port: Number(port),
          targetPort: ports[speaks],
          ...named(port, speaks),
        })),
      },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name, ...placed(options.namespace), labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: spoken.map(([port, speaks]) => ({ port: ports[speaks], ...named(port, speaks) })),
      endpoints: behind.map((server) => ({ ...placeOf(server), ...options.endpoints?.[nameOf(server)] })),
    },
  ];
}
