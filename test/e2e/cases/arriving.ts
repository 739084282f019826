// How requests and connections are treated where they arrive: sizes, compression, protocols, open connections.

import { expect } from 'chai';
import { eventually } from '../../support/eventually.js';
import { expectCondition } from '../expectations.js';
import { series } from '../reporting.js';
import { feature, misuse } from '../registry.js';
import type { TestMesh } from '../mesh.js';
import { service, type Speaks } from '../world.js';
import { route } from '../written.js';

const shop = (speaks: Speaks = 'http') => service('shop', ['v1'], { ports: { 80: speaks } });

/** A policy on Service `shop`. */
const inbound = (fields: string): string => `
apiVersion: legation.dev/v1alpha1
kind: MeshPolicy
metadata: { name: arriving }
spec:
  targetRefs: [{ kind: Service, name: shop }]
  inbound: { ${fields} }`;

const told = (mesh: TestMesh, type = 'Accepted') => mesh.condition('MeshPolicy', 'arriving', type);

const sending = (mesh: TestMesh, bytes: number) =>
  mesh.as('web').ask('http://shop/', { method: 'POST', body: 'x'.repeat(bytes) });

feature('1.2-size-compression', 'a larger body is refused, and nothing of it arrives', async (mesh) => {
  await mesh.apply(shop(), inbound('maxRequestBytes: 1000'));
  expect((await sending(mesh, 1000)).status).to.equal(200);
  expect((await sending(mesh, 1001)).status).to.equal(413);
  expect(mesh.arrivals()).to.have.length(1);
  await mesh.apply(shop(), inbound('maxRequestBytes: 0'));
  expect((await sending(mesh, 5000)).status).to.equal(200);
});

feature(
  '1.2-size-compression',
  'a bound that is tried refuses nothing, and each larger request is counted',
  async (mesh) => {
    const tried = inbound('maxRequestBytes: 1000')
      .replace('spec:', 'spec:\n  mode: Audit')
      .replace('arriving', 'tried');
    await mesh.apply(shop(), tried, inbound('maxRequestBytes: 3000'));
    const sizes = [1000, 1001, 2000, 3001];
    expect(await Promise.all(sizes.map(async (bytes) => (await sending(mesh, bytes)).status))).to.deep.equal([
      200, 200, 200, 413,
    ]);
    const own = `${mesh.namespace}/tried`;
    const lines = () =>
      mesh
        .envoy('v1')
        .log()
        .split('\n')
        .filter((line) => line.includes(`"audit":"${own}"`));
    await eventually(() => Promise.resolve(lines().length === 3), { what: 'three lines' });
    if (!mesh.version.startsWith('1.36.')) {
      const counters = await series(mesh, 'v1', 'envoy_mesh_audit_large_requests_total');
      expect(counters.filter(({ labels }) => labels['policy'] === own).map(({ value }) => value)).to.deep.equal([3]);
    }
    const seen = await mesh.condition('MeshPolicy', 'tried', 'Auditing');
    expectCondition(seen, 'True NotEnforced', 'envoy_mesh_audit_large_requests_total');
  },
);

const text = { 'x-app-reply': 'content-type=text/plain' };

feature('1.2-size-compression', 'answers are compressed for those who accept it', async (mesh) => {
  await mesh.apply(shop(), inbound('compression: [Gzip, Brotli, Zstd]'));
  const encoding = async (accepted: string): Promise<string | undefined> =>
    (await mesh.as('web').get('http://shop/', { ...text, 'accept-encoding': accepted })).headers['content-encoding'];
  expect(await encoding('gzip')).to.equal('gzip');
  expect(await encoding('br')).to.equal('br');
  expect(await encoding('zstd')).to.equal('zstd');
  expect(await encoding('gzip;q=0.1, br;q=0.9')).to.equal('br');
  expect(await encoding('identity')).to.equal(undefined);
  const plain = await mesh.as('web').get('http://shop/', text);
  expect([plain.headers['content-encoding'], plain.body.includes('"path":"/"')]).to.deep.equal([undefined, true]);
});

misuse('1.2-size-compression', 'gRPC ports have no limit, and status says so', async (mesh) => {
  const ports = 'ports: [{ port: 8081, protocol: GRPC }]';
  await mesh.apply(shop('h2c'), inbound(`maxRequestBytes: 10, ${ports}`));
  expectCondition(await told(mesh, 'Degraded'), 'True FallbackActive', '`inbound.maxRequestBytes`', 'port 8081');
  expect((await sending(mesh, 1000)).status).to.equal(200);
});

misuse('1.2-size-compression', 'an algorithm that does not exist is named, with those that do', async (mesh) => {
  await mesh.attempt(shop(), inbound('compression: [Lzma]'));
  expectCondition(await told(mesh), 'False Invalid', 'inbound.compression[0]', 'Lzma', 'Gzip');
});

feature('1.5-protocol-policy', 'what is said to be TCP is passed on unread', async (mesh) => {
  const strict = 'maxRequestBytes: 10';
  await mesh.apply(shop(), inbound(strict));
  expect((await sending(mesh, 100)).status).to.equal(413);
  await mesh.apply(shop(), inbound(`${strict}, ports: [{ port: 8080, protocol: TCP }]`));
  expect((await sending(mesh, 100)).status).to.equal(200);
});

misuse('1.5-protocol-policy', 'a protocol that does not exist is named, with those that do', async (mesh) => {
  await mesh.attempt(shop(), inbound('ports: [{ port: 8080, protocol: UDP }]'));
  expectCondition(await told(mesh), 'False Invalid', 'inbound.ports[0].protocol', 'UDP', 'HTTP2');
});

feature(
  '1.4-open-connections',
  'connections beyond the limit are closed, and one that ends makes room',
  async (mesh) => {
    const once = route('once', 'shop', '\n  - { retry: { attempts: 0 }, backendRefs: [{ name: shop, port: 80 }] }');
    await mesh.apply(shop(), once, inbound('maxConnections: 3'));
    const slow = { headers: { 'x-app-delay': '300' } };
    const statuses = (await mesh.as('web').many(10, 'http://shop/', slow)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).to.have.length(3);
    expect(statuses.filter((status) => status === 503)).to.have.length(7);
    expect((await mesh.as('web').get('http://shop/')).status).to.equal(200);
  },
);

misuse('1.4-open-connections', 'what only edges can do is refused, and the rest holds', async (mesh) => {
  await mesh.attempt(shop(), inbound('trustedHops: 1, maxRequestBytes: 10'));
  expectCondition(await told(mesh), 'False UnsupportedValue', '`spec.inbound.trustedHops`', 'edges are not served');
  expect((await sending(mesh, 100)).status).to.equal(413);
});

misuse('1.2-size-compression', 'what cannot be counted unless it is done cannot be tried', async (mesh) => {
  const tried = inbound('compression: [Gzip], maxRequestBytes: 10').replace('spec:', 'spec:\n  mode: Audit');
  await mesh.attempt(shop(), tried);
  expectCondition(await told(mesh), 'False UnsupportedValue', '`inbound.compression`', "mode 'Audit'");
  expect((await sending(mesh, 100)).status).to.equal(200);
});
