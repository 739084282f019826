// What a new feature starts with: the texts of its files. They compile and pass as they are; a human goes on from there.
// Writes nothing.

/** What holds the configuration of the feature: a rule of a route, or `upstream` of a MeshPolicy. */
export type Holder = 'rule' | 'upstream';

/** What a feature is called. */
export interface Names {
  /** `slow-start`: files and folders. */
  readonly slug: string;
  /** `slowStart`: the field. */
  readonly key: string;
  /** `SlowStart`: its type. */
  readonly type: string;
  readonly holder: Holder;
}

/** The names of a feature, from that of its file. */
export function namesOf(slug: string, holder: Holder): Names {
  const type = slug
    .split('-')
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('');
  return { slug, key: type.slice(0, 1).toLowerCase() + type.slice(1), type, holder };
}

/** Where the field stands below `spec`, as messages and pages write it. */
export const fieldOf = ({ key, holder }: Names): string => (holder === 'rule' ? key : `upstream.${key}`);

const titleOf = ({ slug }: Names): string => (slug.slice(0, 1).toUpperCase() + slug.slice(1)).replaceAll('-', ' ');

const hookOf = ({ holder }: Names): string => (holder === 'rule' ? 'onRoute' : 'onCluster');

const featureFile = (names: Names): string => `// ${titleOf(names)}: what it does, in one sentence. Knows no kind.

import { integer, object, type Static } from '../api/schema.js';
import { ok } from '../lib/result.js';
import { defineFeature } from './feature.js';

/** \`${fieldOf(names)}\`. */
export const ${names.key}Schema = object(
  {
    amount: integer({ min: 1, max: 1000 }, { doc: 'How much of it.', required: true }),
  },
  { doc: '${titleOf(names)}.' },
);

/** The configuration after defaults. */
export type ${names.type} = Static<typeof ${names.key}Schema>;

/** \`${fieldOf(names)}\`: refused as not compiled until ${hookOf(names)} says what it does. */
export const ${names.key} = defineFeature<'${names.key}', ${names.type}, ${names.type}>({
  key: '${names.key}',
  summary: '${titleOf(names)}.',
  compile: (config) => ok(config),
  ${hookOf(names)}: () => ({}),
});
`;

const service = (name: string, namespace: string, port: number): string => `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  clusterIP: 10.96.0.10
  selector: { app: ${name} }
  ports: [{ name: http, port: ${String(port)} }]
`;

const pod = (name: string, app: string, address: string): string => `---
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, labels: { app: ${app} } }
spec: { containers: [{ name: main, ports: [{ containerPort: 9080 }] }] }
status: { podIP: ${address} }
`;

/** The object that uses the feature for Service `on`. */
function user(
  { key, holder }: Names,
  place: { readonly on: string; readonly namespace: string; readonly port: number },
) {
  const { on, namespace, port } = place;
  const head = (kind: string): string =>
    `apiVersion: legation.dev/v1alpha1\nkind: ${kind}\nmetadata: { name: ${on}, namespace: ${namespace} }\nspec:\n`;
  if (holder === 'upstream')
    return `${head('MeshPolicy')}  targetRefs:\n    - { kind: Service, name: ${on} }\n  upstream:\n    ${key}: { amount: 3 }\n`;
  return `${head('TrafficRoute')}  parentRefs:
    - { name: ${on} }
  rules:
    - name: main
      ${key}: { amount: 3 }
      backendRefs:
        - { name: ${on}, port: ${String(port)} }
`;
}

const deployment = (name: string, namespace: string): string => `---
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  replicas: 1
  selector:
    matchLabels: { app: ${name} }
  template:
    metadata:
      labels: { app: ${name} }
    spec:
      containers:
        - name: ${name}
          image: gcr.io/k8s-staging-gateway-api/echo-basic:v20240412-v1.0.0-394-g40c666fd
          env:
            - { name: HTTP_PORT, value: "8080" }
          ports:
            - { name: http, containerPort: 8080 }
`;

const exampleMesh = ({ slug }: Names): string => `apiVersion: v1
kind: Namespace
metadata:
  name: ${slug}
  labels: { legation.dev/inject: enabled }
---
apiVersion: v1
kind: Service
metadata: { name: echo, namespace: ${slug} }
spec:
  selector: { app: echo }
  ports:
    - { name: http, port: 80, targetPort: 8080, appProtocol: http }
${deployment('client', slug)}${deployment('echo', slug)}`;

const page = (names: Names): string => {
  const { slug, key, holder } = names;
  const object = holder === 'rule' ? 'rules:\n  - name: main\n    ' : 'spec:\n  upstream:\n    ';
  return `# ${titleOf(names)}

What it does for whom, in two sentences. Not compiled yet: \`${key}\` is refused with \`UnsupportedValue\`.

## Example

[examples/policies/${slug}](../../examples/policies/${slug}): what it shows.

\`\`\`yaml
${object}${key}: { amount: 3 }
\`\`\`

## See it

\`\`\`console
$ npx tsx src/cli/main.ts sandbox examples/policies/${slug} --no-view
$ curl -s -o /dev/null -w '%{http_code}\\n' -x $P http://echo/
\`\`\`

## Limits

- What it cannot do, and what stands in its way.

## In Envoy

The fields that it becomes.
`;
};

/** All new files by path; `fragment` is the number of the change. */
export function filesOf(names: Names, fragment: number): ReadonlyMap<string, string> {
  const { slug, key, holder } = names;
  const golden = `test/golden/cases/${slug}`;
  const object = holder === 'rule' ? 'route.yaml' : 'policy.yaml';
  const type = holder === 'rule' ? 'route' : 'cluster';
  return new Map([
    [`src/features/${slug}.ts`, featureFile(names)],
    [`${golden}/case.md`, `\`${fieldOf(names)}\` is refused by name until it is compiled.\n`],
    [`${golden}/case.yaml`, `proxies: [shop.web]\ntypes: [${type}]\nnames: [o/shop/reviews]\n`],
    [
      `${golden}/input/base.yaml`,
      service('reviews', 'shop', 9080) + pod('reviews-v1', 'reviews', '10.0.1.1') + pod('web', 'web', '10.0.0.1'),
    ],
    [`${golden}/input/${object}`, user(names, { on: 'reviews', namespace: 'shop', port: 9080 })],
    [`docs/policies/${slug}.md`, page(names)],
    [`examples/policies/${slug}/mesh.yaml`, exampleMesh(names)],
    [`examples/policies/${slug}/${object}`, user(names, { on: 'echo', namespace: slug, port: 80 })],
    [
      `changes/unreleased/${String(fragment).padStart(4, '0')}-${slug}.feature.md`,
      `Say in one line what users can do now with \`${key}\`\n\nSee [${slug}](../../docs/policies/${slug}.md).\n`,
    ],
  ]);
}
