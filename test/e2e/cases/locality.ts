// Who is asked first, by where callers and servers are. The caller `web` is in zone a of the north, `guest` in zone b.

import { expect } from 'chai';
import { eventually } from '../../support/eventually.js';
import type { Written } from '../../envoy/objects.js';
import type { Answer } from '../caller.js';
import { expectCondition } from '../expectations.js';
import type { TestMesh } from '../mesh.js';
import { feature, misuse } from '../registry.js';
import { countBy, expectShares } from '../statistics.js';
import { apps, type BareServer, type CallerName, nodeIn, nodes, service } from '../world.js';
import { upstreamPolicy } from '../written.js';

const policy = (locality: string, more = ''): string =>
  upstreamPolicy('near', 'shop', `locality: { ${locality} }${more}`);
const told = (mesh: TestMesh, type: string) => mesh.condition('MeshPolicy', 'near', type);
const by = ({ by }: Answer): string => by;

/** Nodes of servers, by zone: `north/a` is a node of its own. */
const servers = { a: 'in-a', b: 'in-b', c: 'in-c', d: 'in-d' } as const;
type Zone = keyof typeof servers;

const map = [
  nodeIn(nodes.web, 'north', 'a'),
  nodeIn(nodes.guest, 'north', 'b'),
  nodeIn(servers.a, 'north', 'a'),
  nodeIn(servers.b, 'north', 'b'),
  nodeIn(servers.c, 'north', 'c'),
  nodeIn(servers.d, 'south', 'd'),
];

/** A Service with a server in each of these zones; each is called as its zone, then a number. */
async function open(mesh: TestMesh, zones: readonly Zone[]): Promise<readonly BareServer[]> {
  return Promise.all(zones.map((zone, index) => mesh.openServer(`${zone}${String(index)}`)));
}

const shop = (behind: readonly BareServer[], named = true) =>
  service('shop', behind, {
    endpoints: Object.fromEntries(
      behind.map(({ name }) => [name, named ? { nodeName: servers[name[0] as Zone] } : {}]),
    ),
  });

/** How often each zone answers. */
async function zonesSeen(mesh: TestMesh, caller: CallerName, count: number): Promise<Readonly<Record<string, number>>> {
  return countBy(await mesh.as(caller).many(count, 'http://shop/'), (one) => by(one).slice(0, 1));
}

/** Requests until only these zones answer. */
const settles = (mesh: TestMesh, zones: string): Promise<unknown> =>
  eventually(
    async () => {
      const seen = Object.keys(await zonesSeen(mesh, 'web', 20))
        .sort()
        .join('');
      return seen === zones || seen;
    },
    { what: `zones ${zones} to answer` },
  );

feature('1.3-failover', 'the zone, then the region, then all the others, as each falls', async (mesh) => {
  const behind = await open(mesh, ['a', 'b', 'd']);
  await mesh.apply(
    ...map,
    shop(behind),
    policy('mode: Failover', ', outlierDetection: { maxEjectionPercent: 100, consecutiveLocalErrors: 1 }'),
  );
  expect(await zonesSeen(mesh, 'web', 20)).to.deep.equal({ a: 20 });
  expect(await zonesSeen(mesh, 'guest', 20)).to.deep.equal({ b: 20 });
  await behind[0]?.stop();
  await settles(mesh, 'b');
  await behind[1]?.stop();
  await settles(mesh, 'd');
});

feature('1.3-failover', 'labels of nodes that the policy names', async (mesh) => {
  const rack = (name: string, value: string) => ({
    ...{ apiVersion: 'v1', kind: 'Node' },
    metadata: { name, labels: { 'example.com/rack': value } },
  });
  const racks = [rack(nodes.web, 'r1'), rack(servers.a, 'r2'), rack(servers.b, 'r1')];
  await mesh.apply(
    ...racks,
    shop(await open(mesh, ['a', 'b'])),
    policy('mode: Failover, priorities: [example.com/rack]'),
  );
  expect(await zonesSeen(mesh, 'web', 20)).to.deep.equal({ b: 20 });
});

feature('1.3-failover', 'what the Service says where no policy does: its zone, or its node', async (mesh) => {
  const behind = await open(mesh, ['a', 'b']);
  const distributed = (distribution: string, [object, ...slices] = shop(behind)) => [
    { ...object, spec: { ...(object?.['spec'] as object), trafficDistribution: distribution } },
    ...slices,
  ];
  await mesh.apply(...map, distributed('PreferSameZone'));
  expect(await zonesSeen(mesh, 'web', 20)).to.deep.equal({ a: 20 });
  const onNode = { a0: { nodeName: servers.a }, b1: { nodeName: nodes.web } };
  await mesh.apply(...map, distributed('PreferSameNode', service('shop', behind, { endpoints: onNode })));
  expect(await zonesSeen(mesh, 'web', 20)).to.deep.equal({ b: 20 });
  await mesh.apply(...map, distributed('PreferSameZone'), policy('mode: None'));
  expectShares(await zonesSeen(mesh, 'web', 100), { a: 1 / 2, b: 1 / 2 });
});

misuse('1.3-failover', 'without ejection nobody would ever fail over', async (mesh) => {
  const off = ', outlierDetection: { consecutive5xx: 0, consecutiveLocalErrors: 0 }';
  for (const mode of ['Failover', 'ZoneAware']) {
    await mesh.attempt(service('shop', ['v1']), policy(`mode: ${mode}`, off));
    expectCondition(await told(mesh, 'Accepted'), 'False Invalid', `\`locality.mode\` '${mode}'`, '`consecutive5xx`');
  }
});

misuse('1.3-failover', 'where no endpoint says where it is, the policy says that it has no effect', async (mesh) => {
  await mesh.attempt(...map, shop(await open(mesh, ['a', 'b']), false), policy('mode: Failover'));
  expectCondition(
    await told(mesh, 'Degraded'),
    'True Ignored',
    '`upstream.locality`',
    `'${mesh.namespace}/shop'`,
    'zone',
  );
  expectShares(await zonesSeen(mesh, 'web', 100), { a: 1 / 2, b: 1 / 2 });
});

/** A pod of the workload of `web`. */
const podOfWeb = (name: string, nodeName: string): Written => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: apps,
    labels: { app: 'web' },
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', controller: true }],
  },
  spec: { nodeName, containers: [{ name: 'app', image: 'app', ports: [{ containerPort: 8080 }] }] },
});

/** The caller as it is, and another pod of its workload in zone b, for which nobody starts an Envoy. */
const twoOfWeb = [podOfWeb('web-0', nodes.web), podOfWeb('web-1', servers.b)];

feature('1.3-zone', 'the own zone gets as much as gives all endpoints the same', async (mesh) => {
  const behind = await open(mesh, ['a', 'b', 'b']);
  const eject = ', outlierDetection: { maxEjectionPercent: 100, consecutiveLocalErrors: 1 }';
  await mesh.apply(...map, ...twoOfWeb, shop(behind), policy('mode: ZoneAware', eject));
  // Half of the callers and a third of the endpoints are in zone a.
  expectShares(await zonesSeen(mesh, 'web', 600), { a: 2 / 3, b: 1 / 3 });
  await mesh.apply(...map, ...twoOfWeb, shop(behind.slice(0, 2)), policy('mode: ZoneAware', eject));
  expect(await zonesSeen(mesh, 'web', 40)).to.deep.equal({ a: 40 });
  await behind[0]?.stop();
  await settles(mesh, 'b');
});

feature('1.3-zone', 'callers that are all in one zone use all endpoints alike', async (mesh) => {
  const behind = await open(mesh, ['a', 'b', 'b', 'd']);
  await mesh.apply(...map, shop(behind), policy('mode: ZoneAware'));
  expectShares(await zonesSeen(mesh, 'web', 400), { a: 1 / 4, b: 1 / 2, d: 1 / 4 });
});

feature('1.3-zone', 'the own zone first, and a share of the rest once too few are left in it', async (mesh) => {
  const behind = await open(mesh, ['a', 'a', 'b', 'b']);
  await mesh.apply(...map, shop(behind), policy('mode: Failover', ', outlierDetection: { consecutiveLocalErrors: 1 }'));
  expect(await zonesSeen(mesh, 'web', 40)).to.deep.equal({ a: 40 });
  await behind[0]?.stop();
  await settles(mesh, 'ab');
  // Half of the zone is left, and Envoy trusts each endpoint with 1.4 times its share.
  expectShares(await zonesSeen(mesh, 'web', 300), { a: 0.7, b: 0.3 });
});

misuse('1.3-zone', 'a mode that does not exist is named, with those that do', async (mesh) => {
  await mesh.attempt(service('shop', ['v1']), policy('mode: ZoneAwre'));
  expectCondition(await told(mesh, 'Accepted'), 'False Invalid', 'locality.mode', "'ZoneAwre'", "'ZoneAware'");
});

misuse('1.3-zone', 'where a hash decides, the policy says that zones have no effect', async (mesh) => {
  const hash = ', loadBalancer: { type: RingHash, hashOn: [{ type: SourceIP }] }';
  await mesh.attempt(...map, shop(await open(mesh, ['a', 'b'])), policy('mode: ZoneAware', hash));
  expectCondition(await told(mesh, 'Degraded'), 'True Ignored', '`upstream.locality`', "'RingHash'");
});

feature('1.3-locality', 'shares by zone, for callers of a zone and for all others', async (mesh) => {
  const shares = '{ from: north/a, to: { north/a: "80", south/d: "20" } }, { from: "*", to: { north/b: "100" } }';
  const behind = await open(mesh, ['a', 'b', 'b', 'd']);
  await mesh.apply(...map, shop(behind), policy(`mode: Distribute, distribute: [${shares}]`));
  expectShares(await zonesSeen(mesh, 'web', 300), { a: 0.8, d: 0.2 });
  expect(await zonesSeen(mesh, 'guest', 30)).to.deep.equal({ b: 30 });
});

feature('1.3-locality', 'a region shares by endpoints what it gets', async (mesh) => {
  const shares = '{ from: north, to: { north: "75", south: "25" } }';
  const behind = await open(mesh, ['a', 'b', 'b', 'd']);
  await mesh.apply(...map, shop(behind), policy(`mode: Distribute, distribute: [${shares}]`));
  expectShares(await zonesSeen(mesh, 'web', 400), { a: 0.25, b: 0.5, d: 0.25 });
});

misuse('1.3-locality', 'shares that do not make a whole, or that no mode asks for, are named', async (mesh) => {
  const shares = 'distribute: [{ from: north, to: { north: "75" } }]';
  await mesh.attempt(service('shop', ['v1']), policy(`mode: Distribute, ${shares}`));
  expectCondition(await told(mesh, 'Accepted'), 'False Invalid', "locality 'north' must sum to 100, it sums to 75");
  await mesh.attempt(service('shop', ['v1']), policy(`mode: Failover, ${shares.replace('75', '100')}`));
  expectCondition(await told(mesh, 'Accepted'), 'False Invalid', '`distribute` may only be set');
});

misuse('1.3-locality', 'where a hash decides, the policy says that it has no effect', async (mesh) => {
  const hash = ', loadBalancer: { type: RingHash, hashOn: [{ type: SourceIP }] }';
  await mesh.attempt(...map, shop(await open(mesh, ['a', 'b'])), policy('mode: Failover', hash));
  expectCondition(await told(mesh, 'Degraded'), 'True Ignored', '`upstream.locality`', 'RingHash');
});
