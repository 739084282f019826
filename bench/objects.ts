// The Kubernetes objects behind our own contender: Services, EndpointSlices, Pods and TrafficRoutes, as JSON.
//
// All in one namespace: every proxy sees every Service. The first Pods are the proxies; addresses need no Pod.
import type { Op, Presentation } from './protocol.js';

/** A Kubernetes object as the API server would give it. */
export type KubeJson = Readonly<Record<string, unknown>>;

/** What an op does to the objects. */
export interface ObjectChange {
  readonly apply: readonly KubeJson[];
  readonly remove: readonly KubeJson[];
}

/** How big the world is. */
export interface WorldSize {
  readonly services: number;
  readonly endpoints: number;
  readonly proxies: number;
}

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

const pod = (i: number): KubeJson => {
  const ip = `10.64.${i >> 8}.${i & 255}`;
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${WORKLOAD}-${HASH}`, uid: 'rs', controller: true };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: meta(nameOfPod(i), { labels: { app: WORKLOAD, 'pod-template-hash': HASH }, ownerReferences: [owner] }),
    spec: {
      serviceAccountName: WORKLOAD,
      nodeName: 'node-0',
      containers: [{ name: 'app', ports: [{ containerPort: PORT }] }],
    },
    status: { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions: [{ type: 'Ready', status: 'True' }] },
  };
};

const trafficRoute = (i: number, weight: number): KubeJson => ({
  apiVersion: 'legation.dev/v1alpha1',
  kind: 'TrafficRoute',
  metadata: meta(nameOfService(i)),
  spec: {
    parentRefs: [{ kind: 'Service', name: nameOfService(i), port: PORT }],
    rules: [
      {
        name: 'main',
        timeouts: { request: '3s' },
        backendRefs: [
          { name: nameOfService(i), port: PORT, weight },
          { name: nameOfService(i === 0 ? 1 : 0), port: PORT, weight: 100 },
        ],
      },
    ],
  },
});

const everythingOf = (i: number, endpoints: number): readonly KubeJson[] => [
  service(i),
  slice(i, endpoints, 1),
  trafficRoute(i, 100),
];

/** All objects at the start. */
export const initialObjects = ({ services, endpoints, proxies }: WorldSize): readonly KubeJson[] => [
  ...Array.from({ length: proxies }, (_, i) => pod(i)),
  ...Array.from({ length: services }, (_, i) => everythingOf(i, endpoints)).flat(),
];

/** The objects that an op changes. */
export const objectsOf = (op: Op, endpoints: number): ObjectChange => {
  switch (op.op) {
    case 'endpoint':
      return { apply: [slice(op.service, endpoints, op.n + 20)], remove: [] };
    case 'route':
      return { apply: [trafficRoute(op.service, op.n)], remove: [] };
    case 'addService':
      return { apply: everythingOf(op.index, endpoints), remove: [] };
    case 'removeService':
      return { apply: [], remove: everythingOf(op.index, endpoints) };
  }
};
