// The World: an immutable picture of all inputs, reduced to what is used. Sources fold events into it,
// reconcilers read it. Tables are replaced, never changed: an unchanged object keeps its identity, and
// everything downstream is memoised by that identity.

import type { KindName, ObjectKey, ObjectMeta, ObjectRef, SourcePlace } from '../api/meta.js';
import type { Problem } from '../lib/result.js';
import type { GRPCRoute, HTTPRoute } from './gateway.js';
import type { MeshIdentity } from './mesh-identity.js';
import type { MeshPolicy } from './mesh-policy.js';
import type { ReferenceGrant } from './reference-grant.js';
import type { TrafficRoute } from './traffic-route.js';

/** Objects of one kind by `namespace/name`. */
export type Table<T> = ReadonlyMap<ObjectKey, T>;

/** A port of a Service. */
export interface ServicePort {
  /** Empty where the Service has one unnamed port. */
  readonly name: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  /** Number, or name of a container port. Equals `port` where nothing was written. */
  readonly targetPort: number | string;
  readonly appProtocol?: string;
}

/** A Kubernetes Service. */
export interface Service {
  readonly kind: 'Service';
  readonly meta: ObjectMeta;
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  /** Virtual addresses, IPv4 and IPv6; empty for headless Services and ExternalName. */
  readonly clusterIPs: readonly string[];
  readonly headless: boolean;
  readonly externalName?: string;
  readonly selector?: Readonly<Record<string, string>>;
  readonly ports: readonly ServicePort[];
  /** `PreferSameZone`, `PreferSameNode` or the older `PreferClose`; absent: no preference. */
  readonly trafficDistribution?: string;
  /** Present where callers may only reach endpoints of their own node. */
  readonly internalTrafficPolicy?: 'Local';
  /** Present where pods that are not ready count as ready. */
  readonly publishNotReadyAddresses?: true;
}

/** One address behind a Service. */
export interface Endpoint {
  readonly address: string;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly zone?: string;
  /** The pod behind the address, where the slice says so. */
  readonly pod?: ObjectKey;
}

/** A port of an EndpointSlice; `name` equals the name of the Service port. */
export interface EndpointPort {
  readonly name: string;
  readonly port: number;
  readonly appProtocol?: string;
}

/** A Kubernetes EndpointSlice. */
export interface EndpointSlice {
  readonly kind: 'EndpointSlice';
  readonly meta: ObjectMeta;
  /** Key of the Service that the slice belongs to. */
  readonly service: ObjectKey;
  readonly addressType: 'IPv4' | 'IPv6';
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

/** A port that a container declares. */
export interface ContainerPort {
  readonly name: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
}

/** The topmost owner of a pod: what users call the workload. */
export interface WorkloadRef {
  /** Deployment, StatefulSet, DaemonSet, …; `Pod` for a pod without an owner. */
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** A Kubernetes Pod. */
export interface Pod {
  readonly kind: 'Pod';
  readonly meta: ObjectMeta;
  /** First is the primary address; empty while the pod has none. */
  readonly ips: readonly string[];
  /** File mode: where the application itself listens, apart from its Envoy on `ips[0]`. Absent in a cluster. */
  readonly applicationAddress?: string;
  readonly serviceAccount: string;
  readonly workload: WorkloadRef;
  readonly containerPorts: readonly ContainerPort[];
  readonly nodeName?: string;
  readonly ready: boolean;
  readonly terminating: boolean;
  readonly hostNetwork: boolean;
}

/** Objects that are read for their labels alone. */
export interface Labelled<K extends KindName> {
  readonly kind: K;
  readonly meta: ObjectMeta;
}

/** A Secret or ConfigMap. `data` is decoded; a Secret's values never leave the process. */
export interface DataObject<K extends 'Secret' | 'ConfigMap'> {
  readonly kind: K;
  readonly meta: ObjectMeta;
  readonly type?: string;
  readonly data: ReadonlyMap<string, Uint8Array>;
}

/** An object of Argo Rollouts or Flagger that says how requests are split between two Services while a version is rolled out. */
export interface DeliveryObject<K extends 'Rollout' | 'Canary' = 'Rollout' | 'Canary'> {
  readonly kind: K;
  readonly meta: ObjectMeta;
  /** Names of Services of its namespace; absent where it splits nothing. */
  readonly stableService?: string;
  readonly canaryService?: string;
  /** Weights in percent, as its controller wants them now. */
  readonly split: { readonly stable: number; readonly canary: number };
  /** How far it is, in words: `step 3 of 8`. */
  readonly phase: string;
}

/** An object that failed its schema. Its last good version, if any, stays in its table. */
export interface Malformed {
  readonly ref: ObjectRef;
  readonly generation: number;
  readonly problems: readonly Problem[];
  readonly lastGood: boolean;
  readonly place?: SourcePlace;
}

/** All inputs at one moment. */
export interface World {
  /** Grows with every published World. */
  readonly revision: number;
  readonly trafficRoutes: Table<TrafficRoute>;
  readonly meshPolicies: Table<MeshPolicy>;
  readonly meshIdentities: Table<MeshIdentity>;
  readonly httpRoutes: Table<HTTPRoute>;
  readonly grpcRoutes: Table<GRPCRoute>;
  readonly referenceGrants: Table<ReferenceGrant>;
  readonly services: Table<Service>;
  /** Slices of a Service, by the Service's key, sorted by name. */
  readonly endpointSlices: ReadonlyMap<ObjectKey, readonly EndpointSlice[]>;
  readonly pods: Table<Pod>;
  readonly namespaces: Table<Labelled<'Namespace'>>;
  readonly nodes: Table<Labelled<'Node'>>;
  readonly serviceAccounts: Table<Labelled<'ServiceAccount'>>;
  readonly secrets: Table<DataObject<'Secret'>>;
  readonly configMaps: Table<DataObject<'ConfigMap'>>;
  readonly rollouts: Table<DeliveryObject<'Rollout'>>;
  readonly canaries: Table<DeliveryObject<'Canary'>>;
  /** By `kind/namespace/name`. */
  readonly malformed: ReadonlyMap<string, Malformed>;
}

/** Any object that a table of the World holds. */
export type WorldObject =
  | TrafficRoute
  | MeshPolicy
  | MeshIdentity
  | HTTPRoute
  | GRPCRoute
  | ReferenceGrant
  | Service
  | EndpointSlice
  | Pod
  | Labelled<'Namespace'>
  | Labelled<'Node'>
  | Labelled<'ServiceAccount'>
  | DataObject<'Secret'>
  | DataObject<'ConfigMap'>
  | DeliveryObject<'Rollout'>
  | DeliveryObject<'Canary'>;

/** The World before any source has spoken. */
export const emptyWorld: World = {
  revision: 0,
  trafficRoutes: new Map(),
  meshPolicies: new Map(),
  meshIdentities: new Map(),
  httpRoutes: new Map(),
  grpcRoutes: new Map(),
  referenceGrants: new Map(),
  services: new Map(),
  endpointSlices: new Map(),
  pods: new Map(),
  namespaces: new Map(),
  nodes: new Map(),
  serviceAccounts: new Map(),
  secrets: new Map(),
  configMaps: new Map(),
  rollouts: new Map(),
  canaries: new Map(),
  malformed: new Map(),
};
