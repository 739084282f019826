// What scripts in browsers may call: CORS, answered by the proxy of the pod that is called.

import { expect } from 'chai';
import type { Answer } from '../caller.js';
import { expectAnswers, expectCondition } from '../expectations.js';
import type { TestMesh } from '../mesh.js';
import { feature, misuse } from '../registry.js';
import { service } from '../world.js';
import { route } from '../written.js';

const shop = 'http://shop/';

/** Rules, each a match and the fields of its CORS filter. */
const rules = (fields: Readonly<Record<string, readonly [match: string, cors: string]>>): string =>
  Object.entries(fields)
    .map(
      ([name, [match, cors]]) =>
        `  - { name: ${name}, matches: [${match}], filters: [{ type: CORS, cors: ${cors} }], backendRefs: [{ name: shop, port: 80 }] }`,
    )
    .join('\n');

const any = '{ path: { value: / } }';

const applyCors = (mesh: TestMesh, cors: string, match = any): Promise<void> =>
  mesh.apply(service('shop', ['v1']), route('cors', 'shop', rules({ main: [match, cors] })));

const preflight = (mesh: TestMesh, origin: string, { method = 'GET', path = '' } = {}): Promise<Answer> =>
  mesh
    .as('web')
    .ask(`${shop}${path}`, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': method } });

const simple = (mesh: TestMesh, origin: string): Promise<Answer> => mesh.as('web').get(shop, { origin });

const allowed = ({ headers }: Answer): string | undefined => headers['access-control-allow-origin'];

feature('1.2-cors', 'a preflight is answered for the application, in all that it is asked', async (mesh) => {
  await applyCors(
    mesh,
    '{ allowOrigins: ["https://app.example.com"], allowMethods: [GET, PUT], allowHeaders: [x-one, x-two], maxAge: 60 }',
  );
  const { status, headers } = await preflight(mesh, 'https://app.example.com', { method: 'PUT' });
  expect([status, mesh.arrivals().length]).to.deep.equal([200, 0]);
  expect(headers).to.include({
    'access-control-allow-origin': 'https://app.example.com',
    'access-control-allow-methods': 'GET,PUT',
    'access-control-allow-headers': 'x-one,x-two',
    'access-control-max-age': '60',
  });
  expect(headers).not.to.have.property('access-control-allow-credentials');
});

feature('1.2-cors', 'answers are marked for allowed origins, and served to all', async (mesh) => {
  await applyCors(
    mesh,
    '{ allowOrigins: ["https://app.example.com"], exposeHeaders: [x-seen], allowCredentials: true }',
  );
  const own = await simple(mesh, 'https://app.example.com');
  expect(own.by).to.equal('v1');
  expect(own.headers).to.include({
    'access-control-allow-origin': 'https://app.example.com',
    'access-control-expose-headers': 'x-seen',
    'access-control-allow-credentials': 'true',
  });
  const foreign = await simple(mesh, 'https://evil.example.com');
  expect([foreign.by, allowed(foreign)]).to.deep.equal(['v1', undefined]);
  const asked = await preflight(mesh, 'https://evil.example.com');
  expect([allowed(asked), mesh.arrivals().length]).to.deep.equal([undefined, 2]);
});

feature('1.2-cors', 'origins by wildcard of host and port, in any case, without the default port', async (mesh) => {
  await applyCors(mesh, '{ allowOrigins: ["https://*.example.com", "http://local.test:*", "https://Plain.test:443"] }');
  const origins = {
    'https://a.example.com': true,
    'https://b.a.example.com': true,
    'https://example.com': false,
    'https://aexample.com': false,
    'http://a.example.com': false,
    'https://a.example.com:8443': false,
    'https://a.example.com.evil.test': false,
    'http://local.test': true,
    'http://local.test:8080': true,
    'http://local.test.evil.test': false,
    'https://plain.test': true,
  };
  const seen = await Promise.all(
    Object.keys(origins).map(async (origin) => [origin, allowed(await simple(mesh, origin)) === origin] as const),
  );
  expect(Object.fromEntries(seen)).to.deep.equal(origins);
});

feature('1.2-cors', 'a preflight finds the rule of the request that it asks for', async (mesh) => {
  const origin = 'https://app.example.com';
  const policy = (method: string): string => `{ allowOrigins: ["${origin}"], allowMethods: [${method}] }`;
  await mesh.apply(
    service('shop', ['v1']),
    route(
      'cors',
      'shop',
      rules({
        reads: ['{ method: GET }', policy('GET')],
        writes: ['{ method: POST }', policy('POST')],
        flagged: ['{ path: { value: /flag }, headers: [{ name: x-flag, value: "1" }] }', policy('PUT')],
      }),
    ),
  );
  const methods = async (method: string, path = ''): Promise<unknown> =>
    (await preflight(mesh, origin, { method, path })).headers['access-control-allow-methods'];
  expect(await Promise.all([methods('GET'), methods('POST'), methods('DELETE')])).to.deep.equal([
    'GET',
    'POST',
    undefined,
  ]);
  expect(await methods('PUT', 'flag')).to.equal('PUT');
  expect((await mesh.as('web').ask(shop, { method: 'OPTIONS' })).by).to.equal('404');
});

feature('1.2-cors', 'a rule is known again after its rewrite, and by the Service that was called', async (mesh) => {
  const origin = 'https://app.example.com';
  const filters = `[{ type: CORS, cors: { allowOrigins: ["${origin}"] } }, { type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /new } } }]`;
  await mesh.apply(
    service('shop', []),
    service('behind', ['v1']),
    service('other', ['v1']),
    route(
      'cors',
      'shop',
      `
  - { name: old, matches: [{ path: { value: /old } }], filters: ${filters}, backendRefs: [{ name: behind, port: 80 }] }
  - { name: rest, backendRefs: [{ name: behind, port: 80 }] }`,
    ),
  );
  const web = mesh.as('web');
  const marked = async (url: string): Promise<readonly [string, boolean]> => {
    const answer = await web.get(url, { origin });
    return [answer.seen?.path ?? '', allowed(answer) === origin];
  };
  expect(await marked('http://shop/old/x')).to.deep.equal(['/new/x', true]);
  expect(await marked('http://shop/x')).to.deep.equal(['/x', false]);
  expect(await marked('http://other/new/x')).to.deep.equal(['/new/x', false]);
  expect(await marked('http://shop/new/x')).to.deep.equal(['/new/x', true]);
  expectCondition(
    await mesh.condition('TrafficRoute', 'cors', 'Degraded'),
    'True FallbackActive',
    "also holds for calls straight to path '/new'",
  );
});

misuse('1.2-cors', 'a wildcard inside of a host, and one beside credentials, are named', async (mesh) => {
  const accepted = () => mesh.condition('TrafficRoute', 'cors', 'Accepted');
  const attempt = (cors: string): Promise<void> =>
    mesh.attempt(service('shop', ['v1']), route('cors', 'shop', rules({ main: [any, cors] })));
  await attempt('{ allowOrigins: ["https://a.*.example.com"] }');
  expectCondition(await accepted(), 'False Invalid', "origin 'https://a.*.example.com'");
  await attempt('{ allowOrigins: ["*"], allowHeaders: ["*"], allowCredentials: true }');
  expectCondition(await accepted(), 'False Invalid', '`allowHeaders` must list names');
});

misuse('1.2-cors', 'a rule that cannot be known again is refused, a server without a proxy is told', async (mesh) => {
  const cors = '{ type: CORS, cors: { allowOrigins: ["*"] } }';
  const rewrite =
    '{ type: URLRewrite, urlRewrite: { path: { type: RegularExpression, pattern: "/a", substitution: "/b" } } }';
  await mesh.attempt(
    service('shop', ['v1']),
    route('cors', 'shop', `  - { filters: [${cors}, ${rewrite}], backendRefs: [{ name: shop, port: 80 }] }`),
  );
  expectCondition(
    await mesh.condition('TrafficRoute', 'cors', 'Accepted'),
    'False UnsupportedValue',
    '`cors`',
    'changes what it matches by',
  );
  const bare = await mesh.openServer('bare');
  await mesh.apply(service('shop', [bare]), route('cors', 'shop', rules({ main: [any, '{ allowOrigins: ["*"] }'] })));
  await expectAnswers(mesh.as('web'), { [shop]: 'bare' });
  expectCondition(
    await mesh.condition('TrafficRoute', 'cors', 'Degraded'),
    'True FallbackActive',
    '`cors`',
    'endpoints without a proxy',
  );
});
