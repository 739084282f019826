// The mesh of the tests in namespaces: two pods of `reviews`, a pod `bank` with protocols of its own, a pod that calls,
// and two hosts that no folder knows. Every Service is there once for each family, described by slices as a cluster's
// controller would write them.

import type { LabOptions } from './lab.js';
import { hasIpv6 } from './network.js';

/** A family of addresses. */
export type Family = 'ipv4' | 'ipv6';

/** Where everything is. */
export const addresses = {
  client: { ipv4: '10.77.1.1', ipv6: 'fd77::1:1' },
  v1: { ipv4: '10.77.2.1', ipv6: 'fd77::2:1' },
  v2: { ipv4: '10.77.2.2', ipv6: 'fd77::2:2' },
  bank: { ipv4: '10.77.3.1', ipv6: 'fd77::3:1' },
  /** Its container runtime left it without IPv6, whatever the kernel can. */
  legacy: { ipv4: '10.77.4.1' },
  /** In a cluster that has nothing else. */
  modern: { ipv6: 'fd77::5:1' },
  /** Beside the mesh, in the cluster. */
  visitor: { ipv4: '10.77.9.1', ipv6: 'fd77::9:1' },
  /** Far from the cluster. */
  world: { ipv4: '203.0.113.7', ipv6: '2001:db8::7' },
} as const;

/** Virtual addresses of Services. */
export const virtual = {
  reviews: { ipv4: '10.96.0.10', ipv6: 'fd96::10' },
  bank: { ipv4: '10.96.0.11', ipv6: 'fd96::11' },
  client: { ipv4: '10.96.0.12', ipv6: 'fd96::12' },
  /** Called by its name alone: TLS to `bank` that asks for it is led there. */
  ledger: { ipv4: '10.96.0.14', ipv6: 'fd96::14' },
  /** Nothing stands behind it. */
  empty: { ipv4: '10.96.0.13', ipv6: 'fd96::13' },
} as const;

type Dual = 'client' | 'v1' | 'v2' | 'bank';
type Name = Dual | 'legacy' | 'modern';

const pod = (name: Name, labels: string, ports: readonly string[]): string => {
  const [first, ...more] = Object.values(addresses[name]);
  const all = [first, ...more].map((ip) => `{ ip: "${ip}" }`).join(', ');
  return `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, labels: { ${labels} } }
spec: { containers: [{ name: main, ports: [${ports.join(', ')}] }] }
status: { podIP: ${first}, podIPs: [${all}] }
`;
};

interface ServiceText {
  readonly name: string;
  readonly clusterIP: string;
  readonly app: string;
  readonly ports: readonly (readonly [name: string, port: number])[];
  readonly pods: readonly Dual[];
}

const service = (family: Family, { name, clusterIP, app, ports, pods }: ServiceText): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name}-${family}, namespace: shop }
spec:
  clusterIP: "${clusterIP}"
  selector: { app: ${app} }
  ports: [${ports.map(([port, number]) => `{ name: ${port}, port: ${number} }`).join(', ')}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}-${family}, namespace: shop, labels: { kubernetes.io/service-name: ${name}-${family} } }
addressType: ${family === 'ipv6' ? 'IPv6' : 'IPv4'}
ports: [${ports.map(([port, number]) => `{ name: ${port}, port: ${number}, protocol: TCP }`).join(', ')}]
endpoints: [
${pods.map((one) => `  { addresses: ["${addresses[one][family]}"], targetRef: { kind: Pod, name: ${one}, namespace: shop } },`).join('\n')}
]
`;

const services = (family: Family): readonly string[] => [
  service(family, {
    ...{ name: 'reviews', app: 'reviews', ports: [['http', 9080]], pods: ['v1', 'v2'] },
    clusterIP: virtual.reviews[family],
  }),
  service(family, {
    ...{ name: 'headless', app: 'reviews', ports: [['http', 9080]], pods: ['v1', 'v2'], clusterIP: 'None' },
  }),
  service(family, {
    name: 'bank',
    app: 'bank',
    // Of the last one nothing says what it speaks.
    ports: [
      ['mysql', 3306],
      ['https', 8443],
      ['teller', 6000],
    ],
    pods: ['bank'],
    clusterIP: virtual.bank[family],
  }),
  service(family, {
    ...{ name: 'vault', app: 'bank', pods: ['bank'], clusterIP: 'None' },
    ports: [
      ['mysql', 3306],
      ['teller', 6000],
    ],
  }),
  service(family, {
    ...{ name: 'ledger', app: 'reviews', ports: [['https', 8443]], pods: ['v1'] },
    clusterIP: virtual.ledger[family],
  }),
  service(family, {
    ...{ name: 'empty', app: 'nobody', ports: [['http', 80]], pods: [] },
    clusterIP: virtual.empty[family],
  }),
  service(family, {
    ...{ name: 'client', app: 'client', ports: [['http', 7000]], pods: ['client'] },
    clusterIP: virtual.client[family],
  }),
];

/** A route that splits a Service between its two versions. */
export const split = (family: Family, [v1, v2]: readonly [number, number]): string => `
apiVersion: legation.dev/v1alpha1
kind: TrafficRoute
metadata: { name: reviews-${family}, namespace: shop }
spec:
  parentRefs: [{ name: reviews-${family} }]
  rules:
  - matches: [{ path: { type: PathPrefix, value: /only-v2 } }]
    backendRefs: [{ name: reviews-${family}, port: 9080, subset: { version: v2 } }]
  - backendRefs:
    - { name: reviews-${family}, port: 9080, weight: ${v1}, subset: { version: v1 } }
    - { name: reviews-${family}, port: 9080, weight: ${v2}, subset: { version: v2 } }
`;

/** A route that leads TLS to `bank` elsewhere when it asks for this name. */
export const ledgerName = 'ledger.example.com';
const byName = (family: Family): string => `
apiVersion: legation.dev/v1alpha1
kind: TrafficRoute
metadata: { name: ledger-${family}, namespace: shop }
spec:
  parentRefs: [{ name: bank-${family}, port: 8443 }]
  protocol: TLS
  hostnames: [${ledgerName}]
  rules: [{ name: pass, backendRefs: [{ name: ledger-${family}, port: 8443 }] }]
`;

const pods = [
  pod('client', 'app: client', ['{ name: http, containerPort: 7000 }']),
  pod('v1', 'app: reviews, version: v1', ['{ name: http, containerPort: 9080 }']),
  pod('v2', 'app: reviews, version: v2', ['{ name: http, containerPort: 9080 }']),
  pod('bank', 'app: bank', ['{ name: mysql, containerPort: 3306 }']),
  pod('legacy', 'app: legacy', ['{ name: http, containerPort: 8080 }']),
  pod('modern', 'app: modern', ['{ name: http, containerPort: 8080 }']),
];

/** A port of `bank` that no object mentions. */
export const undeclaredPort = 7777;
/** A port that `client` calls without its proxy. */
export const excludedPort = 7100;
/** A port on which `bank` is called without its proxy. */
export const openPort = 7200;

/** The lab with one version of Envoy. */
export const labOptions = (envoy: string): LabOptions => ({
  label: envoy.replaceAll('.', '-'),
  files: {
    'pods.yaml': pods.join('---'),
    'services.yaml': [...services('ipv4'), ...services('ipv6')].join('---'),
    'split-ipv4.yaml': split('ipv4', [80, 20]),
    'split-ipv6.yaml': split('ipv6', [80, 20]),
    'names.yaml': [byName('ipv4'), byName('ipv6')].join('---'),
  },
  pods: {
    'shop/client': {
      envoy,
      serves: [{ port: 7000, manner: 'http' }],
      redirect: { excludeOutboundPorts: [excludedPort] },
    },
    'shop/v1': {
      envoy,
      serves: [
        { port: 9080, manner: 'http' },
        { port: 8443, manner: 'tls' },
      ],
    },
    'shop/v2': { envoy, serves: [{ port: 9080, manner: 'http' }] },
    'shop/bank': {
      envoy,
      redirect: { excludeInboundPorts: [openPort] },
      serves: [
        { port: 3306, manner: 'banner' },
        { port: 8443, manner: 'tls' },
        { port: 6000, manner: 'banner' },
        { port: undeclaredPort, manner: 'banner' },
        { port: openPort, manner: 'banner' },
      ],
    },
    'shop/legacy': { envoy, serves: [{ port: 8080, manner: 'http' }] },
    ...(hasIpv6 ? { 'shop/modern': { envoy, serves: [{ port: 8080, manner: 'http' }] } } : {}),
  },
  strangers: {
    visitor: { addresses: Object.values(addresses.visitor) },
    world: {
      addresses: Object.values(addresses.world),
      names: ['.partner.test', '.wild.test'],
      serves: [
        { port: 80, manner: 'http' },
        { port: 443, manner: 'tls' },
        { port: 5432, manner: 'banner' },
        { port: 9443, manner: 'tls' },
        { port: 8080, manner: 'http' },
        { port: excludedPort, manner: 'http' },
      ],
    },
  },
});
