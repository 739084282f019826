// The control plane dies under load, again and again. Nothing is lost, what changed meanwhile is live soon after its
// return, and where nothing changed the Envoys do not so much as touch a listener or a cluster.

import { expect } from 'chai';
import { systemClock as clock } from '../../src/lib/clock.js';
import { eventually } from '../support/eventually.js';
import { type Mesh, startMesh } from './harness.js';
import { startLoad } from './load.js';
import { deployment, fileOf, ownNamespace, service, to, trafficRoute, type Written } from './objects.js';

const isLong = process.env['SOAK'] === '1';
const kills = isLong ? 10 : 3;
const perSecond = 250;
const boundMs = 2_000;

const namespace = ownNamespace('restart');
const callers = [`${namespace}/delta-0`, `${namespace}/world-0`];
const backends = [`${namespace}/v1-0`, `${namespace}/v2-0`];
/** Endpoints that somebody wrote by hand, of applications without a proxy. */
const bare = ['a', 'b'].map((name, index) => ({
  pod: `bare-${name}`,
  address: `127.79.${String(process.pid % 250)}.${String(index + 1)}`,
  ports: [8080],
}));

const rule = (backendRefs: readonly Written[]): Written => ({ name: 'main', backendRefs, retry: { attempts: 0 } });

/** The part that changes: where `app` sends everything, and which endpoint `bare` has. */
function changing(round: number): string {
  const weights = round % 2 === 0 ? [1, 0] : [0, 1];
  return fileOf([
    trafficRoute(namespace, 'app', {
      parent: 'app',
      rules: [rule([to('app-v1', { weight: weights[0] }), to('app-v2', { weight: weights[1] })])],
    }),
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { namespace, name: 'bare', labels: { 'kubernetes.io/service-name': 'bare' } },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080 }],
      endpoints: [{ addresses: [bare[round % 2]?.address] }],
    },
  ]);
}

const fixed = fileOf([
  ...['delta', 'world'].map((name) => deployment(namespace, name)),
  ...['v1', 'v2'].map((name) => deployment(namespace, name)),
  ...['v1', 'v2'].map((name) => service(namespace, `app-${name}`, { selector: { app: name } })),
  service(namespace, 'app', { selector: { app: 'v1' } }),
  service(namespace, 'bare'),
  trafficRoute(namespace, 'bare', { parent: 'bare', rules: [rule([to('bare')])] }),
]);

describe(`restart: kill -9 of the control plane, ${String(kills)} times${isLong ? '' : ' (10 with SOAK=1)'}`, function () {
  this.timeout(120_000);
  let mesh: Mesh;
  let round = 0;

  before(async function () {
    this.timeout(300_000);
    mesh = await startMesh({
      files: { 'fixed.yaml': fixed, 'changing.yaml': changing(0) },
      envoys: [
        { pod: `${namespace}/delta-0`, protocol: 'delta' },
        { pod: `${namespace}/world-0`, protocol: 'sotw' },
        ...backends.map((pod) => ({ pod })),
      ],
    });
    for (const place of bare) await mesh.applications.open(place);
    await mesh.programmed();
    await isLive();
  });
  after(() => mesh.stop());

  /** Milliseconds until every caller sees this round's weight and endpoint. */
  const isLive = (): Promise<number> =>
    eventually(
      async () => {
        const replies = callers.flatMap((pod) =>
          ['app', 'bare'].map((host) => mesh.ask(pod, { url: `http://${host}/` })),
        );
        const pods = (await Promise.all(replies)).map((reply) => reply.seen?.pod ?? String(reply.status));
        const wanted = [backends[round % 2], bare[round % 2]?.pod];
        return pods.every((pod, index) => pod === wanted[index % 2]) || pods;
      },
      { what: 'the change to be live' },
    );

  const load = () =>
    startLoad({
      perSecond,
      applications: mesh.applications,
      send: (nth, id) =>
        mesh.ask(callers[nth % 2] ?? '', { url: `http://${nth % 4 < 2 ? 'app' : 'bare'}/`, headers: { 'x-id': id } }),
    });

  it('loses no request, and what changed while it was down is live within 2 s of its return', async () => {
    const running = load();
    const times: number[] = [];
    for (let kill = 0; kill < kills; kill++) {
      await mesh.controlPlane.kill();
      round++;
      await mesh.write('changing.yaml', changing(round));
      await clock.sleep(100 * (kill % 4));
      await mesh.controlPlane.start();
      times.push(await isLive());
    }
    const { sent, lost } = await running.stop();
    expect(lost).to.deep.equal([]);
    expect(sent).to.be.above(perSecond);
    expect(Math.max(...times), times.join()).to.be.below(boundMs);
  });

  /** Counters and gauges of listeners and clusters; updates that were sent although nothing changed would show, too. */
  const touched =
    /^(listener_manager\.(listener_(added|modified|removed|create_success)|total_listeners_(warming|draining)|lds\.update_(success|rejected))|cluster_manager\.(cluster_(added|modified|removed|updated)|warming_clusters|cds\.update_(success|rejected)))$/;
  const pods = [...callers, ...backends];
  const counters = () => Promise.all(pods.map(async (pod) => Object.fromEntries(await mesh.envoy(pod).stats(touched))));

  const allBack = (): Promise<number> =>
    eventually(
      async () => {
        const { body } = await mesh.controlPlane.get('/debug/deliveries');
        const { proxies } = JSON.parse(body) as { proxies: readonly { revision: number }[] };
        return (proxies.length === pods.length && proxies.every((proxy) => proxy.revision > 0)) || proxies;
      },
      { what: 'every proxy to be back' },
    );

  it('where nothing changed, no listener and no cluster is touched', async () => {
    await allBack();
    const before = await counters();
    for (const seen of before) {
      expect(seen).to.include({ 'listener_manager.listener_modified': 0, 'cluster_manager.cluster_modified': 0 });
      expect(seen).to.include.keys('listener_manager.listener_added', 'cluster_manager.warming_clusters');
    }
    const running = load();
    for (let kill = 0; kill < 2; kill++) {
      await mesh.controlPlane.kill();
      await mesh.controlPlane.start();
      await allBack();
    }
    expect((await running.stop()).lost).to.deep.equal([]);
    expect(await counters()).to.deep.equal(before);
  });
});
