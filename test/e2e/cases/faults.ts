// Failures on purpose, and what callers make of them.

import { expect } from 'chai';
import { expectCondition, timed } from '../expectations.js';
import type { TestMesh } from '../mesh.js';
import { feature, misuse } from '../registry.js';
import { expectShare } from '../statistics.js';
import { type Server, service } from '../world.js';
import type { BareServer } from '../world.js';
import { route } from '../written.js';

/** A rule for each path, with fault filters and more fields. */
const rules = (fields: Readonly<Record<string, readonly [faults: readonly string[], more?: string]>>): string =>
  Object.entries(fields)
    .map(([path, [faults, more = '']]) => {
      const filters = faults.map((fault) => `{ type: Fault, fault: { ${fault} } }`).join(', ');
      return `  - { name: ${path.slice(1).toLowerCase()}, matches: [{ path: { value: ${path} } }], filters: [${filters}], ${more} backendRefs: [{ name: shop, port: 80 }] }`;
    })
    .join('\n');

const applyFaults = (
  mesh: TestMesh,
  fields: Parameters<typeof rules>[0],
  behind: readonly (Server | BareServer)[] = ['v1'],
): Promise<void> => mesh.apply(service('shop', behind), route('faults', 'shop', rules(fields)));

const again = 'retry: { attempts: 5, codes: [503], backoff: 1ms },';

feature('1.2-fault', 'delay and abort, each and both, at the caller and at the destination', async (mesh) => {
  const faultsAt = (at: 'Caller' | 'Destination') => ({
    [`/${at}-delay`]: [[`at: ${at}, delay: 200ms`]] as const,
    [`/${at}-abort`]: [[`at: ${at}, httpStatus: 418`]] as const,
    [`/${at}-both`]: [[`at: ${at}, delay: 200ms`, `at: ${at}, httpStatus: 418`]] as const,
  });
  await applyFaults(mesh, { ...faultsAt('Caller'), ...faultsAt('Destination') });
  const web = mesh.as('web');
  for (const at of ['Caller', 'Destination']) {
    const [slow, slowTook] = await timed(() => web.get(`http://shop/${at}-delay`));
    expect(slow.by).to.equal('v1');
    expect(slowTook).to.be.within(195, 4500);
    expect((await web.get(`http://shop/${at}-abort`)).by).to.equal('418');
    const [both, bothTook] = await timed(() => web.get(`http://shop/${at}-both`));
    expect(both.by).to.equal('418');
    expect(bothTook).to.be.within(195, 4500);
  }
  expect(mesh.arrivals()).to.have.length(2);
});

feature('1.2-fault', 'callers of gRPC get a status of gRPC', async (mesh) => {
  await applyFaults(mesh, { '/x': [['grpcStatus: 14']] });
  const { headers } = await mesh
    .as('web')
    .ask('http://shop/x', { method: 'POST', headers: { 'content-type': 'application/grpc' } });
  expect(headers).to.include({ 'grpc-status': '14' });
});

feature(
  '1.2-fault',
  'retries hide faults of the destination, drawn for each try, and none of the caller',
  async (mesh) => {
    await applyFaults(mesh, {
      '/hidden': [['httpStatus: 503, percent: 50'], again],
      '/seen': [['httpStatus: 503, percent: 50']],
      '/caller': [['at: Caller, httpStatus: 503, percent: 50'], again],
    });
    const web = mesh.as('web');
    const size = 200;
    const failures = async (path: string): Promise<number> => {
      let failed = 0;
      // One after the other: the retry budget is none of this test's business.
      for (let nth = 0; nth < size; nth++) failed += (await web.get(`http://shop${path}`)).status === 503 ? 1 : 0;
      return failed;
    };
    expectShare(await failures('/hidden'), size, 0.5 ** 6);
    expectShare(await failures('/seen'), size, 0.5);
    expectShare(await failures('/caller'), size, 0.5);
  },
);

feature('1.2-fault', 'timeouts of one try see delays of the destination', async (mesh) => {
  await applyFaults(mesh, {
    '/x': [
      ['delay: 3s'],
      'timeouts: { backendRequest: 100ms }, retry: { attempts: 1, retryOn: [GatewayError], backoff: 1ms },',
    ],
  });
  const [answer, took] = await timed(() => mesh.as('web').get('http://shop/x'));
  expect(answer.by).to.equal('504');
  expect(took).to.be.within(195, 2500);
});

feature('1.2-fault', 'where a server has no proxy the caller does it, and status says so', async (mesh) => {
  const bare = await mesh.openServer('bare');
  await applyFaults(mesh, { '/x': [['httpStatus: 418']], '/': [[]] }, ['v1', bare]);
  const answers = await mesh.as('web').many(20, 'http://shop/x');
  expect(new Set(answers.map(({ by }) => by))).to.deep.equal(new Set(['418']));
  expectCondition(
    await mesh.condition('TrafficRoute', 'faults', 'Degraded'),
    'True FallbackActive',
    "`fault` of rule 'x' holds at callers",
    'endpoints without a proxy',
  );
});

feature('1.2-fault', 'the fault of a route for one namespace is held by its callers', async (mesh) => {
  const text = `
  - name: x
    filters: [{ type: Fault, fault: { httpStatus: 418 } }]
    backendRefs: [{ name: shop, port: 80, namespace: ${mesh.namespace} }]`;
  const grant = `
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: { name: apps }
spec:
  from: [{ group: legation.dev, kind: TrafficRoute, namespace: ${mesh.apps} }]
  to: [{ group: '', kind: Service }]`;
  const consumer = route(`faults-${mesh.namespace}`, 'shop', text)
    .replace('metadata: {', `metadata: { namespace: ${mesh.apps},`)
    .replace('name: shop }]', `name: shop, namespace: ${mesh.namespace} }]`);
  await mesh.apply(service('shop', ['v1']), grant, consumer);
  expect((await mesh.as('web').get('http://shop/')).by).to.equal('418');
  expect((await mesh.as('guest').get('http://shop/')).by).to.equal('v1');
  expectCondition(
    await mesh.condition('TrafficRoute', `${mesh.apps}/faults-${mesh.namespace}`, 'Degraded'),
    'True FallbackActive',
    `callers of namespace '${mesh.apps}' alone`,
  );
});

misuse('1.2-fault', 'two kinds of status are one too many', async (mesh) => {
  await mesh.attempt(
    service('shop', ['v1']),
    route('faults', 'shop', rules({ '/x': [['httpStatus: 503, grpcStatus: 14']] })),
  );
  expectCondition(
    await mesh.condition('TrafficRoute', 'faults', 'Accepted'),
    'False Invalid',
    '`fault` must set `httpStatus` or `grpcStatus`, not both',
  );
});

feature('1.2-fault-bandwidth', 'a large answer takes as long as the bandwidth says', async (mesh) => {
  await applyFaults(mesh, { '/slow': [['responseBandwidthKiBps: 10']], '/': [[]] });
  const large = { headers: { 'x-large': 'x'.repeat(8_192) } };
  const web = mesh.as('web');
  const [slow, slowTook] = await timed(() => web.ask('http://shop/slow', large));
  const [quick, quickTook] = await timed(() => web.ask('http://shop/quick', large));
  expect([slow.by, quick.by]).to.deep.equal(['v1', 'v1']);
  expect(slow.body.length).to.be.above(8_192);
  expect(slowTook).to.be.within(250, 4500);
  expect(quickTook).to.be.below(slowTook);
});

misuse('1.2-fault-bandwidth', 'a fault that does nothing is named', async (mesh) => {
  await mesh.attempt(service('shop', ['v1']), route('faults', 'shop', rules({ '/x': [['percent: 10']] })));
  expectCondition(
    await mesh.condition('TrafficRoute', 'faults', 'Accepted'),
    'False Invalid',
    '`fault` must set at least one of',
    '`responseBandwidthKiBps`',
  );
});
