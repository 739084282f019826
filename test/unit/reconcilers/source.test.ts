// Classes of callers: as many as are told apart, and none where nothing tells them apart.

import { expect } from 'chai';
import { reconcile } from '../../../src/reconcilers/index.js';
import { buildPublication } from '../../../src/xds/publication.js';
import { createWorlds, parsedOfAll, pod, route, service, type Raw } from './harness.js';

const rule = (name: string, source?: Raw): Raw => ({
  name,
  ...(source === undefined ? {} : { matches: [{ source }] }),
  backendRefs: [{ name: 'web', port: 80 }],
});

const callers = ['a', 'b', 'c', 'd'].map((name) => pod(name, { app: name, ...(name < 'c' ? { tier: 'low' } : {}) }));
const base: readonly Raw[] = [service('web'), service('other'), ...callers];

function build() {
  const worlds = createWorlds();
  return (raws: readonly Raw[]) => {
    const { model } = reconcile(worlds.replace(parsedOfAll(raws)), { capture: 'redirect' });
    return { model, publication: buildPublication(model, new Map()).publication };
  };
}

const unready = { status: { conditions: [{ type: 'Ready', status: 'False' }] } };

describe('source conditions', () => {
  it('make no class where no rule has one', () => {
    const { model, publication } = build()([...base, route('web', [rule('all')])]);
    expect(new Set([...model.proxies.values()].map(({ caller }) => caller)).size).to.equal(1);
    expect(publication.views.size).to.equal(1);
  });

  it('make one class of callers for which the same hold', () => {
    const { model, publication } = build()([
      ...base,
      route('web', [rule('all'), rule('low', { podLabels: { tier: 'low' } }), rule('here', { namespaces: ['shop'] })]),
    ]);
    const callerOf = (name: string) => model.proxies.get(`shop/${name}`)?.caller;
    expect(callerOf('a')).to.equal(callerOf('b')).and.not.to.equal(callerOf('c'));
    expect(callerOf('c')).to.equal(callerOf('d'));
    expect(publication.views.size).to.equal(2);
  });

  it('share what they do not touch between classes', () => {
    const { publication } = build()([
      ...base,
      route('web', [rule('all'), rule('low', { podLabels: { tier: 'low' } })]),
      route('other', [rule('all')], { parentRefs: [{ name: 'other' }] }),
    ]);
    const [first, second] = [...publication.views.values()].map(([, services]) => services);
    expect(first?.get('r shop/web')).not.to.equal(second?.get('r shop/web'));
    expect(first?.get('r shop/other')).to.equal(second?.get('r shop/other'));
    expect(first?.get('s shop/web')).to.equal(second?.get('s shop/web'));
  });

  it('cost nothing where an endpoint changes', () => {
    const next = build();
    const objects = [
      ...base,
      pod('web-1', { app: 'web' }),
      route('web', [rule('low', { podLabels: { tier: 'low' } })]),
    ];
    const before = next(objects);
    const after = next(objects.map((raw) => (raw === objects[6] ? pod('web-1', { app: 'web' }, unready) : raw)));
    for (const [key, proxy] of before.model.proxies) expect(after.model.proxies.get(key), key).to.equal(proxy);
    for (const [key, [, services, endpoints]] of before.publication.views) {
      const [, servicesAfter, endpointsAfter] = after.publication.views.get(key) ?? [];
      expect(servicesAfter).to.equal(services);
      expect(endpointsAfter).not.to.equal(endpoints);
    }
  });

  it('are the same in whatever order they are written', () => {
    const next = build();
    const written = (namespaces: readonly string[]) => [...base, route('web', [rule('x', { namespaces })])];
    const keys = ['shop,other', 'other,shop'].map((names) => [
      ...next(written(names.split(','))).publication.views.keys(),
    ]);
    expect(keys[0]).to.deep.equal(keys[1]);
  });
});
