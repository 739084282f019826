// Which bytes arrive, and which come back.

import { expect } from 'chai';
import { expectCondition } from '../expectations.js';
import type { TestMesh } from '../mesh.js';
import { feature, misuse } from '../registry.js';
import { countBy } from '../statistics.js';
import { service } from '../world.js';
import { route } from '../written.js';

const accepted = (mesh: TestMesh) => mesh.condition('TrafficRoute', 'edit', 'Accepted');

/** A rule for each path, with one filter. */
const filtered = (filters: Readonly<Record<string, string>>): string =>
  Object.entries(filters)
    .map(
      ([path, filter]) =>
        `  - { matches: [{ path: { value: ${path} } }], filters: [${filter}], backendRefs: [{ name: shop, port: 80 }] }`,
    )
    .join('\n');

/** The same with filters that answer by themselves. */
const answered = (filters: Readonly<Record<string, string>>): string =>
  filtered(filters).replaceAll(', backendRefs: [{ name: shop, port: 80 }]', '');

const applyTo = (mesh: TestMesh, rules: string): Promise<void> =>
  mesh.apply(service('shop', ['v1'], { ports: { 80: 'http', 9080: 'http' } }), route('edit', 'shop', rules));
const attempt = (mesh: TestMesh, rules: string): Promise<void> =>
  mesh.attempt(service('shop', ['v1']), route('edit', 'shop', rules));

const rewrite = (config: string): string => `{ type: URLRewrite, urlRewrite: { ${config} } }`;
const replacePrefix = (by: string): string => `path: { type: ReplacePrefixMatch, replacePrefixMatch: "${by}" }`;

/** Gateway API's table: prefix, replacement, path, what the server sees. */
const prefixTable: readonly (readonly [string, string, string, string])[] = [
  ['/foo', '/xyz', '/foo/bar', '/xyz/bar'],
  ['/foo', '/xyz/', '/foo/bar', '/xyz/bar'],
  ['/foo/', '/xyz', '/foo/bar', '/xyz/bar'],
  ['/foo/', '/xyz/', '/foo/bar', '/xyz/bar'],
  ['/foo', '/xyz', '/foo', '/xyz'],
  ['/foo', '/xyz', '/foo/', '/xyz/'],
  ['/foo', '', '/foo/bar', '/bar'],
  ['/foo', '', '/foo/', '/'],
  ['/foo', '', '/foo', '/'],
  ['/foo', '/', '/foo/', '/'],
  ['/foo', '/', '/foo', '/'],
  ['/foo', '/', '/foo/bar', '/bar'],
];

feature('1.2-rewrite-path', 'prefixes, by the table of Gateway API', async (mesh) => {
  // Rows share a path: a host name of its own keeps each apart.
  const host = (row: number): string => `row-${String(row)}.${mesh.namespace}.test`;
  const rows = prefixTable.map(([prefix, by], row) =>
    route(`row-${String(row)}`, 'shop', filtered({ [prefix]: rewrite(replacePrefix(by)) })).replace(
      'spec:',
      `spec:\n  hostnames: [${host(row)}]`,
    ),
  );
  await mesh.apply(service('shop', ['v1']), ...rows);
  const seen = await Promise.all(
    prefixTable.map(async ([prefix, by, path], row) => {
      const { seen: arrival } = await mesh.as('web').get(`http://${host(row)}${path}`);
      return [prefix, by, path, arrival?.path];
    }),
  );
  expect(seen).to.deep.equal(prefixTable);
});

feature('1.2-rewrite-path', 'whole paths, and parts by expression', async (mesh) => {
  await applyTo(
    mesh,
    filtered({
      '/full': rewrite('path: { type: ReplaceFullPath, replaceFullPath: /all/new }'),
      '/regex': rewrite(
        'path: { type: RegularExpression, pattern: "^/regex/([a-z]+)/([0-9]+)", substitution: "/\\\\2/\\\\1" }',
      ),
      '{ value: /Any, ignoreCase: true }': rewrite(replacePrefix('/')),
    }).replace('value: { value: /Any, ignoreCase: true }', 'value: /Any, ignoreCase: true'),
  );
  const pathOf = async (path: string): Promise<unknown> => (await mesh.as('web').get(`http://shop${path}`)).seen?.path;
  expect(await pathOf('/full/x?q=1')).to.equal('/all/new?q=1');
  expect(await pathOf('/regex/abc/12/x')).to.equal('/12/abc/x');
  expect(await pathOf('/aNY/x')).to.equal('/x');
});

misuse('1.2-rewrite-path', 'a group that the expression does not have is named', async (mesh) => {
  await attempt(
    mesh,
    filtered({ '/x': rewrite('path: { type: RegularExpression, pattern: "/(x)", substitution: "/\\\\2" }') }),
  );
  expectCondition(await accepted(mesh), 'False Invalid', '`substitution` must not hold');
});

misuse('1.2-rewrite-path', 'a prefix cannot be replaced where none was matched', async (mesh) => {
  const rules = filtered({ '/x': rewrite(replacePrefix('/y')) });
  await attempt(mesh, rules.replace('value: /x', 'type: Exact, value: /x'));
  expectCondition(await accepted(mesh), 'False Invalid', '`replacePrefixMatch`', 'PathPrefix');
});

feature('1.2-rewrite-host', 'the server sees the new host, and the old path', async (mesh) => {
  await applyTo(mesh, filtered({ '/': rewrite('hostname: other.example.org') }));
  const { seen } = await mesh.as('web').get('http://shop/x?y=1');
  expect(seen).to.include({ host: 'other.example.org', path: '/x?y=1' });
});

misuse('1.2-rewrite-host', 'a host that is no name is named', async (mesh) => {
  await attempt(mesh, filtered({ '/': rewrite('hostname: "*.example.org"') }));
  expectCondition(await accepted(mesh), 'False Invalid', 'urlRewrite.hostname');
});

const redirect = (config: string): string => `{ type: RequestRedirect, requestRedirect: { ${config} } }`;

feature('1.2-redirect', 'status and Location, with scheme, host, port and path as asked', async (mesh) => {
  await applyTo(
    mesh,
    answered({
      '/host': redirect('hostname: example.org'),
      '/scheme': redirect('scheme: https'),
      '/port': redirect('port: 8443'),
      '/all': redirect('scheme: https, hostname: example.org, port: 8443, statusCode: 301'),
      '/full': redirect('path: { type: ReplaceFullPath, replaceFullPath: /new }, statusCode: 303'),
      '/moved': redirect(`${replacePrefix('/to')}, statusCode: 307`),
      '/cut': redirect(`${replacePrefix('/')}, statusCode: 308`),
    }),
  );
  const shop = `shop.${mesh.namespace}`;
  const wanted = {
    ...{ '/host/x': '302 http://example.org/host/x', ':9080/host/x': '302 http://example.org:9080/host/x' },
    // Envoy can drop the port of a request only where it is the usual one.
    ...{ '/scheme/x': `302 https://${shop}/scheme/x`, ':9080/scheme/x': `302 https://${shop}/scheme/x` },
    ...{ '/port': `302 http://${shop}:8443/port`, ':9080/port': `302 http://${shop}:8443/port` },
    '/all/x?y=1': '301 https://example.org:8443/all/x?y=1',
    ...{ '/full/x': `303 http://${shop}/new`, ':9080/full/x': `303 http://${shop}:9080/new` },
    ...{ '/moved/x': `307 http://${shop}/to/x`, '/moved': `307 http://${shop}/to` },
    ...{ '/cut/x': `308 http://${shop}/x`, '/cut': `308 http://${shop}/`, '/cut/': `308 http://${shop}/` },
  };
  const seen = await Promise.all(
    Object.keys(wanted).map(async (rest) => {
      const { status, headers } = await mesh.as('web').get(`http://shop${rest}`);
      return [rest, `${String(status)} ${headers.location ?? ''}`] as const;
    }),
  );
  expect(Object.fromEntries(seen)).to.deep.equal(wanted);
});

misuse('1.2-redirect', 'a status that is no redirect is named, with those that are', async (mesh) => {
  await attempt(mesh, answered({ '/': redirect('statusCode: 304') }));
  expectCondition(await accepted(mesh), 'False Invalid', '301, 302, 303, 307, 308', '304');
});

misuse('1.2-redirect', 'a rule cannot redirect and forward', async (mesh) => {
  await attempt(mesh, filtered({ '/': redirect('port: 8443') }));
  expectCondition(await accepted(mesh), 'False Invalid', 'exactly one of `backendRefs`, a RequestRedirect filter');
});

const respond = (config: string): string => `{ type: DirectResponse, directResponse: { ${config} } }`;

feature('1.2-direct-response', 'status and body, literally, and no server is asked', async (mesh) => {
  await applyTo(
    mesh,
    answered({
      '/teapot': respond('statusCode: 418, body: "100% short and %REQ(:path)%"'),
      '/nothing': respond('statusCode: 204'),
    }),
  );
  const web = mesh.as('web');
  expect(await web.get('http://shop/teapot')).to.include({ status: 418, body: '100% short and %REQ(:path)%' });
  expect(await web.get('http://shop/nothing')).to.include({ status: 204, body: '' });
  expect(mesh.arrivals()).to.have.length(0);
});

misuse('1.2-direct-response', 'a body that is too long is told in bytes', async (mesh) => {
  await attempt(mesh, answered({ '/': respond(`statusCode: 200, body: "${'ä'.repeat(2100)}"`) }));
  expectCondition(await accepted(mesh), 'False Invalid', '4096 bytes in UTF-8; it has 4200');
});

const edit = (side: 'Request' | 'Response', config: string): string =>
  `{ type: ${side}HeaderModifier, ${side.toLowerCase()}HeaderModifier: { ${config} } }`;

const edits = (text: string): string =>
  `set: [{ name: x-set, value: new }, { name: x-percent, value: "${text}" }], add: [{ name: x-add, value: second }], remove: [x-remove]`;

feature(
  '1.2-header-edits',
  'set, add and remove, on requests and on answers, percent signs literally',
  async (mesh) => {
    await applyTo(
      mesh,
      filtered({
        '/': `${edit('Request', edits('100% %REQ(:path)% %%'))}, ${edit('Response', edits('50% %RESPONSE_CODE%'))}`,
      }),
    );
    const answer = await mesh.as('web').get('http://shop/', {
      ...{ 'x-set': 'old', 'x-add': 'first', 'x-remove': 'me' },
      'x-app-reply': 'x-set=old,x-add=first,x-remove=me',
    });
    const arrived = answer.seen?.headers ?? {};
    expect(arrived).to.include({ 'x-set': 'new', 'x-percent': '100% %REQ(:path)% %%' });
    expect(answer.headers).to.include({ 'x-set': 'new', 'x-percent': '50% %RESPONSE_CODE%' });
    for (const headers of [arrived, answer.headers]) {
      expect(String(headers['x-add']).replaceAll(' ', '')).to.equal('first,second');
      expect(headers).not.to.have.property('x-remove');
    }
  },
);

feature('1.2-header-edits', 'each backend of a split has its own', async (mesh) => {
  const backend = (name: string): string =>
    `{ name: ${name}, port: 80, filters: [${edit('Request', `set: [{ name: x-backend, value: "${name} 1%" }]`)}, ${edit('Response', `set: [{ name: x-from, value: "${name} 2%" }]`)}] }`;
  await mesh.apply(
    ...[service('shop', []), service('v1', ['v1']), service('v2', ['v2'])],
    route('edit', 'shop', `  - backendRefs: [${backend('v1')}, ${backend('v2')}]`),
  );
  const answers = await mesh.as('web').many(60, 'http://shop/');
  expect(countBy(answers, ({ by }) => by)).to.have.all.keys('v1', 'v2');
  for (const { by, seen, headers } of answers)
    expect([seen?.headers['x-backend'], headers['x-from']]).to.deep.equal([`${by} 1%`, `${by} 2%`]);
});

misuse('1.2-header-edits', 'the host is no header to edit, and the message says what is', async (mesh) => {
  await attempt(mesh, filtered({ '/': edit('Request', 'set: [{ name: Host, value: x }]') }));
  expectCondition(await accepted(mesh), 'False Invalid', "header 'Host'", 'use the `hostname` of a URLRewrite filter');
});
