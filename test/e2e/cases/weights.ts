// Splits by weight.

import { expect } from 'chai';
import { feature, misuse } from '../registry.js';
import { countBy, expectShares } from '../statistics.js';
import { service } from '../world.js';
import { route } from '../written.js';

feature('1.2-weights', 'requests fall as weights ask, and none where the weight is 0', async (mesh) => {
  await mesh.apply(
    ...[service('shop', []), service('one', ['v1']), service('two', ['v2']), service('three', ['v3'])],
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
  const { is, message } = await mesh.condition('TrafficRoute', 'split', 'Accepted');
  expect(is).to.equal('False Invalid');
  expect(message).to.include('weight');
});
