// What happens when endpoints fail, or are asked for too much.

import { expect } from 'chai';
import { systemClock as clock } from '../../../src/lib/clock.js';
import { eventually } from '../../support/eventually.js';
import type { Answer } from '../caller.js';
import { expectCondition } from '../expectations.js';
import type { TestMesh } from '../mesh.js';
import { feature, misuse } from '../registry.js';
import { countBy, expectShares } from '../statistics.js';
import { servers, service } from '../world.js';
import { route, upstreamPolicy } from '../written.js';

const policy = (upstream: string): string => upstreamPolicy('resilience', 'shop', upstream);
const accepted = (mesh: TestMesh) => mesh.condition('MeshPolicy', 'resilience', 'Accepted');
const by = ({ by }: Answer): string => by;
const always = '1000';

/** Who answers requests that fail at one server. */
async function answersWith(mesh: TestMesh, count: number, at: string): Promise<Readonly<Record<string, number>>> {
  const headers = { 'x-app-at': at, 'x-app-fail': always, 'x-app-status': '500' };
  const counts: Record<string, number> = {};
  for (let nth = 0; nth < count; nth++) {
    const { by, status } = await mesh.as('web').get('http://shop/', headers);
    const who = status === 200 ? by : `${by} fails`;
    counts[who] = (counts[who] ?? 0) + 1;
  }
  return counts;
}

feature('1.3-outlier', 'a server that fails is left alone for a while', async (mesh) => {
  const outlier = 'consecutive5xx: 3, interval: 100ms, baseEjectionTime: 700ms';
  await mesh.apply(
    service('shop', servers),
    policy(`outlierDetection: { ${outlier} }, loadBalancer: { type: RoundRobin }`),
  );
  expect(await answersWith(mesh, 30, 'v1')).to.have.property('v1 fails', 3);
  await eventually(async () => (await mesh.as('web').get('http://shop/')).by === 'v1', {
    what: 'the server to be back',
  });
});

feature('1.3-outlier', 'a server that cannot be reached is left alone, which costs no request', async (mesh) => {
  const [gone, there] = [await mesh.openServer('gone'), await mesh.openServer('there')];
  await gone.stop();
  await mesh.apply(service('shop', [gone, there]), policy('outlierDetection: { consecutiveLocalErrors: 2 }'));
  const cluster = `cluster.o/${mesh.namespace}/shop/80`;
  const failures = async (): Promise<number> =>
    (await mesh.envoy('web').stats(new RegExp(`^${cluster}.upstream_cx_connect_fail$`))).get(
      `${cluster}.upstream_cx_connect_fail`,
    ) ?? 0;
  for (let nth = 0; nth < 30; nth++) expect((await mesh.as('web').get('http://shop/')).by).to.equal('there');
  expect(await failures()).to.equal(2);
});

misuse('1.3-outlier', 'an interval that is too short is named', async (mesh) => {
  await mesh.attempt(service('shop', ['v1']), policy('outlierDetection: { interval: 10ms }'));
  expectCondition(await accepted(mesh), 'False Invalid', 'spec.upstream.outlierDetection.interval', '100ms');
});

const slowly = { 'x-app-delay': '400' };
const statuses = (answers: readonly Answer[]) => countBy(answers, ({ status }) => String(status));

feature('1.3-breakers', 'more requests at once than allowed are answered by the proxy', async (mesh) => {
  await mesh.apply(service('shop', ['v1']), policy('circuitBreaker: { maxRequests: 2 }'));
  const answers = await mesh.as('web').many(6, 'http://shop/', { headers: slowly });
  expect(statuses(answers)).to.deep.equal({ 200: 2, 503: 4 });
  expect(countBy(answers, by)).to.deep.equal({ v1: 2, 503: 4 });
});

feature('1.3-breakers', 'requests wait for one of few connections, and only as many as allowed', async (mesh) => {
  const server = await mesh.openServer('single');
  await mesh.apply(service('shop', [server]), policy('circuitBreaker: { maxConnections: 1 }'));
  expect(statuses(await mesh.as('web').many(4, 'http://shop/', { headers: { 'x-app-delay': '50' } }))).to.deep.equal({
    200: 4,
  });
  expect(new Set(mesh.arrivals().map(({ peerPort }) => peerPort)).size).to.equal(1);
  await mesh.apply(service('shop', [server]), policy('circuitBreaker: { maxConnections: 1, maxPendingRequests: 1 }'));
  // While the connection is being made, the first request waits, too.
  await mesh.as('web').get('http://shop/');
  expect(statuses(await mesh.as('web').many(5, 'http://shop/', { headers: slowly }))).to.deep.equal({
    200: 2,
    503: 3,
  });
});

feature('1.3-breakers', 'connections to one endpoint are counted apart', async (mesh) => {
  const [one, two] = [await mesh.openServer('one'), await mesh.openServer('two')];
  await mesh.apply(
    service('shop', [one, two]),
    policy('circuitBreaker: { maxConnectionsPerEndpoint: 1 }, loadBalancer: { type: RoundRobin }'),
  );
  const answers = await mesh.as('web').many(6, 'http://shop/', { headers: { 'x-app-delay': '100' } });
  expect(countBy(answers, by)).to.deep.equal({ one: 3, two: 3 });
  expect(new Set(mesh.arrivals().map(({ pod, peerPort }) => `${pod} ${String(peerPort)}`)).size).to.equal(2);
});

/** Requests that all fail once at the same time: how many tries arrived, and the answers. */
async function failOnce(mesh: TestMesh, upstream: string, count: number) {
  await mesh.apply(
    service('shop', ['v1']),
    policy(upstream),
    route(
      'main',
      'shop',
      '  - { retry: { attempts: 1, codes: [503], backoff: 1ms }, backendRefs: [{ name: shop, port: 80 }] }',
    ),
  );
  const ids = Array.from({ length: count }, () => mesh.freshId());
  const headers = { 'x-app-fail': '1', 'x-app-delay': '300' };
  const answers = await mesh
    .as('web')
    .many(count, 'http://shop/', (index) => ({ headers: { ...headers, 'x-id': ids[index] ?? '' } }));
  return { statuses: statuses(answers), tries: ids.reduce((sum, id) => sum + mesh.triesOf(id), 0) };
}

feature('1.3-breakers', 'more retries at once than allowed do not happen', async (mesh) => {
  expect(await failOnce(mesh, 'circuitBreaker: { maxRetries: 1 }', 5)).to.deep.equal({
    statuses: { 200: 1, 503: 4 },
    tries: 6,
  });
});

misuse('1.3-breakers', 'a fixed number of retries and a budget exclude each other', async (mesh) => {
  await mesh.attempt(
    service('shop', ['v1']),
    policy('circuitBreaker: { maxRetries: 1 }, retryBudget: { percent: 10 }'),
  );
  expectCondition(await accepted(mesh), 'False Invalid', '`circuitBreaker.maxRetries` and `retryBudget`');
});

feature('1.2-retry-budget', 'retries are a share of what is asked, and never less than promised', async (mesh) => {
  const triesWith = async (budget: string): Promise<number> =>
    (await failOnce(mesh, `retryBudget: { ${budget} }`, 10)).tries;
  expect(await triesWith('percent: 0, minConcurrency: 3')).to.equal(13);
  // Requests that have failed and wait for their turn are no longer active: shares are a little smaller than they seem.
  expect(await triesWith('percent: 50, minConcurrency: 1')).to.be.within(12, 17);
  expect(await triesWith('percent: 100, minConcurrency: 1')).to.be.within(16, 20);
});

misuse('1.2-retry-budget', 'a share above the whole is named', async (mesh) => {
  await mesh.attempt(service('shop', ['v1']), policy('retryBudget: { percent: 120 }'));
  expectCondition(await accepted(mesh), 'False Invalid', 'spec.upstream.retryBudget.percent', '100');
});

const checking = (check: string): string =>
  policy(
    `healthCheck: { ${check}, interval: 1s, timeout: 500ms, unhealthyThreshold: 1 }, loadBalancer: { type: RoundRobin }`,
  );

/** Waits until only these servers answer, and sees that it stays so. */
async function expectServers(mesh: TestMesh, url: string, wanted: readonly string[]): Promise<void> {
  const shares = Object.fromEntries(wanted.map((one) => [one, 1 / wanted.length]));
  const seen = async (size: number) => countBy(await mesh.as('web').many(size, url), by);
  await eventually(
    async () =>
      Object.keys(await seen(6))
        .sort()
        .join() === wanted.join(),
    { what: wanted.join() },
  );
  expectShares(await seen(30), shares);
}

feature('1.3-health', 'HTTP: who answers its check with another status is left out', async (mesh) => {
  const sick = `/health?x-app-at=v2&x-app-fail=${always}&x-app-status=500`;
  await mesh.apply(service('shop', servers), checking(`protocol: HTTP, path: '${sick}'`));
  await expectServers(mesh, 'http://shop/', ['v1', 'v3']);
  await mesh.apply(service('shop', servers), checking(`protocol: HTTP, path: '${sick}', statuses: [500]`));
  await expectServers(mesh, 'http://shop/', ['v2']);
});

feature('1.3-health', 'gRPC: who does not serve is left out', async (mesh) => {
  const ports = { ports: { 80: 'grpc' } } as const;
  await mesh.apply(service('shop', servers, ports), checking('protocol: GRPC, path: v3'));
  await expectServers(mesh, 'http://shop/', ['v3']);
});

feature('1.3-health', 'TCP: who takes no connection is left out, and is back when it does', async (mesh) => {
  const [gone, there] = [await mesh.openServer('gone'), await mesh.openServer('there')];
  await gone.stop();
  await mesh.apply(
    service('shop', [gone, there]),
    checking('protocol: TCP'),
    route('once', 'shop', '  - { retry: { attempts: 0 }, backendRefs: [{ name: shop, port: 80 }] }'),
  );
  await expectServers(mesh, 'http://shop/', ['there']);
});

misuse('1.3-health', 'a protocol that is not known is named', async (mesh) => {
  await mesh.attempt(service('shop', ['v1']), checking('protocol: UDP'));
  expectCondition(await accepted(mesh), 'False Invalid', 'spec.upstream.healthCheck.protocol', 'UDP', 'GRPC');
});

const retrying = (attempts: number): string => `retry: { attempts: ${String(attempts)}, retryOn: [ServerError] }`;

feature('1.3-defaults', 'mesh, namespace, Service, route and rule: the nearest says how often', async (mesh) => {
  const elsewhere = `${mesh.namespace}-b`;
  const general = (namespace: string, upstream: string): string =>
    `{ apiVersion: legation.dev/v1alpha1, kind: MeshPolicy, metadata: { name: general, namespace: ${namespace} }, spec: { upstream: { ${upstream} } } }`;
  const to = 'backendRefs: [{ name: shop, port: 80 }]';
  const rules = [
    `  - { name: own, matches: [{ path: { value: /own } }], retry: { attempts: 0 }, ${to} }`,
    `  - { name: told, matches: [{ path: { value: /told } }], ${to} }`,
    `  - { name: silent, ${to} }`,
  ].join('\n');
  await mesh.apply(
    ...[service('shop', ['v1']), service('cart', ['v1']), service('plain', ['v1'])],
    service('far', ['v1'], { namespace: elsewhere }),
    ...[general('legation-system', `${retrying(1)}, timeouts: { request: 4s }`), general(mesh.namespace, retrying(2))],
    ...[
      route('shop', 'shop', rules),
      route('cart', 'cart', '  - { name: any, backendRefs: [{ name: cart, port: 80 }] }'),
    ],
    upstreamPolicy('of-service', 'cart', retrying(3)),
    upstreamPolicy('of-route', '{ kind: TrafficRoute, name: shop }', retrying(4)),
    upstreamPolicy('of-rule', '{ kind: TrafficRoute, name: shop, sectionName: told }', retrying(5)),
  );
  const triesAt = async (url: string): Promise<number> => {
    const id = mesh.freshId();
    const { status } = await mesh.as('web').get(url, { 'x-id': id, 'x-app-fail': always });
    expect(status).to.equal(503);
    return mesh.triesOf(id);
  };
  const wanted = {
    [`http://far.${elsewhere}/`]: 2,
    'http://plain/': 3,
    'http://cart/': 4,
    'http://shop/': 5,
    'http://shop/told': 6,
    'http://shop/own': 1,
  };
  const seen = await Promise.all(Object.keys(wanted).map(async (url) => [url, await triesAt(url)] as const));
  expect(Object.fromEntries(seen)).to.deep.equal(wanted);
});

feature(
  '1.3-defaults',
  'members stand on their own: a timeout of the mesh holds beside retries of a Service',
  async (mesh) => {
    const upstream = 'timeouts: { request: 300ms }';
    await mesh.apply(
      service('shop', ['v1']),
      `{ apiVersion: legation.dev/v1alpha1, kind: MeshPolicy, metadata: { name: general }, spec: { upstream: { ${upstream} } } }`,
      policy(retrying(1)),
      route(
        'main',
        'shop',
        `
  - { matches: [{ path: { value: /own } }], timeouts: { request: 4s }, backendRefs: [{ name: shop, port: 80 }] }
  - { backendRefs: [{ name: shop, port: 80 }] }`,
      ),
    );
    const start = clock.now();
    expect((await mesh.as('web').get('http://shop/', { 'x-app-delay': '2000' })).status).to.equal(504);
    expect(clock.now() - start).to.be.within(290, 1900);
    expect((await mesh.as('web').get('http://shop/own', { 'x-app-delay': '500' })).by).to.equal('v1');
  },
);

misuse('1.3-defaults', 'of two policies of one level the older wins, and the other is told', async (mesh) => {
  const aged = (name: string, day: string): string =>
    upstreamPolicy(name, 'shop', retrying(1)).replace('}', `, creationTimestamp: '2026-01-${day}T00:00:00Z' }`);
  await mesh.attempt(service('shop', ['v1']), aged('resilience', '02'), aged('older', '01'));
  const told = await mesh.condition('MeshPolicy', 'resilience', 'Conflicted');
  expectCondition(told, 'True OlderWins', '`upstream.retry`', `'${mesh.namespace}/older'`);
});

/** The cluster of a port as the caller's Envoy has it. */
const clusterAt = (mesh: TestMesh, port: number): Promise<string> =>
  mesh
    .envoy('web')
    .admin(`/config_dump?resource=dynamic_active_clusters&name_regex=o/${mesh.namespace}/shop/${String(port)}`);

misuse('1.3-health', 'what Envoy refuses costs that member on that port, and nothing else', async (mesh) => {
  const shop = service('shop', ['v1'], { ports: { 80: 'http', 81: 'tcp' } });
  await mesh.apply(shop, policy('outlierDetection: { consecutive5xx: 2 }'));
  // Envoy checks by gRPC only what speaks HTTP/2; bytes are sent in no version.
  const refused = 'healthCheck: { protocol: GRPC }, connection: { httpVersion: HTTP1, connectTimeout: 2s }';
  await mesh.attempt(shop, policy(`outlierDetection: { consecutive5xx: 3 }, ${refused}`));
  const told = await mesh.condition('MeshPolicy', 'resilience', 'Programmed');
  expectCondition(told, 'False RejectedByProxy', '`spec.upstream.connection`', 'HTTP/2', `o/${mesh.namespace}/shop/80`);
  await eventually(async () => (await clusterAt(mesh, 80)).includes('"consecutive_5xx": 3'), {
    what: 'the rest of the policy to be in force',
  });
  expect(await clusterAt(mesh, 80))
    .to.include('grpc_health_check')
    .and.to.include('"connect_timeout": "5s"');
  expect(await clusterAt(mesh, 81))
    .to.include('grpc_health_check')
    .and.to.include('"connect_timeout": "2s"');
  await mesh.apply(shop, policy('outlierDetection: { consecutive5xx: 4 }, connection: { connectTimeout: 3s }'));
  expect(await clusterAt(mesh, 80))
    .to.include('"consecutive_5xx": 4')
    .and.to.include('"connect_timeout": "3s"');
});
