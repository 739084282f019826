// Which endpoint gets a request.

import { expect } from 'chai';
import { systemClock as clock } from '../../../src/lib/clock.js';
import type { Answer } from '../caller.js';
import { expectCondition } from '../expectations.js';
import type { TestMesh } from '../mesh.js';
import { feature, misuse } from '../registry.js';
import { countBy, expectShare, expectShares, shareBounds } from '../statistics.js';
import { servers, service } from '../world.js';
import { upstreamPolicy } from '../written.js';

const all = service('shop', servers);
const balancer = (settings: string): string => upstreamPolicy('balancing', 'shop', `loadBalancer: { ${settings} }`);
const accepted = (mesh: TestMesh) => mesh.condition('MeshPolicy', 'balancing', 'Accepted');
const by = ({ by }: Answer): string => by;

/** Who answers this many requests, sent one after the other. */
async function sequence(mesh: TestMesh, count: number, url = 'http://shop/'): Promise<readonly string[]> {
  const seen: string[] = [];
  for (let nth = 0; nth < count; nth++) seen.push((await mesh.as('web').get(url)).by);
  return seen;
}

const repeats = (seen: readonly string[]): number => seen.filter((one, index) => one === seen[index - 1]).length;

feature('1.3-algorithms', 'round robin: each in its turn', async (mesh) => {
  await mesh.apply(all, balancer('type: RoundRobin'));
  const seen = await sequence(mesh, 30);
  expect(countBy(seen, (one) => one)).to.deep.equal({ v1: 10, v2: 10, v3: 10 });
  expect(repeats(seen)).to.equal(0);
});

feature('1.3-algorithms', 'random: equal shares, and no order', async (mesh) => {
  await mesh.apply(all, balancer('type: Random'));
  const seen = await sequence(mesh, 150);
  expectShares(
    countBy(seen, (one) => one),
    { v1: 1 / 3, v2: 1 / 3, v3: 1 / 3 },
  );
  expectShare(repeats(seen), seen.length - 1, 1 / 3);
});

feature('1.3-algorithms', 'least request: who is slow gets less, which chance would not do', async (mesh) => {
  const size = 200;
  const headers = { 'x-app-at': 'v1', 'x-app-delay': '200' };
  const ofSlow = async (type: string): Promise<number> => {
    await mesh.apply(all, balancer(`type: ${type}`));
    return countBy(await mesh.as('web').many(size, 'http://shop/', { headers }), by)['v1'] ?? 0;
  };
  expectShare(await ofSlow('Random'), size, 1 / 3);
  expect(await ofSlow('LeastRequest')).to.be.below(shareBounds(size, 1 / 3)[0]);
});

misuse('1.3-algorithms', 'a balancer that does not exist is named, with those that do', async (mesh) => {
  await mesh.attempt(all, balancer('type: Fastest'));
  expectCondition(await accepted(mesh), 'False Invalid', 'spec.upstream.loadBalancer.type', 'Fastest', 'LeastRequest');
});

/** Fails unless equal keys are answered by one server, and all keys by more than one. */
function expectAffinity(answers: readonly (readonly [key: string, by: string])[]): void {
  const servedBy = new Map<string, Set<string>>();
  for (const [key, one] of answers) servedBy.set(key, (servedBy.get(key) ?? new Set()).add(one));
  expect([...servedBy.values()].every((some) => some.size === 1)).to.equal(true);
  expect(new Set(answers.map(([, one]) => one)).size).to.be.above(1);
}

const users = Array.from({ length: 20 }, (_, index) => `user-${String(index % 10)}`);

for (const type of ['RingHash', 'Maglev'] as const) {
  feature('1.3-hash', `${type}: header, query parameter and cookie lead to one server each`, async (mesh) => {
    const web = mesh.as('web');
    const ways = {
      'type: Header, name: x-user': (user: string) => web.get('http://shop/', { 'x-user': user }),
      'type: QueryParam, name: user': (user: string) => web.get(`http://shop/?user=${user}`),
      'type: Cookie, name: user': (user: string) => web.get('http://shop/', { cookie: `user=${user}` }),
    };
    for (const [hashOn, ask] of Object.entries(ways)) {
      await mesh.apply(all, balancer(`type: ${type}, hashOn: [{ ${hashOn} }]`));
      expectAffinity(await Promise.all(users.map(async (user) => [user, (await ask(user)).by] as const)));
    }
  });
}

feature('1.3-hash', 'a cookie that Envoy creates keeps its bearer where it is', async (mesh) => {
  await mesh.apply(all, balancer('type: RingHash, hashOn: [{ type: Cookie, name: stay, ttl: 60s }]'));
  const bearers = await Promise.all(
    users.map(async () => {
      const first = await mesh.as('web').get('http://shop/');
      const [cookie = ''] = first.headers['set-cookie'] ?? [];
      expect(cookie).to.match(/^stay="?[^;]+; Max-Age=60; Path=\/; HttpOnly$/);
      const second = await mesh.as('web').get('http://shop/', { cookie: cookie.split(';')[0] ?? '' });
      expect(second.headers['set-cookie']).to.equal(undefined);
      return [first.by, second.by] as const;
    }),
  );
  for (const [first, second] of bearers) expect(second).to.equal(first);
});

feature('1.3-hash', 'the address of the caller leads to one server', async (mesh) => {
  await mesh.apply(all, balancer('type: Maglev, hashOn: [{ type: SourceIP }]'));
  expect(new Set(await sequence(mesh, 20)).size).to.equal(1);
});

feature('1.3-hash', 'the first part that a request has decides', async (mesh) => {
  const parts = '{ type: Header, name: x-user }, { type: QueryParam, name: user }';
  await mesh.apply(all, balancer(`type: RingHash, hashOn: [${parts}]`));
  const ask = (user: string, nth: number) => mesh.as('web').get(`http://shop/?user=${String(nth)}`, { 'x-user': user });
  expectAffinity(await Promise.all(users.map(async (user, nth) => [user, (await ask(user, nth)).by] as const)));
});

misuse('1.3-hash', 'a hash needs what is hashed, and only a hash has it', async (mesh) => {
  await mesh.attempt(all, balancer('type: RingHash'));
  expectCondition(await accepted(mesh), 'False Invalid', "`hashOn` must be set when `type` is 'RingHash'");
  await mesh.attempt(all, balancer('type: Random, hashOn: [{ type: SourceIP }]'));
  expectCondition(await accepted(mesh), 'False Invalid', '`hashOn` may only be set');
});

feature('1.3-slow-start', 'a new endpoint gets little, and its share once it is warm', async (mesh) => {
  const windowMs = 1_500;
  const policy = balancer(`type: RoundRobin, slowStart: ${String(windowMs)}ms`);
  await mesh.apply(service('shop', ['v1']), policy);
  await sequence(mesh, 1);
  await clock.sleep(windowMs);
  await mesh.apply(service('shop', ['v1', 'v2']), policy);
  const cold = countBy(await sequence(mesh, 60), (one) => one);
  await clock.sleep(windowMs);
  const warm = countBy(await sequence(mesh, 60), (one) => one);
  expect(cold['v2'] ?? 0).to.be.below(shareBounds(60, 1 / 2)[0]);
  expectShares(warm, { v1: 1 / 2, v2: 1 / 2 });
});

misuse('1.3-slow-start', 'balancers that know no weights have no slow start', async (mesh) => {
  await mesh.attempt(all, balancer('type: Random, slowStart: 10s'));
  expectCondition(await accepted(mesh), 'False Invalid', '`slowStart` may only be set', 'LeastRequest');
});

const failing = { 'x-app-fail': '1000', 'x-app-status': '500' };
const ejecting = 'outlierDetection: { consecutive5xx: 2, interval: 100ms, maxEjectionPercent: 100 }';

feature('1.3-panic', 'with too few healthy endpoints all are asked, or none', async (mesh) => {
  const ejected = async (panicThreshold: number): Promise<string> => {
    await mesh.apply(
      service('shop', ['v1']),
      upstreamPolicy('balancing', 'shop', `${ejecting}, loadBalancer: { panicThreshold: ${String(panicThreshold)} }`),
    );
    for (let nth = 0; nth < 3; nth++) await mesh.as('web').get('http://shop/', failing);
    return (await mesh.as('web').get('http://shop/')).by;
  };
  expect(await ejected(0)).to.equal('503');
  expect(await ejected(50)).to.equal('v1');
});

misuse('1.3-panic', 'a share above the whole is named', async (mesh) => {
  await mesh.attempt(all, balancer('panicThreshold: 101'));
  expectCondition(await accepted(mesh), 'False Invalid', 'spec.upstream.loadBalancer.panicThreshold', '100');
});
