// The built-in application: echo, latency, failures, calls, and following edits, over real sockets on loopback.
import { connect } from 'node:http2';
import { createServer, request } from 'node:http';
import { expect } from 'chai';
import {
  type ApplicationPod,
  type Applications,
  createApplications,
  isFailure,
} from '../../../src/sandbox/application.js';
import { applicationOrder, parseApplicationPods } from '../../../src/sandbox/application-orders.js';
import { freePort } from '../../../src/sandbox/loopback.js';
import type { Clock } from '../../../src/lib/clock.js';

const address = '127.78.211.9';
const calm = { latencyMs: 0, failurePercent: 0, failureStatus: 503, calls: [] };

/** A clock whose sleeps are noted and over at once. */
function notingClock(): Clock & { readonly slept: number[] } {
  const slept: number[] = [];
  return {
    slept,
    now: () => 0,
    sleep: (delayMs) => {
      slept.push(delayMs);
      return Promise.resolve();
    },
    schedule: () => () => undefined,
  };
}

async function ask(
  port: number,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Record<string, unknown> }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: Record<string, unknown> }>();
  const outgoing = request({ host: address, port, path, headers, agent: false }, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => (text += chunk));
    response.on('end', () => {
      resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as Record<string, unknown> });
    });
  });
  outgoing.on('error', reject);
  outgoing.end();
  return promise;
}

describe('sandbox: built-in application', () => {
  let clock: ReturnType<typeof notingClock>;
  let applications: Applications;
  let port = 0;
  let pod: ApplicationPod;

  beforeEach(async () => {
    clock = notingClock();
    applications = createApplications({ clock });
    port = (await freePort(address, 21000)) ?? 0;
    pod = {
      namespace: 'shop',
      name: 'web-0',
      labels: { app: 'web' },
      address,
      ports: [port],
      proxy: `${address}:1`,
      behaviour: calm,
    };
  });

  afterEach(() => applications.close());

  it('echoes what it was asked, and who it is', async () => {
    expect(await applications.apply([pod])).to.deep.equal([]);
    const { status, body } = await ask(port, '/x?y=1', { 'x-test': 'yes' });
    expect(status).to.equal(200);
    expect(body).to.include({ pod: 'web-0', namespace: 'shop', method: 'GET', path: '/x?y=1' });
    expect(body['labels']).to.deep.equal({ app: 'web' });
    expect(body['headers']).to.include({ 'x-test': 'yes' });
  });

  it('speaks HTTP/2 with prior knowledge on the same port', async () => {
    await applications.apply([pod]);
    const session = connect(`http://${address}:${port}`);
    const stream = session.request({ ':path': '/h2', 'x-test': 'two' });
    let text = '';
    let status: unknown;
    stream.setEncoding('utf8');
    stream.on('response', (headers) => (status = headers[':status']));
    for await (const chunk of stream) text += String(chunk);
    session.close();
    expect(status).to.equal(200);
    const body = JSON.parse(text) as { path: string; headers: Record<string, string> };
    expect(body.path).to.equal('/h2');
    expect(body.headers).to.deep.equal({ 'x-test': 'two' });
  });

  it('answers without a body where there may be none', async () => {
    await applications.apply([{ ...pod, behaviour: { ...calm, failurePercent: 50, failureStatus: 204 } }]);
    const session = connect(`http://${address}:${port}`);
    for (const [method, expected] of [
      ['HEAD', 200],
      ['GET', 204],
      ['GET', 200],
    ] as const) {
      const stream = session.request({ ':method': method });
      let status: unknown;
      stream.on('response', (headers) => (status = headers[':status']));
      stream.resume();
      await new Promise((resolve) => stream.on('close', resolve));
      expect(status).to.equal(expected);
    }
    session.close();
  });

  it('calls URLs with anything in them, and survives what cannot be called', async () => {
    const calls = ['http://a/x y', 'http://a/\u00e9', 'http://[::1]:1/'];
    await applications.apply([{ ...pod, behaviour: { ...calm, calls } }]);
    const { status, body } = await ask(port, '/');
    expect(status).to.equal(502);
    expect(body['calls']).to.have.length(3);
  });

  it('is as slow and as failing as its annotations say, and follows edits', async () => {
    await applications.apply([
      { ...pod, behaviour: { ...calm, latencyMs: 70, failurePercent: 50, failureStatus: 500 } },
    ]);
    const statuses = [];
    for (let count = 0; count < 4; count += 1) statuses.push((await ask(port, '/')).status);
    expect(statuses).to.deep.equal([200, 500, 200, 500]);
    expect(clock.slept).to.deep.equal([70, 70, 70, 70]);
    await applications.apply([pod]);
    expect((await ask(port, '/')).status).to.equal(200);
    expect(clock.slept).to.have.length(4);
  });

  it('calls others through its sidecar, passes headers on, and fails when they fail', async () => {
    const seen: { url: string | undefined; headers: Record<string, unknown> }[] = [];
    const proxy = createServer((incoming, response) => {
      seen.push({ url: incoming.url, headers: incoming.headers });
      response.statusCode = incoming.url?.endsWith('/bad') === true ? 503 : 200;
      response.end('{"fine":true}');
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const bound = proxy.address();
    const proxyPort = typeof bound === 'object' && bound !== null ? bound.port : 0;
    const calling = (url: string): ApplicationPod => ({
      ...pod,
      proxy: `127.0.0.1:${proxyPort}`,
      behaviour: { ...calm, calls: [url] },
    });
    try {
      await applications.apply([calling('http://ratings:9080/good')]);
      const good = await ask(port, '/', { 'x-user': 'ann', 'x-envoy-attempt-count': '1', cookie: 'secret' });
      expect(good.status).to.equal(200);
      expect(good.body['calls']).to.deep.equal([
        { url: 'http://ratings:9080/good', status: 200, answer: { fine: true } },
      ]);
      expect(seen[0]?.url).to.equal('http://ratings:9080/good');
      expect(seen[0]?.headers).to.include({ host: 'ratings:9080', 'x-user': 'ann' });
      expect(seen[0]?.headers).not.to.have.any.keys('x-envoy-attempt-count', 'cookie');
      await applications.apply([calling('http://ratings:9080/bad')]);
      expect((await ask(port, '/')).status).to.equal(502);
      expect((await ask(port, '/', { 'x-sandbox-hops': '8' })).status).to.equal(508);
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });

  it('opens and closes ports as pods come and go, and names a port that is taken', async () => {
    await applications.apply([pod]);
    const second = createApplications({ clock });
    const problems = await second.apply([pod]);
    expect(problems).to.have.length(1);
    expect(problems[0]).to.include('shop/web-0').and.to.include(String(port)).and.to.include('EADDRINUSE');
    await second.close();
    await applications.apply([]);
    const refused = await ask(port, '/').catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(Error);
  });

  it('spreads failures evenly', () => {
    const failures = (percent: number): number =>
      Array.from({ length: 1000 }, (_, index) => isFailure(index + 1, percent)).filter(Boolean).length;
    expect([0, 0.5, 10, 33.3, 100].map(failures)).to.deep.equal([0, 5, 100, 333, 1000]);
  });

  it('reads the orders that the supervisor writes, and drops what is none', () => {
    expect(parseApplicationPods(applicationOrder([pod]))).to.deep.equal([pod]);
    expect(parseApplicationPods('[{"name":"x"}, 3, null]')).to.deep.equal([]);
    expect(parseApplicationPods('{}')).to.deep.equal([]);
  });
});
