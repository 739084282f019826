// What TCP and TLS routes do to connections, seen from outside on every supported Envoy: tunnels through the explicit
// proxy of a pod, and nothing but the bytes that come out of them.

import { expect } from 'chai';
import { systemClock as clock } from '../../src/lib/clock.js';
import { eventually } from '../support/eventually.js';
import { inParallel } from './client.js';
import {
  createServers,
  greetingThrough,
  lifetimeOf,
  lineFrom,
  lineOverTls,
  openTunnel,
  ownAddress,
  selfSigned,
  type KeyPair,
  type Servers,
} from './connections.js';
import { conditionOf, type Mesh, startMesh, supportedVersions } from './harness.js';
import { deployment, fileOf, ownNamespace, service, type Written } from './objects.js';
import { expectShare } from '../e2e/statistics.js';

const home = ownNamespace('conn');
const away = ownNamespace('away');
const caller = `${home}/caller-0`;
const visitor = `${away}/visitor-0`;
const pods = ['db-v1-0', 'db-v2-0', 'web-0', 'ring-0', 'ring-1', 'late-0', 'agent-one', 'agent-two'].map(
  (name) => `${home}/${name}`,
);

/** A server that is no pod. */
const outside = ownAddress(1);

/** The ports of a Service that no container declares, and what they speak. */
const database = [{ name: 'data', port: 5000, targetPort: 5000 }];

const connectionRoute = (
  name: string,
  spec: Written & { readonly parent: string; readonly rules: readonly Written[] },
  namespace = home,
): Written => {
  const { parent, ...rest } = spec;
  const parentRefs = [{ name: parent, namespace: home }];
  return {
    apiVersion: 'legation.dev/v1alpha1',
    kind: 'TrafficRoute',
    metadata: { namespace, name },
    spec: { protocol: 'TCP', parentRefs, ...rest },
  };
};

const db = (weight: number, version: string): Written => ({
  name: 'db',
  port: 5000,
  weight,
  subset: { version },
});

const canary = (v1: number, v2: number): Written =>
  connectionRoute('canary', { parent: 'db', rules: [{ name: 'split', backendRefs: [db(v1, 'v1'), db(v2, 'v2')] }] });

const named = (name: string, backend: string, hostnames: readonly string[]): Written =>
  connectionRoute(name, {
    parent: 'secure',
    protocol: 'TLS',
    hostnames,
    rules: [{ name: 'pass', backendRefs: [{ name: backend, port: 443 }] }],
  });

const versionLabels = (name: string) => ({ app: 'db', version: name.slice(3) });
const tlsPort = [{ name: 'https', port: 443, targetPort: 5443 }];

const headless = (app: string, spec: Written, name = app): Written => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: home, name },
  spec: { clusterIP: 'None', selector: { app }, ports: [{ name: 'tcp', port: 5000 }], ...spec },
});

const objects: readonly Written[] = [
  deployment(home, 'caller'),
  deployment(away, 'visitor'),
  deployment(home, 'db-v1', { labels: versionLabels('db-v1') }),
  deployment(home, 'db-v2', { labels: versionLabels('db-v2') }),
  deployment(home, 'web'),
  service(home, 'db', { selector: { app: 'db' }, ports: database }),
  service(home, 'second', { selector: { app: 'db', version: 'v2' }, ports: database }),
  canary(80, 20),
  service(home, 'lossy', { selector: { app: 'db', version: 'v1' }, ports: database }),
  connectionRoute('lossy', {
    parent: 'lossy',
    rules: [
      {
        name: 'half',
        backendRefs: [
          { name: 'lossy', port: 5000 },
          { name: 'missing', port: 5000 },
        ],
      },
    ],
  }),
  service(home, 'sleepy', { selector: { app: 'db', version: 'v1' }, ports: database }),
  connectionRoute('sleepy', {
    parent: 'sleepy',
    rules: [{ name: 'idle', timeouts: { idle: '500ms' }, backendRefs: [{ name: 'sleepy', port: 5000 }] }],
  }),
  service(home, 'brief', { selector: { app: 'db', version: 'v1' }, ports: database }),
  connectionRoute('brief', {
    parent: 'brief',
    rules: [{ name: 'short', timeouts: { maxStream: '700ms' }, backendRefs: [{ name: 'brief', port: 5000 }] }],
  }),
  // Nobody names what it speaks.
  service(home, 'nameless', { selector: { app: 'web' }, ports: [{ name: 'data', port: 6000, targetPort: 6000 }] }),
  service(home, 'smtp', { selector: { app: 'web' }, ports: [{ name: 'data', port: 25, targetPort: 6025 }] }),
  service(home, 'web', { selector: { app: 'web' } }),
  service(home, 'secure', { selector: { app: 'db', version: 'v1' }, ports: tlsPort }),
  service(home, 'secure-next', { selector: { app: 'db', version: 'v2' }, ports: tlsPort }),
  named('one', 'secure-next', ['one.example.com']),
  named('any', 'secure', ['two.example.com']),
  // Of two written endpoints one refuses connections.
  ...['tried', 'untried'].flatMap((name) => [
    service(home, name, { ports: [{ name: 'tcp', port: 7000 }] }),
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { namespace: home, name: `${name}-a`, labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [{ name: 'tcp', port: 7000 }],
      endpoints: [{ addresses: [outside] }, { addresses: [ownAddress(2)] }],
    },
    connectionRoute(name, {
      parent: name,
      rules: [{ name: 'main', retry: { attempts: name === 'tried' ? 8 : 0 }, backendRefs: [{ name, port: 7000 }] }],
    }),
  ]),
  service(home, 'cache', { selector: { app: 'db', version: 'v1' }, ports: [{ name: 'tcp', port: 5000 }] }),
  service(away, 'near', { ports: [{ name: 'tcp', port: 7000 }] }),
  {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace: away, name: 'near-a', labels: { 'kubernetes.io/service-name': 'near' } },
    addressType: 'IPv4',
    ports: [{ name: 'tcp', port: 7000 }],
    endpoints: [{ addresses: [outside] }],
  },
  connectionRoute(
    'mine',
    { parent: 'cache', rules: [{ name: 'near', backendRefs: [{ name: 'near', port: 7000 }] }] },
    away,
  ),
  { ...deployment(home, 'ring', { replicas: 2 }), kind: 'StatefulSet' },
  headless('ring', {}),
  // Ready for nobody but those who do not ask.
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: home, name: 'late-0', labels: { app: 'late' } },
    spec: { containers: [{ name: 'app' }] },
    status: { conditions: [{ type: 'Ready', status: 'False' }] },
  },
  service(home, 'late', { selector: { app: 'late' }, ports: [{ name: 'tcp', port: 5000 }] }),
  headless('late', { publishNotReadyAddresses: true }, 'early'),
  ...['one', 'two'].map((node) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: home, name: `agent-${node}`, labels: { app: 'agent' } },
    spec: { nodeName: node, containers: [{ name: 'app' }] },
  })),
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: home, name: 'agent' },
    spec: {
      internalTrafficPolicy: 'Local',
      selector: { app: 'agent' },
      ports: [{ name: 'tcp', port: 5000 }],
    },
  },
  // Wrong ones.
  connectionRoute('requests-on-tcp', {
    parent: 'db',
    protocol: 'HTTP',
    rules: [{ name: 'main', backendRefs: [{ name: 'db', port: 5000 }] }],
  }),
  connectionRoute('timed', {
    parent: 'second',
    rules: [{ name: 'main', timeouts: { request: '1s' }, backendRefs: [{ name: 'second', port: 5000 }] }],
  }),
];

for (const version of supportedVersions) {
  describe(`connections on Envoy ${version}`, function () {
    this.timeout(60_000);
    let mesh: Mesh;
    let servers: Servers;
    let keys: KeyPair;

    before(async function () {
      this.timeout(300_000);
      keys = await selfSigned('test');
      servers = createServers();
      mesh = await startMesh({
        files: { 'mesh.yaml': fileOf(objects) },
        envoys: [caller, visitor, ...pods].map((pod) => ({ pod, version })),
      });
      for (const pod of pods) {
        const { application } = await mesh.placeOf(pod);
        const name = pod.split('/')[1] ?? '';
        if (!name.startsWith('web')) await servers.greeter(name, application.address, 5000);
        if (name.startsWith('db')) {
          await servers.tls(name, { address: application.address, port: 5443 }, keys);
        } else if (name.startsWith('web')) {
          await servers.greeter(name, application.address, 6000);
          await servers.greeter(name, application.address, 6025);
        }
      }
      await servers.greeter('outside', outside, 7000);
    });
    after(async () => {
      await servers.close();
      await mesh.stop();
    });

    const greeting = (authority: string, as = caller): Promise<string> =>
      greetingThrough(mesh.envoy(as).proxy, authority);
    const tunnel = (authority: string) => openTunnel(mesh.envoy(caller).proxy, authority);

    it('a server that speaks first is heard at once where a route or a well-known port names TCP', async () => {
      for (const authority of ['second:5000', 'db:5000', 'smtp:25']) {
        await greeting(authority);
        const start = clock.now();
        expect(await greeting(authority), authority).to.match(/^hello from/);
        expect(clock.now() - start, authority).to.be.below(190);
      }
    });

    it('where nobody names the protocol, it is heard after 200 ms, and requests are served as well', async () => {
      const start = clock.now();
      expect(await greeting('nameless:6000')).to.equal('hello from web-0');
      expect(clock.now() - start).to.be.within(190, 1_500);
      expect((await mesh.ask(caller, { url: 'http://web/' })).seen?.pod).to.equal(`${home}/web-0`);
    });

    it('bytes pass in both directions', async () => {
      const { socket } = await tunnel('second:5000');
      if (socket === undefined) throw new Error('no tunnel');
      expect(await lineFrom(socket)).to.equal('hello from db-v2-0');
      const sent = `${'x'.repeat(300_000)}\n`;
      socket.write(sent);
      expect(await lineFrom(socket)).to.equal(sent.trim());
      socket.destroy();
    });

    it('connections are shared out by weight among subsets, and counted under the name of the rule', async () => {
      const size = 500;
      const counted = /\.route\.[^.]*canary\/split\.upstream_rq_(total|completed)$/;
      const total = async (): Promise<number> =>
        [...(await mesh.envoy(caller).stats(counted))].reduce(
          (sum, [name, value]) => sum + (name.endsWith('total') ? value : 0),
          0,
        );
      const before = await total();
      const seen = await inParallel(size, 10, () => greeting('db:5000'));
      expect(new Set(seen)).to.deep.equal(new Set(['hello from db-v1-0', 'hello from db-v2-0']));
      expectShare(seen.filter((line) => line.includes('v2')).length, size, 0.2);
      await eventually(async () => (await total()) - before === size || (await total()) - before, {
        what: 'all to be counted',
      });
    });

    it('a backend that is not there costs its share', async () => {
      const size = 200;
      const seen = await inParallel(size, 10, () => greeting('lossy:5000'));
      expect(new Set(seen)).to.deep.equal(new Set(['hello from db-v1-0', '500']));
      expectShare(seen.filter((line) => line === '500').length, size, 0.5);
      const message = conditionOf(await mesh.statusOf('TrafficRoute', `${home}/lossy`), 'ResolvedRefs').message;
      expect(message).to.equal(
        `Service '${home}/missing' does not exist; rule 'half' closes connections for its share`,
      );
    });

    it('idle connections end, and so do those that have lived long enough', async () => {
      const idle = (await tunnel('sleepy:5000')).socket;
      const brief = (await tunnel('brief:5000')).socket;
      if (idle === undefined || brief === undefined) throw new Error('no tunnel');
      const [idleMs, briefMs] = await Promise.all([lifetimeOf(idle), lifetimeOf(brief)]);
      expect(idleMs).to.be.within(400, 3_000);
      expect(briefMs).to.be.within(500, 3_000);
    });

    it('connecting is retried as often as asked, to written endpoints without a selector', async () => {
      const size = 40;
      const refused = async (name: string): Promise<number> => {
        const answers = await inParallel(size, 4, () => greeting(`${name}:7000`));
        expect(['hello from outside', '503']).to.include.members([...new Set(answers)]);
        return answers.filter((answer) => answer === '503').length;
      };
      expectShare(await refused('untried'), size, 1 / 2);
      // Nine times in a row the one that refuses.
      expectShare(await refused('tried'), size, 1 / 2 ** 9);
    });

    it('TLS passes through, chosen by the name; other names get the Service itself', async () => {
      const asked = async (authority: string, servername: string): Promise<string> => {
        const { status, socket } = await tunnel(authority);
        return socket === undefined ? String(status) : lineOverTls(socket, servername);
      };
      expect(await asked('one.example.com:443', 'one.example.com')).to.equal('hello from db-v2-0');
      expect(await asked('two.example.com:443', 'two.example.com')).to.equal('hello from db-v1-0');
      expect(await asked('secure:443', 'secure')).to.equal('hello from db-v1-0');
      expect(await asked('three.example.com:443', 'three.example.com')).to.equal('404');
    });

    it('pods of a StatefulSet are called by name, a headless Service calls any of them', async () => {
      for (const pod of ['ring-0', 'ring-1']) {
        for (const host of [`${pod}.ring`, `${pod}.ring.${home}`, `${pod}.ring.${home}.svc.cluster.local`])
          expect(await greeting(`${host}:5000`), host).to.equal(`hello from ${pod}`);
      }
      expect(await greeting(`ring-1.ring.${home}:5000`, visitor)).to.equal('hello from ring-1');
      expect(await greeting('ring-2.ring:5000')).to.equal('404');
      const any = await inParallel(40, 4, () => greeting('ring:5000'));
      expect(new Set(any)).to.deep.equal(new Set(['hello from ring-0', 'hello from ring-1']));
    });

    it('a pod that is not ready answers only where its Service publishes it', async () => {
      expect(await greeting('late:5000')).to.equal('503');
      expect(await greeting('early:5000')).to.equal('hello from late-0');
    });

    it('a node-local Service is called on the own node alone', async () => {
      for (const pod of ['agent-one', 'agent-two']) {
        const seen = await inParallel(10, 2, () => greeting('agent:5000', `${home}/${pod}`));
        expect(new Set(seen), pod).to.deep.equal(new Set([`hello from ${pod}`]));
      }
      expect(await greeting('agent:5000')).to.equal('503');
    });

    it('a namespace has rules of its own for connections to others', async () => {
      expect(await greeting(`cache.${home}:5000`, visitor)).to.equal('hello from outside');
      expect(await greeting('cache:5000')).to.equal('hello from db-v1-0');
    });

    it('requests to TCP are told so, tunnels to HTTP are not opened', async () => {
      const reply = await mesh.ask(caller, { url: 'http://db:5000/' });
      expect([reply.status, reply.body]).to.deep.equal([405, 'this port speaks TCP: open a tunnel by CONNECT\n']);
      expect(await greeting('web:80')).to.equal('404');
    });

    it('what is wrong is said', async () => {
      const clash = conditionOf(await mesh.statusOf('TrafficRoute', `${home}/requests-on-tcp`), 'Ready');
      expect(clash).to.deep.equal({
        is: 'False ProtocolMismatch',
        message: `Port 5000 of Service '${home}/db' is TCP by TrafficRoute '${home}/canary' (first by name)`,
      });
      const timed = conditionOf(await mesh.statusOf('TrafficRoute', `${home}/timed`), 'Ready');
      expect(timed).to.deep.equal({
        is: 'False UnsupportedValue',
        message:
          '`spec.rules[0].timeouts.request` may not be used in a TCP route; use `timeouts.idle` or `timeouts.maxStream`',
      });
    });

    it('open connections live through an edit of their weights', async () => {
      const { socket } = await tunnel('db:5000');
      if (socket === undefined) throw new Error('no tunnel');
      await lineFrom(socket);
      await mesh.write(
        'mesh.yaml',
        fileOf([...objects.filter((one) => JSON.stringify(one) !== JSON.stringify(canary(80, 20))), canary(0, 100)]),
      );
      await eventually(
        async () => {
          const seen = new Set(await inParallel(20, 5, () => greeting('db:5000')));
          return (seen.size === 1 && seen.has('hello from db-v2-0')) || [...seen];
        },
        { what: 'the new weights' },
      );
      socket.write('still here\n');
      expect(await lineFrom(socket)).to.equal('still here');
      socket.destroy();
    });
  });
}
