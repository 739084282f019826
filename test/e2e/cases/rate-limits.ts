// Rate limits: how many requests come through, of whom, on which route; and what is told of the rest.

import { expect } from 'chai';
import { systemClock as clock } from '../../../src/lib/clock.js';
import { expectCondition } from '../expectations.js';
import { feature, misuse } from '../registry.js';
import { series } from '../reporting.js';
import type { Answer } from '../caller.js';
import type { TestMesh } from '../mesh.js';
import { type Server, service } from '../world.js';
import { route } from '../written.js';

/** A policy on Service `shop`, or on what `target` says. */
const policy = (blocks: string, target = 'kind: Service, name: shop', name = 'limits'): string => `
apiVersion: legation.dev/v1alpha1
kind: MeshPolicy
metadata: { name: ${name} }
spec:
  targetRefs: [{ ${target} }]
  ${blocks.trim().replaceAll('\n', '\n  ')}`;

const limits = (...rules: readonly string[]): string =>
  `rateLimit:\n  rules:\n${rules.map((rule) => `  - { interval: 1h, ${rule} }`).join('\n')}`;

const shop = (behind: readonly Server[] = ['v1']) => service('shop', behind);

const statusesOf = (answers: readonly Answer[]): Readonly<Record<number, number>> => {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
};

const accepted = (mesh: TestMesh) => mesh.condition('MeshPolicy', 'limits', 'Accepted');

feature('1.4-local', 'so many requests come through, the others are told who refused them', async (mesh) => {
  await mesh.apply(shop(), policy(limits('name: all, requests: 5')));
  const answers = await mesh.as('web').many(20, 'http://shop/');
  expect(statusesOf(answers)).to.deep.equal({ 200: 5, 429: 15 });
  expect(mesh.arrivals()).to.have.length(5);
  const refused = answers.find(({ status }) => status === 429);
  expect(refused?.headers['x-ratelimit-rule']).to.equal('all');
});

feature('1.4-local', 'tokens come back as time goes by, and burst is what is there at once', async (mesh) => {
  await mesh.apply(
    shop(),
    policy(limits('name: all, requests: 2, burst: 6, interval: 400ms').replace('interval: 1h, ', '')),
  );
  expect(statusesOf(await mesh.as('web').many(12, 'http://shop/'))[200]).to.be.within(6, 8);
  await clock.sleep(500);
  const later = statusesOf(await mesh.as('web').many(12, 'http://shop/'));
  expect(later[200]).to.be.within(2, 4);
});

feature('1.4-local', 'limits of several policies hold together', async (mesh) => {
  await mesh.apply(
    shop(),
    policy(limits('name: all, requests: 8')),
    policy(limits('name: writes, requests: 3, per: [{ type: Method, values: [POST] }]'), undefined, 'more'),
  );
  expect(statusesOf(await mesh.as('web').many(6, 'http://shop/', { method: 'POST' }))).to.deep.equal({
    200: 3,
    429: 3,
  });
  const reads = statusesOf(await mesh.as('web').many(10, 'http://shop/'));
  expect(reads[200]).to.be.within(2, 5);
});

misuse('1.4-local', 'a limit without a number is named', async (mesh) => {
  await mesh.attempt(shop(), policy(limits('name: all')));
  expectCondition(await accepted(mesh), 'False Invalid', '`requests` must be set');
});

feature('1.4-per-caller', 'callers of a namespace share a bucket, others are not limited', async (mesh) => {
  const per = `per: [{ type: Namespace, values: [${mesh.apps}] }]`;
  await mesh.apply(shop(), policy(limits(`name: callers, requests: 4, ${per}`)));
  expect(statusesOf(await mesh.as('web').many(10, 'http://shop/'))).to.deep.equal({ 200: 4, 429: 6 });
  expect(statusesOf(await mesh.as('guest').many(10, 'http://shop/'))).to.deep.equal({ 200: 10 });
});

feature('1.4-per-caller', 'each address has a bucket, whatever x-forwarded-for says', async (mesh) => {
  await mesh.apply(shop(), policy(limits('name: callers, requests: 3, per: [{ type: RemoteIP }]')));
  const disguised = (index: number) => ({ headers: { 'x-forwarded-for': `192.0.2.${String(index)}` } });
  expect(statusesOf(await mesh.as('web').many(8, 'http://shop/', disguised))).to.deep.equal({ 200: 3, 429: 5 });
  expect(statusesOf(await mesh.as('guest').many(8, 'http://shop/'))).to.deep.equal({ 200: 3, 429: 5 });
});

feature('1.4-per-caller', 'each value of a header has a bucket, requests without it are not limited', async (mesh) => {
  await mesh.apply(shop(), policy(limits('name: tenants, requests: 2, per: [{ type: Header, name: X-Tenant }]')));
  const asTenant = async (tenant: string) =>
    statusesOf(await mesh.as('web').many(5, 'http://shop/', { headers: { 'x-tenant': tenant } }));
  expect(await asTenant('gold')).to.deep.equal({ 200: 2, 429: 3 });
  expect(await asTenant('blue')).to.deep.equal({ 200: 2, 429: 3 });
  expect(statusesOf(await mesh.as('web').many(5, 'http://shop/'))).to.deep.equal({ 200: 5 });
});

misuse('1.4-per-caller', 'what needs an identity is refused, and the other rules hold', async (mesh) => {
  await mesh.attempt(
    shop(),
    policy(limits('name: who, requests: 1, per: [{ type: Principal }]', 'name: all, requests: 2')),
  );
  expectCondition(await accepted(mesh), 'False UnsupportedValue', "is 'Principal'", "'RemoteIP'");
  expect(statusesOf(await mesh.as('web').many(5, 'http://shop/'))).to.deep.equal({ 200: 2, 429: 3 });
});

misuse('1.4-per-caller', 'namespaces have to be named', async (mesh) => {
  await mesh.attempt(shop(), policy(limits('name: callers, requests: 1, per: [{ type: Namespace }]')));
  expectCondition(await accepted(mesh), 'False UnsupportedValue', "of type 'Namespace' must name `values`");
});

const twoRules = route(
  'paths',
  'shop',
  `
  - name: reports
    matches: [{ path: { type: PathPrefix, value: /reports } }]
    backendRefs: [{ name: shop, port: 80 }]
  - name: rest
    backendRefs: [{ name: shop, port: 80 }]`,
);

const onReports = 'group: legation.dev, kind: TrafficRoute, name: paths, sectionName: reports';

feature('1.4-per-route', 'a rule has its own limit, other rules none', async (mesh) => {
  await mesh.apply(shop(), twoRules, policy(limits('name: few, requests: 2'), onReports));
  expect(statusesOf(await mesh.as('web').many(6, 'http://shop/reports/1'))).to.deep.equal({ 200: 2, 429: 4 });
  expect(statusesOf(await mesh.as('web').many(6, 'http://shop/other'))).to.deep.equal({ 200: 6 });
});

feature('1.4-per-route', 'a limit counts across all requests that it is about, on whatever route', async (mesh) => {
  const paths = route(
    'paths',
    'shop',
    `
  - name: reports
    matches: [{ path: { value: /a } }, { path: { value: /b } }]
    backendRefs: [{ name: shop, port: 80 }]
  - name: rest
    backendRefs: [{ name: shop, port: 80 }]`,
  );
  await mesh.apply(
    shop(),
    paths,
    policy(limits('name: few, requests: 3'), onReports),
    policy(limits('name: all, requests: 7'), undefined, 'service'),
  );
  const both = await mesh.as('web').many(2, 'http://shop/a');
  expect(statusesOf([...both, ...(await mesh.as('web').many(4, 'http://shop/b'))])).to.deep.equal({ 200: 3, 429: 3 });
  const rest = statusesOf(await mesh.as('web').many(8, 'http://shop/other'));
  expect(rest[200]).to.be.within(1, 4);
});

feature('1.4-per-route', 'a limit on a rule takes the place of one of the same name on the Service', async (mesh) => {
  await mesh.apply(
    shop(),
    twoRules,
    policy(limits('name: all, requests: 5'), onReports),
    policy(limits('name: all, requests: 2'), undefined, 'service'),
  );
  expect(statusesOf(await mesh.as('web').many(8, 'http://shop/reports/1'))).to.deep.equal({ 200: 5, 429: 3 });
  expect(statusesOf(await mesh.as('web').many(8, 'http://shop/other'))).to.deep.equal({ 200: 2, 429: 6 });
});

misuse('1.4-per-route', 'connections have no rule', async (mesh) => {
  await mesh.attempt(shop(), twoRules, policy('rateLimit: { connectionsPerSecond: 5 }', onReports));
  expectCondition(await accepted(mesh), 'False UnsupportedValue', '`rateLimit.connectionsPerSecond`', 'TrafficRoute');
});

feature('1.4-per-route', 'limits of the Service hold for the rule as well', async (mesh) => {
  await mesh.apply(
    shop(),
    twoRules,
    policy(limits('name: few, requests: 4'), onReports),
    policy(limits('name: posts, requests: 1, per: [{ type: Method, values: [POST] }]'), undefined, 'service'),
  );
  const reports = 'http://shop/reports/1';
  expect(statusesOf(await mesh.as('web').many(3, reports, { method: 'POST' }))).to.deep.equal({ 200: 1, 429: 2 });
  const reads = statusesOf(await mesh.as('web').many(6, reports));
  expect(reads[200]).to.be.within(1, 3);
});

misuse('1.4-per-route', 'a rule whose requests cannot be told where they arrive is no target', async (mesh) => {
  const rewritten = route(
    'paths',
    'shop',
    `
  - name: reports
    matches: [{ path: { type: PathPrefix, value: /reports } }]
    filters: [{ type: URLRewrite, urlRewrite: { path: { type: RegularExpression, pattern: /reports/(.*), substitution: /x } } }]
    backendRefs: [{ name: shop, port: 80 }]`,
  );
  await mesh.attempt(shop(), rewritten, policy(limits('name: few, requests: 2'), onReports));
  expectCondition(await accepted(mesh), 'False UnsupportedValue', "rule 'reports'", 'cannot');
  expect(statusesOf(await mesh.as('web').many(5, 'http://shop/reports/1'))).to.deep.equal({ 200: 5 });
});

const slow = { headers: { 'x-app-delay': '300' } };

feature('1.4-connections', 'connections beyond so many a second are closed', async (mesh) => {
  const retries = route('once', 'shop', '\n  - { retry: { attempts: 0 }, backendRefs: [{ name: shop, port: 80 }] }');
  await mesh.apply(shop(), retries, policy('rateLimit: { connectionsPerSecond: 2 }'));
  const counted = statusesOf(await mesh.as('web').many(8, 'http://shop/', slow));
  // A second may end meanwhile.
  expect([2, 4]).to.include(counted[200]);
  expect(counted[503]).to.equal(8 - (counted[200] ?? 0));
});

misuse('1.4-connections', 'connections cannot be limited for show', async (mesh) => {
  await mesh.attempt(shop(), policy('mode: Audit\nrateLimit: { connectionsPerSecond: 2 }'));
  expectCondition(await accepted(mesh), 'False UnsupportedValue', '`rateLimit.connectionsPerSecond`', "mode 'Audit'");
});

/** What the proxy of a pod has counted for a policy in mode Audit, by rule. */
async function counted(mesh: TestMesh, what: string): Promise<ReadonlyMap<string, number>> {
  const prefix = `audit/${mesh.namespace}/tried/`;
  const suffix = `.http_local_rate_limit.${what}`;
  const found = await mesh.envoy('v1').stats(new RegExp(`^${prefix}.*${suffix.replaceAll('.', '\\.')}$`));
  return new Map([...found].map(([name, value]) => [name.slice(prefix.length, -suffix.length), value]));
}

feature('1.4-shadow-headers', 'Audit lets everything through, and counts what it would have refused', async (mesh) => {
  const rules = limits('name: all, requests: 3', 'name: posts, requests: 1, per: [{ type: Method, values: [POST] }]');
  await mesh.apply(shop(), policy(`mode: Audit\n${rules}`, undefined, 'tried'));
  expect(statusesOf(await mesh.as('web').many(10, 'http://shop/'))).to.deep.equal({ 200: 10 });
  expect(await counted(mesh, 'enabled')).to.deep.equal(new Map(Object.entries({ all: 10, posts: 10 })));
  expect(await counted(mesh, 'rate_limited')).to.deep.equal(new Map(Object.entries({ all: 7, posts: 0 })));
  const metric = await series(mesh, 'v1', 'envoy_http_local_rate_limit_rate_limited');
  const own = metric.filter(({ labels }) => labels['policy'] === `${mesh.namespace}/tried`);
  expect(own.map(({ labels, value }) => [labels['rule'], value])).to.deep.equal([
    ['all', 7],
    ['posts', 0],
  ]);
  const seen = await mesh.condition('MeshPolicy', 'tried', 'Auditing');
  expectCondition(seen, 'True NotEnforced', `{policy="${mesh.namespace}/tried"}`);
});

feature('1.4-shadow-headers', 'a limit that is tried takes the place of none that holds', async (mesh) => {
  await mesh.apply(
    shop(),
    twoRules,
    policy(limits('name: all, requests: 4')),
    policy(`mode: Audit\n${limits('name: all, requests: 1')}`, undefined, 'tried'),
    policy(`mode: Audit\n${limits('name: all, requests: 1')}`, onReports, 'tried-too'),
  );
  expect(statusesOf(await mesh.as('web').many(6, 'http://shop/reports/1'))).to.deep.equal({ 200: 4, 429: 2 });
});

feature('1.4-shadow-headers', 'one policy counts beside another that refuses', async (mesh) => {
  await mesh.apply(
    shop(),
    policy(limits('name: real, requests: 4')),
    policy(`mode: Audit\n${limits('name: tried, requests: 1')}`, undefined, 'tried'),
  );
  expect(statusesOf(await mesh.as('web').many(6, 'http://shop/'))).to.deep.equal({ 200: 4, 429: 2 });
});

feature('1.4-shadow-headers', 'answers say what is left', async (mesh) => {
  const rules = limits('name: all, requests: 3');
  await mesh.apply(shop(), policy(`${rules}\n  responseHeaders: true`));
  const answers = [await mesh.as('web').get('http://shop/'), await mesh.as('web').get('http://shop/')];
  expect(answers.map(({ headers }) => headers['x-ratelimit-limit'])).to.deep.equal(['3', '3']);
  expect(answers.map(({ headers }) => headers['x-ratelimit-remaining'])).to.deep.equal(['2', '1']);
});

misuse('1.4-shadow-headers', 'a value that is no boolean is named', async (mesh) => {
  await mesh.attempt(shop(), policy('rateLimit: { responseHeaders: always }'));
  expectCondition(await accepted(mesh), 'False Invalid', 'rateLimit.responseHeaders');
});
