// What is spoken on the way.

import { expect } from 'chai';
import { lineFrom, openTunnel } from '../../envoy/connections.js';
import { expectCondition } from '../expectations.js';
import type { TestMesh } from '../mesh.js';
import { feature, misuse } from '../registry.js';
import { service } from '../world.js';
import { route } from '../written.js';

const versionsOf = async (mesh: TestMesh, url: string): Promise<readonly unknown[]> => {
  const web = mesh.as('web');
  return [(await web.get(url)).seen?.httpVersion, (await web.http2(url)).seen?.httpVersion];
};

feature('1.1-http', 'HTTP/1.1 and HTTP/2 arrive as they were sent, through the same rule', async (mesh) => {
  await mesh.apply(service('shop', ['v1']), route('main', 'shop', '  - backendRefs: [{ name: shop, port: 80 }]'));
  expect(await versionsOf(mesh, 'http://shop/x?y=1')).to.deep.equal(['1.1', '2.0']);
  const body = 'x'.repeat(100_000);
  const posted = await mesh.as('web').ask('http://shop/x?y=1', { method: 'POST', body });
  expect(posted.seen).to.include({ method: 'POST', path: '/x?y=1' });
  expect(posted.seen?.headers['content-length'] ?? 'chunked').to.be.oneOf(['100000', 'chunked']);
});

misuse('1.1-http', 'a protocol that does not exist is named, with those that do', async (mesh) => {
  const main = route('main', 'shop', '  - backendRefs: [{ name: shop, port: 80 }]');
  await mesh.attempt(service('shop', ['v1']), main.replace('spec:', 'spec:\n  protocol: SPDY'));
  const told = await mesh.condition('TrafficRoute', 'main', 'Accepted');
  expectCondition(told, 'False Invalid', 'spec.protocol', 'SPDY', 'HTTP');
});

feature('1.3-h2-upstream', 'h2c where the Service asks for it, whatever the client speaks', async (mesh) => {
  await mesh.apply(
    ...[service('plain', ['v1']), service('modern', ['v1'], { ports: { 80: 'h2c' } })],
    route('main', 'modern', '  - backendRefs: [{ name: modern, port: 80 }]'),
  );
  expect(await versionsOf(mesh, 'http://modern/')).to.deep.equal(['2.0', '2.0']);
  expect(await versionsOf(mesh, 'http://plain/')).to.deep.equal(['1.1', '2.0']);
});

misuse('1.3-upgrades', 'WebSocket over TLS holds no rules for requests, and the route is told', async (mesh) => {
  const secure = { name: 'socket', port: 80, appProtocol: 'kubernetes.io/wss' };
  await mesh.attempt(
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'shop' }, spec: { ports: [secure] } },
    route('main', 'shop', '  - filters: [{ type: DirectResponse, directResponse: { statusCode: 204 } }]')
      .replace('{ name: main }', `{ name: main, namespace: ${mesh.guests} }`)
      .replace('{ name: shop }', `{ name: shop, namespace: ${mesh.namespace} }`),
  );
  const told = await mesh.condition('TrafficRoute', `${mesh.guests}/main`, 'Accepted');
  expectCondition(told, 'False ProtocolMismatch', 'Port 80', 'is not HTTP', `'${mesh.namespace}'`);
});

feature('1.3-upgrades', 'WebSocket bytes go both ways, to the server that the rule names', async (mesh) => {
  await mesh.apply(
    ...[service('shop', ['v1']), service('two', ['v2'])],
    route('main', 'shop', '  - backendRefs: [{ name: two, port: 80 }]'),
  );
  const bytes = 'frames of any kind: \u0001\u0002';
  const { status, body, headers } = await mesh.as('web').upgrade('http://shop/socket', bytes);
  expect([status, body, headers['x-pod']]).to.deep.equal([101, bytes, `${mesh.apps}/v2-0`]);
});

/** Opens a tunnel as `web`, sends a line, and has what came back; the status where there was no tunnel. */
async function throughTunnel(mesh: TestMesh, authority: string, line: string): Promise<string> {
  const { status, socket } = await openTunnel(mesh.envoy('web').proxy, authority);
  if (socket === undefined) return String(status);
  socket.write(`${line}\n`);
  const answer = await lineFrom(socket);
  socket.destroy();
  return answer;
}

feature('1.3-connect', 'a tunnel leads to the server that the rule names, which ends it', async (mesh) => {
  await mesh.apply(
    ...[service('shop', ['v1']), service('two', ['v2'])],
    route(
      'main',
      'shop',
      `
  - { name: tunnel, matches: [{ method: CONNECT }], backendRefs: [{ name: two, port: 80 }] }
  - { name: rest, backendRefs: [{ name: shop, port: 80 }] }`,
    ),
  );
  // Servers of the tests say in capitals what comes by a tunnel.
  expect(await throughTunnel(mesh, `shop.${mesh.namespace}:80`, 'by tunnel')).to.equal('BY TUNNEL');
  const [arrival] = mesh.arrivals();
  expect([arrival?.method, arrival?.pod]).to.deep.equal(['CONNECT', `${mesh.apps}/v2-0`]);
  expect((await mesh.as('web').get('http://shop/')).by).to.equal('v1');
  expect(await throughTunnel(mesh, `two.${mesh.namespace}:80`, 'without a rule')).to.equal('404');
});

feature('1.3-connect', 'WebSocket is carried over HTTP/2, from the client and to the server', async (mesh) => {
  await mesh.apply(service('shop', ['v1'], { ports: { 80: 'h2c' } }), service('two', ['v2']));
  const bytes = 'frames of any kind: \u0001\u0002';
  const web = mesh.as('web');
  const ways = [
    ...[await web.upgrade('http://shop/h1-to-h2', bytes), await web.upgradeHttp2('http://shop/h2-to-h2', bytes)],
    await web.upgradeHttp2('http://two/h2', bytes),
  ];
  expect(ways.map(({ status, body, headers }) => [status, body, headers['x-pod']])).to.deep.equal([
    [101, bytes, `${mesh.apps}/v1-0`],
    [200, bytes, `${mesh.apps}/v1-0`],
    [200, bytes, `${mesh.apps}/v2-0`],
  ]);
  expect(mesh.arrivals().map(({ httpVersion, method }) => `${method} ${httpVersion}`)).to.deep.equal([
    ...['CONNECT 2.0', 'CONNECT 2.0', 'CONNECT 2.0'],
  ]);
});

feature('1.3-connect', 'an upgrade to anything else is answered 403, and reaches nobody', async (mesh) => {
  await mesh.apply(service('shop', ['v1']));
  const { status } = await mesh.as('web').upgrade('http://shop/', 'bytes', { headers: { upgrade: 'chat' } });
  expect([status, mesh.arrivals().length]).to.deep.equal([403, 0]);
});

misuse('1.3-connect', 'a tunnel has no path to match', async (mesh) => {
  const match = '{ method: CONNECT, path: { value: /api } }';
  const main = route('main', 'shop', `  - { matches: [${match}], backendRefs: [{ name: shop, port: 80 }] }`);
  await mesh.attempt(service('shop', ['v1']), main);
  const told = await mesh.condition('TrafficRoute', 'main', 'Accepted');
  expectCondition(told, 'False Invalid', 'spec.rules[0].matches[0]', "must not be set beside `method` 'CONNECT'");
});

feature('1.5-protocol', 'appProtocol decides, and the name of the port where it is silent', async (mesh) => {
  await mesh.apply(
    ...[service('declared', ['v1'], { ports: { 80: 'h2c' } }), service('named', ['v1'], { ports: { 80: 'named' } })],
    service('plain', ['v1'], { ports: { 80: 'http' } }),
  );
  expect(await versionsOf(mesh, 'http://declared/')).to.deep.equal(['2.0', '2.0']);
  expect(await versionsOf(mesh, 'http://named/')).to.deep.equal(['2.0', '2.0']);
  expect(await versionsOf(mesh, 'http://plain/')).to.deep.equal(['1.1', '2.0']);
});

misuse('1.5-protocol', 'a consumer cannot make HTTP of a port that is not', async (mesh) => {
  await mesh.attempt(
    service('cache', ['v1'], { ports: { 6379: 'tcp' } }),
    route('main', 'cache', '  - filters: [{ type: DirectResponse, directResponse: { statusCode: 204 } }]')
      .replace('{ name: main }', `{ name: main, namespace: ${mesh.guests} }`)
      .replace('{ name: cache }', `{ name: cache, namespace: ${mesh.namespace} }`),
  );
  const told = await mesh.condition('TrafficRoute', `${mesh.guests}/main`, 'Accepted');
  expectCondition(told, 'False ProtocolMismatch', 'Port 6379', 'is not HTTP', `'${mesh.namespace}'`);
});
