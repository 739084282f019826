// Metrics that proxies push: the provider of the mesh default is part of the bootstrap, its endpoints come over ADS.

import { expect } from 'chai';
import { type Collector, collectorService, type Count, otlpCounters } from '../e2e/collectors.js';
import { eventually } from '../support/eventually.js';
import { conditionOf, type Mesh, startMesh, supportedVersions } from './harness.js';
import { deployment, fileOf, ownNamespace, service, type Written } from './objects.js';

const namespace = ownNamespace('push');
const system = 'legation-system';
const caller = `${namespace}/web-0`;
const callee = `${namespace}/shop-0`;

const inSystem = (written: Written): Written => ({
  ...written,
  metadata: { ...(written['metadata'] as Written), namespace: system },
});

/** The mesh default, with a provider that leads to this port of the Service `collector`. */
const pushing = (port: number): Written => ({
  apiVersion: 'legation.dev/v1alpha1',
  kind: 'MeshPolicy',
  metadata: { namespace: system, name: 'default' },
  spec: {
    telemetry: { metrics: { provider: 'collector' } },
    providers: [{ name: 'collector', type: 'OpenTelemetry', backendRef: { name: 'collector', port } }],
  },
});

const pods = [deployment(namespace, 'web'), deployment(namespace, 'shop')];
const shop = service(namespace, 'shop', { selector: { app: 'shop' } });

for (const version of supportedVersions) {
  describe(`metrics are pushed: Envoy ${version}`, function () {
    this.timeout(60_000);
    let mesh: Mesh;
    let collector: Collector<Count>;

    before(async () => {
      collector = await otlpCounters();
      const objects = [...pods, shop, ...collectorService('collector', collector.port, 'grpc').map(inSystem)];
      mesh = await startMesh({
        files: { 'mesh.yaml': fileOf([...objects, pushing(4317)]) },
        envoys: [caller, callee].map((pod) => ({ pod, version })),
      });
    });
    after(async () => {
      await mesh.stop();
      await collector.stop();
    });

    it('N requests are N at the collector, which is told whose they are', async () => {
      await mesh.programmed();
      for (let asked = 0; asked < 6; asked++) await mesh.ask(caller, { url: 'http://shop/' });
      const own = version.startsWith('1.36.')
        ? { metric: 'cluster.upstream_rq_total', label: 'envoy.cluster_name', value: `o/${namespace}/shop/80` }
        : { metric: 'mesh.requests_total', label: 'destination', value: `shop.${namespace}` };
      const counted = (): readonly Count[] =>
        collector.received().filter((one) => one.metric === own.metric && one.labels[own.label] === own.value);
      await eventually(() => counted().at(-1)?.value === 6 || JSON.stringify(counted()), {
        what: 'six requests to be pushed',
        deadlineMs: 30_000,
      });
      expect(counted().at(-1)?.labels).to.include(
        version.startsWith('1.36.')
          ? { pod: `web-0.${namespace}`, workload: `Deployment/web.${namespace}` }
          : { source: `Deployment/web.${namespace}`, code: '200', flags: '-' },
      );
    });

    it('wrong: a collector that is not there is told', async () => {
      await mesh.write('mesh.yaml', fileOf([...pods, shop, pushing(4318)]));
      await eventually(
        async () => {
          const told = conditionOf(await mesh.statusOf('MeshPolicy', `${system}/default`), 'ResolvedRefs');
          return (told.is.startsWith('False') && told.message.includes("provider 'collector'")) || told.message;
        },
        { what: 'the missing Service to be told' },
      );
    });
  });
}
