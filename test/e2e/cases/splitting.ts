// Who of several gets a request, and who gets a copy.

import { expect } from 'chai';
import { eventually } from '../../support/eventually.js';
import { expectAnswers, expectCondition } from '../expectations.js';
import type { TestMesh } from '../mesh.js';
import { feature, misuse } from '../registry.js';
import { countBy, expectShare, expectShares } from '../statistics.js';
import { service } from '../world.js';
import { route } from '../written.js';

/** A Service to call, and one for each version. */
const versions = [service('shop', []), service('one', ['v1']), service('two', ['v2']), service('three', ['v3'])];

const accepted = (mesh: TestMesh) => mesh.condition('TrafficRoute', 'split', 'Accepted');

feature('1.2-weights', 'requests fall as weights ask, and none where the weight is 0', async (mesh) => {
  await mesh.apply(
    ...versions,
    route(
      'split',
      'shop',
      `
      - backendRefs:
          - { name: one, port: 80, weight: 80 }
          - { name: two, port: 80, weight: 20 }
          - { name: three, port: 80, weight: 0 }`,
    ),
  );
  const answers = await mesh.as('web').many(600, 'http://shop/');
  expectShares(
    countBy(answers, (answer) => answer.by),
    { v1: 0.8, v2: 0.2, v3: 0 },
  );
});

misuse('1.2-weights', 'a weight out of range is named', async (mesh) => {
  await mesh.attempt(
    service('shop', ['v1']),
    route('split', 'shop', '  - backendRefs: [{ name: shop, port: 80, weight: 1000001 }]'),
  );
  expectCondition(await accepted(mesh), 'False Invalid', 'spec.rules[0].backendRefs[0].weight', '1000000');
});

const subset = (labels: string): string =>
  route('split', 'shop', `  - backendRefs: [{ name: shop, port: 80, subset: ${labels} }]`);

feature('1.2-subset', 'only pods with the labels answer', async (mesh) => {
  const shop = service('shop', ['v1', 'v2', 'v3']);
  await mesh.apply(shop, subset('{ version: v2 }'));
  const two = await mesh.as('web').many(20, 'http://shop/');
  expect(countBy(two, (answer) => answer.by)).to.deep.equal({ v2: 20 });
  await mesh.apply(shop, subset('{ app: echo, version: v3 }'));
  const three = await mesh.as('web').many(20, 'http://shop/');
  expect(countBy(three, (answer) => answer.by)).to.deep.equal({ v3: 20 });
});

misuse('1.2-subset', 'labels that no pod has answer 503, and status says so', async (mesh) => {
  await mesh.attempt(service('shop', ['v1', 'v2']), subset('{ version: v9 }'));
  await expectAnswers(mesh.as('web'), { 'http://shop/': '503' });
  const told = await mesh.condition('TrafficRoute', 'split', 'Degraded');
  expectCondition(told, 'True BackendNotFound', "'version=v9'", 'selects 0 of 2 pods', '503');
});

feature('1.2-canary', 'a header or a cookie leads to the canary, everything else stays', async (mesh) => {
  await mesh.apply(
    ...versions,
    route(
      'split',
      'shop',
      `
      - matches:
          - { headers: [{ name: x-canary, value: always }] }
          - { headers: [{ name: cookie, type: RegularExpression, value: "(?:.*; *)?canary=yes(?:;.*)?" }] }
        backendRefs: [{ name: two, port: 80 }]
      - backendRefs: [{ name: one, port: 80 }]`,
    ),
  );
  const web = mesh.as('web');
  const url = 'http://shop/';
  await expectAnswers(web, { [url]: 'v1' });
  await expectAnswers(web, { [url]: 'v2' }, { 'x-canary': 'always' });
  await expectAnswers(web, { [url]: 'v1' }, { 'x-canary': 'never' });
  await expectAnswers(web, { [url]: 'v2' }, { cookie: 'a=b; canary=yes; c=d' });
  await expectAnswers(web, { [url]: 'v1' }, { cookie: 'canary=yes-or-no' });
});

misuse('1.2-canary', 'a canary without a Service is told with the nearest fact, and the others stay', async (mesh) => {
  await mesh.attempt(
    ...versions,
    route(
      'split',
      'shop',
      `
      - { name: canary, matches: [{ headers: [{ name: x-canary, value: always }] }], backendRefs: [{ name: tow, port: 80 }] }
      - backendRefs: [{ name: one, port: 80 }]`,
    ),
  );
  await expectAnswers(mesh.as('web'), { 'http://shop/': 'v1' });
  await expectAnswers(mesh.as('web'), { 'http://shop/': '500' }, { 'x-canary': 'always' });
  const told = await mesh.condition('TrafficRoute', 'split', 'ResolvedRefs');
  expectCondition(told, 'False BackendNotFound', `Service '${mesh.namespace}/tow' does not exist`, "rule 'canary'");
});

const mirror = (more: string, name = 'two'): string =>
  `{ type: RequestMirror, requestMirror: { backendRef: { name: ${name}, port: 80 }${more} } }`;

feature('1.2-mirror', 'copies reach every target in their share, and change no answer', async (mesh) => {
  const filters = [mirror(''), mirror(', percent: 30', 'three')].join(', ');
  await mesh.apply(
    ...versions,
    route('split', 'shop', `  - { filters: [${filters}], backendRefs: [{ name: one, port: 80 }] }`),
  );
  const size = 300;
  const answers = await mesh.as('web').many(size, 'http://shop/');
  expect(countBy(answers, (answer) => answer.by)).to.deep.equal({ v1: size });
  const copies = (version: string): number => mesh.arrivals().filter(({ pod }) => pod.endsWith(`/${version}-0`)).length;
  await eventually(() => copies('v2') === size || copies('v2'), { what: 'every copy' });
  expectShare(copies('v3'), size, 0.3);
  const [copy] = mesh.arrivals().filter(({ pod }) => pod.endsWith('/v2-0'));
  expect(copy?.host).to.include('-shadow');
});

feature('1.2-mirror', 'a share of 0 copies nothing, a fraction copies its part', async (mesh) => {
  const filters = [mirror(', percent: 0'), mirror(', fraction: { numerator: 1, denominator: 8 }', 'three')].join(', ');
  await mesh.apply(
    ...versions,
    route('split', 'shop', `  - { filters: [${filters}], backendRefs: [{ name: one, port: 80 }] }`),
  );
  const size = 400;
  await mesh.as('web').many(size, 'http://shop/');
  const counts = (): Readonly<Record<string, number>> => countBy(mesh.arrivals(), ({ pod }) => pod.split('/')[1] ?? '');
  await eventually(() => (counts()['v3-0'] ?? 0) > 0, { what: 'a copy' });
  expect(counts()).not.to.have.property('v2-0');
  expectShare(counts()['v3-0'] ?? 0, size, 1 / 8);
});

misuse('1.2-mirror', 'a mirror to nobody is off and told, and requests are served', async (mesh) => {
  await mesh.attempt(
    ...versions,
    route(
      'split',
      'shop',
      `  - { name: main, filters: [${mirror('', 'nobody')}], backendRefs: [{ name: one, port: 80 }] }`,
    ),
  );
  await expectAnswers(mesh.as('web'), { 'http://shop/': 'v1' });
  const told = await mesh.condition('TrafficRoute', 'split', 'ResolvedRefs');
  expectCondition(told, 'False BackendNotFound', "the mirror of rule 'main' is off, requests are served");
});

misuse('1.2-mirror', 'a percentage beside a fraction is refused', async (mesh) => {
  const both = mirror(', percent: 5, fraction: { numerator: 1 }');
  await mesh.attempt(
    ...versions,
    route('split', 'shop', `  - { filters: [${both}], backendRefs: [{ name: one, port: 80 }] }`),
  );
  expectCondition(await accepted(mesh), 'False Invalid', 'must not set both `percent` and `fraction`');
});
