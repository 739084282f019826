// How long a request may take, and how often it is sent.

import { expect } from 'chai';
import type { Answer } from '../caller.js';
import { expectAnswers, expectCondition, timed } from '../expectations.js';
import type { TestMesh } from '../mesh.js';
import { feature, misuse } from '../registry.js';
import { shareBounds } from '../statistics.js';
import { type Server, service } from '../world.js';
import { route } from '../written.js';

const accepted = (mesh: TestMesh) => mesh.condition('TrafficRoute', 'tries', 'Accepted');

/** A rule for each path, with more fields. */
const rules = (fields: Readonly<Record<string, string>>): string =>
  Object.entries(fields)
    .map(
      ([path, more]) =>
        `  - { name: ${path.slice(1)}, matches: [{ path: { value: ${path} } }], ${more}, backendRefs: [{ name: shop, port: 80 }] }`,
    )
    .join('\n');

const applyRules = (
  mesh: TestMesh,
  fields: Readonly<Record<string, string>>,
  behind: readonly Server[] = ['v1'],
): Promise<void> => mesh.apply(service('shop', behind), route('tries', 'shop', rules(fields)));

const attemptRule = (mesh: TestMesh, fields: string): Promise<void> =>
  mesh.attempt(service('shop', ['v1']), route('tries', 'shop', rules({ '/x': fields })));

/** A request with an id: its answer, and how often it arrived. */
async function tried(
  mesh: TestMesh,
  path: string,
  request: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<{ readonly answer: Answer; readonly tries: number }> {
  const id = mesh.freshId();
  const options = { ...request, headers: { 'x-id': id, ...request.headers } };
  const answer = await mesh.as('web').ask(`http://shop${path}`, options);
  return { answer, tries: mesh.triesOf(id) };
}

/** Every try of this request takes 5 s. */
const hangs = { 'x-app-slow': '9' };

feature('1.2-timeout', 'a slow answer is given up in time, a quick one passes', async (mesh) => {
  await applyRules(mesh, { '/short': 'timeouts: { request: 300ms }', '/off': 'timeouts: { request: 0s }' });
  const web = mesh.as('web');
  const [slow, took] = await timed(() => web.get('http://shop/short', hangs));
  expect(slow.status).to.equal(504);
  expect(took).to.be.within(290, 4500);
  await expectAnswers(web, { 'http://shop/short': 'v1' });
  await expectAnswers(web, { 'http://shop/off': 'v1' }, { 'x-app-delay': '500' });
});

misuse('1.2-timeout', 'a duration that is none is named', async (mesh) => {
  await attemptRule(mesh, 'timeouts: { request: soon }');
  expectCondition(await accepted(mesh), 'False Invalid', 'spec.rules[0].timeouts.request', 'soon');
});

feature('1.2-timeouts', 'of one try, of silence, of the whole stream, and the shorter of two', async (mesh) => {
  await applyRules(mesh, {
    '/try':
      'timeouts: { request: 3s, backendRequest: 300ms }, retry: { attempts: 2, retryOn: [GatewayError], backoff: 5ms }',
    '/idle': 'timeouts: { idle: 150ms }',
    '/stream': 'timeouts: { maxStream: 150ms }',
    '/both': 'timeouts: { request: 150ms, maxStream: 5s }',
  });
  const hanging = await tried(mesh, '/try', { headers: { 'x-app-slow': '2' } });
  expect([hanging.answer.by, hanging.tries]).to.deep.equal(['v1', 3]);
  const given = await Promise.all(
    ['/idle', '/stream', '/both'].map((path) => timed(() => mesh.as('web').get(`http://shop${path}`, hangs))),
  );
  for (const [answer, took] of given) {
    expect(answer.status).to.be.oneOf([408, 504]);
    expect(took).to.be.within(140, 4500);
  }
});

misuse('1.2-timeouts', 'a try must not be longer than the request', async (mesh) => {
  await attemptRule(mesh, 'timeouts: { request: 1s, backendRequest: 2s }');
  expectCondition(await accepted(mesh), 'False Invalid', "`backendRequest` '2s' must not exceed `request` '1s'");
});

const failsTwice = { 'x-app-fail': '2', 'x-app-status': '503' };
const again = 'attempts: 3, codes: [503], backoff: 5ms';

feature('1.2-retry', 'failures are hidden by exactly as many tries, of what may be repeated', async (mesh) => {
  await applyRules(mesh, {
    '/hidden': `retry: { ${again} }`,
    '/once': 'retry: { attempts: 1, codes: [503], backoff: 5ms }',
    '/other': 'retry: { attempts: 3, codes: [502], backoff: 5ms }',
    '/promised': `retry: { ${again}, idempotent: true }`,
    '/off': 'retry: { attempts: 0 }',
    '/usual': 'timeouts: { request: 5s }',
  });
  const counted = async (path: string, method: string): Promise<readonly [number, number]> => {
    const { answer, tries } = await tried(mesh, path, { method, headers: failsTwice });
    return [answer.status, tries];
  };
  expect(await counted('/hidden', 'GET')).to.deep.equal([200, 3]);
  expect(await counted('/hidden', 'PUT')).to.deep.equal([200, 3]);
  expect(await counted('/hidden', 'POST')).to.deep.equal([503, 1]);
  expect(await counted('/promised', 'POST')).to.deep.equal([200, 3]);
  expect(await counted('/once', 'GET')).to.deep.equal([503, 2]);
  for (const path of ['/other', '/off', '/usual']) expect(await counted(path, 'GET'), path).to.deep.equal([503, 1]);
});

feature('1.2-retry', 'tries back off, and callers cannot steer them', async (mesh) => {
  await applyRules(mesh, {
    '/slow': 'retry: { attempts: 4, codes: [503], backoff: 100ms }',
    '/usual': 'timeouts: { request: 5s }',
  });
  const [{ tries }, took] = await timed(() => tried(mesh, '/slow', { headers: { ...failsTwice, 'x-app-fail': '4' } }));
  expect(tries).to.equal(5);
  // The pause before try n is anything up to 100 ms × (2^n − 1), and never more than a second.
  expect(took).to.be.within(20, 4500);
  const steering = { 'x-envoy-retry-on': '5xx', 'x-envoy-max-retries': '3' };
  const steered = await tried(mesh, '/usual', { headers: { ...failsTwice, ...steering } });
  expect([steered.answer.status, steered.tries]).to.deep.equal([503, 1]);
});

misuse('1.2-retry', 'a condition that does not exist is named, with those that do', async (mesh) => {
  await attemptRule(mesh, 'retry: { retryOn: [Whenever] }');
  expectCondition(await accepted(mesh), 'False Invalid', 'spec.rules[0].retry.retryOn[0]', 'Whenever', 'GatewayError');
});

feature('1.2-retry-hosts', 'a second try goes to another server', async (mesh) => {
  await applyRules(mesh, { '/': 'retry: { attempts: 1, codes: [503], backoff: 1ms }' }, ['v1', 'v2']);
  const size = 30;
  // One after the other: the retry budget is none of this test's business.
  for (let nth = 0; nth < size; nth++) {
    const { answer, tries } = await tried(mesh, '/', { headers: { 'x-app-fail': '1' } });
    expect([answer.status, tries]).to.deep.equal([200, 2]);
  }
  const hosts = new Map<string, Set<string>>();
  for (const { id, pod } of mesh.arrivals()) hosts.set(id, (hosts.get(id) ?? new Set()).add(pod));
  const repeated = [...hosts.values()].filter((pods) => pods.size === 1).length;
  // Envoy draws six times at most: of two servers it draws the wrong one each time once in 64 tries.
  expect(repeated).to.be.at.most(shareBounds(size, 1 / 64)[1]);
});

feature('1.2-retry-hosts', 'a server that is gone costs no request', async (mesh) => {
  const [gone, there] = [await mesh.openServer('gone'), await mesh.openServer('there')];
  await gone.stop();
  await mesh.apply(service('shop', [gone, there]), route('tries', 'shop', rules({ '/': 'retry: { attempts: 5 }' })));
  const size = 30;
  for (let nth = 0; nth < size; nth++) await expectAnswers(mesh.as('web'), { 'http://shop/': 'there' });
  expect(mesh.arrivals()).to.have.length(size);
});

misuse('1.2-retry-hosts', 'more tries than allowed are named', async (mesh) => {
  await attemptRule(mesh, 'retry: { attempts: 11 }');
  expectCondition(await accepted(mesh), 'False Invalid', 'spec.rules[0].retry.attempts', '10');
});

feature('1.2-retry-after', 'the next try waits as long as the answer says', async (mesh) => {
  const retry = (more: string): string => `retry: { attempts: 1, codes: [503], backoff: 1ms${more} }`;
  await applyRules(mesh, { '/patient': retry(', honorRetryAfter: true'), '/hasty': retry('') });
  const headers = { 'x-app-fail': '1', 'x-app-status': '503', 'x-app-reply': 'retry-after=1' };
  const [patient, hasty] = await Promise.all(
    ['/patient', '/hasty'].map((path) => timed(() => tried(mesh, path, { headers }))),
  );
  expect([patient?.[0].answer.by, hasty?.[0].answer.by]).to.deep.equal(['v1', 'v1']);
  expect(patient?.[1]).to.be.within(950, 4500);
  expect(hasty?.[1]).to.be.below(patient?.[1] ?? 0);
});

misuse('1.2-retry-after', 'a value that is no boolean is named', async (mesh) => {
  await attemptRule(mesh, 'retry: { honorRetryAfter: 2s }');
  expectCondition(await accepted(mesh), 'False Invalid', 'spec.rules[0].retry.honorRetryAfter');
});

feature(
  '1.2-hedging',
  'a slow try is not cancelled when the second is sent, and the first answer wins',
  async (mesh) => {
    const retry =
      'timeouts: { request: 4s, backendRequest: 150ms }, retry: { attempts: 1, idempotent: true, backoff: 1ms';
    await applyRules(mesh, { '/hedged': `${retry}, hedgeOnTimeout: true }` }, ['v1', 'v2']);
    const headers = { 'x-app-delay': '500', 'x-app-hang-after': '1' };
    const [{ answer, tries }, took] = await timed(() => tried(mesh, '/hedged', { headers }));
    expect([answer.status, tries]).to.deep.equal([200, 2]);
    expect(took).to.be.within(450, 3500);
  },
);

misuse('1.2-hedging', 'hedging needs a timeout of one try and a promise', async (mesh) => {
  await attemptRule(mesh, 'retry: { hedgeOnTimeout: true }');
  expectCondition(
    await accepted(mesh),
    'False Invalid',
    '`hedgeOnTimeout`',
    '`timeouts.backendRequest`',
    '`idempotent: true`',
  );
});
