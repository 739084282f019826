// The ports of the control plane: state of the world beside delta, who may connect, and what the admin endpoint tells
// and keeps to itself.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { eventually } from '../support/eventually.js';
import { cliArguments, type Mesh, startMesh, usualVersion } from './harness.js';
import {
  answering,
  deployment,
  fileOf,
  ownNamespace,
  prefix,
  service,
  to,
  trafficRoute,
  type Written,
} from './objects.js';

const run = promisify(execFile);
const namespace = ownNamespace('protocol');
const [delta, world] = [`${namespace}/twin-0`, `${namespace}/twin-1`];
const secretValue = 'dont-show-this-to-anybody';

const secret: Written = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { namespace, name: 'keys', annotations: { note: secretValue } },
  type: 'Opaque',
  data: { password: Buffer.from(secretValue).toString('base64') },
  stringData: { token: secretValue },
};
const objects: readonly Written[] = [
  deployment(namespace, 'twin', { replicas: 2 }),
  service(namespace, 'twin', { selector: { app: 'twin' } }),
  trafficRoute(namespace, 'twin', {
    parent: 'twin',
    rules: [
      answering('first', { name: 'answer', matches: [prefix('/answer')] }),
      { name: 'main', backendRefs: [to('twin')] },
    ],
  }),
  secret,
];

describe('protocols, identities, and the admin endpoint', function () {
  this.timeout(60_000);
  let mesh: Mesh;

  before(async function () {
    this.timeout(300_000);
    mesh = await startMesh({
      files: { 'mesh.yaml': fileOf(objects) },
      envoys: [
        { pod: delta, protocol: 'delta' },
        { pod: world, protocol: 'sotw' },
      ],
      controlPlaneArguments: ['--log-level', 'debug'],
    });
    await mesh.programmed();
  });
  after(() => mesh.stop());

  type Entry = Readonly<Record<string, unknown>>;

  /** Where a dump holds the resources of each type, and how to come from an entry to them. */
  const places: readonly (readonly [string, string, (entry: Entry) => unknown])[] = [
    ['cds', 'dynamic_active_clusters', (entry) => entry['cluster']],
    ['eds', 'dynamic_endpoint_configs', (entry) => entry['endpoint_config']],
    ['rds', 'dynamic_route_configs', (entry) => entry['route_config']],
    ['srds', 'dynamic_scoped_route_configs', (entry) => entry['scoped_route_configs']],
    ['lds', 'dynamic_listeners', (entry) => (entry['active_state'] as Entry)['listener']],
  ];
  const nameOf = (resource: Entry): string => String(resource['name'] ?? resource['cluster_name']);

  /** All that an Envoy got over xDS, by type and name, without times and versions. */
  async function received(pod: string): Promise<Readonly<Record<string, unknown>>> {
    const text = await mesh.envoy(pod).admin('/config_dump?include_eds');
    const dump = JSON.parse(text) as { configs: readonly Record<string, readonly Entry[]>[] };
    const resources = places.flatMap(([type, member, from]) =>
      dump.configs
        .flatMap((config) => config[member] ?? [])
        .flatMap((entry) => from(entry) as Entry | readonly Entry[])
        .map((resource) => [`${type} ${nameOf(resource)}`, resource] as const),
    );
    return Object.fromEntries(resources);
  }

  /** What names the pod's own addresses differs between the two in nothing else; all other resources are equal. */
  async function expectTwins(): Promise<void> {
    const isOwn = (key: string): boolean => /^(lds|(cds|eds) i\/)/.test(key);
    const comparable = (all: Readonly<Record<string, unknown>>, pod: string): Readonly<Record<string, unknown>> => {
      const address = mesh.envoy(pod).proxy.split(':')[0] ?? '';
      const anonymous = (resource: unknown): unknown =>
        JSON.parse(
          JSON.stringify(resource)
            .replaceAll(address, 'POD')
            .replaceAll(/127\.78\.\d+\.\d+/g, 'APPLICATION'),
        );
      return Object.fromEntries(Object.entries(all).map(([key, one]) => [key, isOwn(key) ? anonymous(one) : one]));
    };
    const left = comparable(await received(delta), delta);
    const right = comparable(await received(world), world);
    expect(Object.keys(right).toSorted()).to.deep.equal(Object.keys(left).toSorted());
    for (const start of ['cds o/', 'eds o/', 'rds o/', 'srds s/', 'lds explicit', 'lds i/']) {
      expect(
        Object.keys(left).some((key) => key.startsWith(start)),
        start,
      ).to.equal(true);
    }
    for (const [key, resource] of Object.entries(left)) expect(right[key], key).to.deep.equal(resource);
  }

  const answers = async (pod: string, url: string, wanted: string): Promise<unknown> => {
    const { status, body } = await mesh.ask(pod, { url });
    return (status === 200 ? body : String(status)) === wanted || body;
  };

  it('state of the world gets what delta gets, and follows the same changes', async () => {
    await expectTwins();
    const more = [
      service(namespace, 'another', { selector: { app: 'twin' } }),
      trafficRoute(namespace, 'another', { parent: 'another', rules: [answering('hello')] }),
    ];
    await mesh.write('more.yaml', fileOf(more));
    for (const pod of [delta, world])
      await eventually(() => answers(pod, 'http://another/', 'hello'), { what: `the addition at ${pod}` });
    await expectTwins();
    await mesh.remove('more.yaml');
    for (const pod of [delta, world])
      await eventually(() => answers(pod, 'http://another/', '404'), { what: `the removal at ${pod}` });
    await eventually(
      async () =>
        [await received(delta), await received(world)].every(
          (all) => !Object.keys(all).some((key) => key.includes('/another/')),
        ),
      {
        what: 'the cluster to be removed',
      },
    );
    await expectTwins();
  });

  it('a node id that names no pod is refused, saying so, and joins once the pod exists', async () => {
    const late = `${namespace}/late-0`;
    const lateFile = fileOf([deployment(namespace, 'late')]);
    await mesh.write('late.yaml', lateFile);
    const place = await mesh.placeOf(late);
    const isKnown = async (): Promise<boolean> => (await mesh.controlPlane.get('/debug/world')).body.includes('late-0');
    await eventually(isKnown, { what: 'the pod to be known' });
    await mesh.remove('late.yaml');
    await eventually(async () => !(await isKnown()), { what: 'the pod to be gone' });

    const envoy = await mesh.launchEnvoy({ pod: late }, place);
    const words = `node id 'late-0.${namespace}' names pod '${late}', which does not exist`;
    // gRPC's own encoding: Envoy prints the status message as it came.
    await eventually(() => envoy.log().replaceAll('%20', ' ').includes(words) || envoy.log(), {
      what: 'Envoy to be told',
    });
    expect(
      mesh.controlPlane
        .log()
        .map((line) => JSON.stringify(line))
        .join(),
    ).to.include(words);
    expect(await envoy.admin('/ready')).not.to.include('LIVE');

    await mesh.write('late.yaml', lateFile);
    await eventually(async () => (await envoy.admin('/ready')).startsWith('LIVE'), { what: 'the proxy to join' });
    expect(await answers(late, 'http://twin/answer', 'first')).to.equal(true);
  });

  it('admin: health, readiness, metrics, status', async () => {
    expect(await mesh.controlPlane.get('/healthz')).to.deep.equal({ status: 200, body: 'ok\n' });
    expect(await mesh.controlPlane.get('/readyz')).to.deep.equal({ status: 200, body: 'ok\n' });
    const metrics = await mesh.controlPlane.get('/metrics');
    expect(metrics.status).to.equal(200);
    for (const line of metrics.body.split('\n').filter((text) => text !== ''))
      expect(line).to.match(/^(#|[a-z_0-9]+(\{.*\})? [-+0-9.eEInfNa]+$)/);
    expect(metrics.body).to.match(/^legation_[a-z_]*proxies\S* [1-9]/m);
    expect((await mesh.statuses()).map((item) => item.metadata.name)).to.include('twin');
    expect((await mesh.controlPlane.get('/nowhere')).status).to.equal(404);
    expect((await fetch(`http://${mesh.controlPlane.admin}/status`, { method: 'POST' })).status).to.equal(405);
  });

  it('admin: /debug shows world, model, snapshots and deliveries, and the value of no secret', async () => {
    const { endpoints } = JSON.parse((await mesh.controlPlane.get('/')).body) as { endpoints: readonly string[] };
    expect(endpoints).to.include.members([
      '/healthz',
      '/readyz',
      '/metrics',
      '/status',
      '/debug/world',
      '/debug/model',
      '/debug/snapshots',
      '/debug/deliveries',
    ]);
    const paths = endpoints.map((path) => path.replace('NS/NAME', delta));
    const pages = new Map<string, string>();
    for (const path of paths) {
      const { status, body } = await mesh.controlPlane.get(path);
      expect(status, path).to.equal(200);
      pages.set(path, body);
    }
    expect(pages.get('/debug/world')).to.include('"keys"').and.to.include('password');
    expect(pages.get('/debug/model')).to.include(`${namespace}/twin`);
    expect(pages.get(`/debug/snapshots?proxy=${delta}`)).to.include(`o/${namespace}/twin/80`);
    const deliveries = JSON.parse(pages.get('/debug/deliveries') ?? '') as {
      proxies: readonly { proxy: string; envoy: string }[];
    };
    expect(deliveries.proxies.find((one) => one.proxy === delta)?.envoy).to.equal(usualVersion);
    const everything = [
      ...pages.values(),
      mesh.controlPlane
        .log()
        .map((line) => JSON.stringify(line))
        .join('\n'),
    ].join('\n');
    for (const form of [
      secretValue,
      Buffer.from(secretValue).toString('base64'),
      Buffer.from(secretValue).toString('hex'),
      [...Buffer.from(secretValue)].join(','),
    ]) {
      expect(everything.includes(form), form).to.equal(false);
    }
  });

  for (const [address, host] of [
    ['0.0.0.0:0', '0.0.0.0'],
    ['[::]:0', '::'],
    ['10.1.2.3:18000', '10.1.2.3'],
  ] as const) {
    it(`plain text on ${address} is refused with exit code 2`, async () => {
      const args = [
        ...cliArguments,
        'run',
        mesh.folder,
        '--xds-insecure',
        '--xds-listen',
        address,
        '--admin-listen',
        '127.0.0.1:0',
      ];
      const { code, stderr } = await run(process.execPath, args, { timeout: 20_000 }).then(
        () => ({ code: 0, stderr: '' }),
        (error: unknown) => error as { code: number; stderr: string },
      );
      expect(code, stderr).to.equal(2);
      expect(stderr).to.include('--xds-insecure').and.to.include(`found '${host}'`).and.to.include('127.0.0.0/8');
    });
  }
});
