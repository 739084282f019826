// Names and references of objects, and every label, annotation and port constant. No schema, no behaviour.

/** The API group and version of the three kinds that are ours. */
export const group = 'legation.dev';
export const version = 'v1alpha1';
export const apiVersion = `${group}/${version}`;

/** Our name in Gateway API status. */
export const controllerName = 'legation.dev/controller';

/** The namespace whose `default` objects hold for the mesh. */
export const systemNamespace = 'legation-system';

/** Every kind that the World holds. */
export type KindName =
  | 'TrafficRoute'
  | 'MeshPolicy'
  | 'MeshIdentity'
  | 'HTTPRoute'
  | 'GRPCRoute'
  | 'ReferenceGrant'
  | 'Service'
  | 'EndpointSlice'
  | 'Pod'
  | 'Namespace'
  | 'ServiceAccount'
  | 'Secret'
  | 'ConfigMap'
  | 'Node'
  | 'Rollout'
  | 'Canary';

/** What can be named: objects, and hosts outside of the cluster, of which nothing is stored. */
export type RefKind = KindName | 'Host';

/** `namespace/name`; cluster-scoped objects have an empty namespace: `/name`. */
export type ObjectKey = string;

/** Names one object. */
export interface ObjectRef {
  readonly kind: RefKind;
  readonly namespace: string;
  readonly name: string;
}

/** Where an object was read from: file path and 1-based line of its document. Absent in a cluster. */
export interface SourcePlace {
  readonly file: string;
  readonly line: number;
}

/** The part of `metadata` that is used. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Counts edits of the spec; in file mode 1 plus the number of edits seen. */
  readonly generation: number;
  /** RFC 3339; absent where nobody wrote it (file mode): such objects are equally old. */
  readonly creationTimestamp?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly place?: SourcePlace;
}

/** Any object of the World. */
export interface KubeObject {
  readonly kind: KindName;
  readonly meta: ObjectMeta;
}

/** The key of an object inside its kind. */
export const keyOf = (ref: { readonly namespace: string; readonly name: string }): ObjectKey =>
  `${ref.namespace}/${ref.name}`;

/** The reference of an object. */
export const refOf = (object: KubeObject): ObjectRef => ({
  kind: object.kind,
  namespace: object.meta.namespace,
  name: object.meta.name,
});

/** A key over all kinds: `TrafficRoute/shop/reviews`. */
export const idOf = (ref: ObjectRef): string => `${ref.kind}/${ref.namespace}/${ref.name}`;

/** How messages name an object: Kind 'ns/name'. */
export const describeRef = (ref: ObjectRef): string =>
  ref.namespace === '' ? `${ref.kind} '${ref.name}'` : `${ref.kind} '${ref.namespace}/${ref.name}'`;

/** Ports of a proxy. */
export const ports = {
  /** Outbound, also the explicit proxy. */
  outbound: 15001,
  inbound: 15006,
  readiness: 15021,
  metrics: 15090,
} as const;

/** Labels that Kubernetes itself defines and we read. */
export const wellKnownLabels = {
  region: 'topology.kubernetes.io/region',
  zone: 'topology.kubernetes.io/zone',
  hostname: 'kubernetes.io/hostname',
  service: 'kubernetes.io/service-name',
} as const;
