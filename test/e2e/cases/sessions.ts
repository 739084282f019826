// Clients that come back to where they were, and where requests go when all servers of a backend are gone.

import { expect } from 'chai';
import { eventually } from '../../support/eventually.js';
import type { Answer } from '../caller.js';
import { expectCondition } from '../expectations.js';
import type { Written } from '../../envoy/objects.js';
import type { TestMesh } from '../mesh.js';
import { feature, misuse } from '../registry.js';
import { shareBounds } from '../statistics.js';
import { type Server, type ServiceOptions, service } from '../world.js';
import { route } from '../written.js';

const sticky = (persistence: string): string =>
  route(
    'sticky',
    'shop',
    `  - { name: main, sessionPersistence: ${persistence}, backendRefs: [{ name: shop, port: 80 }] }`,
  );

const byCookie = sticky('{ type: Cookie }');

const cookieOf = ({ headers }: Answer): string => headers['set-cookie']?.[0] ?? '';

/** Sessions of new clients: the cookie of each, and who answered. */
async function sessions(
  mesh: TestMesh,
  count: number,
): Promise<readonly { readonly cookie: string; readonly by: string }[]> {
  const answers = await mesh.as('web').many(count, 'http://shop/');
  return answers.map((answer) => ({ cookie: cookieOf(answer).split(';')[0] ?? '', by: answer.by }));
}

const moved = async (mesh: TestMesh, clients: Awaited<ReturnType<typeof sessions>>): Promise<readonly string[]> => {
  const answers = await Promise.all(clients.map(({ cookie }) => mesh.as('web').get('http://shop/', { cookie })));
  return answers.flatMap(({ by }, index) => (by === clients[index]?.by ? [] : [by]));
};

const behind = (servers: readonly Server[], options: ServiceOptions = {}) => service('shop', servers, options);

feature(
  '1.3-session',
  'a client with its cookie stays at its server, when servers come and when its own drains',
  async (mesh) => {
    await mesh.apply(behind(['v1', 'v2']), byCookie);
    const clients = await sessions(mesh, 30);
    expect(new Set(clients.map(({ by }) => by))).to.deep.equal(new Set(['v1', 'v2']));
    expect(await moved(mesh, clients)).to.deep.equal([]);
    await mesh.apply(behind(['v1', 'v2', 'v3']), byCookie);
    expect(await moved(mesh, clients)).to.deep.equal([]);
    const draining = { conditions: { ready: false, serving: true, terminating: true } };
    await mesh.apply(behind(['v1', 'v2', 'v3'], { endpoints: { v1: draining } }), byCookie);
    expect(await moved(mesh, clients)).to.deep.equal([]);
    // Envoy gathers changes of health for a second.
    await eventually(async () => (await sessions(mesh, 30)).every(({ by }) => by !== 'v1'), {
      what: 'new clients to go elsewhere',
    });
    expect(await moved(mesh, clients)).to.deep.equal([]);
    await mesh.apply(behind(['v2', 'v3']), byCookie);
    const ofGone = clients.filter(({ by }) => by === 'v1');
    expect((await moved(mesh, ofGone)).every((by) => by === 'v2' || by === 'v3')).to.equal(true);
  },
);

feature('1.3-session', 'the cookie is named and lives as told, and a header does the same', async (mesh) => {
  await mesh.apply(
    behind(['v1', 'v2']),
    sticky('{ cookie: { name: mine, path: /, lifetimeType: Permanent }, absoluteTimeout: 1h }'),
  );
  const set = cookieOf(await mesh.as('web').get('http://shop/'));
  expect(set).to.match(/^mine="?[^;]+; Max-Age=3600; Path=\/; HttpOnly$/);
  await mesh.apply(behind(['v1', 'v2']), sticky('{ type: Header, header: { name: x-session } }'));
  const first = await mesh.as('web').get('http://shop/');
  const session = String(first.headers['x-session']);
  const later = await mesh.as('web').many(20, 'http://shop/', { headers: { 'x-session': session } });
  expect(new Set(later.map(({ by }) => by))).to.deep.equal(new Set([first.by]));
});

misuse('1.3-session', 'a permanent cookie needs a lifetime', async (mesh) => {
  await mesh.attempt(behind(['v1']), sticky('{ cookie: { lifetimeType: Permanent } }'));
  expectCondition(
    await mesh.condition('TrafficRoute', 'sticky', 'Accepted'),
    'False Invalid',
    '`absoluteTimeout` must be set',
  );
});

const withFallback = (...more: readonly string[]): string =>
  route(
    'fallback',
    'shop',
    `
  - name: main
    backendRefs:
    - { name: shop, port: 80, weight: 3 }
${more.map((backend) => `    - ${backend}`).join('\n')}
    - { name: spare, port: 80, fallback: true }`,
  );

async function shareOf(mesh: TestMesh, objects: readonly Written[], rule: string): Promise<number> {
  await mesh.apply(objects, rule);
  const answers = await mesh.as('web').many(400, 'http://shop/');
  return answers.filter(({ by }) => by === 'v1').length;
}

const answeredBy = async (mesh: TestMesh): Promise<readonly string[]> => {
  const answers = await mesh.as('web').many(40, 'http://shop/');
  return [...new Set(answers.map(({ by }) => by))].sort();
};

feature('1.3-fallback', 'the fallback answers when all others are gone, and not before', async (mesh) => {
  const others = (first: readonly Server[], second: readonly Server[]): readonly Written[] => [
    ...service('shop', first),
    ...service('other', second),
    ...service('spare', ['v3']),
  ];
  const rule = withFallback('{ name: other, port: 80 }');
  const seen = [];
  for (const [first, second] of [
    [['v1'], ['v2']],
    [[], ['v2']],
    [['v1'], []],
    [[], []],
  ] as const) {
    await mesh.apply(others(first, second), rule);
    seen.push(await answeredBy(mesh));
  }
  expect(seen).to.deep.equal([['v1', 'v2'], ['v2'], ['v1'], ['v3']]);
  expect(await shareOf(mesh, others(['v1'], ['v2']), rule)).to.be.within(...shareBounds(400, 0.75));
});

feature('1.3-fallback', 'a backend that does not resolve still costs its share', async (mesh) => {
  await mesh.attempt(
    service('shop', []),
    service('spare', ['v3']),
    withFallback('{ name: missing, port: 80, weight: 1 }'),
  );
  expect(await answeredBy(mesh)).to.deep.equal(['500', 'v3']);
  expectCondition(
    await mesh.condition('TrafficRoute', 'fallback', 'ResolvedRefs'),
    'False BackendNotFound',
    "rule 'main' answers 500 for its share",
  );
});

misuse('1.3-fallback', 'fallbacks alone, and a fallback with filters, are refused', async (mesh) => {
  const attempt = (backend: string): Promise<void> =>
    mesh.attempt(service('shop', ['v1']), route('fallback', 'shop', `  - { name: main, backendRefs: [${backend}] }`));
  const accepted = () => mesh.condition('TrafficRoute', 'fallback', 'Accepted');
  await attempt('{ name: shop, port: 80, fallback: true }');
  expectCondition(await accepted(), 'False Invalid', "at least one backend of rule 'main' must not be a fallback");
  const filters = '[{ type: RequestHeaderModifier, requestHeaderModifier: { remove: [x-a] } }]';
  await attempt(`{ name: shop, port: 80 }, { name: shop, port: 80, fallback: true, filters: ${filters} }`);
  expectCondition(await accepted(), 'False UnsupportedValue', 'backendRefs[1].filters');
});
