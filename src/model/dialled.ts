// Ports of headless Services: callers dial the addresses of their pods. Knows no Envoy.

import { keyOf } from '../api/meta.js';
import { listInterner, memoised } from '../lib/memo.js';
import { isHttp, type EndpointSet, type MeshModel, type PortModel, type ServiceModel } from './mesh.js';

/** A port of a headless Service, and where it is dialled. */
export interface DialledPort {
  readonly service: ServiceModel;
  readonly port: PortModel;
  /** Addresses by port, sorted. */
  readonly places: ReadonlyMap<number, readonly string[]>;
}

/** Whether callers find pods themselves, and dial one of them. */
export const isHeadless = ({ addresses, externalName }: ServiceModel): boolean =>
  addresses.length === 0 && externalName === undefined;

/** Whether requests to its pods are looked at. Where nothing names the protocol, a connection is carried as it is. */
export const carriesRequests = ({ protocol }: PortModel): boolean => isHttp(protocol) && protocol !== 'auto';

function placesOf(sets: readonly EndpointSet[], { port }: PortModel): DialledPort['places'] {
  const all = sets.find(
    ({ target }) => target.port === port && target.subset === undefined && target.instance === undefined,
  );
  const byPort = Map.groupBy(all?.endpoints ?? [], (endpoint) => endpoint.port);
  return new Map(
    [...byPort]
      .sort(([left], [right]) => left - right)
      .map(([number, endpoints]) => [number, [...new Set(endpoints.map(({ address }) => address))].sort()]),
  );
}

const portsOf = memoised((service: ServiceModel, sets: readonly EndpointSet[]): readonly DialledPort[] =>
  service.ports.map((port) => ({ service, port, places: placesOf(sets, port) })),
);

const headlessIn = memoised((services: MeshModel['services']): readonly ServiceModel[] =>
  [...services.values()].filter(isHeadless).sort((left, right) => (keyOf(left.ref) < keyOf(right.ref) ? -1 : 1)),
);

const intern = listInterner<DialledPort>();

/** The ports of all headless Services, by the names of these; one list while nothing of it changes. */
export const dialledIn = ({ services, endpoints }: Pick<MeshModel, 'services' | 'endpoints'>): readonly DialledPort[] =>
  intern(headlessIn(services).flatMap((service) => portsOf(service, endpoints.get(keyOf(service.ref)) ?? none)));

const none: readonly EndpointSet[] = [];
