// What tests write: YAML or values in, objects with a namespace out.

import { parseAllDocuments } from 'yaml';
import { answering, type Written } from '../envoy/objects.js';
import { service } from './world.js';

/** Objects as a test gives them. Where none is named, the namespace is that of the test. */
export type Input = string | Written | readonly Written[];

const isList = (input: Written | readonly Written[]): input is readonly Written[] => Array.isArray(input);

function parsed(text: string): readonly Written[] {
  return parseAllDocuments(text).map((document): Written => {
    const [error] = document.errors;
    if (error !== undefined) throw error;
    return document.toJS() as Written;
  });
}

const isClusterScoped = (object: Written): boolean => object['kind'] === 'Namespace' || object['kind'] === 'Node';

/** Everything in `inputs`, with the namespace where none is written. */
export function objectsOf(inputs: readonly Input[], namespace: string): readonly Written[] {
  const objects = inputs.flatMap((input) =>
    typeof input === 'string' ? parsed(input) : isList(input) ? input : [input],
  );
  return objects.map((object) =>
    isClusterScoped(object) ? object : { ...object, metadata: { namespace, ...(object['metadata'] as Written) } },
  );
}

/** `TrafficRoute shop/reviews`. */
export const keyOf = (kind: string, { namespace = '', name }: { readonly namespace?: string; readonly name: string }) =>
  `${kind} ${namespace}/${name}`;

const metadataOf = (object: Written): { readonly namespace?: string; readonly name: string } =>
  object['metadata'] as { readonly name: string };

/** The keys of objects. */
export const keysOf = (objects: readonly Written[]): ReadonlySet<string> =>
  new Set(objects.map((object) => keyOf(String(object['kind']), metadataOf(object))));

/** Whether other tests could see an object: one outside of a test's own namespaces, or a policy, as pods are shared. */
export const leavesTrace = (object: Written, namespace: string): boolean =>
  object['kind'] === 'MeshPolicy' || metadataOf(object).namespace?.startsWith(namespace) !== true;

/** Whether an object has proxies check the health of pods. */
export const checksHealth = ({ spec }: Written): boolean => JSON.stringify(spec ?? {}).includes('"healthCheck"');

/** A TrafficRoute with these rules, in YAML, on one Service of the test. */
export const route = (name: string, parent: string, rules: string): string => `
apiVersion: legation.dev/v1alpha1
kind: TrafficRoute
metadata: { name: ${name} }
spec:
  parentRefs: [{ name: ${parent} }]
  rules:
${rules}`;

/** A MeshPolicy with these members of `upstream`, in YAML, on one Service of the test or on what else is told. */
export const upstreamPolicy = (name: string, target: string, upstream: string): string => `
apiVersion: legation.dev/v1alpha1
kind: MeshPolicy
metadata: { name: ${name} }
spec:
  targetRefs: [${target.startsWith('{') ? target : `{ kind: Service, name: ${target} }`}]
  upstream: { ${upstream} }
`;

/** Rules that answer with their own names, by name; each has the match, in YAML. */
export const answeringRules = (matches: Readonly<Record<string, string>>): string =>
  Object.entries(matches)
    .map(([name, match]) => {
      const says = `{ type: DirectResponse, directResponse: { statusCode: 200, body: ${name} } }`;
      return `  - { name: ${name}, matches: [${match}], filters: [${says}] }`;
    })
    .join('\n');

/** Written beside the objects of a test: once the route has a status, status speaks of these objects, not of older ones. */
export const markOf = (mark: string): readonly Written[] => [
  ...service('mark', []),
  {
    apiVersion: 'legation.dev/v1alpha1',
    kind: 'TrafficRoute',
    metadata: { name: mark },
    spec: { parentRefs: [{ name: 'mark' }], rules: [answering(mark)] },
  },
];
