// The Kubernetes objects behind our own contender: Services, EndpointSlices, Pods, TrafficRoutes, policies, as JSON.
//
// All in one namespace: every proxy sees every Service. The first Pods are the proxies; addresses need no Pod.
import type { Size } from './plan.js';
import type { Op, Presentation } from './protocol.js';

/** A Kubernetes object as the API server would give it. */
export type KubeJson = Readonly<Record<string, unknown>>;

/** What an op does to the objects. */
export interface ObjectChange {
  readonly apply: readonly KubeJson[];
  readonly remove: readonly KubeJson[];
}

/** How big the world is. */
export type WorldSize = Omit<Size, 'name'>;

const NAMESPACE = 'bench';
const WORKLOAD = 'client';
const HASH = 'abcde';
const PORT = 8080;

const nameOfService = (i: number): string => `service-${i}`;
const nameOfPod = (i: number | string): string => `${WORKLOAD}-${HASH}-${i}`;

/** The clients say that they are these Pods. Inbound resources carry the address of the Pod. */
export const presentation: Presentation = {
  node: { id: `${nameOfPod('{i}')}.${NAMESPACE}`, cluster: `Deployment/${WORKLOAD}.${NAMESPACE}`, metadata: {} },
  headers: {},
  routes: [],
  perProxy: '^(i/|explicit$)',
};

let generation = 0;

const meta = (name: string, rest: object = {}): object => {
  generation += 1;
  const version = String(generation);
  return { name, namespace: NAMESPACE, uid: `uid-${name}`, generation, resourceVersion: version, ...rest };
};

const service = (i: number): KubeJson => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: meta(nameOfService(i)),
  spec: {
    clusterIP: `10.${96 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`,
    selector: { app: nameOfService(i) },
    ports: [{ name: 'http', port: PORT, targetPort: PORT, protocol: 'TCP', appProtocol: 'http' }],
  },
});

/** `first` is the last octet of the first address. */
const slice = (i: number, endpoints: number, first: number): KubeJson => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: meta(`${nameOfService(i)}-slice`, { labels: { 'kubernetes.io/service-name': nameOfService(i) } }),
  addressType: 'IPv4',
  ports: [{ name: 'http', port: PORT, protocol: 'TCP' }],
  endpoints: Array.from({ length: endpoints }, (_, k) => ({
    addresses: [`10.${128 + (i >> 8)}.${i & 255}.${k === 0 ? first : k + 1}`],
    conditions: { ready: true, serving: true, terminating: false },
    zone: `zone-${k % 3}`,
  })),
});

/** The first Pod can be selected alone. */
const alone = { alone: 'yes' };
const labelsOf = (i: number): object => ({ app: WORKLOAD, 'pod-template-hash': HASH, ...(i === 0 ? alone : {}) });

const pod = (i: number): KubeJson => {
  const ip = `10.64.${i >> 8}.${i & 255}`;
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${WORKLOAD}-${HASH}`, uid: 'rs', controller: true };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: meta(nameOfPod(i), { labels: labelsOf(i), ownerReferences: [owner] }),
    spec: {
      serviceAccountName: WORKLOAD,
      nodeName: 'node-0',
      containers: [{ name: 'app', ports: [{ containerPort: PORT }] }],
    },
    status: { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions: [{ type: 'Ready', status: 'True' }] },
  };
};

/** The first route of a service is for what its others leave. */
const trafficRoute = (i: number, nth: number, weight: number): KubeJson => ({
  apiVersion: 'legation.dev/v1alpha1',
  kind: 'TrafficRoute',
  metadata: meta(nth === 0 ? nameOfService(i) : `${nameOfService(i)}-${nth}`),
  spec: {
    parentRefs: [{ kind: 'Service', name: nameOfService(i), port: PORT }],
    rules: [
      {
        name: 'main',
        ...(nth === 0 ? {} : { matches: [{ path: { value: `/part-${nth}` } }] }),
        timeouts: { request: '3s' },
        backendRefs: [
          { name: nameOfService(i), port: PORT, weight },
          { name: nameOfService(i === 0 ? 1 : 0), port: PORT, weight: 100 },
        ],
      },
    ],
  },
});

const everythingOf = (i: number, { endpoints, routes }: WorldSize): readonly KubeJson[] => [
  service(i),
  slice(i, endpoints, 1),
  ...Array.from({ length: routes }, (_, nth) => trafficRoute(i, nth, 100)),
];

const policy = (metadata: object, spec: object): KubeJson => ({
  apiVersion: 'legation.dev/v1alpha1',
  kind: 'MeshPolicy',
  metadata,
  spec,
});

const SLASHES = ['Reject', 'UnescapeAndRedirect', 'UnescapeAndForward'] as const;

/** Changes the inbound listener of the first Pod. */
const workloadPolicy = (n: number): KubeJson =>
  policy(meta('alone'), {
    workloadSelector: { matchLabels: alone },
    inbound: { escapedSlashes: SLASHES[n % SLASHES.length] },
  });

/** Changes every cluster. */
const meshPolicy = (n: number): KubeJson =>
  policy(meta('default', { namespace: 'legation-system' }), {
    upstream: { circuitBreaker: { maxConnections: 1_000 + n } },
  });

/** All objects at the start. */
export const initialObjects = (size: WorldSize): readonly KubeJson[] => [
  ...Array.from({ length: size.proxies }, (_, i) => pod(i)),
  ...Array.from({ length: size.services }, (_, i) => everythingOf(i, size)).flat(),
];

/** The objects that an op changes. */
export const objectsOf = (op: Op, size: WorldSize): ObjectChange => {
  switch (op.op) {
    case 'endpoint':
      return { apply: [slice(op.service, size.endpoints, op.n + 20)], remove: [] };
    case 'route':
      return { apply: [trafficRoute(op.service, 0, op.n)], remove: [] };
    case 'workloadPolicy':
      return { apply: [workloadPolicy(op.n)], remove: [] };
    case 'meshPolicy':
      return { apply: [meshPolicy(op.n)], remove: [] };
    case 'addService':
      return { apply: everythingOf(op.index, size), remove: [] };
    case 'removeService':
      return { apply: [], remove: everythingOf(op.index, size) };
  }
};
