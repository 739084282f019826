// Connections that are shared out as they are: by weight, and by the name with which TLS begins.

import { expect } from 'chai';
import { inParallel } from '../../envoy/client.js';
import {
  createServers,
  greetingThrough,
  lineFrom,
  lineOverTls,
  openTunnel,
  ownAddress,
  selfSigned,
  type Servers,
} from '../../envoy/connections.js';
import { eventually } from '../../support/eventually.js';
import { expectCondition } from '../expectations.js';
import type { TestMesh } from '../mesh.js';
import { feature, misuse } from '../registry.js';
import { countBy, expectShares } from '../statistics.js';
import { type BareServer, ports, service } from '../world.js';
import { route } from '../written.js';

const stays = (): Promise<void> => Promise.resolve();
const left: BareServer = { name: 'left', address: ownAddress(55), stop: stays };
const right: BareServer = { name: 'right', address: ownAddress(56), stop: stays };

/** Runs with servers that are gone afterwards. */
async function withServers(body: (servers: Servers) => Promise<void>): Promise<void> {
  const servers = createServers();
  try {
    await body(servers);
  } finally {
    await servers.close();
  }
}

/** Both say hello to everybody who connects. */
const withGreeters = (body: () => Promise<void>): Promise<void> =>
  withServers(async (servers) => {
    for (const { name, address } of [left, right]) await servers.greeter(name, address, ports.tcp);
    await body();
  });

const connectionRoute = (name: string, head: string, rules: string): string =>
  route(name, 'db', rules).replace('spec:', `spec:\n  ${head}`);

const split = (weights: readonly [left: number, right: number], more = ''): string =>
  connectionRoute(
    'split',
    'protocol: TCP',
    `  - { name: main${more}, backendRefs: [${['left', 'right']
      .map((name, index) => `{ name: ${name}, port: 5000, weight: ${String(weights[index])} }`)
      .join(', ')}] }`,
  );

const databases = [
  ...service('db', [left], { ports: { 5000: 'tcp' } }),
  ...[left, right].flatMap((server) => service(server.name, [server], { ports: { 5000: 'tcp' } })),
];

const greetings = (mesh: TestMesh, count: number): Promise<readonly string[]> =>
  inParallel(count, 10, () => greetingThrough(mesh.envoy('web').proxy, `db.${mesh.namespace}:5000`));

feature('1.1-tcp', 'connections fall as weights ask, to servers that speak first', async (mesh) => {
  await withGreeters(async () => {
    await mesh.apply(databases);
    expect(new Set(await greetings(mesh, 10))).to.deep.equal(new Set(['hello from left']));
    await mesh.apply(databases, split([70, 30]));
    const seen = await greetings(mesh, 300);
    expectShares(
      countBy(seen, (line) => line.replace('hello from ', '')),
      { left: 0.7, right: 0.3 },
    );
  });
});

feature('1.1-tcp', 'open connections live on when weights change, with all of their bytes', async (mesh) => {
  await withGreeters(async () => {
    await mesh.apply(databases, split([1, 0]));
    const { socket } = await openTunnel(mesh.envoy('web').proxy, `db.${mesh.namespace}:5000`);
    if (socket === undefined) throw new Error('no tunnel');
    expect(await lineFrom(socket)).to.equal('hello from left');
    await mesh.apply(databases, split([0, 1]));
    expect(new Set(await greetings(mesh, 10))).to.deep.equal(new Set(['hello from right']));
    const bytes = `${'x'.repeat(200_000)}\n`;
    socket.write(bytes);
    expect(await lineFrom(socket)).to.equal(bytes.trim());
    socket.destroy();
  });
});

feature('1.1-tcp', 'a connection passes the proxies of both pods', async (mesh) => {
  await mesh.apply(
    service('db', ['v1', 'v2', 'v3'], { ports: { 5000: 'tcp' } }),
    connectionRoute(
      'split',
      'protocol: TCP',
      '  - { name: main, backendRefs: [{ name: db, port: 5000, subset: { version: v3 } }] }',
    ),
  );
  const counter = `cluster.i/${String(ports.tcp)}.upstream_cx_total`;
  const counted = async (): Promise<number> => (await mesh.envoy('v3').stats(/upstream_cx_total$/)).get(counter) ?? 0;
  const before = await counted();
  const { socket } = await openTunnel(mesh.envoy('web').proxy, `db.${mesh.namespace}:5000`);
  if (socket === undefined) throw new Error('no tunnel');
  socket.write('GET /through HTTP/1.1\r\nHost: any\r\n\r\n');
  expect(await lineFrom(socket))
    .to.include('HTTP/1.1 200')
    .and.to.include('v3-0');
  socket.destroy();
  await eventually(async () => (await counted()) === before + 1, { what: 'the proxy of the server to count one' });
});

misuse('1.1-tcp', 'what needs requests is refused, and a backend that is not there costs its share', async (mesh) => {
  await mesh.attempt(databases, split([1, 1], ', timeouts: { request: 1s }'));
  const refused = await mesh.condition('TrafficRoute', 'split', 'Ready');
  expectCondition(refused, 'False UnsupportedValue', '`spec.rules[0].timeouts.request`', '`timeouts.idle`');
  await mesh.attempt(databases, split([1, 1], ', matches: [{ path: { value: /x } }]'));
  const matches = await mesh.condition('TrafficRoute', 'split', 'Accepted');
  expectCondition(matches, 'False Invalid', 'rules of a TCP route must not set `matches`');
  await withGreeters(async () => {
    await mesh.attempt(service('db', [left], { ports: { 5000: 'tcp' } }), split([1, 0]));
    expect(new Set(await greetings(mesh, 5))).to.deep.equal(new Set(['500']));
  });
  const unresolved = await mesh.condition('TrafficRoute', 'split', 'ResolvedRefs');
  expectCondition(unresolved, 'False BackendNotFound', "/left' does not exist", 'closes connections for its share');
});

const passing = (name: string, backend: string, hostnames: string): string =>
  connectionRoute(
    name,
    `protocol: TLS\n  hostnames: [${hostnames}]`,
    `  - { name: pass, backendRefs: [{ name: ${backend}, port: 443 }] }`,
  );

feature('1.1-sni', 'TLS is not ended, and each name leads to its server', async (mesh) => {
  const keys = await selfSigned('two.example.test');
  await withServers(async (servers) => {
    for (const { name, address } of [left, right]) await servers.tls(name, { address, port: ports.tls }, keys);
    await mesh.apply(
      ...[left, right].map((server) => service(server.name, [server], { ports: { 443: 'tls' } })),
      service('db', [left], { ports: { 443: 'tls' } }),
      passing('two', 'right', 'two.example.test, three.example.test'),
    );
    const asked = async (host: string, name = host): Promise<string> => {
      const { status, socket } = await openTunnel(mesh.envoy('web').proxy, `${host}:443`);
      return socket === undefined ? String(status) : lineOverTls(socket, name, keys.cert);
    };
    expect(await asked('two.example.test')).to.equal('hello from right');
    expect(await asked('three.example.test', 'two.example.test')).to.equal('hello from right');
    expect(await asked(`db.${mesh.namespace}`, 'two.example.test'), 'the Service itself').to.equal('hello from left');
    expect(await asked('four.example.test')).to.equal('404');
  });
});

misuse('1.1-sni', 'a TLS route needs names, and its rules no filters', async (mesh) => {
  const service443 = service('db', ['v1'], { ports: { 443: 'tls' } });
  await mesh.attempt(service443, passing('two', 'db', ''));
  const nameless = await mesh.condition('TrafficRoute', 'two', 'Accepted');
  expectCondition(nameless, 'False Invalid', 'a TLS route must list at least one name in `hostnames`');
  const filters = 'filters: [{ type: URLRewrite, urlRewrite: { hostname: x.example.test } }]';
  await mesh.attempt(
    service443,
    passing('two', 'db', 'a.example.test').replace('name: pass', `name: pass, ${filters}`),
  );
  const filtered = await mesh.condition('TrafficRoute', 'two', 'Accepted');
  expectCondition(filtered, 'False Invalid', 'rules of a TLS route must not set `filters`');
});
