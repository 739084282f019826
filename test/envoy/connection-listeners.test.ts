// The listeners that pods get for ports with rules for connections, as they are compiled, on stock Envoys: only their
// address is replaced by one on loopback that can be bound, and their clusters by servers of the test. What redirection
// itself does is tested in network namespaces.

import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { askAdmin } from '../../src/sandbox/admin-client.js';
import { envoyArguments } from '../../src/sandbox/envoy.js';
import { leastCapabilities } from '../../src/xds/capabilities.js';
import type { JsonObject } from '../../src/xds/json.js';
import { resourcesToJson } from '../../src/xds/readable.js';
import { translate } from '../../src/xds/translate.js';
import { eventually } from '../support/eventually.js';
import { compileCase, goldenCases, readInput } from '../support/golden.js';
import { inParallel } from './client.js';
import { createServers, lineFrom, lineOverTls, ownAddress, selfSigned, type Servers } from './connections.js';
import { envoyBinary, supportedVersions } from './harness.js';
import { end, launch } from './processes.js';
import { expectShare } from '../e2e/statistics.js';

/** Where the listeners are bound. */
const bound = ownAddress(11);
const ports = { tls: 20_443, tcp: 25_432 };

/** The servers that stand for clusters. */
const tlsServers = { 'o/shop/db/443': ownAddress(12), 'o/shop/db-next/443': ownAddress(13) };
const tcpServers = { 'o/shop/db/5432/version=v1': ownAddress(12), 'o/shop/db-next/5432': ownAddress(13) };

const addressOf = (address: string, port: number): JsonObject => ({
  socket_address: { address, port_value: port },
});

const clusterOf = ([name, address]: readonly [string, string], port: number): JsonObject => ({
  name,
  connect_timeout: '1s',
  load_assignment: {
    cluster_name: name,
    endpoints: [{ lb_endpoints: [{ endpoint: { address: addressOf(address, port) } }] }],
  },
});

/** The listener of a golden case, at an address that can be bound. */
async function listenerOf(name: string, resource: string, port: number): Promise<JsonObject> {
  const golden = goldenCases().find((one) => one.name === name);
  if (golden === undefined) throw new Error(`no golden case '${name}'`);
  const compiled = compileCase(golden, await readInput(golden));
  const proxy = compiled.proxies.get('shop.web');
  if (proxy === undefined) throw new Error('no proxy');
  const { listener: listeners } = translate(compiled.model, proxy, leastCapabilities);
  const [listener] = resourcesToJson(listeners.filter((one) => one.name === resource));
  if (typeof listener !== 'object' || listener === null || Array.isArray(listener)) throw new Error('no listener');
  const { additional_addresses: _more, bind_to_port: _bind, ...rest } = listener as JsonObject;
  return { ...rest, address: addressOf(bound, port) };
}

for (const version of supportedVersions) {
  describe(`listeners for connections on Envoy ${version}`, function () {
    this.timeout(60_000);
    let folder = '';
    let servers: Servers;
    let envoy: ChildProcess | undefined;
    let adminSocket = '';

    before(async function () {
      this.timeout(300_000);
      folder = await mkdtemp(join(tmpdir(), 'legation-test-'));
      adminSocket = join(folder, 'admin.sock');
      servers = createServers();
      const keys = await selfSigned('test');
      for (const [name, address] of Object.entries(tlsServers))
        await servers.tls(name, { address, port: 20_444 }, keys);
      for (const [name, address] of Object.entries(tcpServers)) await servers.greeter(name, address, 25_433);
      const bootstrap = {
        admin: { address: { pipe: { path: adminSocket } } },
        static_resources: {
          listeners: [
            await listenerOf('tls-route', 'o/shop/db/443', ports.tls),
            await listenerOf('tcp-route', 'o/shop/db/5432', ports.tcp),
          ],
          clusters: [
            ...Object.entries(tlsServers).map((one) => clusterOf(one, 20_444)),
            ...Object.entries(tcpServers).map((one) => clusterOf(one, 25_433)),
          ],
        },
      };
      const file = join(folder, 'envoy.json');
      await writeFile(file, JSON.stringify(bootstrap));
      envoy = launch(await envoyBinary(version), envoyArguments(file), join(folder, 'envoy.log'));
      await eventually(
        async () => (await askAdmin({ socket: adminSocket }, '/ready'))?.body.startsWith('LIVE') ?? 'no answer',
        { what: 'Envoy to serve', deadlineMs: 30_000 },
      );
    });
    after(async () => {
      await end(envoy);
      await servers.close();
      await rm(folder, { recursive: true, force: true });
    });

    const dial = (port: number): Promise<Socket> =>
      new Promise((resolve, reject) => {
        const socket = connect(port, bound, () => {
          resolve(socket);
        });
        socket.once('error', reject);
      });
    const counter = async (name: string): Promise<number> => {
      const { body = '' } = (await askAdmin({ socket: adminSocket }, `/stats?filter=${name}`)) ?? {};
      return Number(/: (\d+)/.exec(body)?.[1] ?? -1);
    };

    it('SNI: a name of its own, the longest wildcard, in any case; every other name gets the Service', async () => {
      const wanted = {
        'a.example.com': 'o/shop/db-next/443',
        'B.Example.com': 'o/shop/db-next/443',
        'one.example.com': 'o/shop/db/443',
        'x.example.com': 'o/shop/db-next/443',
        'x.deep.example.com': 'o/shop/db/443',
        'deep.example.com': 'o/shop/db-next/443',
        'example.com': 'o/shop/db/443',
        'other.example.org': 'o/shop/db/443',
      };
      const seen = await Promise.all(
        Object.keys(wanted).map(async (name) => [name, await lineOverTls(await dial(ports.tls), name)] as const),
      );
      expect(Object.fromEntries(seen)).to.deep.equal(
        Object.fromEntries(Object.entries(wanted).map(([name, server]) => [name, `hello from ${server}`])),
      );
      expect(await counter('tcp.shop/names/next.downstream_cx_total')).to.equal(4);
      expect(await counter('tcp.shop/one/own.downstream_cx_total')).to.equal(2);
      expect(await counter('tcp.o/shop/db/443.downstream_cx_total')).to.equal(2);
    });

    it('weights: connections fall as asked, and the share of a missing backend is closed', async () => {
      const size = 600;
      const seen = await inParallel(size, 10, async () => {
        const socket = await dial(ports.tcp);
        const line = await lineFrom(socket);
        socket.destroy();
        return line;
      });
      const count = (line: string): number => seen.filter((one) => one === line).length;
      expectShare(count('hello from o/shop/db/5432/version=v1'), size, 0.8);
      expectShare(count('hello from o/shop/db-next/5432'), size, 0.15);
      expectShare(count(''), size, 0.05);
      expect(await counter('tcp.shop/db/main.downstream_cx_total')).to.equal(size);
      expect(await counter('tcp.shop/db/main.downstream_cx_no_route')).to.equal(count(''));
    });
  });
}
