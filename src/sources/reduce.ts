// Raw Kubernetes objects to the reduced types of the World: what nobody reads is dropped, defaults are those of the
// API server. Knows neither files nor watches, and nothing of our own kinds.

import type { ObjectKey, ObjectMeta } from '../api/meta.js';
import { wellKnownLabels } from '../api/meta.js';
import { optional, portBounds } from '../kinds/reader.js';
import type { Fields, Reader } from '../kinds/reader.js';
import type { DataObject, Endpoint, EndpointPort, EndpointSlice, Labelled } from '../kinds/world.js';
import type { Service, ServicePort, WorldObject } from '../kinds/world.js';
import { reduceCanary, reduceRollout } from './reduce-delivery.js';
import { reducePod } from './reduce-pod.js';

/** One raw object on its way to a reduced one. */
export interface Reduction {
  readonly raw: Fields;
  readonly meta: ObjectMeta;
  readonly read: Reader;
  /** In a folder a pod is ready unless it says otherwise; in a cluster it is ready once it says so. */
  readonly readyByDefault: boolean;
}

const protocols = ['TCP', 'UDP', 'SCTP'] as const;
const serviceTypes = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'] as const;

const at = (path: string, index: number): string => `${path}[${String(index)}]`;

function targetPortOf(read: Reader, value: unknown, path: string): number | string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value;
  const port = read.integer(value, path, { min: 0, max: 65535 });
  return port === 0 ? undefined : port;
}

function reduceServicePort(read: Reader, value: unknown, path: string): ServicePort | undefined {
  const raw = read.fields(value, path) ?? {};
  const port = read.integer(raw['port'], `${path}.port`, portBounds);
  if (port === undefined) {
    if (raw['port'] === undefined) read.refuse(`${path}.port`, `\`${path}.port\` must be set`);
    return undefined;
  }
  return {
    name: read.text(raw['name'], `${path}.name`) ?? '',
    port,
    protocol: read.oneOf(raw['protocol'], `${path}.protocol`, protocols) ?? 'TCP',
    targetPort: targetPortOf(read, raw['targetPort'], `${path}.targetPort`) ?? port,
    ...optional('appProtocol', read.text(raw['appProtocol'], `${path}.appProtocol`)),
  };
}

function virtualIPs(
  read: Reader,
  spec: Fields,
): { readonly clusterIPs: readonly string[]; readonly headless: boolean } {
  const listed = read.textList(spec['clusterIPs'], 'spec.clusterIPs');
  const single = read.text(spec['clusterIP'], 'spec.clusterIP');
  const all = listed.length > 0 ? listed : single === undefined ? [] : [single];
  return { clusterIPs: all.filter((ip) => ip !== '' && ip !== 'None'), headless: all.includes('None') };
}

function selectorOf(read: Reader, spec: Fields): Readonly<Record<string, string>> | undefined {
  const selector = read.texts(spec['selector'], 'spec.selector');
  return selector === undefined || Object.keys(selector).length === 0 ? undefined : selector;
}

function reduceService({ raw, meta, read }: Reduction): Service {
  const spec = read.fields(raw['spec'], 'spec') ?? {};
  const type = read.oneOf(spec['type'], 'spec.type', serviceTypes) ?? 'ClusterIP';
  const external = type === 'ExternalName';
  const { clusterIPs, headless } = virtualIPs(read, spec);
  const local =
    read.oneOf(spec['internalTrafficPolicy'], 'spec.internalTrafficPolicy', ['Cluster', 'Local']) === 'Local';
  const notReady = read.flag(spec['publishNotReadyAddresses'], 'spec.publishNotReadyAddresses') === true;
  const ports = read
    .list(spec['ports'], 'spec.ports')
    .flatMap((port, index) => reduceServicePort(read, port, at('spec.ports', index)) ?? []);
  return {
    kind: 'Service',
    meta,
    type,
    clusterIPs: external ? [] : clusterIPs,
    headless: headless && !external,
    ...optional('externalName', external ? read.text(spec['externalName'], 'spec.externalName') : undefined),
    ...optional('selector', external ? undefined : selectorOf(read, spec)),
    ports,
    ...optional('trafficDistribution', read.text(spec['trafficDistribution'], 'spec.trafficDistribution')),
    ...(local ? { internalTrafficPolicy: 'Local' as const } : {}),
    ...(notReady ? { publishNotReadyAddresses: true as const } : {}),
  };
}

/** A path, and the namespace of the object that it is in. */
interface Where {
  readonly path: string;
  readonly namespace: string;
}

function podKey(read: Reader, value: unknown, where: Where): ObjectKey | undefined {
  const { path, namespace } = where;
  const target = read.fields(value, path);
  if (target?.['kind'] !== 'Pod') return undefined;
  const name = read.text(target['name'], `${path}.name`);
  return name === undefined ? undefined : `${read.text(target['namespace'], `${path}.namespace`) ?? namespace}/${name}`;
}

function reduceEndpoint(read: Reader, value: unknown, where: Where): Endpoint | undefined {
  const { path, namespace } = where;
  const raw = read.fields(value, path) ?? {};
  const [address] = read.textList(raw['addresses'], `${path}.addresses`);
  if (address === undefined) {
    read.refuse(`${path}.addresses`, `\`${path}.addresses\` must hold an address`);
    return undefined;
  }
  const conditions = read.fields(raw['conditions'], `${path}.conditions`) ?? {};
  const ready = read.flag(conditions['ready'], `${path}.conditions.ready`) ?? true;
  return {
    address,
    ready,
    serving: read.flag(conditions['serving'], `${path}.conditions.serving`) ?? ready,
    terminating: read.flag(conditions['terminating'], `${path}.conditions.terminating`) ?? false,
    ...optional('hostname', read.text(raw['hostname'], `${path}.hostname`)),
    ...optional('nodeName', read.text(raw['nodeName'], `${path}.nodeName`)),
    ...optional('zone', read.text(raw['zone'], `${path}.zone`)),
    ...optional('pod', podKey(read, raw['targetRef'], { path: `${path}.targetRef`, namespace })),
  };
}

// A port without a number means "all ports" and one of another protocol is not ours: both are left out.
function reduceEndpointPort(read: Reader, value: unknown, path: string): EndpointPort | undefined {
  const raw = read.fields(value, path) ?? {};
  const protocol = read.oneOf(raw['protocol'], `${path}.protocol`, protocols) ?? 'TCP';
  const port = read.integer(raw['port'], `${path}.port`, portBounds);
  const name = read.text(raw['name'], `${path}.name`) ?? '';
  const appProtocol = read.text(raw['appProtocol'], `${path}.appProtocol`);
  if (port === undefined || protocol !== 'TCP') return undefined;
  return { name, port, ...optional('appProtocol', appProtocol) };
}

// A slice that names no Service, or whose addresses are names, is nobody's: the World does not hold it.
function reduceEndpointSlice({ raw, meta, read }: Reduction): EndpointSlice | undefined {
  const service = meta.labels[wellKnownLabels.service];
  const addressType = read.oneOf(raw['addressType'], 'addressType', ['IPv4', 'IPv6', 'FQDN']) ?? 'IPv4';
  const { namespace } = meta;
  const endpoints = read
    .list(raw['endpoints'], 'endpoints')
    .flatMap((endpoint, index) => reduceEndpoint(read, endpoint, { path: at('endpoints', index), namespace }) ?? []);
  const ports = read
    .list(raw['ports'], 'ports')
    .flatMap((port, index) => reduceEndpointPort(read, port, at('ports', index)) ?? []);
  if (service === undefined || addressType === 'FQDN') return undefined;
  return { kind: 'EndpointSlice', meta, service: `${meta.namespace}/${service}`, addressType, ports, endpoints };
}

const base64 = /^[A-Za-z0-9+/\s]*={0,2}\s*$/;

type Decode = (text: string, path: string, read: Reader) => Uint8Array | undefined;

const decodeBase64: Decode = (text, path, read) => {
  if (base64.test(text)) return Buffer.from(text, 'base64');
  read.refuse(path, `\`${path}\` must be base64`);
  return undefined;
};
const decodeText: Decode = (text) => Buffer.from(text, 'utf8');

function dataEntries(reduction: Reduction, field: string, decode: Decode): [string, Uint8Array][] {
  const { raw, read } = reduction;
  return Object.entries(read.fields(raw[field], field) ?? {}).flatMap(([key, value]): [string, Uint8Array][] => {
    const path = `${field}[${key}]`;
    // A Secret's value must not reach a message, so its type is named, not its content.
    if (typeof value !== 'string') {
      if (value !== null) read.refuse(path, `\`${path}\` must be a string; found a ${typeof value}`);
      return [];
    }
    const bytes = decode(value, path, read);
    return bytes === undefined ? [] : [[key, bytes]];
  });
}

const reduceSecret = (reduction: Reduction): DataObject<'Secret'> => ({
  kind: 'Secret',
  meta: reduction.meta,
  ...optional('type', reduction.read.text(reduction.raw['type'], 'type')),
  data: new Map([...dataEntries(reduction, 'data', decodeBase64), ...dataEntries(reduction, 'stringData', decodeText)]),
});

const reduceConfigMap = (reduction: Reduction): DataObject<'ConfigMap'> => ({
  kind: 'ConfigMap',
  meta: reduction.meta,
  data: new Map([...dataEntries(reduction, 'binaryData', decodeBase64), ...dataEntries(reduction, 'data', decodeText)]),
});

const labelled =
  <K extends 'Namespace' | 'Node' | 'ServiceAccount'>(kind: K) =>
  ({ meta }: Reduction): Labelled<K> => ({ kind, meta });

/** Kinds that are not ours and that the World holds, each with its reduction; `undefined`: of no use to us. */
export const reductions = {
  Service: reduceService,
  EndpointSlice: reduceEndpointSlice,
  Pod: reducePod,
  Namespace: labelled('Namespace'),
  Node: labelled('Node'),
  ServiceAccount: labelled('ServiceAccount'),
  Secret: reduceSecret,
  ConfigMap: reduceConfigMap,
  Rollout: reduceRollout,
  Canary: reduceCanary,
} as const satisfies Readonly<Record<string, (reduction: Reduction) => WorldObject | undefined>>;
