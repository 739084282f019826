// A world made without any control plane, so that peers and clients can be run alone (`--world=synthetic`).
//
// One explicit listener with scoped routes; per service a cluster, its endpoints, a route configuration and scopes.
import { bytesField, stringField, varintField } from './clients/protobuf.js';
import { TYPE, TYPES } from './clients/types.js';
import type { Op, WireChange, WireResource } from './protocol.js';
import { planSteps, type Size, type Tape } from './plan.js';

const message = (...fields: readonly Buffer[]): Buffer => Buffer.concat(fields);
const any = (url: string, value: Buffer): Buffer => message(stringField(1, url), bytesField(2, value));
const ADS = message(bytesField(3, Buffer.alloc(0)), varintField(6, 2));
const seconds = (value: number): Buffer => varintField(1, value);

const resource = (type: number, name: string, value: Buffer): WireResource => ({
  type: TYPES[type]?.url ?? '',
  name,
  value,
});

const serviceName = (i: number): string => `o/bench/service-${String(i)}/8080`;

const cluster = (i: number, limit = 1024): WireResource => {
  const name = serviceName(i);
  const limits = message(varintField(1, 0), ...[2, 3, 4, 5].map((field) => bytesField(field, varintField(1, limit))));
  return resource(
    TYPE.cluster,
    name,
    message(
      stringField(1, name),
      varintField(2, 3),
      bytesField(3, bytesField(1, ADS)),
      bytesField(4, seconds(5)),
      bytesField(10, bytesField(1, limits)),
      stringField(28, `service-${String(i)}_bench`),
    ),
  );
};

const endpoint = (address: string): Buffer => {
  const socket = message(stringField(2, address), varintField(3, 8080));
  return message(bytesField(1, bytesField(1, bytesField(1, socket))), varintField(2, 1));
};

/** `n` is the last octet of the first address. */
const assignment = (i: number, endpoints: number, n: number): WireResource => {
  const net = `10.${String(i >> 8)}.${String(i & 255)}`;
  const hosts = Array.from({ length: endpoints }, (_, k) => endpoint(`${net}.${String(k === 0 ? n : k + 1)}`));
  const locality = message(stringField(1, 'region-1'), stringField(2, 'zone-a'));
  const group = message(bytesField(1, locality), ...hosts.map((host) => bytesField(2, host)));
  return resource(TYPE.endpoint, serviceName(i), message(stringField(1, serviceName(i)), bytesField(2, group)));
};

const weighted = (name: string, weight: number): Buffer =>
  message(stringField(1, name), bytesField(2, varintField(1, weight)));

const routes = (i: number, count: number, weight: number): WireResource => {
  const name = serviceName(i);
  const split = message(bytesField(1, weighted(name, weight)), bytesField(1, weighted(serviceName(0), 100)));
  const action = message(bytesField(3, split), bytesField(8, seconds(15)));
  const route = (path: string): Buffer =>
    message(bytesField(1, stringField(1, path)), bytesField(2, action), stringField(14, 'bench/main'));
  const all = Array.from({ length: count }, (_, nth) => (nth === count - 1 ? '/' : `/part-${String(nth)}`));
  const host = message(stringField(1, name), stringField(2, '*'), ...all.map((path) => bytesField(3, route(path))));
  return resource(TYPE.route, name, message(stringField(1, name), bytesField(2, host)));
};

const scopes = (i: number): readonly WireResource[] =>
  ['bench', 'bench.svc', 'bench.svc.cluster.local'].map((domain) => {
    const authority = `service-${String(i)}.${domain}:8080`;
    const name = `s/${authority}`;
    const key = bytesField(1, stringField(1, authority));
    return resource(
      TYPE.scope,
      name,
      message(stringField(1, name), stringField(2, serviceName(i)), bytesField(3, key)),
    );
  });

const listener = (): WireResource => {
  const extractor = message(stringField(1, ':authority'), varintField(3, 0));
  const builder = bytesField(1, bytesField(1, extractor));
  const scoped = message(
    stringField(1, 'scopes'),
    bytesField(2, builder),
    bytesField(3, ADS),
    bytesField(5, bytesField(1, ADS)),
  );
  const manager = message(stringField(2, 'explicit'), bytesField(31, scoped));
  const url = 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
  const filter = message(stringField(1, 'http'), bytesField(4, any(url, manager)));
  const socket = message(stringField(2, '127.0.0.1'), varintField(3, 15001));
  const chain = bytesField(3, bytesField(3, filter));
  return resource(
    TYPE.listener,
    'explicit',
    message(stringField(1, 'explicit'), bytesField(2, bytesField(1, socket)), chain),
  );
};

const service = (i: number, size: Size): readonly WireResource[] => [
  cluster(i),
  assignment(i, size.endpoints, 1),
  routes(i, size.routes, 100),
  ...scopes(i),
];

const changeOf = (op: Op, size: Size): WireChange => {
  switch (op.op) {
    case 'endpoint':
      return { upsert: [assignment(op.service, size.endpoints, op.n + 20)], remove: [] };
    case 'route':
      return { upsert: [routes(op.service, size.routes, op.n)], remove: [] };
    case 'workloadPolicy':
      // For peers alone, who cannot do it.
      return { upsert: [], remove: [] };
    case 'meshPolicy':
      return { upsert: Array.from({ length: size.services }, (_, i) => cluster(i, 2_000 + op.n)), remove: [] };
    case 'addService':
      return { upsert: service(op.index, size), remove: [] };
    case 'removeService':
      return { upsert: [], remove: service(op.index, size) };
  }
};

/** The tape of a synthetic world. */
export const synthesise = (size: Size): Tape => ({
  presentation: { node: { id: 'proxy-{i}', cluster: 'bench', metadata: {} }, headers: {}, routes: [] },
  scopes: true,
  base: [listener(), ...Array.from({ length: size.services }, (_, i) => service(i, size)).flat()],
  steps: planSteps(size.services).map(({ scenario, ops }) => ({
    scenario,
    ops: ops.map((op) => ({ op, change: changeOf(op, size) })),
  })),
});
