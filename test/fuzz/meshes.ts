// Random meshes: Services, what is behind them, routes of three kinds, policies. Valid, and often at odds with themselves.

import fc from 'fast-check';
import { grpcRoute, httpRoute, referenceGrant, userObjects, type Raw } from './objects.js';
import { namespaces } from './texts.js';

const ports = [
  { name: 'http', port: 80, targetPort: 8080 },
  { name: 'constructor', port: 5432, targetPort: 'db' },
  { name: 'grpc', port: 9090, appProtocol: 'kubernetes.io/h2c' },
  { name: 'x', port: 7000, targetPort: 7000 },
  { name: 'udp', port: 53, protocol: 'UDP' },
];

/** Replaced by addresses of the Service's own: no two have the same. */
const dualStack: Raw = { clusterIPs: [] };

const shapes: readonly Raw[] = [
  ...Array.from({ length: 5 }, () => ({})),
  { clusterIP: 'None' },
  dualStack,
  { trafficDistribution: 'PreferSameZone' },
  { publishNotReadyAddresses: true },
  { type: 'ExternalName', externalName: 'outside.example.com' },
];

const names = ['web', 'api', 'db', 'out'];

const service = fc
  .record({
    name: fc.constantFrom(...names),
    namespace: fc.constantFrom(...namespaces),
    ports: fc.subarray(ports, { minLength: 1 }),
    shape: fc.constantFrom(...shapes),
  })
  .map(({ name, namespace, ports: some, shape }): Raw => {
    const number = String(names.indexOf(name) * 10 + namespaces.indexOf(namespace) + 1);
    const own = shape === dualStack ? { clusterIPs: [`198.18.200.${number}`, `fd00:18::${number}`] } : shape;
    const spec = { selector: { app: name }, ports: some, ...own };
    return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec };
  });

const container = { name: 'main', ports: [{ containerPort: 8080 }, { name: 'db', containerPort: 6432 }] };

const workload = fc
  .record({
    app: fc.constantFrom('web', 'api', 'db'),
    version: fc.constantFrom('1', '2'),
    namespace: fc.constantFrom(...namespaces),
    kind: fc.constantFrom('Deployment', 'StatefulSet'),
    replicas: fc.integer({ min: 0, max: 2 }),
  })
  .map(({ app, version, namespace, kind, replicas }): Raw => ({
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: `${app}-v${version}`, namespace },
    spec: {
      replicas,
      selector: { matchLabels: { app } },
      template: { metadata: { labels: { app, v: version } }, spec: { containers: [container] } },
    },
  }));

const pod = fc
  .record({
    app: fc.constantFrom('web', 'api', 'db'),
    namespace: fc.constantFrom(...namespaces),
    ready: fc.boolean(),
    nodeName: fc.constantFrom('node-a', 'node-b'),
  })
  .map(({ app, namespace, ready, nodeName }): Raw => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `${app}-0`, namespace, labels: { app, v: '1', 'example.com/X': 'Y.z' } },
    spec: { nodeName, containers: [container] },
    status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  }));

const slice = fc
  .record({
    app: fc.constantFrom('web', 'api'),
    namespace: fc.constantFrom(...namespaces),
    addressType: fc.constantFrom('IPv4', 'IPv6'),
    ready: fc.boolean(),
    terminating: fc.boolean(),
    zone: fc.constantFrom('a', 'b'),
  })
  .map(({ app, namespace, addressType, ready, terminating, zone }): Raw => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${app}-${addressType.toLowerCase()}`,
      namespace,
      labels: { 'kubernetes.io/service-name': app },
    },
    addressType,
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: [
      {
        addresses: [addressType === 'IPv4' ? '192.0.2.1' : '2001:db8::1'],
        conditions: { ready, serving: true, terminating },
        zone,
      },
    ],
  }));

const node = fc.constantFrom('node-a', 'node-b').map((name): Raw => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { 'topology.kubernetes.io/zone': name.slice(-1), 'topology.kubernetes.io/region': 'r' } },
}));

const namespace = fc.constantFrom(...namespaces).map((name): Raw => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { team: name } },
}));

/** What no two objects share. */
export const idOfRaw = (raw: Raw): string => {
  const metadata = raw['metadata'] as { readonly namespace?: string; readonly name: string };
  return `${String(raw['kind'])}/${metadata.namespace ?? ''}/${metadata.name}`;
};

const some = (objects: fc.Arbitrary<Raw>, minLength: number, maxLength: number) =>
  fc.array(objects, { minLength, maxLength });

/** The documents of one mesh, each object once. */
export const meshes: fc.Arbitrary<readonly Raw[]> = fc
  .tuple(
    some(service, 1, 5),
    some(workload, 0, 2),
    some(pod, 0, 2),
    fc.oneof({ arbitrary: fc.constant([]), weight: 3 }, { arbitrary: some(slice, 1, 2), weight: 1 }),
    some(fc.oneof(node, namespace, referenceGrant, referenceGrant), 0, 4),
    some(userObjects.TrafficRoute, 1, 3),
    fc.oneof({ arbitrary: fc.constant([]), weight: 3 }, { arbitrary: some(httpRoute, 1, 1), weight: 2 }),
    fc.oneof(
      { arbitrary: fc.constant([]), weight: 6 },
      { arbitrary: some(grpcRoute, 1, 1), weight: 1 },
      { arbitrary: some(userObjects.MeshPolicy, 1, 2), weight: 2 },
      { arbitrary: some(userObjects.MeshIdentity, 1, 1), weight: 1 },
    ),
  )
  .map((parts) => [...new Map(parts.flat().map((raw) => [idOfRaw(raw), raw])).values()]);
