// A fleet of one version has one view; another version brings one more, built before it is answered.

import { expect } from 'chai';
import { createFleet } from '../../../src/runtime/fleet.js';
import { reconcile } from '../../../src/reconcilers/index.js';
import { createCache } from '../../../src/xds/cache.js';
import { buildPublication } from '../../../src/xds/publication.js';
import { createWorlds, parsedOfAll, pod, service } from '../reconcilers/harness.js';

describe('fleet', () => {
  it('has listeners with the stats logger for those that can, and without for those that cannot', () => {
    const world = createWorlds().replace(
      parsedOfAll([service('web', { clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'] }), pod('web-1', { app: 'web' })]),
    );
    const { model } = reconcile(world, { capture: 'redirect' });
    const cache = createCache();
    const fleet = createFleet();
    let builds = 0;
    const noting = fleet.noting(cache, () => {
      builds += 1;
      cache.publish(buildPublication(model, new Map(), fleet.levels()).publication);
    });
    const listener = (envoy: string): string => {
      const found = noting.lookup('shop/web-1', envoy);
      const listeners = found?.view.types.listener.resources ?? [];
      return listeners.map((one) => one?.frame.toString('latin1') ?? '').join();
    };
    expect(listener('1.40.0')).to.include('access_loggers.stats').and.to.include('o/shop/web/');
    expect(listener('1.39.3')).to.include('access_loggers.stats');
    expect([builds, cache.viewKeys().length]).to.deep.equal([1, 1]);
    expect(listener('1.36.4')).to.include('o/shop/web/').and.not.to.include('access_loggers.stats');
    expect([builds, cache.viewKeys().length]).to.deep.equal([2, 2]);
  });
});
