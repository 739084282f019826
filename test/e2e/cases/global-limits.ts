// Rate limits that a service counts for all proxies: Envoy's reference service, with Redis.

import { expect } from 'chai';
import type { Answer } from '../caller.js';
import { expectCondition } from '../expectations.js';
import type { TestMesh } from '../mesh.js';
import { startRateLimitService } from '../rate-limit-service.js';
import { feature, misuse } from '../registry.js';
import { type BareServer, service } from '../world.js';
import { route, type Input } from '../written.js';

/** Apart for each run. */
const address = `127.${String(60 + (process.pid % 20))}.${String(process.pid % 250)}.9`;

const fourGold = (domain: string): string => `
domain: ${domain}
descriptors:
  - key: rule
    value: tenants
    descriptors:
      - key: x-tenant
        value: gold
        rate_limit: { name: gold, unit: hour, requests_per_unit: 4 }`;

/** A limit of scope Global on Service `shop`. */
const policy = (more = '', provider = 'rls', onError = 'Deny'): string => `
apiVersion: legation.dev/v1alpha1
kind: MeshPolicy
metadata: { name: limits }
spec:
  targetRefs: [{ kind: Service, name: shop }]
  ${more}
  providers:
    - { name: rls, type: RateLimit, backendRef: { name: limiter, port: 8084 }, timeout: 2s, onError: ${onError} }
  rateLimit:
    provider: ${provider}
    responseHeaders: true
    rules:
      - { name: tenants, scope: Global, per: [{ type: Header, name: X-Tenant }] }`;

const objects = (limiter: readonly BareServer[]): readonly Input[] => [
  service('shop', ['v1', 'v2']),
  service('limiter', limiter, { ports: { 8084: 'grpc' } }),
];

const statusesOf = (answers: readonly Answer[]): Readonly<Record<number, number>> => {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
};

const asTenant = (mesh: TestMesh, tenant: string, count: number): Promise<readonly Answer[]> =>
  mesh.as('web').many(count, 'http://shop/', { headers: { 'x-tenant': tenant } });

async function withService(mesh: TestMesh, test: (limiter: BareServer) => Promise<void>): Promise<void> {
  const limiter = await startRateLimitService(address, fourGold(mesh.namespace));
  try {
    await test(limiter);
  } finally {
    await limiter.stop();
  }
}

feature('1.4-global', 'all proxies together let so many through', async (mesh) => {
  await withService(mesh, async (limiter) => {
    await mesh.apply(...objects([limiter]), policy());
    expect(statusesOf(await asTenant(mesh, 'gold', 12))).to.deep.equal({ 200: 4, 429: 8 });
    expect(new Set(mesh.arrivals().map(({ pod }) => pod)).size).to.be.within(1, 2);
    expect(statusesOf(await asTenant(mesh, 'blue', 12))).to.deep.equal({ 200: 12 });
    expect(statusesOf(await mesh.as('web').many(12, 'http://shop/'))).to.deep.equal({ 200: 12 });
  });
});

const gone: BareServer = { name: 'gone', address, stop: () => Promise.resolve() };

feature('1.4-global', 'a service that does not answer costs requests that it would be asked about', async (mesh) => {
  await mesh.apply(...objects([gone]), policy());
  expect(statusesOf(await asTenant(mesh, 'gold', 5))).to.deep.equal({ 500: 5 });
  expect(statusesOf(await mesh.as('web').many(5, 'http://shop/'))).to.deep.equal({ 200: 5 });
});

feature('1.4-global', 'a service that does not answer costs nothing where its provider says so', async (mesh) => {
  await mesh.apply(...objects([gone]), policy('', 'rls', 'Allow'));
  expect(statusesOf(await asTenant(mesh, 'gold', 5))).to.deep.equal({ 200: 5 });
});

feature('1.4-global', 'a limit on a rule asks the service that another policy declares', async (mesh) => {
  const rules = '\n  - { name: main, backendRefs: [{ name: shop, port: 80 }] }';
  const declared = `
apiVersion: legation.dev/v1alpha1
kind: MeshPolicy
metadata: { name: services }
spec:
  targetRefs: [{ kind: Service, name: shop }]
  providers: [{ name: rls, type: RateLimit, backendRef: { name: limiter, port: 8084 }, timeout: 2s }]`;
  const onRule = `
apiVersion: legation.dev/v1alpha1
kind: MeshPolicy
metadata: { name: limits }
spec:
  targetRefs: [{ group: legation.dev, kind: TrafficRoute, name: ways, sectionName: main }]
  rateLimit: { provider: rls, rules: [{ name: tenants, scope: Global }] }`;
  const threeOnRule = `
domain: ${mesh.namespace}
descriptors:
  - key: rule
    value: tenants
    descriptors:
      - { key: at, value: ${mesh.namespace}/ways/main, rate_limit: { unit: hour, requests_per_unit: 3 } }`;
  const limiter = await startRateLimitService(address, threeOnRule);
  try {
    await mesh.apply(...objects([limiter]), route('ways', 'shop', rules), declared, onRule);
    expect(statusesOf(await mesh.as('web').many(8, 'http://shop/'))).to.deep.equal({ 200: 3, 429: 5 });
    const seen = await mesh.condition('MeshPolicy', 'limits', 'ResolvedRefs');
    expectCondition(seen, 'True ResolvedRefs');
  } finally {
    await limiter.stop();
  }
});

misuse('1.4-global', 'a provider that nobody declares is named', async (mesh) => {
  await mesh.attempt(...objects([]), policy('', 'rlx'));
  const seen = await mesh.condition('MeshPolicy', 'limits', 'ResolvedRefs');
  expectCondition(seen, 'False ProviderNotFound', "'rlx'", "'rls'");
  expect(statusesOf(await asTenant(mesh, 'gold', 6))).to.deep.equal({ 200: 6 });
});

feature('1.4-shadow-headers', 'Audit asks the service and lets everything through', async (mesh) => {
  await withService(mesh, async (limiter) => {
    await mesh.apply(...objects([limiter]), policy('mode: Audit'));
    expect(statusesOf(await asTenant(mesh, 'gold', 10))).to.deep.equal({ 200: 10 });
    const counters = await Promise.all(
      (['v1', 'v2'] as const).map((server) => mesh.envoy(server).stats(/ratelimit\.audit\.over_limit$/)),
    );
    const counted = counters.flatMap((one) => [...one.values()]).reduce((sum, value) => sum + value, 0);
    expect(counted).to.equal(6);
  });
});

feature('1.4-shadow-headers', 'answers say what the service has left', async (mesh) => {
  await withService(mesh, async (limiter) => {
    await mesh.apply(...objects([limiter]), policy());
    const [answer] = await asTenant(mesh, 'gold', 1);
    expect(answer?.headers['x-ratelimit-limit']).to.equal('4, 4;w=3600;name="gold"');
    expect(answer?.headers['x-ratelimit-remaining']).to.equal('3');
  });
});

misuse('1.4-global', 'another service cannot be asked for one rule of a port, and status says so', async (mesh) => {
  const onRule = `
apiVersion: legation.dev/v1alpha1
kind: MeshPolicy
metadata: { name: own }
spec:
  targetRefs: [{ group: legation.dev, kind: TrafficRoute, name: ways }]
  providers: [{ name: mine, type: RateLimit, backendRef: { name: limiter, port: 8084 } }]
  rateLimit: { provider: mine, rules: [{ name: own, scope: Global }] }`;
  const ways = route('ways', 'shop', '\n  - { name: main, backendRefs: [{ name: shop, port: 80 }] }');
  await mesh.apply(...objects([gone]), ways, policy('', 'rls', 'Allow'), onRule);
  const seen = await mesh.condition('MeshPolicy', 'own', 'Degraded');
  expectCondition(seen, 'True FallbackActive', '`rateLimit.provider`', '/limits', 'a port asks one service');
});
