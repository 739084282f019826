// What tests of telemetry write, and how they wait for what proxies report.

import { eventually } from '../support/eventually.js';
import type { Collector } from './collectors.js';
import type { TestMesh } from './mesh.js';
import { service } from './world.js';
import { type Input, route } from './written.js';

/** The namespace of the mesh default. */
export const system = 'legation-system';

/** A MeshPolicy with this spec, in YAML. */
export const policy = (namespace: string, name: string, spec: string): string => `
apiVersion: legation.dev/v1alpha1
kind: MeshPolicy
metadata: { namespace: ${namespace}, name: ${name} }
spec:
${spec}`;

/** Of the namespace of the shared pods. */
export const ofApps = (mesh: TestMesh, spec: string): string => policy(mesh.apps, 'telemetry', spec);
/** The mesh default. */
export const ofMesh = (spec: string): string => policy(system, 'default', spec);

/** Lets policies of a namespace name Services of the test. */
export const grant = (from: string): string => `
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: { name: collectors }
spec:
  from: [{ group: legation.dev, kind: MeshPolicy, namespace: ${from} }]
  to: [{ group: "", kind: Service }]`;

/** The Service `collector` of the test as a provider. */
export const provider = (mesh: TestMesh, type: string, more = ''): string =>
  `  providers: [{ name: collector, type: ${type}, backendRef: { name: collector, namespace: ${mesh.namespace}, port: 4317 }${more} }]`;

/** A Service with rules that end in three ways. */
export const shop: readonly Input[] = [
  service('shop', ['v1']),
  service('empty', []),
  route(
    'served',
    'shop',
    `
  - { name: teapot, matches: [{ path: { value: /teapot } }], filters: [{ type: DirectResponse, directResponse: { statusCode: 418 } }] }
  - { name: nobody, matches: [{ path: { value: /nobody } }], backendRefs: [{ name: empty, port: 80 }] }
  - { name: main, backendRefs: [{ name: shop, port: 80 }] }`,
  ),
];

/** Over a connection of its own, so that no older listener serves it. */
export const ask = async (mesh: TestMesh, path: string): Promise<string> =>
  (await mesh.as('web').http2(`http://shop${path}`)).by;

/** Stops the collector afterwards. */
export const withCollector = async <Item>(
  open: Promise<Collector<Item>>,
  body: (collector: Collector<Item>) => Promise<void>,
) => {
  const collector = await open;
  try {
    await body(collector);
  } finally {
    await collector.stop();
  }
};

/** Asks until the collector has something that fits. */
export const untilReceived = async <Item>(
  mesh: TestMesh,
  collector: Collector<Item>,
  fits: (item: Item) => boolean,
): Promise<Item> => {
  let found: Item | undefined;
  await eventually(
    async () => {
      await ask(mesh, '/reported');
      found = collector.received().find(fits);
      const seen = JSON.stringify(collector.received()).slice(0, 1000);
      return found !== undefined || `received: ${seen}`;
    },
    { what: 'a report', deadlineMs: 15_000, everyMs: 100 },
  );
  if (found === undefined) throw new Error('nothing was reported');
  return found;
};

type Labels = Readonly<Record<string, string>>;

/** Series of a metric at the Prometheus port of a pod. */
export async function series(
  mesh: TestMesh,
  pod: 'web' | 'v1',
  metric: string,
): Promise<readonly { readonly labels: Labels; readonly value: number }[]> {
  const host = mesh.envoy(pod).proxy.split(':')[0] ?? '';
  const text = await (await fetch(`http://${host}:15090/stats/prometheus`)).text();
  return text.split('\n').flatMap((line) => {
    const [, name, inside = '', value] = /^(\w+)\{(.*)\} (\d+)$/.exec(line) ?? [];
    if (name !== metric) return [];
    const labels = [...inside.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', text = '']) => [key, text]);
    return [{ labels: Object.fromEntries(labels) as Labels, value: Number(value) }];
  });
}
