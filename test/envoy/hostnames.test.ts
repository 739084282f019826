// Host names with wildcards, on every supported Envoy. An explicit proxy finds a Service by the name that was called and
// never sees others, so the routes of a redirecting proxy stand alone here, behind a listener that can be called.

import { expect } from 'chai';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reconcile } from '../../src/reconcilers/index.js';
import { freePort } from '../../src/sandbox/loopback.js';
import { createStore } from '../../src/sources/store.js';
import { readFolder } from '../../src/sources/files.js';
import { leastCapabilities } from '../../src/xds/capabilities.js';
import { resourcesToJson } from '../../src/xds/readable.js';
import { translate } from '../../src/xds/translate.js';
import { eventually } from '../support/eventually.js';
import { envoyBinary, supportedVersions } from './harness.js';
import { answering, deployment, fileOf, service, trafficRoute, type Written } from './objects.js';
import { end, launch } from './processes.js';

const hosted = (name: string, hostnames: readonly string[], rules: readonly Written[] = [answering(name)]): Written =>
  trafficRoute('shop', name, { parent: 'web', hostnames, rules });

const objects: readonly Written[] = [
  service('shop', 'web'),
  deployment('shop', 'web'),
  hosted('wild', ['*.example.test']),
  hosted('deep', ['*.deep.example.test']),
  hosted(
    'exact',
    ['a.example.test', 'example.test'],
    [answering('exact', { matches: [{ path: { type: 'Exact', value: '/only' } }] })],
  ),
  trafficRoute('shop', 'all', { parent: 'web', rules: [answering('all')] }),
];

/** The route configuration of the Service, as JSON. */
async function routesOf(folder: string): Promise<unknown> {
  await writeFile(join(folder, 'mesh.yaml'), fileOf(objects));
  const store = createStore();
  const feed = store.feed();
  for (const event of (await readFolder([folder], { loopback: true })).events) feed(event);
  const { model } = reconcile(store.world(), { capture: 'redirect' });
  const [proxy] = [...model.proxies.values()];
  if (proxy === undefined) throw new Error('no proxy');
  return resourcesToJson(
    translate(model, proxy, leastCapabilities).route.filter(({ name }) => name === 'o/shop/web/80'),
  )[0];
}

const extension = 'type.googleapis.com/envoy.extensions.filters';

const bootstrapFor = (routes: unknown, port: number): unknown => ({
  static_resources: {
    listeners: [
      {
        address: { socket_address: { address: '127.0.0.1', port_value: port } },
        filter_chains: [
          {
            filters: [
              {
                name: 'http',
                typed_config: {
                  '@type': `${extension}.network.http_connection_manager.v3.HttpConnectionManager`,
                  stat_prefix: 'hosts',
                  route_config: routes,
                  http_filters: [{ name: 'router', typed_config: { '@type': `${extension}.http.router.v3.Router` } }],
                },
              },
            ],
          },
        ],
      },
    ],
  },
});

const ask = (port: number, host: string, path: string): Promise<string> =>
  new Promise((resolve) => {
    const asking = request({ host: '127.0.0.1', port, path, headers: { host } }, (response) => {
      let body = '';
      response.on('data', (bytes: Buffer) => (body += bytes.toString()));
      response.once('end', () => {
        resolve(body === '' ? String(response.statusCode) : body);
      });
    });
    asking.once('error', () => {
      resolve('no answer');
    });
    asking.end();
  });

for (const version of supportedVersions) {
  describe(`host names on Envoy ${version}`, function () {
    this.timeout(60_000);
    let folder = '';
    let port = 0;
    let envoy: ChildProcess | undefined;

    before(async function () {
      this.timeout(300_000);
      folder = await mkdtemp(join(tmpdir(), 'legation-test-'));
      const routes = await routesOf(folder);
      port = (await freePort('127.0.0.1', 24_000 + (process.pid % 40) * 100)) ?? 0;
      const file = join(folder, 'envoy.json');
      await writeFile(file, JSON.stringify(bootstrapFor(routes, port)));
      const args = ['--config-path', file, '--concurrency', '1', '--disable-hot-restart'];
      envoy = launch(await envoyBinary(version), args, join(folder, 'envoy.log'));
      await eventually(async () => (await ask(port, 'web', '/')) === 'all', { what: 'an Envoy to serve' });
    });
    after(async () => {
      await end(envoy);
      await rm(folder, { recursive: true, force: true });
    });

    it('the closest name decides: its own, the longer wildcard, any', async () => {
      const wanted = {
        'a.example.test/only': 'exact',
        'a.example.test:80/only': 'exact',
        'A.Example.Test/only': 'exact',
        'example.test/only': 'exact',
        'b.example.test/only': 'wild',
        'b.c.example.test/': 'wild',
        'x.deep.example.test/': 'deep',
        'deep.example.test/': 'wild',
        'other.test/': 'all',
        'web/': 'all',
        'notexample.test/': 'all',
      };
      for (const [url, rule] of Object.entries(wanted)) {
        const [host = '', path = ''] = url.split('/');
        expect(await ask(port, host, `/${path}`), url).to.equal(rule);
      }
    });

    it('what rules for a name leave open falls to the next closest', async () => {
      expect(await ask(port, 'a.example.test', '/else')).to.equal('wild');
      expect(await ask(port, 'example.test', '/else')).to.equal('all');
    });
  });
}
