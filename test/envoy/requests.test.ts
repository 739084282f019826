// What TrafficRoutes do to requests, seen from outside on every supported Envoy: one mesh, started once for each
// version, and nothing but requests and what the applications saw of them.

import { expect } from 'chai';
import { eventually } from '../support/eventually.js';
import { askHttp2, boundsOf, inParallel, type Question, type Reply } from './client.js';
import { type Mesh, startMesh, supportedVersions } from './harness.js';
import { fileOf } from './objects.js';
import { caller, guest, home, objects, prefixTable, rowHost, visitor } from './requests-mesh.js';

const pods = ['echo-v1-0', 'echo-v2-0', 'shadow-0'].map((name) => `${home}/${name}`);
const gold = { 'x-kind': 'gold' };

for (const version of supportedVersions) {
  describe(`requests on Envoy ${version}`, function () {
    this.timeout(60_000);
    let mesh: Mesh;
    let ids = 0;

    before(async function () {
      this.timeout(300_000);
      mesh = await startMesh({
        files: { 'mesh.yaml': fileOf(objects) },
        envoys: [caller, visitor, ...pods].map((pod) => ({ pod, version })),
      });
    });
    after(() => mesh.stop());

    const ask = (host: string, path: string, more: Omit<Question, 'proxy' | 'url'> = {}): Promise<Reply> =>
      mesh.ask(caller, { url: `http://${host}${path}`, ...more });
    const freshId = (): string => `${version}-${String(ids++)}`;
    /** The body where a rule answered, else the status. */
    const ruleFor = async (host: string, path: string, more: Omit<Question, 'proxy' | 'url'> = {}): Promise<string> => {
      const { status, body } = await ask(host, path, more);
      return status === 200 ? body : String(status);
    };
    const podOf = (reply: Reply): string => reply.seen?.pod.split('/')[1] ?? String(reply.status);

    it('all that was written is accepted and programmed, but for what does not resolve', async () => {
      const unready = (await mesh.statuses()).filter((item) =>
        item.status.conditions.some((one) => one.type === 'Ready' && one.status !== 'True'),
      );
      expect(unready.map((item) => item.metadata.name)).to.deep.equal(['broken', 'unresolved']);
      for (const item of unready)
        expect(JSON.stringify(item.status.conditions)).to.include(`Service '${home}/missing' does not exist`);
    });

    it('paths: exact, by segment, by expression, in any case', async () => {
      const wanted = {
        ...{ '/exact': 'exact', '/exact/': '404', '/Exact': '404', '/exact?q=1': 'exact' },
        ...{
          '/api': 'prefix',
          '/api/': 'prefix',
          '/api/x': 'prefix',
          '/apix': '404',
          '/api?x': 'prefix',
          '/API': '404',
        },
        ...{ '/dir': 'slash', '/dir/': 'slash', '/dir/x': 'slash', '/dirx': '404' },
        ...{ '/users/12': 'regex', '/users/12/x': '404', '/users/': '404', '/x/users/12': '404' },
        ...{ '/anycase': 'any-case-exact', '/ANYCASE': 'any-case-exact', '/anycase/x': '404' },
        ...{ '/fOLDER/x': 'any-case-prefix', '/folderx': '404', '/rEGULAR': 'any-case-regex' },
        ...{ '/api/../exact': 'exact', '//api//x': 'prefix' },
      };
      const seen = await Promise.all(
        Object.keys(wanted).map(async (path) => [path, await ruleFor('paths', path)] as const),
      );
      expect(Object.fromEntries(seen)).to.deep.equal(wanted);
    });

    it('headers: every comparison, and its opposite', async () => {
      for (const rule of ['exact', 'regex', 'prefix', 'suffix', 'contains', 'present']) {
        expect(await ruleFor('conditions', `/h/${rule}`, { headers: { 'X-Kind': 'gold' } }), rule).to.equal(
          `h-${rule}`,
        );
        expect(await ruleFor('conditions', `/h/${rule}`), rule).to.equal('404');
        if (rule !== 'present')
          expect(await ruleFor('conditions', `/h/${rule}`, { headers: { 'x-kind': 'GOLDEN' } }), rule).to.equal('404');
      }
      for (const rule of ['not-exact', 'not-regex']) {
        expect(await ruleFor('conditions', `/h/${rule}`), rule).to.equal(`h-${rule}`);
        expect(await ruleFor('conditions', `/h/${rule}`, { headers: { 'x-kind': 'tin' } }), rule).to.equal(`h-${rule}`);
        expect(await ruleFor('conditions', `/h/${rule}`, { headers: gold }), rule).to.equal('404');
      }
      expect(await ruleFor('conditions', '/h/absent')).to.equal('h-absent');
      expect(await ruleFor('conditions', '/h/absent', { headers: gold })).to.equal('404');
    });

    it('query parameters and methods', async () => {
      const wanted = {
        ...{ '/q/exact?v=1': 'q-exact', '/q/exact?v=12': '404', '/q/exact?a=b&v=1': 'q-exact', '/q/exact': '404' },
        ...{ '/q/regex?v=12': 'q-regex', '/q/regex?v=x1': '404', '/q/present?v': 'q-present', '/q/present?w=1': '404' },
      };
      for (const [path, rule] of Object.entries(wanted)) expect(await ruleFor('conditions', path), path).to.equal(rule);
      expect(await ruleFor('conditions', '/m', { method: 'DELETE' })).to.equal('m-delete');
      expect(await ruleFor('conditions', '/m')).to.equal('m-get');
      expect(await ruleFor('conditions', '/m', { method: 'POST' })).to.equal('404');
    });

    it('precedence is that of the matches, not of the file', async () => {
      expect(await ruleFor('order', '/a/b/c')).to.equal('exact');
      expect(await ruleFor('order', '/a/b/cd')).to.equal('regex');
      expect(await ruleFor('order', '/a/b/x?v=1', { method: 'PUT', headers: gold })).to.equal('long-method');
      expect(await ruleFor('order', '/a/b/x?v=1', { headers: gold })).to.equal('long-header');
      expect(await ruleFor('order', '/a/b/x?v=1')).to.equal('long-query');
      expect(await ruleFor('order', '/a/b/x')).to.equal('long');
      expect(await ruleFor('order', '/a/x')).to.equal('short');
      expect(await ruleFor('order', '/x')).to.equal('none');
    });

    it('weights: 2,000 requests fall as asked, and none where the weight is 0', async () => {
      const size = 2000;
      const seen = await inParallel(size, 20, () => ask('weights', '/'));
      const count = (pod: string): number => seen.filter((reply) => podOf(reply) === pod).length;
      expect(count('echo-v1-0') + count('echo-v2-0')).to.equal(size);
      expect(count('echo-v2-0')).to.be.within(...boundsOf(0.2, size));
    });

    it('subsets: pods by label; no such pod, 503', async () => {
      for (let nth = 0; nth < 10; nth++) {
        expect(podOf(await ask('subsets', '/one'))).to.equal('echo-v1-0');
        expect(podOf(await ask('subsets', '/two'))).to.equal('echo-v2-0');
      }
      expect((await ask('subsets', '/none')).status).to.equal(503);
    });

    it('header modifiers on requests, responses and backends; percent signs are literal', async () => {
      const sent = { 'x-set': 'old', 'x-add': 'first', 'x-remove': 'me' };
      const { seen } = await ask('modifiers', '/request', { headers: sent });
      expect(seen?.headers).to.include({ 'x-set': 'new', 'x-percent': '100% %REQ(:path)% %%' });
      expect(String(seen?.headers['x-add']).replaceAll(' ', '')).to.equal('first,second');
      expect(seen?.headers).not.to.have.property('x-remove');

      const { headers } = await ask('modifiers', '/response', {
        headers: { 'x-app-reply': 'x-set=old,x-add=first,x-remove=me' },
      });
      expect(headers).to.include({ 'x-set': 'new', 'x-percent': '50% %RESPONSE_CODE%' });
      expect(String(headers['x-add']).replaceAll(' ', '')).to.equal('first,second');
      expect(headers).not.to.have.property('x-remove');

      const replies = await inParallel(40, 10, () => ask('modifiers', '/backends'));
      expect(new Set(replies.map(podOf))).to.deep.equal(new Set(['echo-v1-0', 'echo-v2-0']));
      for (const reply of replies) {
        const which = podOf(reply).slice(5, 7);
        expect([reply.seen?.headers['x-backend'], reply.headers['x-from']]).to.deep.equal([
          `${which} 1%`,
          `${which} 2%`,
        ]);
      }
    });

    it('redirects: status and Location', async () => {
      const wanted = {
        ...{
          'redirects/host/x': '302 http://example.org/host/x',
          'redirects:9080/host/x': '302 http://example.org:9080/host/x',
        },
        ...{
          'redirects/scheme/x': '302 https://redirects/scheme/x', // Envoy can drop the port of a request only where it is the usual one.
          'redirects:9080/scheme/x': '302 https://redirects/scheme/x',
        },
        ...{
          'redirects/port': '302 http://redirects:8443/port',
          'redirects:9080/port': '302 http://redirects:8443/port',
        },
        'redirects/all/x?y=1': '301 https://example.org:8443/all/x?y=1',
        ...{ 'redirects/full/x': '303 http://redirects/new', 'redirects:9080/full/x': '303 http://redirects:9080/new' },
        ...{ 'redirects/moved/x': '307 http://redirects/to/x', 'redirects/moved': '307 http://redirects/to' },
        ...{
          'redirects/cut/x': '308 http://redirects/x',
          'redirects/cut': '308 http://redirects/',
          'redirects/cut/': '308 http://redirects/',
        },
      };
      const seen = await Promise.all(
        Object.keys(wanted).map(async (url) => {
          const { status, headers } = await mesh.ask(caller, { url: `http://${url}` });
          return [url, `${String(status)} ${headers.location ?? ''}`] as const;
        }),
      );
      expect(Object.fromEntries(seen)).to.deep.equal(wanted);
    });

    it('rewrites: Gateway API’s table of prefixes, whole paths, expressions, hosts', async () => {
      const rows = await Promise.all(
        prefixTable.map(async ([match, by, path], row) => [
          match,
          by,
          path,
          (await ask(rowHost(row), path)).seen?.path ?? '',
        ]),
      );
      expect(rows).to.deep.equal(prefixTable);
      expect((await ask('rewrites', '/host/x')).seen).to.include({ host: 'other.example.org', path: '/host/x' });
      expect((await ask('rewrites', '/full/x?q=1')).seen?.path).to.equal('/all/new?q=1');
      expect((await ask('rewrites', '/regex/abc/12/x')).seen?.path).to.equal('/12/abc/x');
      expect((await ask('rewrites', '/aNY/x')).seen?.path).to.equal('/x');
    });

    it('timeouts: of the request 504; of one try, hidden by retries', async () => {
      expect((await ask('retries', '/timeout', { headers: { 'x-app-delay': '1000' } })).status).to.equal(504);
      expect((await ask('retries', '/timeout', { headers: { 'x-app-delay': '10' } })).status).to.equal(200);
      for (const path of ['/stream', '/both']) {
        expect((await ask('retries', path, { headers: { 'x-app-delay': '1000' } })).status, path).to.equal(504);
      }
      const id = freshId();
      expect((await ask('retries', '/per-try', { headers: { 'x-id': id, 'x-app-slow': '2' } })).status).to.equal(200);
      expect(mesh.applications.triesOf(id)).to.equal(3);
    });

    it('retries hide failures of what may be repeated, and repeat nothing else', async () => {
      const failing = async (path: string, method: string): Promise<readonly [number, number]> => {
        const id = freshId();
        const { status } = await ask('retries', path, {
          method,
          headers: { 'x-id': id, 'x-app-fail': '2', 'x-app-status': '503' },
        });
        return [status, mesh.applications.triesOf(id)];
      };
      expect(await failing('/hidden', 'GET')).to.deep.equal([200, 3]);
      expect(await failing('/hidden', 'PUT')).to.deep.equal([200, 3]);
      expect(await failing('/hidden', 'POST')).to.deep.equal([503, 1]);
      expect(await failing('/promised', 'POST')).to.deep.equal([200, 3]);
      expect(await failing('/usual', 'GET')).to.deep.equal([503, 1]);
      expect(await failing('/off', 'GET')).to.deep.equal([503, 1]);
      const steered = await ask('retries', '/usual', {
        headers: { 'x-app-fail': '1', 'x-envoy-retry-on': '5xx', 'x-envoy-max-retries': '3', 'x-id': freshId() },
      });
      expect(steered.status).to.equal(503);
    });

    it('mirrors: copies arrive, in their share, and change no answer', async () => {
      const copies = (path: string): number =>
        mesh.applications.arrivals().filter((one) => one.pod.endsWith('/shadow-0') && one.path === path).length;
      const size = 400;
      const replies = await inParallel(size, 20, (nth) => ask('mirrored', ['/all', '/some'][nth % 2] ?? ''));
      expect(replies.every((reply) => podOf(reply).startsWith('echo-'))).to.equal(true);
      for (let nth = 0; nth < 20; nth++) await ask('mirrored', '/zero');
      await eventually(() => copies('/all') === size / 2 || copies('/all'), { what: 'every copy' });
      expect(copies('/some')).to.be.within(...boundsOf(0.25, size / 2));
      expect(copies('/zero')).to.equal(0);
    });

    it('direct responses, and names that a route claims', async () => {
      expect(await ask('answers', '/teapot')).to.include({ status: 418, body: '100% short and stout' });
      expect(await ask('answers', '/nothing')).to.include({ status: 204, body: '' });
      expect(await ruleFor('api.example.test', '/')).to.equal('by name');
      expect((await ask('hosted', '/')).seen?.path).to.equal('/');
    });

    it('nothing matches 404, nobody there 503, an invalid backend 500 for its share', async () => {
      expect((await ask('answers', '/else')).status).to.equal(404);
      expect((await ask('unknown', '/')).status).to.equal(404);
      expect((await ask('nobody', '/')).status).to.equal(503);
      expect((await ask('unresolved', '/')).status).to.equal(500);
      const size = 400;
      const statuses = (await inParallel(size, 20, () => ask('broken', '/'))).map((reply) => reply.status);
      expect(new Set(statuses)).to.deep.equal(new Set([200, 500]));
      expect(statuses.filter((status) => status === 500).length).to.be.within(...boundsOf(0.25, size));
    });

    it('HTTPRoutes: of the producer for all, of a consumer for its own namespace', async () => {
      expect(podOf(await ask('gateway', '/v2'))).to.equal('echo-v2-0');
      expect(podOf(await ask('gateway', '/'))).to.equal('echo-v1-0');
      const asGuest = (path: string): Promise<Reply> => mesh.ask(visitor, { url: `http://gateway.${home}${path}` });
      const reply = await asGuest('/guests');
      expect([podOf(reply), reply.headers['x-rules']]).to.deep.equal(['echo-v2-0', 'of the guest']);
      expect((await asGuest('/v2')).status, `${guest} has only its own rules`).to.equal(404);
      expect(podOf(await ask(`gateway.${home}.svc.cluster.local`, '/v2'))).to.equal('echo-v2-0');
    });

    it('HTTP/2: what a client speaks is spoken on, and h2c where the Service asks for it', async () => {
      const { proxy } = mesh.envoy(caller);
      const from = async (url: string): Promise<unknown> => (await askHttp2({ proxy, url })).seen?.httpVersion;
      expect(await from('http://plain/')).to.equal('2.0');
      expect(await from('http://h2c/')).to.equal('2.0');
      expect((await ask('plain', '/')).seen?.httpVersion).to.equal('1.1');
      expect((await ask('h2c', '/')).seen?.httpVersion).to.equal('2.0');
    });
  });
}
