// The core and extended features of Gateway API's mesh profiles, by HTTPRoutes with Service parents, on every supported
// Envoy: what each promises a caller, and what status says of a route that asks for something else.

import { expect } from 'chai';
import { eventually } from '../support/eventually.js';
import { inParallel, type Question, type Reply } from './client.js';
import { conditionOf, type Mesh, startMesh, supportedVersions } from './harness.js';
import { deployment, fileOf, ownNamespace, prefix, service, to, type Written } from './objects.js';
import { expectShare } from '../e2e/statistics.js';

const home = ownNamespace('profile');
const caller = `${home}/caller-0`;
const pods = ['v1-0', 'v2-0', 'shadow-a-0', 'shadow-b-0'].map((name) => `${home}/${name}`);

const route = (name: string, rules: readonly Written[], parent: Written = {}): Written => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { namespace: home, name },
  spec: { parentRefs: [{ group: '', kind: 'Service', name, ...parent }], rules },
});

const v1 = { backendRefs: [to('v1')] };
const v2 = { backendRefs: [to('v2')] };
const filtered = (type: string, config: Written): Written => ({
  type,
  [type.charAt(0).toLowerCase() + type.slice(1)]: config,
});
const redirect = (config: Written): Written => ({ filters: [filtered('RequestRedirect', config)] });
const rewrite = (urlRewrite: Written): Written => ({ filters: [{ type: 'URLRewrite', urlRewrite }], ...v1 });
const at = (path: string, rule: Written): Written => ({ matches: [prefix(path)], ...rule });
const mirror = (name: string, share: Written = {}): Written =>
  filtered('RequestMirror', { backendRef: to(name), ...share });

const matching: readonly Written[] = [
  { matches: [{ ...prefix('/post'), method: 'POST' }], ...v2 },
  { matches: [{ queryParams: [{ name: 'animal', value: 'whale' }] }], ...v2 },
  { matches: [{ queryParams: [{ name: 'animal', type: 'RegularExpression', value: 'd.*n' }] }], ...v2 },
  { matches: [{ headers: [{ name: 'version', value: 'two' }] }, prefix('/v2')], ...v2 },
  { matches: [{ headers: [{ name: 'color', type: 'RegularExpression', value: 'b.*e' }] }], ...v2 },
  v1,
];

const edits: readonly Written[] = [
  at('/request', {
    filters: [
      filtered('RequestHeaderModifier', {
        set: [{ name: 'X-Set', value: 'set' }],
        add: [{ name: 'X-Add', value: 'added' }],
        remove: ['X-Remove'],
      }),
    ],
    ...v1,
  }),
  at('/response', {
    filters: [
      filtered('ResponseHeaderModifier', {
        set: [{ name: 'X-Set', value: 'set' }],
        add: [{ name: 'X-Add', value: 'added' }],
        remove: ['X-Remove'],
      }),
    ],
    ...v1,
  }),
  at('/backend', {
    backendRefs: [
      to('v1', { filters: [filtered('RequestHeaderModifier', { set: [{ name: 'X-Backend', value: 'v1' }] })] }),
      to('v2', { filters: [filtered('RequestHeaderModifier', { set: [{ name: 'X-Backend', value: 'v2' }] })] }),
    ],
  }),
];

const redirects: readonly Written[] = [
  at('/scheme', redirect({ scheme: 'https' })),
  at('/port', redirect({ port: 8083 })),
  at('/host', redirect({ hostname: 'example.org', statusCode: 301 })),
  at('/prefix', redirect({ path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/new' }, statusCode: 308 })),
  at('/full', redirect({ path: { type: 'ReplaceFullPath', replaceFullPath: '/whole' }, statusCode: 303 })),
  at('/all', redirect({ scheme: 'https', hostname: 'example.org', port: 443, statusCode: 307 })),
];

const rewrites: readonly Written[] = [
  at('/prefix', rewrite({ path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/new' } })),
  at('/full', rewrite({ path: { type: 'ReplaceFullPath', replaceFullPath: '/whole' } })),
  at('/host', rewrite({ hostname: 'example.org' })),
];

const objects: readonly Written[] = [
  deployment(home, 'caller'),
  ...['v1', 'v2', 'shadow-a', 'shadow-b'].flatMap((name) => [
    deployment(home, name),
    service(home, name, { selector: { app: name } }),
  ]),
  ...['matching', 'edits', 'redirects', 'rewrites', 'mirrors', 'timeouts', 'named', 'weights', 'failing'].map((name) =>
    service(home, name, { selector: { app: 'v1' } }),
  ),
  service(home, 'ports', {
    selector: { app: 'v1' },
    ports: [
      { name: 'http-one', port: 80, targetPort: 8080 },
      { name: 'http-two', port: 8081, targetPort: 8080 },
    ],
  }),
  route('matching', matching),
  route('edits', edits),
  route('redirects', redirects),
  route('rewrites', rewrites),
  route('mirrors', [
    at('/both', { filters: [mirror('shadow-a'), mirror('shadow-b')], ...v1 }),
    at('/percent', { filters: [mirror('shadow-a', { percent: 20 })], ...v1 }),
    at('/fraction', { filters: [mirror('shadow-b', { fraction: { numerator: 1, denominator: 2 } })], ...v1 }),
  ]),
  route('timeouts', [
    at('/request', { timeouts: { request: '300ms' }, ...v1 }),
    at('/backend', { timeouts: { backendRequest: '300ms' }, ...v1 }),
    at('/off', { timeouts: { request: '0s' }, ...v1 }),
  ]),
  route('named', [{ name: 'by-name', ...v2 }]),
  route('weights', [
    { backendRefs: [to('v1', { weight: 7 }), to('v2', { weight: 3 }), to('shadow-a', { weight: 0 })] },
  ]),
  route('ports', [v2], { port: 8081 }),
  route('failing', [
    at('/none', {}),
    at('/zero', { backendRefs: [to('v1', { weight: 0 })] }),
    at('/extension', {
      filters: [{ type: 'ExtensionRef', extensionRef: { group: 'a.b', kind: 'C', name: 'd' } }],
      ...v1,
    }),
    at('/fine', v1),
  ]),
];

for (const version of supportedVersions) {
  describe(`Gateway API mesh profile on Envoy ${version}`, function () {
    this.timeout(60_000);
    let mesh: Mesh;

    before(async function () {
      this.timeout(300_000);
      mesh = await startMesh({
        files: { 'mesh.yaml': fileOf(objects) },
        envoys: [caller, ...pods].map((pod) => ({ pod, version })),
      });
    });
    after(() => mesh.stop());

    const ask = (url: string, more: Omit<Question, 'proxy' | 'url'> = {}): Promise<Reply> =>
      mesh.ask(caller, { url: `http://${url}`, ...more });
    const podOf = (reply: Reply): string => reply.seen?.pod.split('/')[1] ?? String(reply.status);
    const locationOf = async (url: string): Promise<string> => {
      const { status, headers } = await ask(url);
      return `${String(status)} ${headers.location ?? ''}`;
    };

    it('MethodMatching, QueryParamMatching, headers: the most specific rule', async () => {
      expect(podOf(await ask('matching/post', { method: 'POST' }))).to.equal('v2-0');
      expect(podOf(await ask('matching/post'))).to.equal('v1-0');
      for (const query of ['?animal=whale', '?animal=dolphin', '?a=b&animal=whale'])
        expect(podOf(await ask(`matching/${query}`)), query).to.equal('v2-0');
      expect(podOf(await ask('matching/?animal=cat'))).to.equal('v1-0');
      expect(podOf(await ask('matching/', { headers: { Version: 'two' } }))).to.equal('v2-0');
      expect(podOf(await ask('matching/', { headers: { color: 'blue' } }))).to.equal('v2-0');
      expect(podOf(await ask('matching/v2'))).to.equal('v2-0');
      expect(podOf(await ask('matching/v2example'))).to.equal('v1-0');
    });

    it('request, response and backend header modification', async () => {
      const headers = { 'x-set': 'old', 'x-add': 'first', 'x-remove': 'gone' };
      const request = (await ask('edits/request', { headers })).seen?.headers;
      expect([request?.['x-set'], request?.['x-add'], request?.['x-remove']]).to.deep.equal([
        'set',
        'first, added',
        undefined,
      ]);
      const reply = await ask('edits/response', { headers: { 'x-app-reply': 'x-set=old,x-add=first,x-remove=gone' } });
      expect([reply.headers['x-set'], reply.headers['x-add'], reply.headers['x-remove']]).to.deep.equal([
        'set',
        'first, added',
        undefined,
      ]);
      for (let nth = 0; nth < 10; nth++) {
        const backend = await ask('edits/backend');
        expect(backend.seen?.headers['x-backend']).to.equal(podOf(backend).slice(0, 2));
      }
    });

    it('SchemeRedirect, PortRedirect, PathRedirect, host and status', async () => {
      const wanted = {
        'redirects/scheme': '302 https://redirects/scheme',
        'redirects/port': '302 http://redirects:8083/port',
        'redirects/host/x?q': '301 http://example.org/host/x?q',
        'redirects/prefix/x': '308 http://redirects/new/x',
        'redirects/full/x': '303 http://redirects/whole',
        'redirects/all': '307 https://example.org/all',
      };
      for (const [url, location] of Object.entries(wanted)) expect(await locationOf(url), url).to.equal(location);
    });

    it('HostRewrite, PathRewrite', async () => {
      expect((await ask('rewrites/prefix/x?q=1')).seen?.path).to.equal('/new/x?q=1');
      expect((await ask('rewrites/full/x')).seen?.path).to.equal('/whole');
      expect((await ask('rewrites/host')).seen?.host).to.equal('example.org');
    });

    it('RequestMirror: multiple, percentage, fraction', async () => {
      const copies = (pod: string, path: string): number =>
        mesh.applications.arrivals().filter((one) => one.pod === `${home}/${pod}-0` && one.path === path).length;
      expect(podOf(await ask('mirrors/both'))).to.equal('v1-0');
      await eventually(() => copies('shadow-a', '/both') === 1 && copies('shadow-b', '/both') === 1, {
        what: 'copies',
      });
      const size = 300;
      await inParallel(size, 20, () => ask('mirrors/percent'));
      await inParallel(size, 20, () => ask('mirrors/fraction'));
      await eventually(() => copies('shadow-b', '/fraction') > size / 4, { what: 'copies' });
      expectShare(copies('shadow-a', '/percent'), size, 0.2);
      expectShare(copies('shadow-b', '/fraction'), size, 0.5);
    });

    it('RequestTimeout, BackendTimeout: 504; 0s is off', async () => {
      const slow = { headers: { 'x-app-delay': '800' } };
      const statuses = await Promise.all(
        ['request', 'backend', 'off'].map(async (path) => (await ask(`timeouts/${path}`, slow)).status),
      );
      expect(statuses).to.deep.equal([504, 504, 200]);
    });

    it('ParentRefPort, NamedRouteRule, weights', async () => {
      expect(podOf(await ask('ports/'))).to.equal('v1-0');
      expect(podOf(await ask('ports:8081/'))).to.equal('v2-0');
      expect(podOf(await ask('named/'))).to.equal('v2-0');
      const named = await mesh.envoy(caller).stats(/by-name\.upstream_rq_completed$/);
      expect([...named]).to.deep.equal([[`vhost.named.route.${home}/named/by-name.upstream_rq_completed`, 1]]);
      const size = 400;
      const seen = await inParallel(size, 20, async () => podOf(await ask('weights/')));
      expectShare(seen.filter((pod) => pod === 'v1-0').length, size, 0.7);
      expect(new Set(seen)).to.deep.equal(new Set(['v1-0', 'v2-0']));
    });

    it('what cannot be served answers 500, its neighbours serve, and status says why', async () => {
      for (const path of ['none', 'zero', 'extension'])
        expect((await ask(`failing/${path}`)).status, path).to.equal(500);
      expect((await ask('failing/fine')).status).to.equal(200);
      const status = await mesh.statusOf('HTTPRoute', `${home}/failing`);
      expect(conditionOf(status, 'Accepted').is).to.equal('True Accepted');
      expect(conditionOf(status, 'PartiallyInvalid').message).to.include("found 'ExtensionRef'");
    });
  });
}
