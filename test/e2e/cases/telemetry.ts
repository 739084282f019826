// What proxies report of requests: metrics, and lines of logs.

import { expect } from 'chai';
import { eventually } from '../../support/eventually.js';
import { accessLogEntries, collectorService, otlpLogs } from '../collectors.js';
import { expectCondition } from '../expectations.js';
import type { TestMesh } from '../mesh.js';
import { feature, misuse } from '../registry.js';
import {
  ask,
  grant,
  ofApps,
  ofMesh,
  provider,
  series,
  shop,
  system,
  untilReceived,
  withCollector,
} from '../reporting.js';
import { expectShare } from '../statistics.js';
import { service } from '../world.js';

/** Waits until requests are served by a listener that counts by rule. */
const countsByRule = (mesh: TestMesh): Promise<unknown> =>
  eventually(
    async () => {
      await ask(mesh, '/warm');
      const seen = await series(mesh, 'web', 'envoy_mesh_requests_total');
      return seen.some(({ labels }) => labels['rule'] === `${mesh.namespace}/served/main`);
    },
    { what: 'requests to be counted by rule', deadlineMs: 10_000, everyMs: 50 },
  );

const sum = (found: readonly { readonly value: number }[]): number => found.reduce((all, { value }) => all + value, 0);

/** Histograms are merged every ten seconds. */
const merged = { what: 'durations to be merged', deadlineMs: 15_000, everyMs: 250 };

const asked = { '/ok': 7, '/teapot': 3, '/nobody': 5 } as const;

const askAll = async (mesh: TestMesh): Promise<void> => {
  for (const [path, count] of Object.entries(asked))
    await Promise.all(Array.from({ length: count }, () => ask(mesh, path)));
};

/** Envoy's own statistics: Service and rule with status and time, without source and flags, and of no answer of its own. */
async function countsWithoutLogger(mesh: TestMesh): Promise<void> {
  const byStatus = (found: Awaited<ReturnType<typeof series>>, label: string) =>
    found
      .filter(({ labels }) => labels[label]?.includes(mesh.namespace) === true)
      .map(({ labels, value }) => `${labels[label] ?? ''} ${labels['envoy_response_code'] ?? ''} ${String(value)}`)
      .sort();
  const ofPod = async () =>
    sum(
      (await series(mesh, 'v1', 'envoy_cluster_upstream_rq')).filter(
        ({ labels }) => labels['envoy_cluster_name'] === 'i/8080',
      ),
    );
  const before = await ofPod();
  await askAll(mesh);
  expect(byStatus(await series(mesh, 'web', 'envoy_vhost_route_upstream_rq'), 'envoy_route')).to.deep.equal([
    `${mesh.namespace}/served/main 200 7`,
    `${mesh.namespace}/served/nobody 503 5`,
  ]);
  expect(byStatus(await series(mesh, 'web', 'envoy_cluster_upstream_rq'), 'envoy_cluster_name')).to.deep.equal([
    `o/${mesh.namespace}/empty/80 503 5`,
    `o/${mesh.namespace}/shop/80 200 7`,
  ]);
  expect(await ofPod()).to.equal(before + 7);
  const timed = async () =>
    byStatus(await series(mesh, 'web', 'envoy_vhost_route_upstream_rq_time_count'), 'envoy_route').join();
  await eventually(async () => (await timed()) === `${mesh.namespace}/served/main  7`, merged);
}

feature('1.6-metrics', 'N requests are N in the counters, label by label', async (mesh) => {
  await mesh.apply(...shop, ofApps(mesh, '  telemetry: { metrics: { profile: PerRoute } }'));
  if (mesh.version.startsWith('1.36.')) {
    const degraded = await mesh.condition('MeshPolicy', `${mesh.apps}/telemetry`, 'Degraded');
    expectCondition(degraded, 'True UnsupportedByProxy', '1.36.4', 'from 1.37', 'by cluster and rule');
    await countsWithoutLogger(mesh);
    return 'fallback';
  }
  await countsByRule(mesh);
  const destination = `shop.${mesh.namespace}`;
  const byRule = async (rule: string) =>
    (await series(mesh, 'web', 'envoy_mesh_requests_total')).filter(
      ({ labels }) => labels['rule'] === `${mesh.namespace}/served/${rule}`,
    );
  const delivered = async () =>
    sum(
      (await series(mesh, 'v1', 'envoy_mesh_requests_total')).filter(
        ({ labels }) => labels['reporter'] === 'server' && labels['destination'] === `Deployment/v1.${mesh.apps}`,
      ),
    );
  const before = { main: sum(await byRule('main')), delivered: await delivered() };
  await askAll(mesh);
  await eventually(async () => sum(await byRule('nobody')) === 5 && (await delivered()) === before.delivered + 7, {
    what: 'all requests to be counted',
  });
  const source = `Deployment/web.${mesh.apps}`;
  const [main, ...others] = await byRule('main');
  expect(others).to.deep.equal([]);
  expect(main?.value).to.equal(before.main + 7);
  expect(main?.labels).to.include({ reporter: 'client', source, destination, code: '200', flags: '-' });
  const [teapot] = await byRule('teapot');
  expect(teapot?.value).to.equal(3);
  expect(teapot?.labels).to.include({ source, destination: '', code: '418', flags: '-' });
  const [nobody] = await byRule('nobody');
  expect(nobody?.value).to.equal(5);
  expect(nobody?.labels).to.include({ source, destination: `empty.${mesh.namespace}`, code: '503', flags: 'UH' });
  const timed = async () =>
    (await series(mesh, 'web', 'envoy_mesh_request_duration_ms_count')).filter(
      ({ labels }) => labels['rule'] === `${mesh.namespace}/served/main`,
    );
  await eventually(async () => sum(await timed()) === before.main + 7, merged);
  return undefined;
});

misuse('1.6-metrics', 'a label that cannot be dropped is named', async (mesh) => {
  await mesh.attempt(service('shop', ['v1']), ofApps(mesh, '  telemetry: { metrics: { dropTags: [host] } }'));
  expectCondition(
    await mesh.condition('MeshPolicy', `${mesh.apps}/telemetry`, 'Accepted'),
    'False Invalid',
    "`telemetry.metrics.dropTags[0]` is 'host'",
    'source, destination',
  );
});

type Line = Readonly<Record<string, unknown>>;

/** Lines of the caller's Envoy about a path. */
const linesOf = (mesh: TestMesh, path: string): readonly Line[] =>
  mesh
    .envoy('web')
    .log()
    .split('\n')
    .filter((line) => line.startsWith('{') && line.includes(`"${path}"`))
    .map((line) => JSON.parse(line) as Line);

/** Asks for a path until there is a line about it. */
const lineOf = async (mesh: TestMesh, path: string): Promise<Line> => {
  await eventually(
    async () => {
      await ask(mesh, path);
      return linesOf(mesh, path).length > 0;
    },
    { what: `a line about ${path}`, deadlineMs: 10_000, everyMs: 100 },
  );
  return linesOf(mesh, path)[0] ?? {};
};

feature(
  '1.6-access-logs',
  'errors are written by default, and name rule, source, destination and flags',
  async (mesh) => {
    await mesh.apply(...shop);
    await Promise.all([ask(mesh, `/ok-${mesh.namespace}`), ask(mesh, `/teapot`)]);
    const line = await lineOf(mesh, `/nobody/${mesh.namespace}`);
    expect(line).to.include({
      rule: `${mesh.namespace}/served/nobody`,
      source: `Deployment/web.${mesh.apps}`,
      destination: `empty.${mesh.namespace}`,
      flags: 'UH',
      direction: 'outbound',
    });
    expect(linesOf(mesh, `/ok-${mesh.namespace}`)).to.deep.equal([]);
  },
);

feature('1.6-access-logs', 'all requests that a filter lets through are written, with further fields', async (mesh) => {
  await mesh.apply(
    ...shop,
    ofMesh('  telemetry: { accessLog: { fields: { agent: "%REQ(x-agent)%" } } }'),
    ofApps(mesh, `  telemetry: { accessLog: { level: All, filter: "request.url_path.startsWith('/seen')" } }`),
  );
  const path = `/seen-${mesh.namespace}`;
  expect(await lineOf(mesh, path)).to.include({ rule: `${mesh.namespace}/served/main`, code: 200 });
  await ask(mesh, '/unseen');
  await mesh.as('web').http2(`http://shop${path}-2`, { headers: { 'x-agent': 'me' } });
  await eventually(() => linesOf(mesh, `${path}-2`).length > 0, { what: 'the second line' });
  expect(linesOf(mesh, `${path}-2`)[0]).to.include({ agent: 'me' });
  expect(linesOf(mesh, '/unseen')).to.deep.equal([]);
});

feature('1.6-access-logs', 'a share of the requests is written, as text', async (mesh) => {
  await mesh.apply(
    ...shop,
    ofMesh('  telemetry: { accessLog: { format: Text } }'),
    ofApps(mesh, '  telemetry: { accessLog: { level: All, samplingPercent: 30 } }'),
  );
  const textLines = (path: string): number =>
    mesh
      .envoy('web')
      .log()
      .split('\n')
      .filter((line) => line.includes(` path=${path} `) && line.includes(` rule=${mesh.namespace}/served/main `))
      .length;
  await eventually(
    async () => {
      await ask(mesh, '/first');
      return textLines('/first') > 0;
    },
    { what: 'lines as text', deadlineMs: 10_000, everyMs: 100 },
  );
  const path = `/share-${mesh.namespace}`;
  for (let batch = 0; batch < 10; batch++) await Promise.all(Array.from({ length: 20 }, () => ask(mesh, path)));
  let last = -1;
  await eventually(
    () => {
      const before = last;
      last = textLines(path);
      return last > 0 && last === before;
    },
    { what: 'all lines to be written', everyMs: 1200, deadlineMs: 10_000 },
  );
  expectShare(last, 200, 0.3);
});

feature('1.6-access-logs', 'lines arrive at collectors over OTLP and over Envoy’s own protocol', async (mesh) => {
  const rule = `${mesh.namespace}/served/main`;
  const toCollector = (type: string): string =>
    ofApps(mesh, `${provider(mesh, type)}\n  telemetry: { accessLog: { level: All, sinks: [collector] } }`);
  await withCollector(otlpLogs(), async (collector) => {
    const objects = [...shop, collectorService('collector', collector.port, 'grpc'), grant(mesh.apps)];
    await mesh.apply(...objects, toCollector('OpenTelemetry'));
    const line = await untilReceived(mesh, collector, (one) => one['rule'] === rule);
    expect(line).to.include({ source: `Deployment/web.${mesh.apps}`, destination: `shop.${mesh.namespace}` });
  });
  await withCollector(accessLogEntries(), async (collector) => {
    const objects = [...shop, collectorService('collector', collector.port, 'grpc'), grant(mesh.apps)];
    await mesh.apply(...objects, toCollector('AccessLog'));
    await untilReceived(mesh, collector, (one) => one.rule === rule);
  });
});

misuse('1.6-access-logs', 'a filter that is no expression, and an operator that is none, are named', async (mesh) => {
  await mesh.attempt(
    service('shop', ['v1']),
    ofApps(mesh, '  telemetry: { accessLog: { filter: "response.code >=" } }'),
  );
  const key = `${mesh.apps}/telemetry`;
  expectCondition(await mesh.condition('MeshPolicy', key, 'Accepted'), 'False Invalid', '`telemetry.accessLog.filter`');
  await mesh.attempt(ofMesh('  telemetry: { accessLog: { fields: { who: "%WHO%" } } }'));
  const told = await mesh.condition('MeshPolicy', `${system}/default`, 'Accepted');
  expectCondition(told, 'False Invalid', '`telemetry.accessLog.fields.who`', "'%WHO%'");
});

misuse('1.6-access-logs', 'a sink that nobody provides is named', async (mesh) => {
  await mesh.attempt(service('shop', ['v1']), ofApps(mesh, '  telemetry: { accessLog: { sinks: [colector] } }'));
  const told = await mesh.condition('MeshPolicy', `${mesh.apps}/telemetry`, 'ResolvedRefs');
  expectCondition(told, 'False ProviderNotFound', "provider 'colector'");
});
