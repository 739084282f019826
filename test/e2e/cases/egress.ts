// Destinations outside of the mesh.

import { expect } from 'chai';
import {
  createServers,
  greetingThrough,
  lineOverTls,
  openTunnel,
  ownAddress,
  selfSigned,
} from '../../envoy/connections.js';
import { eventually } from '../../support/eventually.js';
import { expectAnswers, expectCondition } from '../expectations.js';
import type { TestMesh } from '../mesh.js';
import { egress, roots, withOutside } from '../outside.js';
import { feature, misuse } from '../registry.js';
import { service } from '../world.js';
import { answeringRules, route } from '../written.js';

const listed = (mesh: TestMesh, host: string): string => egress(mesh.apps, 'outside', `{ hosts: [${host}] }`);

/** A route of the callers' own namespace, on a Service of the test. */
const consumer = (mesh: TestMesh, rules: string): string => `
apiVersion: legation.dev/v1alpha1
kind: TrafficRoute
metadata: { name: outside, namespace: ${mesh.apps} }
spec:
  parentRefs: [{ name: shop, namespace: ${mesh.namespace} }]
  rules: ${rules}`;

const bodyOf = async (mesh: TestMesh, url: string): Promise<string> => {
  const { status, body } = await mesh.as('web').get(url);
  return status === 200 ? body : `${String(status)} ${body.trim()}`;
};

feature('1.5-hosts', 'a listed host is called by its name, found by DNS or at fixed addresses', async (mesh) => {
  await withOutside({ name: 'fixed' }, async (fixed) => {
    await withOutside({ name: 'found', address: '127.0.0.1' }, async (found) => {
      const hosts = [
        `{ host: api.partner.test, ports: [${String(fixed.port)}], protocol: HTTP, addresses: [${fixed.address}] }`,
        `{ host: localhost, ports: [${String(found.port)}], protocol: HTTP }`,
      ];
      await mesh.apply(listed(mesh, hosts.join(', ')));
      const [one, two] = [`api.partner.test:${String(fixed.port)}`, `localhost:${String(found.port)}`];
      expect(await bodyOf(mesh, `http://${one}/x`)).to.equal(`fixed ${one} plain`);
      expect((await mesh.as('web').ask(`http://api.partner.test:1/`, {})).status).to.equal(404);
      expect((await mesh.as('guest').get(`http://${one}/x`)).status).to.equal(404);
      expect(await greetingThrough(mesh.envoy('web').proxy, two)).to.equal('404');
    });
  });
});

feature(
  '1.5-hosts',
  'the name of a Service is its own, whatever a policy lists, and from when on it is there',
  async (mesh) => {
    const name = `shop.${mesh.namespace}`;
    const host = `{ host: ${name}, ports: [80], protocol: HTTP, addresses: [127.0.0.1] }`;
    await mesh.apply(listed(mesh, host));
    expect((await mesh.as('web').get(`http://${name}/`)).status).to.equal(503);
    await mesh.apply(listed(mesh, host), service('shop', ['v1']));
    expect((await mesh.as('web').get(`http://${name}/`)).by).to.equal('v1');
    await mesh.apply(listed(mesh, host));
    expect((await mesh.as('web').get(`http://${name}/`)).status).to.equal(503);
  },
);

feature('1.5-hosts', 'a rule sends a share to a host, which is called by its own name', async (mesh) => {
  await withOutside({ name: 'partner' }, async ({ port, address }) => {
    const host = `{ host: api.partner.test, ports: [${String(port)}], protocol: HTTP, addresses: [${address}] }`;
    const backend = `{ group: legation.dev, kind: Host, name: api.partner.test, port: ${String(port)} }`;
    const rules = `
    - { matches: [{ path: { value: /out } }], backendRefs: [${backend}] }
    - { matches: [{ path: { value: /both } }], backendRefs: [${backend}, { name: shop, namespace: ${mesh.namespace}, port: 80, weight: 0 }] }
    - { matches: [{ path: { value: /copy } }], backendRefs: [${backend}], filters: [{ type: RequestMirror, requestMirror: { backendRef: ${backend} } }] }`;
    await mesh.apply(listed(mesh, host), service('shop', ['v1']), grantTo(mesh), consumer(mesh, rules));
    const wanted = `partner api.partner.test:${String(port)} plain`;
    expect(await bodyOf(mesh, 'http://shop/out')).to.equal(wanted);
    expect(await bodyOf(mesh, 'http://shop/both')).to.equal(wanted);
    expect(await bodyOf(mesh, 'http://shop/copy')).to.equal(wanted);
  });
});

const grantTo = (mesh: TestMesh): string => `
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: { name: apps }
spec:
  from: [{ group: legation.dev, kind: TrafficRoute, namespace: ${mesh.apps} }]
  to: [{ group: "", kind: Service }]`;

feature('1.5-hosts', 'TLS and TCP are carried by tunnels as they are', async (mesh) => {
  const servers = createServers();
  const [address, port] = [ownAddress(41), 7443];
  await servers.tls('partner', { address, port }, await selfSigned('tls.partner.test'));
  await servers.greeter('database', address, 5432);
  const hosts = [
    `{ host: tls.partner.test, ports: [${String(port)}], addresses: [${address}] }`,
    `{ host: db.partner.test, ports: [5432], protocol: TCP, addresses: [${address}] }`,
  ];
  await mesh.apply(listed(mesh, hosts.join(', ')));
  const { proxy } = mesh.envoy('web');
  const { socket } = await openTunnel(proxy, `tls.partner.test:${String(port)}`);
  expect(socket && (await lineOverTls(socket, 'tls.partner.test'))).to.equal('hello from partner');
  expect(await greetingThrough(proxy, 'db.partner.test:5432')).to.equal('hello from database');
  expect(await greetingThrough(proxy, 'db.partner.test:5433')).to.equal('404');
  expect((await mesh.as('web').get('http://db.partner.test:5432/')).status).to.equal(405);
  await servers.close();
});

/** A route of the callers' own namespace, on a host. */
const onHost = (mesh: TestMesh, parent: string, rest: string): string => `
apiVersion: legation.dev/v1alpha1
kind: TrafficRoute
metadata: { name: partner, namespace: ${mesh.apps} }
spec:
  parentRefs: [{ group: legation.dev, kind: Host, ${parent} }]
  ${rest}`;

feature('1.5-hosts', 'a route on a host rules the requests of its namespace', async (mesh) => {
  await withOutside({ name: 'partner' }, async ({ port, address }) => {
    const at = String(port);
    const host = `{ host: api.partner.test, ports: [${at}], protocol: HTTP, addresses: [${address}] }`;
    const rules = `
    - { matches: [{ path: { value: /teapot } }], filters: [{ type: DirectResponse, directResponse: { statusCode: 418 } }] }
    - { matches: [{ path: { value: /mesh } }], backendRefs: [{ name: shop, namespace: ${mesh.namespace}, port: 80 }] }
    - { matches: [{ path: { value: /out } }], backendRefs: [{ group: legation.dev, kind: Host, name: api.partner.test, port: ${at} }] }`;
    await mesh.apply(
      ...[egress('legation-system', 'outside', `{ hosts: [${host}] }`), service('shop', ['v1']), grantTo(mesh)],
      onHost(mesh, 'name: api.partner.test', `rules: ${rules}`),
    );
    const url = `http://api.partner.test:${at}`;
    const partner = `partner api.partner.test:${at} plain`;
    expect((await mesh.as('web').get(`${url}/teapot`)).status).to.equal(418);
    expect((await mesh.as('web').get(`${url}/mesh`)).by).to.equal('v1');
    expect(await bodyOf(mesh, `${url}/out`)).to.equal(partner);
    expect((await mesh.as('web').get(`${url}/else`)).status).to.equal(404);
    expect(await mesh.as('guest').get(`${url}/teapot`)).to.include({ status: 200, body: partner });
  });
});

misuse('1.5-hosts', 'a route on a host that nobody lists needs a port, and requests', async (mesh) => {
  const rules = 'rules: [{ filters: [{ type: DirectResponse, directResponse: { statusCode: 418 } }] }]';
  const connections = `protocol: TCP
  rules: [{ backendRefs: [{ name: shop, port: 80 }] }]`;
  const told = (): ReturnType<TestMesh['condition']> =>
    mesh.condition('TrafficRoute', `${mesh.apps}/partner`, 'Accepted');
  await mesh.attempt(onHost(mesh, 'name: api.partner.test', rules));
  expectCondition(await told(), 'False NoMatchingParent', "No policy lists Host 'api.partner.test'", 'set `port`');
  await mesh.attempt(onHost(mesh, 'name: db.partner.test, port: 5432', connections));
  expectCondition(
    await told(),
    'False UnsupportedValue',
    '`spec.parentRefs[0].kind`',
    'list the host in `egress.hosts`',
  );
  await mesh.apply(onHost(mesh, 'name: api.partner.test, port: 80', rules));
  expect((await mesh.as('web').get('http://api.partner.test/')).status).to.equal(418);
});

misuse('1.5-hosts', 'a host that the mesh keeps for others is refused to callers and routes', async (mesh) => {
  const claimed = '{ hosts: [{ host: kept.partner.test, ports: [80], protocol: HTTP, namespaces: [payments] }] }';
  const backend = '{ group: legation.dev, kind: Host, name: kept.partner.test, port: 80 }';
  await mesh.attempt(
    egress('legation-system', 'claims', claimed),
    ...[listed(mesh, '{ host: kept.partner.test, ports: [80], protocol: HTTP }'), service('shop', ['v1'])],
    consumer(mesh, `[{ backendRefs: [${backend}] }]`),
  );
  const why = "Host 'kept.partner.test' is claimed for namespaces 'payments'";
  const sent = await mesh.condition('TrafficRoute', `${mesh.apps}/outside`, 'ResolvedRefs');
  expectCondition(sent, 'False RefNotPermitted', why);
  const policy = await mesh.condition('MeshPolicy', `${mesh.apps}/outside`, 'Accepted');
  expectCondition(policy, 'False RefNotPermitted', why);
  expect((await mesh.as('web').get('http://shop/')).status).to.equal(500);
  expect(await bodyOf(mesh, 'http://kept.partner.test/')).to.equal(
    "502 host 'kept.partner.test' is not open to this namespace",
  );
});

feature('1.5-tls-origination', 'the proxy speaks TLS with SNI, and believes only the CA and the name', async (mesh) => {
  const [right, wrong] = [await selfSigned('secure.partner.test'), await selfSigned('secure.partner.test')];
  await withOutside({ name: 'secure', tls: right }, async ({ port, address }) => {
    const host = (name: string, tls: string): string =>
      `{ host: ${name}, ports: [${String(port)}], protocol: HTTP, addresses: [${address}], tls: { ${tls} } }`;
    await mesh.apply(
      roots(mesh.apps, 'right', right.cert),
      roots(mesh.apps, 'wrong', wrong.cert),
      listed(
        mesh,
        [
          host('secure.partner.test', 'caConfigMap: right'),
          host('strange.partner.test', 'caConfigMap: wrong'),
          host('named.partner.test', 'caConfigMap: right'),
          host(
            'told.partner.test',
            'caConfigMap: right, sni: secure.partner.test, subjectAltNames: [secure.partner.test]',
          ),
          host('public.partner.test', 'sni: secure.partner.test, subjectAltNames: [secure.partner.test]'),
        ].join(', '),
      ),
    );
    const at = (name: string): string => `http://${name}.partner.test:${String(port)}/`;
    const authority = (name: string): string => `${name}.partner.test:${String(port)}`;
    expect(await bodyOf(mesh, at('secure'))).to.equal(`secure ${authority('secure')} secure.partner.test`);
    expect(await bodyOf(mesh, at('told'))).to.equal(`secure ${authority('told')} secure.partner.test`);
    const strangers = ['strange', 'named', 'public'];
    for (const name of strangers) expect(await bodyOf(mesh, at(name))).to.match(/^503 /);
    const counted = await mesh.envoy('web').stats(/partner_test\/.*ssl\.fail_verify_(error|san)$/);
    const failed = (name: string, counter: string): number =>
      counted.get(`cluster.x/${name}_partner_test/${String(port)}.ssl.fail_verify_${counter}`) ?? 0;
    expect(failed('strange', 'error')).to.be.above(0);
    expect(failed('named', 'san')).to.be.above(0);
    expect(failed('public', 'error')).to.be.above(0);
  });
});

misuse('1.5-tls-origination', 'roots that are not there are named, and nobody is believed', async (mesh) => {
  await withOutside({ name: 'secure', tls: await selfSigned('secure.partner.test') }, async ({ port, address }) => {
    await mesh.attempt(
      listed(
        mesh,
        `{ host: secure.partner.test, ports: [${String(port)}], protocol: HTTP, addresses: [${address}], tls: { caConfigMap: missing } }`,
      ),
    );
    const told = await mesh.condition('MeshPolicy', `${mesh.apps}/outside`, 'ResolvedRefs');
    expectCondition(told, 'False BackendNotFound', "ConfigMap 'missing'", '`ca.crt`');
    expect(await bodyOf(mesh, `http://secure.partner.test:${String(port)}/`)).to.equal('503 no healthy upstream');
  });
});

feature('1.5-external-name', 'a Service of type ExternalName is called where DNS says, and has rules', async (mesh) => {
  await withOutside({ name: 'elsewhere', address: '127.0.0.1' }, async ({ port }) => {
    const external = `
apiVersion: v1
kind: Service
metadata: { name: elsewhere }
spec: { type: ExternalName, externalName: localhost, ports: [{ name: http, port: ${String(port)} }] }`;
    const rules = `
apiVersion: legation.dev/v1alpha1
kind: TrafficRoute
metadata: { name: rules }
spec:
  parentRefs: [{ name: elsewhere }]
  rules:
    - matches: [{ path: { value: /teapot } }]
      filters: [{ type: DirectResponse, directResponse: { statusCode: 418 } }]
    - backendRefs: [{ name: elsewhere, port: ${String(port)} }]`;
    await mesh.apply(external, rules);
    const authority = `elsewhere.${mesh.namespace}:${String(port)}`;
    expect(await bodyOf(mesh, `http://${authority}/`)).to.equal(`elsewhere ${authority} plain`);
    expect((await mesh.as('web').get(`http://${authority}/teapot`)).status).to.equal(418);
  });
});

misuse('1.5-external-name', 'a Service for a host that the mesh keeps for others is no backend', async (mesh) => {
  const claimed = '{ hosts: [{ host: kept.partner.test, namespaces: [payments] }] }';
  await mesh.attempt(
    egress('legation-system', 'claims', claimed),
    service('shop', ['v1']),
    `
apiVersion: v1
kind: Service
metadata: { name: elsewhere }
spec: { type: ExternalName, externalName: kept.partner.test, ports: [{ name: http, port: 80 }] }`,
    `
apiVersion: legation.dev/v1alpha1
kind: TrafficRoute
metadata: { name: rules }
spec:
  parentRefs: [{ name: shop }]
  rules: [{ backendRefs: [{ name: elsewhere, port: 80 }] }]`,
  );
  const told = await mesh.condition('TrafficRoute', 'rules', 'ResolvedRefs');
  expectCondition(told, 'False RefNotPermitted', 'leads outside', "claimed for namespaces 'payments'");
  expect((await mesh.as('web').get('http://shop/')).status).to.equal(500);
});

/** The listener is another one then; connections that are kept from before end with their next answer. */
async function withFreshConnections(mesh: TestMesh, url: string): Promise<void> {
  await eventually(async () => (await mesh.as('web').get(url, { connection: 'close' })).status !== 404, {
    what: `an answer of ${url}`,
  });
}

const nothingElse = (mesh: TestMesh, block: string): string => egress(mesh.apps, 'outside', block);

feature('1.5-wildcard-hosts', 'names under a wildcard are reached, and no others', async (mesh) => {
  await withOutside({ name: 'wild', address: '127.0.0.1' }, async ({ port }) => {
    const at = String(port);
    await mesh.apply(
      service('shop', ['v1']),
      route('rules', 'shop', answeringRules({ only: '{ path: { value: /only } }' })),
      listed(mesh, `{ host: "*.localhost", ports: [${at}], protocol: HTTP }`),
    );
    await withFreshConnections(mesh, `http://a.localhost:${at}/`);
    expect(await bodyOf(mesh, `http://a.localhost:${at}/`)).to.equal(`wild a.localhost:${at} plain`);
    expect(await bodyOf(mesh, `http://a.b.localhost:${at}/`)).to.equal(`wild a.b.localhost:${at} plain`);
    expect((await mesh.as('web').get('http://a.localhost:1/')).status).to.equal(404);
    expect((await mesh.as('web').get(`http://other.example:${at}/`)).status).to.equal(404);
    await expectAnswers(mesh.as('web'), { 'http://shop/only': 'only', 'http://shop/none': '404' });
  });
});

feature('1.5-wildcard-hosts', 'TLS under a wildcard asks for the name that was called', async (mesh) => {
  const keys = await selfSigned('a.localhost');
  await withOutside({ name: 'wild', address: '127.0.0.1', tls: keys }, async ({ port }) => {
    const at = String(port);
    const tls = '{ caConfigMap: own }';
    await mesh.apply(
      roots(mesh.apps, 'own', keys.cert),
      listed(mesh, `{ host: "*.localhost", ports: [${at}], protocol: HTTP, tls: ${tls} }`),
    );
    await withFreshConnections(mesh, `http://a.localhost:${at}/`);
    expect(await bodyOf(mesh, `http://a.localhost:${at}/`)).to.equal(`wild a.localhost:${at} a.localhost`);
    expect(await bodyOf(mesh, `http://b.localhost:${at}/`)).to.match(/^503 /);
  });
});

misuse('1.5-wildcard-hosts', 'a wildcard with fixed addresses is named', async (mesh) => {
  await mesh.attempt(listed(mesh, '{ host: "*.partner.test", protocol: HTTP, addresses: [192.0.2.1] }'));
  const told = await mesh.condition('MeshPolicy', `${mesh.apps}/outside`, 'Accepted');
  expectCondition(told, 'False Invalid', "host '*.partner.test' must not set `addresses`");
});

feature(
  '1.5-egress-default',
  'where it denies, only listed destinations are left, and the answer says why',
  async (mesh) => {
    await withOutside({ name: 'free' }, async ({ port, address }) => {
      const authority = `${address}:${String(port)}`;
      await mesh.apply(service('shop', ['v1']), nothingElse(mesh, '{ defaultAction: Allow }'));
      await withFreshConnections(mesh, `http://${authority}/`);
      expect(await bodyOf(mesh, `http://${authority}/`)).to.equal(`free ${authority} plain`);
      const { status, socket } = await openTunnel(mesh.envoy('web').proxy, authority);
      socket?.destroy();
      expect(status).to.equal(200);
      expect((await mesh.as('web').get('http://shop/')).by).to.equal('v1');

      const host = `{ host: api.partner.test, ports: [${String(port)}], protocol: HTTP, addresses: [${address}] }`;
      await mesh.apply(service('shop', ['v1']), nothingElse(mesh, `{ defaultAction: Deny, hosts: [${host}] }`));
      const why = `MeshPolicy '${mesh.apps}/outside' denies all others`;
      expect(await bodyOf(mesh, `http://${authority}/`))
        .to.match(/^502 /)
        .and.include(why);
      expect((await openTunnel(mesh.envoy('web').proxy, authority)).status).to.equal(502);
      expect(await bodyOf(mesh, `http://api.partner.test:${String(port)}/`)).to.match(/^free /);
      expect((await mesh.as('web').get('http://shop/')).by).to.equal('v1');
    });
  },
);

misuse('1.5-egress-default', 'a namespace cannot list for itself what the mesh denies', async (mesh) => {
  await mesh.attempt(
    egress('legation-system', 'closed', '{ defaultAction: Deny }'),
    egress(
      mesh.apps,
      'outside',
      '{ defaultAction: Allow, hosts: [{ host: api.partner.test, ports: [80], protocol: HTTP }] }',
    ),
  );
  const told = await mesh.condition('MeshPolicy', `${mesh.apps}/outside`, 'Accepted');
  expectCondition(
    told,
    'False RefNotPermitted',
    "Host 'api.partner.test' is not listed in namespace 'legation-system'",
  );
  expect(await bodyOf(mesh, 'http://api.partner.test/')).to.match(/^502 /);
  await withFreshConnections(mesh, 'http://127.0.0.1:1/');
  expect(await bodyOf(mesh, 'http://127.0.0.1:1/')).to.equal(
    "502 no policy lists this destination, and MeshPolicy 'legation-system/closed' denies all others",
  );
});
