// What needs connections that the kernel redirects: the application knows nothing of a proxy, and dials addresses.

import { expect } from 'chai';
import { deliverySource } from '../../../src/webhook/redirect-rules.js';
import { addresses, type Family, virtual } from '../../netns/mesh.js';
import { hasIpv6 } from '../../netns/network.js';
import type { Answer } from '../../netns/orders.js';
import { slowPath } from '../../netns/pod-servers.js';
import { expectCondition } from '../expectations.js';
import type { TestLab } from '../lab.js';
import { egress } from '../outside.js';
import { redirected } from '../registry.js';

const families: readonly Family[] = hasIpv6 ? ['ipv4', 'ipv6'] : ['ipv4'];

/** Nobody is there: who gets an answer was led elsewhere. */
const nobody: Readonly<Record<Family, string>> = { ipv4: '198.51.100.9', ipv6: '2001:db8:ffff::9' };

const outside = (block: string): string => egress('shop', 'outside', block);

const world = { ipv4: addresses.world.ipv4, ipv6: addresses.world.ipv6 } as const;

/** Who answered, and under which name it was called. */
const seen = ({ status, text, echo }: Answer): string =>
  echo === undefined ? `${String(status)} ${text.trim()}` : `${echo.pod} ${echo.name}`.trim();

async function connections(lab: TestLab, cluster: string): Promise<number> {
  const name = `cluster.${cluster}.upstream_cx_total`;
  return (await lab.envoy().stats(/upstream_cx_total$/)).get(name) ?? 0;
}

redirected.feature(
  '1.5-hosts',
  'a listed host is reached where DNS says, whatever address was dialled',
  async (lab) => {
    const database = `{ host: db.partner.test, ports: [5432], protocol: TCP, addresses: ["${world.ipv4}", "${world.ipv6}"] }`;
    await lab.apply(
      outside(
        `{ hosts: [{ host: api.partner.test, ports: [80], protocol: HTTP }, { host: tls.partner.test }, ${database}] }`,
      ),
    );
    for (const family of families) {
      const [address, name] = [nobody[family], 'api.partner.test'];
      expect(seen(await lab.call({ manner: 'http', address, port: 80, name }))).to.equal('world api.partner.test');
      const tls = await lab.call({ manner: 'tls', address, port: 443, name: 'tls.partner.test' });
      expect(seen(tls)).to.equal('world tls.partner.test');
      const before = await connections(lab, 'x/db_partner_test/5432');
      expect(seen(await lab.call({ manner: 'banner', address: world[family], port: 5432 }))).to.equal('world');
      expect(await connections(lab, 'x/db_partner_test/5432')).to.equal(before + 1);
    }
  },
);

redirected.feature('1.5-hosts', 'a route on a host rules requests to it, and no others', async (lab) => {
  await lab.apply(
    outside('{ hosts: [{ host: api.partner.test, ports: [80], protocol: HTTP }] }'),
    `
apiVersion: legation.dev/v1alpha1
kind: TrafficRoute
metadata: { name: partner }
spec:
  parentRefs: [{ group: legation.dev, kind: Host, name: api.partner.test }]
  rules:
  - matches: [{ path: { value: /teapot } }]
    filters: [{ type: DirectResponse, directResponse: { statusCode: 418 } }]
  - backendRefs: [{ group: legation.dev, kind: Host, name: api.partner.test, port: 80 }]`,
  );
  const asked = { manner: 'http', address: world.ipv4, port: 80, path: '/teapot' } as const;
  expect((await lab.call({ ...asked, name: 'api.partner.test' })).status).to.equal(418);
  expect(seen(await lab.call({ ...asked, path: '/', name: 'api.partner.test' }))).to.equal('world api.partner.test');
  expect(seen(await lab.call({ ...asked, name: 'other.example' }))).to.equal('world other.example');
});

redirected.misuse('1.5-hosts', 'TLS on a port where names are not looked at asks for addresses', async (lab) => {
  await lab.attempt(outside('{ hosts: [{ host: tls.partner.test, ports: [9443] }] }'));
  const told = await lab.condition('MeshPolicy', 'outside', 'Degraded');
  expectCondition(told, 'True UnsupportedValue', "host 'tls.partner.test' on port 9443", 'set `addresses`');
});

redirected.feature('1.5-wildcard-hosts', 'names under a wildcard are told by Host and by SNI', async (lab) => {
  await lab.apply(
    outside(`{ hosts: [{ host: "*.wild.test", ports: [80], protocol: HTTP }, { host: "*.partner.test" }] }`),
  );
  for (const family of families) {
    const address = nobody[family];
    for (const name of ['a.wild.test', 'a.b.wild.test'])
      expect(seen(await lab.call({ manner: 'http', address, port: 80, name }))).to.equal(`world ${name}`);
    const tls = { manner: 'tls', port: 443, patienceMs: 1_000 } as const;
    expect(seen(await lab.call({ ...tls, address, name: 'a.partner.test' }))).to.equal('world a.partner.test');
    expect(await lab.call({ ...tls, address, name: 'a.wild.test' })).to.include({ status: 0 });
    const other = { manner: 'http', address: world[family], port: 80, name: 'other.example' } as const;
    expect(seen(await lab.call(other))).to.equal('world other.example');
  }
});

redirected.feature('1.5-egress-default', 'where it denies, only listed hosts and the mesh are left', async (lab) => {
  const open = { manner: 'http', address: world.ipv4, port: 8080 } as const;
  expect(seen(await lab.call(open))).to.equal('world localhost');
  await lab.apply(
    outside(
      `{ defaultAction: Deny, hosts: [{ host: api.partner.test, ports: [80], protocol: HTTP }, { host: tls.partner.test }] }`,
    ),
  );
  for (const family of families) {
    const address = world[family];
    const request = { manner: 'http', address, port: 80 } as const;
    const refused = await lab.call({ ...request, name: 'other.partner.test' });
    expect(seen(refused)).to.equal(
      "502 no policy lists this destination, and MeshPolicy 'shop/outside' denies all others",
    );
    for (const closed of [
      { manner: 'http', port: 8080 },
      { manner: 'banner', port: 5432 },
      { manner: 'tls', port: 443, name: 'other.partner.test' },
    ] as const)
      expect(await lab.call({ ...closed, address }), closed.manner).to.include({ status: 0 });
    expect(seen(await lab.call({ ...request, name: 'api.partner.test' }))).to.equal('world api.partner.test');
    expect(seen(await lab.call({ manner: 'tls', address, port: 443, name: 'tls.partner.test' }))).to.equal(
      'world tls.partner.test',
    );
    expect((await lab.call({ manner: 'http', address: virtual.reviews[family], port: 9080 })).status).to.equal(200);
    expect(seen(await lab.call({ manner: 'banner', address: addresses.bank[family], port: 3306 }))).to.equal(
      'shop/bank',
    );
  }
});

redirected.feature('1.5-hosts', 'another host leaves open connections alone', async (lab) => {
  const host = '{ host: api.partner.test, ports: [80], protocol: HTTP }';
  await lab.apply(outside(`{ hosts: [${host}] }`));
  const asked = { manner: 'http', address: nobody.ipv4, port: 80, name: 'api.partner.test' } as const;
  const held = lab.call({ ...asked, path: slowPath });
  await lab.apply(outside(`{ defaultAction: Deny, hosts: [${host}, { host: tls.partner.test }] }`));
  expect(await lab.call({ manner: 'http', address: world.ipv4, port: 8080 })).to.include({ status: 0 });
  expect(seen(await held)).to.equal('world api.partner.test');
});

redirected.misuse('1.5-egress-default', 'a namespace cannot allow what the mesh denies', async (lab) => {
  await lab.attempt(
    egress('legation-system', 'closed', '{ defaultAction: Deny }'),
    outside('{ defaultAction: Allow, hosts: [{ host: api.partner.test, ports: [80], protocol: HTTP }] }'),
  );
  const told = await lab.condition('MeshPolicy', 'outside', 'Accepted');
  expectCondition(
    told,
    'False RefNotPermitted',
    "Host 'api.partner.test' is not listed in namespace 'legation-system'",
  );
  const request = { manner: 'http', address: world.ipv4, port: 80 } as const;
  expect(seen(await lab.call({ ...request, name: 'api.partner.test' }))).to.match(/^502 /);
  expect(seen(await lab.call({ ...request, port: 8080 }))).to.match(/^0 /);
});

const teapot = (parents: string, rest = ''): string => `
apiVersion: legation.dev/v1alpha1
kind: TrafficRoute
metadata: { name: pods }
spec:
  parentRefs: [${parents}]
  ${rest}
  rules:
  - matches: [{ path: { value: /teapot } }]
    filters: [{ type: DirectResponse, directResponse: { statusCode: 418 } }]
  - backendRefs: [{ name: headless-ipv4, port: 9080 }]`;

redirected.feature('1.5-headless', 'the pod that is dialled answers, and rules of the Service hold', async (lab) => {
  await lab.apply(...[teapot('{ name: headless-ipv4 }'), outside('{ defaultAction: Deny }')]);
  for (const pod of ['v1', 'v2'] as const) {
    const asked = { manner: 'http', address: addresses[pod].ipv4, port: 9080, name: 'headless' } as const;
    const answers = await Promise.all(Array.from({ length: 20 }, () => lab.call(asked)));
    expect(new Set(answers.map(({ echo }) => echo?.pod))).to.deep.equal(new Set([`shop/${pod}`]));
    const headers = Object.keys(answers[0]?.echo?.headers ?? {});
    expect(headers.filter((name) => name.startsWith('x-mesh'))).to.deep.equal([]);
    expect((await lab.call({ ...asked, path: '/teapot' })).status).to.equal(418);
  }
  for (const family of families) {
    const address = addresses.bank[family];
    const cluster = `d/shop/vault-${family}/3306`;
    const before = await connections(lab, cluster);
    const { echo } = await lab.call({ manner: 'banner', address, port: 3306 });
    expect(echo).to.include({ pod: 'shop/bank', from: deliverySource[family], to: address });
    expect(await connections(lab, cluster)).to.equal(before + 1);
  }
});

redirected.misuse('1.5-headless', 'rules for connections to pods of a headless Service are told', async (lab) => {
  await lab.attempt(`
apiVersion: legation.dev/v1alpha1
kind: TrafficRoute
metadata: { name: pods }
spec:
  parentRefs: [{ name: vault-ipv4, port: 3306 }]
  protocol: TCP
  rules: [{ backendRefs: [{ name: bank-ipv4, port: 3306 }] }]`);
  const told = await lab.condition('TrafficRoute', 'pods', 'Degraded');
  expectCondition(
    told,
    'True UnsupportedValue',
    "pods of headless Service 'shop/vault-ipv4' on port 3306 meet no rule",
  );
});

/** What a busy machine adds to one of three calls is not the proxies' doing. */
async function fastest(lab: TestLab, asked: Parameters<TestLab['call']>[0]): Promise<Answer> {
  const answers = [await lab.call(asked), await lab.call(asked), await lab.call(asked)];
  return answers.reduce((best, one) => (one.ms < best.ms ? one : best));
}

redirected.feature('1.5-detection', 'each proxy on the way looks for 200 ms, and no longer', async (lab) => {
  for (const family of families) {
    const asked = { manner: 'banner', address: virtual.bank[family], port: 6000 } as const;
    const { echo, ms } = await fastest(lab, asked);
    expect(echo?.pod).to.equal('shop/bank');
    expect(ms).to.be.within(395, 600);
  }
});

redirected.misuse('1.5-detection', 'requests to pods whose protocol nothing names meet no rule', async (lab) => {
  await lab.attempt(`
apiVersion: legation.dev/v1alpha1
kind: TrafficRoute
metadata: { name: pods, namespace: elsewhere }
spec:
  parentRefs: [{ name: vault-ipv4, namespace: shop, port: 6000 }]
  rules: [{ filters: [{ type: DirectResponse, directResponse: { statusCode: 418 } }] }]`);
  const told = await lab.condition('TrafficRoute', 'elsewhere/pods', 'Degraded');
  expectCondition(told, 'True UnsupportedValue', 'on port 6000, of which nothing names the protocol, meet no rule');
});

redirected.feature('1.5-server-first', 'where the protocol is named, nobody waits for the client', async (lab) => {
  for (const family of families) {
    const { echo, ms } = await fastest(lab, { manner: 'banner', address: virtual.bank[family], port: 3306 });
    expect(echo).to.include({ pod: 'shop/bank', from: deliverySource[family] });
    expect(ms).to.be.below(150);
  }
});

redirected.misuse('1.5-server-first', 'a caller cannot make requests of what is none', async (lab) => {
  await lab.attempt(`
apiVersion: legation.dev/v1alpha1
kind: TrafficRoute
metadata: { name: bank, namespace: elsewhere }
spec:
  parentRefs: [{ name: bank-ipv4, namespace: shop, port: 3306 }]
  rules: [{ filters: [{ type: DirectResponse, directResponse: { statusCode: 418 } }] }]`);
  const told = await lab.condition('TrafficRoute', 'elsewhere/bank', 'Accepted');
  expectCondition(told, 'False ProtocolMismatch', "Port 3306 of Service 'shop/bank-ipv4' is not HTTP");
});

if (hasIpv6) {
  redirected.feature('1.5-ipv6', 'a pod of IPv6 alone calls and is called, by Services and by itself', async (lab) => {
    const service = { manner: 'http', address: virtual.reviews.ipv6, port: 9080 } as const;
    expect((await lab.call(service, 'shop/modern')).echo?.from).to.equal(deliverySource.ipv6);
    const { echo } = await lab.call({ manner: 'http', address: addresses.modern.ipv6, port: 8080 });
    expect(echo).to.include({ pod: 'shop/modern', from: deliverySource.ipv6 });
    const far = { manner: 'http', address: world.ipv6, port: 8080 } as const;
    expect(seen(await lab.call(far, 'shop/modern'))).to.equal('world localhost');
  });

  redirected.misuse('1.5-ipv6', 'an address that is none is named', async (lab) => {
    await lab.attempt(outside('{ hosts: [{ host: db.partner.test, protocol: TCP, addresses: ["fd77::9::1"] }] }'));
    const told = await lab.condition('MeshPolicy', 'outside', 'Accepted');
    expectCondition(told, 'False Invalid', 'addresses[0]', 'fd77::9::1');
  });
}
