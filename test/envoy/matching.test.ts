// Which rule a request meets, on every supported Envoy: cookies, gRPC calls, tunnels, and who is calling. What is wrong
// is said in words that name the field.

import { expect } from 'chai';
import { connect } from 'node:net';
import { eventually } from '../support/eventually.js';
import { inParallel } from './client.js';
import { call, type CallReply } from './grpc.js';
import { conditionOf, type Mesh, startMesh, supportedVersions } from './harness.js';
import { batch, caller, guest, home, longValue, objects, routeForCallersOf, visitor, wrong } from './matching-mesh.js';
import { fileOf } from './objects.js';
import { expectShare } from '../e2e/statistics.js';

type Headers = Readonly<Record<string, string>>;

const pods = ['echo-v1-0', 'echo-v2-0', 'shadow-0'].map((name) => `${home}/${name}`);
const unimplemented = 12;
const unavailable = 14;

/** What comes back of what is sent through a tunnel, or the answer that refuses one. */
function tunnel(proxy: string, to: string): Promise<string> {
  const [host = '', port] = proxy.split(':');
  return new Promise((resolve) => {
    const socket = connect(Number(port), host);
    let received = '';
    let isOpen = false;
    socket.setTimeout(5_000, () => socket.destroy());
    socket.on('error', () => undefined);
    socket.once('close', () => {
      resolve(received);
    });
    socket.on('data', (bytes) => {
      received += bytes.toString();
      if (isOpen || !received.startsWith('HTTP/1.1 200')) socket.end();
      else socket.write('through the tunnel');
      isOpen = true;
    });
    socket.write(`CONNECT ${to} HTTP/1.1\r\nHost: ${to}\r\n\r\n`);
  });
}

for (const version of supportedVersions) {
  describe(`matching on Envoy ${version}`, function () {
    this.timeout(60_000);
    let mesh: Mesh;

    before(async function () {
      this.timeout(300_000);
      mesh = await startMesh({
        files: { 'mesh.yaml': fileOf(objects), 'wrong.yaml': fileOf(wrong.map(([, object]) => object)) },
        envoys: [caller, batch, visitor, ...pods].map((pod) => ({ pod, version })),
      });
    });
    after(() => mesh.stop());

    const ruleFor = async (pod: string, url: string, headers: Headers = {}): Promise<string> => {
      const { status, body } = await mesh.ask(pod, { url: `http://${url}`, headers });
      return status === 200 ? body : String(status);
    };
    const callAs = (host: string, method: string, headers: Headers = {}): Promise<CallReply> =>
      call({ proxy: mesh.envoy(caller).proxy, host, method, headers });
    /** The rule that says so, else the status. */
    const ruleOf = ({ code, headers }: CallReply): string => String(headers.get('x-rule')[0] ?? code);

    it('cookies: present or exact, among others, quoted or not', async () => {
      const wanted = {
        '': 'none',
        'canary=1': 'present',
        'canary=': 'present',
        'a=b; canary=v(2).0; c=d': 'exact',
        'canary="v(2).0"': 'exact',
        'canary=v(2)x0': 'present',
        'a=canary=1': 'none',
        'xcanary=1': 'none',
        'canaryx=1': 'none',
        'user=me; canary=1': 'both',
        canary: 'none',
        [`canary=${longValue}`]: 'long',
      };
      for (const [cookie, rule] of Object.entries(wanted))
        expect(await ruleFor(caller, 'cookies/', cookie === '' ? {} : { cookie }), cookie).to.equal(rule);
    });

    it('gRPC: by service and method, the closest names first, and nothing but gRPC', async () => {
      const wanted = {
        'shop.Cart/List': 'exact',
        'shop.Cart/Add': 'by-service',
        'shop.Other/GetAll': 'by-expression',
        'shop.Other/List': 'by-method',
        'a.b.C/List': 'by-method',
        'shop.CartX/Add': String(unimplemented),
      };
      for (const [method, rule] of Object.entries(wanted))
        expect(ruleOf(await callAs('calls', method)), method).to.equal(rule);
      expect(ruleOf(await callAs('calls', 'shop.Cart/List', { 'x-kind': 'gold' }))).to.equal('gold');
      const { code, seen } = await callAs('calls', 'shop.Cart/List');
      expect([code, seen?.httpVersion, seen?.path]).to.deep.equal([0, '2.0', '/shop.Cart/List']);
      expect(await ruleFor(caller, 'calls/shop.Cart/List')).to.equal('404');
    });

    it('GRPCRoute: headers, modifiers, weights, mirrors', async () => {
      const gold = await callAs('gateway', 'shop.Cart/Add', { 'x-kind': 'gold' });
      expect([ruleOf(gold), gold.seen?.headers['x-set']]).to.deep.equal(['gold', 'by route']);
      expect((await callAs('gateway', 'shop.Cart/Add')).code, 'no rule').to.equal(unimplemented);
      const size = 300;
      const seen = await inParallel(size, 20, async () => (await callAs('gateway', 'shop.Split/Go')).seen?.pod);
      expectShare(seen.filter((pod) => pod === `${home}/echo-v1-0`).length, size, 0.75);
      expect(seen.filter((pod) => pod === undefined).length).to.equal(0);
      expect((await callAs('gateway', 'shop.Mirrored/Go')).seen?.pod).to.match(/echo/);
      const copies = (): number => mesh.applications.arrivals().filter((one) => one.pod === `${home}/shadow-0`).length;
      await eventually(() => copies() === 1 || copies(), { what: 'the copy' });
    });

    it('GRPCRoute: what cannot be served is UNAVAILABLE, a wrong backend for its share', async () => {
      for (const name of ['Closed', 'Extension', 'Missing'])
        expect((await callAs('gateway', `shop.${name}/Go`)).code, name).to.equal(unavailable);
      const size = 200;
      const codes = await inParallel(size, 20, async () => (await callAs('gateway', 'shop.Kind/Go')).code);
      expect(new Set(codes)).to.deep.equal(new Set([0, unavailable]));
      expectShare(codes.filter((code) => code !== 0).length, size, 0.25);
      const status = await mesh.statusOf('GRPCRoute', `${home}/gateway-grpcroute`);
      expect(conditionOf(status, 'PartiallyInvalid').message).to.include("found 'ExtensionRef'");
      expect(conditionOf(status, 'ResolvedRefs').message).to.include('answers UNAVAILABLE for its share');
    });

    it('a GRPCRoute comes before an HTTPRoute on the same port', async () => {
      expect(ruleOf(await callAs('mixed', 'shop.Cart/Add'))).to.equal('grpc');
      const accepted = conditionOf(await mesh.statusOf('HTTPRoute', `${home}/mixed-httproute`), 'Accepted');
      expect(accepted.is).to.equal('False Conflicted');
      expect(accepted.message).to.include(`GRPCRoute '${home}/mixed-grpcroute' owns`);
    });

    it('HTTPRoute: a backend of a wrong kind costs its share, a mirror of one nothing', async () => {
      const size = 200;
      const statuses = (await inParallel(size, 20, () => mesh.ask(caller, { url: 'http://kinds/' }))).map(
        ({ status }) => status,
      );
      expect(new Set(statuses)).to.deep.equal(new Set([200, 500]));
      expectShare(statuses.filter((status) => status === 500).length, size, 0.25);
      expect((await mesh.ask(caller, { url: 'http://kinds/mirrored' })).status).to.equal(200);
      const status = await mesh.statusOf('HTTPRoute', `${home}/kinds-httproute`);
      expect(conditionOf(status, 'ResolvedRefs').is).to.equal('False InvalidKind');
    });

    it('callers: by namespace, by labels, by address; a proxy holds no rule for others', async () => {
      const at = `source.${home}`;
      const rules = (path: string): Promise<readonly string[]> =>
        Promise.all([caller, batch, visitor].map((pod) => ruleFor(pod, `${at}${path}`)));
      expect(await rules('/')).to.deep.equal(['all', 'batch', 'guests']);
      expect(await rules('/address')).to.deep.equal(['loopback', 'loopback', 'loopback']);
      expect(await rules('/nobody')).to.deep.equal(['all', 'batch', 'guests']);
      expect(await ruleFor(visitor, `guests-only.${home}/`)).to.equal('guests');
      expect(await ruleFor(caller, `guests-only.${home}/`)).to.equal('404');
      const held = await mesh.envoy(caller).admin('/config_dump?resource=dynamic_route_configs');
      expect(held).to.include(`${home}/source/all`).and.to.not.include(`${home}/source/guests`);
    });

    it('callers: an edit of who they are moves the rule with them', async () => {
      const settles = (wanted: readonly string[]): Promise<unknown> =>
        eventually(
          async () => {
            const found = await Promise.all([caller, visitor].map((pod) => ruleFor(pod, `echo-v2.${home}/`)));
            return String(found) === String(wanted) || found;
          },
          { what: String(wanted) },
        );
      await mesh.write('moving.yaml', fileOf([routeForCallersOf(home)]));
      await settles(['some', '404']);
      await mesh.write('moving.yaml', fileOf([routeForCallersOf(guest)]));
      await settles(['404', 'some']);
      await mesh.remove('moving.yaml');
      await eventually(
        async () => {
          const found = await ruleFor(caller, `echo-v2.${home}/`);
          return found.includes('echo-v2-0') || found;
        },
        { what: 'the Service itself' },
      );
    });

    it('CONNECT: a tunnel to the application, through both proxies', async () => {
      const { proxy } = mesh.envoy(caller);
      expect(await tunnel(proxy, 'tunnel:80')).to.match(/^HTTP\/1.1 200 [^]*THROUGH THE TUNNEL$/);
      expect(await ruleFor(caller, 'tunnel/')).to.equal('no tunnel');
      expect(await tunnel(proxy, 'echo-v1:80')).to.match(/^HTTP\/1.1 404/);
    });

    it('rules have names in statistics', async () => {
      const stats = await mesh.envoy(caller).stats(/^vhost\.kinds\.route\..*upstream_rq_(total|completed|[25]00)$/);
      const before = new Map(stats);
      await inParallel(10, 5, () => mesh.ask(caller, { url: 'http://kinds/mirrored' }));
      const after = await mesh.envoy(caller).stats(/^vhost\.kinds\.route\..*upstream_rq_(total|completed|[25]00)$/);
      const grown = [...after].filter(([name, value]) => value - (before.get(name) ?? 0) === 10).map(([name]) => name);
      expect(grown, JSON.stringify([...after])).to.include(
        `vhost.kinds.route.${home}/kinds-httproute/r1.upstream_rq_completed`,
      );
    });

    it('what is wrong is refused, in words that name it', async () => {
      for (const [name, , words] of wrong) {
        const accepted = conditionOf(await mesh.statusOf('TrafficRoute', `${home}/${name}`), 'Accepted');
        expect(accepted.is, name).to.equal('False Invalid');
        expect(accepted.message, name).to.include(words);
      }
    });
  });
}
