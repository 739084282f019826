// Spans of requests, and events of endpoints.

import { expect } from 'chai';
import { eventually } from '../../support/eventually.js';
import { type Collector, collectorService, otlpTraces, type Span, zipkinTraces } from '../collectors.js';
import { expectCondition } from '../expectations.js';
import type { TestMesh } from '../mesh.js';
import { feature, misuse } from '../registry.js';
import { grant, ofApps, ofMesh, policy, provider, shop, system, untilReceived, withCollector } from '../reporting.js';
import { service } from '../world.js';
import type { Input } from '../written.js';

const traced = (mesh: TestMesh, type: string, more = ''): readonly Input[] => [
  ofMesh(`${provider(mesh, type, more)}\n  telemetry: { tracing: { provider: collector } }`),
  ofApps(
    mesh,
    '  telemetry: { tracing: { samplingPercent: 100, tags: [{ name: team, from: Literal, value: blue }] } }',
  ),
  grant(system),
];

/** Waits for both sides of one request, and looks at what they say. */
async function expectTwoHops<Item extends Span>(mesh: TestMesh, collector: Collector<Item>): Promise<Item> {
  const rule = `${mesh.namespace}/served/main`;
  const server = await untilReceived(mesh, collector, (span) =>
    collector.received().some((other) => other.id === span.parent && other.tags['rule'] === rule),
  );
  const client = collector.received().find((span) => span.id === server.parent);
  expect(client?.trace).to.equal(server.trace);
  expect(client?.tags).to.include({ rule, team: 'blue' });
  expect(server.tags).to.include({ team: 'blue' });
  expect([client?.service, server.service]).to.deep.equal([
    `Deployment/web.${mesh.apps}`,
    `Deployment/v1.${mesh.apps}`,
  ]);
  return server;
}

feature('1.6-traces', 'two hops of one request are one trace, over OTLP', async (mesh) => {
  await withCollector(otlpTraces(), async (collector) => {
    await mesh.apply(...shop, collectorService('collector', collector.port, 'grpc'), ...traced(mesh, 'OpenTelemetry'));
    const span = await expectTwoHops(mesh, collector);
    expect(span.kind).to.equal('SERVER');
    const updates = () => mesh.envoy('web').stats(/^listener_manager\.listener_(added|modified|in_place_updated)$/);
    const before = await updates();
    await mesh.apply(
      ...shop,
      collectorService('collector', collector.port, 'grpc'),
      ofMesh(`${provider(mesh, 'OpenTelemetry')}\n  telemetry: { tracing: { provider: collector } }`),
      ofApps(mesh, '  telemetry: { tracing: { samplingPercent: 0 } }'),
      grant(system),
    );
    expect([...(await updates())], 'sampling is in the routes').to.deep.equal([...before]);
  });
});

feature('1.6-traces', 'two hops of one request are one trace, over Zipkin', async (mesh) => {
  await withCollector(zipkinTraces(), async (collector) => {
    const objects = traced(mesh, 'Zipkin', ', path: /spans');
    await mesh.apply(...shop, collectorService('collector', collector.port, 'http'), ...objects);
    const rule = `${mesh.namespace}/served/main`;
    const client = await untilReceived(mesh, collector, (span) => span.tags['rule'] === rule && span.kind === 'CLIENT');
    expect(client).to.deep.include({ path: '/spans', service: `Deployment/web.${mesh.apps}` });
    expect(client.tags).to.include({ team: 'blue' });
    await untilReceived(mesh, collector, (span) => span.kind === 'SERVER' && span.trace === client.trace);
  });
});

misuse('1.6-traces', 'a collector of another namespace needs a grant', async (mesh) => {
  await mesh.attempt(
    ...shop,
    collectorService('collector', 4317, 'grpc'),
    ...traced(mesh, 'OpenTelemetry').slice(0, 1),
  );
  const told = await mesh.condition('MeshPolicy', `${system}/default`, 'ResolvedRefs');
  expectCondition(told, 'False RefNotPermitted', "provider 'collector'", 'ReferenceGrant');
});

const upstream = (more: string): string => `
apiVersion: legation.dev/v1alpha1
kind: MeshPolicy
metadata: { name: events }
spec:
${more}`;

feature('1.6-events', 'the end of a server is told by its health check, errors by outlier detection', async (mesh) => {
  const server = await mesh.openServer('checked');
  const check = '{ protocol: TCP, interval: 1s, unhealthyThreshold: 1 }';
  const outliers = '{ consecutive5xx: 3, interval: 1s }';
  const policies = upstream(
    `  upstream: { healthCheck: ${check}, outlierDetection: ${outliers} }\n  telemetry: { eventLog: true }`,
  );
  await mesh.apply(service('shop', [server]), policies);
  const told = (kind: string) => (): boolean =>
    mesh
      .envoy('web')
      .log()
      .split('\n')
      .some((line) => line.includes(kind) && line.includes(`o/${mesh.namespace}/shop/80`));
  const failing = () => mesh.as('web').get('http://shop/x', { 'x-app-fail': '9', 'x-id': mesh.freshId() });
  for (let count = 0; count < 4; count++) await failing();
  await eventually(told('CONSECUTIVE_5XX'), { what: 'the ejection to be told', deadlineMs: 15_000 });
  await server.stop();
  await eventually(told('eject_unhealthy_event'), { what: 'the failed check to be told', deadlineMs: 15_000 });
});

misuse('1.6-events', 'a policy that only audits changes nothing of what is told', async (mesh) => {
  await mesh.attempt(
    service('shop', ['v1']),
    policy(mesh.namespace, 'events', '  mode: Audit\n  inbound: {}\n  telemetry: { eventLog: true }'),
  );
  const told = await mesh.condition('MeshPolicy', 'events', 'Accepted');
  expectCondition(told, 'False Invalid', '`telemetry`', "mode 'Audit'");
});
