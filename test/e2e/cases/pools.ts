// Connections to endpoints: how many, for how long, and what is spoken on them. Servers without an Envoy of their own
// see the connections of the caller's proxy.

import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { systemClock as clock } from '../../../src/lib/clock.js';
import { expectCondition } from '../expectations.js';
import type { TestMesh } from '../mesh.js';
import { feature, misuse } from '../registry.js';
import { service, type Speaks } from '../world.js';
import { upstreamPolicy } from '../written.js';

const policy = (connection: string): string => upstreamPolicy('pool', 'shop', `connection: { ${connection} }`);
const accepted = (mesh: TestMesh) => mesh.condition('MeshPolicy', 'pool', 'Accepted');

/** One server without an Envoy, and calls to it with this policy. */
async function applyPool(mesh: TestMesh, connection: string, speaks: Speaks = 'http'): Promise<void> {
  const server = await mesh.openServer('server');
  await mesh.apply(service('shop', [server], { ports: { 80: speaks } }), policy(connection));
}

/** The ports of the connections on which requests arrived, in order. */
const connections = (mesh: TestMesh): readonly number[] => mesh.arrivals().map(({ peerPort }) => peerPort);

async function ask(mesh: TestMesh, count: number): Promise<void> {
  for (let nth = 0; nth < count; nth++) expect((await mesh.as('web').get('http://shop/')).status).to.equal(200);
}

feature('1.3-pools', 'a connection is kept, or closed after so many requests', async (mesh) => {
  await applyPool(mesh, 'connectTimeout: 1s');
  await ask(mesh, 8);
  expect(new Set(connections(mesh)).size).to.equal(1);
  await applyPool(mesh, 'maxRequestsPerConnection: 2');
  await ask(mesh, 8);
  expect(new Set(connections(mesh).slice(8)).size).to.equal(4);
});

for (const [title, member] of [
  ['an unused connection is closed in time', 'idleTimeout'],
  ['no connection outlives its life', 'maxDuration'],
] as const) {
  feature('1.3-pools', title, async (mesh) => {
    await applyPool(mesh, `${member}: 300ms`);
    await ask(mesh, 2);
    await clock.sleep(600);
    await ask(mesh, 1);
    const [first, second, third] = connections(mesh);
    expect(second).to.equal(first);
    expect(third).not.to.equal(first);
  });
}

/** Whether the kernel probes the connections of this local port when they are silent: 02 in the column of timers. */
const isProbed = (port: number): boolean =>
  readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .some(
      ([, local, , , , timer]) =>
        local?.endsWith(`:${port.toString(16).toUpperCase().padStart(4, '0')}`) === true &&
        timer?.startsWith('02') === true,
    );

feature('1.3-pools', 'silent connections are probed where that is asked for', async (mesh) => {
  for (const [seconds, probed] of [
    ['30s', true],
    ['0s', false],
  ] as const) {
    await applyPool(mesh, `tcpKeepalive: ${seconds}`);
    await ask(mesh, 1);
    expect(isProbed(connections(mesh).at(-1) ?? 0)).to.equal(probed);
  }
});

misuse('1.3-pools', 'a time to connect that is too short is named', async (mesh) => {
  await mesh.attempt(service('shop', ['v1']), policy('connectTimeout: 1ms'));
  expectCondition(await accepted(mesh), 'False Invalid', 'spec.upstream.connection.connectTimeout', '10ms');
});

feature(
  '1.2-lifetime',
  'at the end of its life a connection gets nothing new, and answers what it has',
  async (mesh) => {
    const meeting = async (maxDuration: string): Promise<number> => {
      await applyPool(mesh, `maxDuration: ${maxDuration}`, 'h2c');
      const before = connections(mesh).length;
      const slow = mesh.as('web').get('http://shop/', { 'x-app-delay': '1200' });
      await clock.sleep(600);
      await ask(mesh, 1);
      expect((await slow).status).to.equal(200);
      return new Set(connections(mesh).slice(before)).size;
    };
    expect(await meeting('1h')).to.equal(1);
    expect(await meeting('300ms')).to.equal(2);
  },
);

misuse('1.2-lifetime', 'a life that is no duration is named', async (mesh) => {
  await mesh.attempt(service('shop', ['v1']), policy('maxDuration: forever'));
  expectCondition(await accepted(mesh), 'False Invalid', 'spec.upstream.connection.maxDuration', 'forever');
});

misuse('1.3-h2-upstream', 'a version that no server can be asked in is named, with those that do', async (mesh) => {
  await mesh.attempt(service('shop', ['v1']), policy('httpVersion: HTTP3'));
  expectCondition(await accepted(mesh), 'False Invalid', 'spec.upstream.connection.httpVersion', 'HTTP3', "'HTTP2'");
});

feature('1.3-h2-options', 'streams share a connection, as many as allowed', async (mesh) => {
  const calls = async (connection: string): Promise<number> => {
    await applyPool(mesh, connection, 'h2c');
    const before = connections(mesh).length;
    await mesh.as('web').many(6, 'http://shop/', { headers: { 'x-app-delay': '200' } });
    return new Set(connections(mesh).slice(before)).size;
  };
  expect(await calls('maxConcurrentStreams: 100')).to.equal(1);
  expect(await calls('maxConcurrentStreams: 2')).to.equal(3);
});

feature('1.3-h2-options', 'the window of a stream is told to the server', async (mesh) => {
  await applyPool(mesh, 'streamWindowBytes: 70000', 'h2c');
  await ask(mesh, 1);
  expect(mesh.arrivals().map(({ window }) => window)).to.deep.equal([70_000]);
});

feature('1.3-h2-options', 'the version of HTTP is that of the caller unless told', async (mesh) => {
  for (const [version, spoken] of [
    ['Auto', '1.1'],
    ['HTTP2', '2.0'],
    ['HTTP1', '1.1'],
  ] as const) {
    await applyPool(mesh, `httpVersion: ${version}`);
    await ask(mesh, 1);
    expect(mesh.arrivals().at(-1)?.httpVersion, version).to.equal(spoken);
  }
});

misuse('1.3-h2-options', 'a window that HTTP/2 does not allow is named', async (mesh) => {
  await mesh.attempt(service('shop', ['v1']), policy('streamWindowBytes: 1000'));
  expectCondition(await accepted(mesh), 'False Invalid', 'spec.upstream.connection.streamWindowBytes', '65535');
});

for (const version of ['V1', 'V2'] as const) {
  feature('1.3-proxy-protocol', `${version}: the server learns who calls`, async (mesh) => {
    await applyPool(mesh, `proxyProtocol: ${version}`);
    await ask(mesh, 1);
    expect(mesh.arrivals()[0]?.proxied).to.match(/^127\.0\.0\.1:\d+$/);
  });
}

misuse('1.3-proxy-protocol', 'a version that does not exist is named', async (mesh) => {
  await mesh.attempt(service('shop', ['v1']), policy('proxyProtocol: V3'));
  expectCondition(await accepted(mesh), 'False Invalid', 'spec.upstream.connection.proxyProtocol', 'V3', 'V2');
});
