// Calls of gRPC: which rule they meet, and what answers where none can.

import { expect } from 'chai';
import { ownAddress } from '../../envoy/connections.js';
import { call, type CallReply } from '../../envoy/grpc.js';
import { inParallel } from '../../envoy/client.js';
import { eventually } from '../../support/eventually.js';
import { expectCondition } from '../expectations.js';
import { converse, startGrpcEcho } from '../grpc-echo.js';
import type { TestMesh } from '../mesh.js';
import { feature, misuse } from '../registry.js';
import { countBy, expectShares } from '../statistics.js';
import { ports, service } from '../world.js';
import { route } from '../written.js';

const [unimplemented, unavailable] = [12, 14];

const callable = { ports: { 80: 'grpc' } } as const;

interface Sends {
  readonly to: string;
  /** More of them, in YAML, each with a comma before it. */
  readonly filters?: string;
}

/** Each rule says its name in an answer; they are for the Service `cart`. */
const rule = (name: string, match: string, { to, filters = '' }: Sends): string => `
  - name: ${name}
    matches: [{ ${match} }]
    filters: [{ type: ResponseHeaderModifier, responseHeaderModifier: { set: [{ name: x-rule, value: ${name} }] } }${filters}]
    backendRefs: [${to}]`;

const one = '{ name: one, port: 80 }';
const two = '{ name: two, port: 80 }';

const calls = (rules: readonly string[]): string =>
  route('calls', 'cart', rules.join('')).replace('spec:', 'spec:\n  protocol: GRPC');

const grpcRoute = (rules: readonly string[]): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: { name: calls }
spec:
  parentRefs: [{ group: "", kind: Service, name: cart, port: 80 }]
  rules:${rules.join('')}`;

const services = [
  ...service('cart', ['v3'], callable),
  ...service('one', ['v1'], callable),
  ...service('two', ['v2'], callable),
];

const ask = (mesh: TestMesh, method: string, headers: Readonly<Record<string, string>> = {}): Promise<CallReply> =>
  call({ proxy: mesh.envoy('web').proxy, host: `cart.${mesh.namespace}`, method, headers });

const serverOf = ({ seen }: CallReply): string => seen?.pod.split('/')[1]?.replace(/-0$/, '') ?? '';

/** `rule server`, else the code. */
const outcomeOf = (reply: CallReply): string =>
  reply.code === 0 ? `${String(reply.headers.get('x-rule')[0])} ${serverOf(reply)}` : String(reply.code);

async function expectOutcomes(mesh: TestMesh, wanted: Readonly<Record<string, string>>): Promise<void> {
  const methods = Object.keys(wanted);
  const seen = await Promise.all(methods.map(async (method) => [method, outcomeOf(await ask(mesh, method))] as const));
  expect(Object.fromEntries(seen)).to.deep.equal(wanted);
}

feature('1.1-grpc', 'a call meets the rule with the closest names, and only calls do', async (mesh) => {
  await mesh.apply(
    services,
    calls([
      rule('by-method', 'grpc: { method: List }', { to: two }),
      rule('by-expression', 'grpc: { type: RegularExpression, service: "shop[.].*", method: "Get.*" }', { to: two }),
      rule('by-service', 'grpc: { service: shop.Cart }', { to: two }),
      rule('exact', 'grpc: { service: shop.Cart, method: List }', { to: one }),
      rule('gold', 'grpc: { service: shop.Cart }, headers: [{ name: x-kind, value: gold }]', { to: one }),
    ]),
  );
  await expectOutcomes(mesh, {
    ...{ 'shop.Cart/List': 'exact v1', 'shop.Cart/Add': 'by-service v2', 'shop.Wish/List': 'by-method v2' },
    ...{ 'shop.Wish/GetAll': 'by-expression v2', 'shop.CartX/Add': String(unimplemented) },
  });
  expect(outcomeOf(await ask(mesh, 'shop.Cart/Add', { 'x-kind': 'gold' }))).to.equal('gold v1');
  const { seen } = await ask(mesh, 'shop.Cart/List');
  expect([seen?.httpVersion, seen?.method, seen?.path]).to.deep.equal(['2.0', 'POST', '/shop.Cart/List']);
  expect((await mesh.as('web').get('http://cart/shop.Cart/List')).by).to.equal('404');
});

feature('1.1-grpc', 'streams pass both ways, message by message, to the server of their method', async (mesh) => {
  const paths = ['/shop.Cart/Chat', '/shop.Cart/Follow'];
  const names = ['left', 'right'];
  const bare = names.map((name, index) => ({ name, address: ownAddress(50 + index), stop: () => Promise.resolve() }));
  const stops = await Promise.all(bare.map((at) => startGrpcEcho({ ...at, port: ports.grpc, methods: paths })));
  try {
    await mesh.apply(
      ...bare.map((server) => service(server.name, [server], callable)),
      service('cart', [], callable),
      calls([
        rule('follow', 'grpc: { service: shop.Cart, method: Follow }', { to: '{ name: right, port: 80 }' }),
        rule('rest', 'grpc: { service: shop.Cart }', { to: '{ name: left, port: 80 }' }),
      ]),
    );
    const proxy = mesh.envoy('web').proxy;
    const messages = ['a', 'b', 'c'];
    const seen = paths.map((path) => converse(proxy, { host: `cart.${mesh.namespace}`, path, messages }));
    expect(await Promise.all(seen)).to.deep.equal([
      ['left a', 'left b', 'left c', '0'],
      ['right a', 'right b', 'right c', '0'],
    ]);
  } finally {
    for (const stop of stops) stop();
  }
});

misuse('1.1-grpc', 'names with a slash, and calls in a route for requests, are named', async (mesh) => {
  const told = async (text: string) => {
    await mesh.attempt(services, text);
    return mesh.condition('TrafficRoute', 'calls', 'Accepted');
  };
  const slash = calls([rule('main', 'grpc: { service: shop.Cart/List }', { to: one })]);
  expectCondition(await told(slash), 'False Invalid', "must be a name without '/', found 'shop.Cart/List'");
  const requests = route('calls', 'cart', rule('main', 'grpc: { service: shop.Cart }', { to: one }));
  expectCondition(await told(requests), 'False Invalid', "`grpc` may only be used when `protocol` is 'GRPC'");
});

feature('1.6-grpcroute', 'methods, headers, weights, modifiers and mirrors hold', async (mesh) => {
  const setHeader =
    ', { type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-set, value: by-route }] } }';
  const mirror = ', { type: RequestMirror, requestMirror: { backendRef: { name: two, port: 80 } } }';
  await mesh.apply(
    services,
    grpcRoute([
      rule('gold', 'method: { service: shop.Cart }, headers: [{ name: x-kind, value: gold }]', {
        to: one,
        filters: setHeader,
      }),
      rule('split', 'method: { service: shop.Split, method: Go }', {
        to: `${one.replace(' }', ', weight: 3 }')}, ${two}`,
      }),
      rule('copied', 'method: { type: RegularExpression, service: "shop[.]Cop.*" }', { to: one, filters: mirror }),
    ]),
  );
  const gold = await ask(mesh, 'shop.Cart/Add', { 'x-kind': 'gold' });
  expect([outcomeOf(gold), gold.seen?.headers['x-set']]).to.deep.equal(['gold v1', 'by-route']);
  expect(outcomeOf(await ask(mesh, 'shop.Cart/Add')), 'no rule').to.equal(String(unimplemented));
  const split = await inParallel(200, 20, async () => serverOf(await ask(mesh, 'shop.Split/Go')));
  expectShares(
    countBy(split, (server) => server),
    { v1: 0.75, v2: 0.25 },
  );
  const id = mesh.freshId();
  expect(outcomeOf(await ask(mesh, 'shop.Copied/Go', { 'x-id': id }))).to.equal('copied v1');
  await eventually(() => mesh.triesOf(id) === 2 || mesh.triesOf(id), { what: 'the copy' });
  expect(
    mesh
      .arrivals()
      .filter((one) => one.id === id)
      .map(({ pod }) => pod.split('/')[1]),
  ).to.have.members(['v1-0', 'v2-0']);
});

misuse('1.6-grpcroute', 'what cannot be served is UNAVAILABLE, and status says which rule', async (mesh) => {
  const extension = ', { type: ExtensionRef, extensionRef: { group: example.org, kind: Thing, name: x } }';
  await mesh.attempt(
    services,
    grpcRoute([
      rule('extended', 'method: { service: shop.Extended }', { to: one, filters: extension }),
      rule('missing', 'method: { service: shop.Missing }', { to: '{ name: missing, port: 80 }' }),
      rule('main', 'method: { service: shop.Cart }', { to: one }),
    ]),
  );
  await expectOutcomes(mesh, {
    'shop.Extended/Go': String(unavailable),
    'shop.Missing/Go': String(unavailable),
    'shop.Cart/Go': 'main v1',
  });
  const partly = await mesh.condition('GRPCRoute', 'calls', 'PartiallyInvalid');
  expectCondition(partly, 'True UnsupportedValue', "Rule 'extended'", "found 'ExtensionRef'");
  const unresolved = await mesh.condition('GRPCRoute', 'calls', 'ResolvedRefs');
  expectCondition(unresolved, 'False BackendNotFound', "missing' does not exist", 'UNAVAILABLE for its share');
});
