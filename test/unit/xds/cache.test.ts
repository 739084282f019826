// What a publication changes, and what stays the same object.

import { expect } from 'chai';
import { createCache, type ProxyEntry, type Publication, type Section } from '../../../src/xds/cache.js';
import { encodedFrom, type EncodedResource } from '../../../src/xds/resources.js';
import type { View } from '../../../src/xds/view.js';

const cluster = (name: string, content = '1'): EncodedResource =>
  encodedFrom({ type: 'cluster', name, origins: [] }, Buffer.from(name + content));
const listener = (name: string): EncodedResource =>
  encodedFrom({ type: 'listener', name, origins: [] }, Buffer.from(name));
const entry: ProxyEntry = { group: 'g', viewFor: () => 'v', ownFor: () => ({}) };

const publication = (
  revision: number,
  layers: Section,
  proxies: readonly (readonly [string, ProxyEntry])[] = [['shop/a', entry]],
): Publication => ({
  revision,
  views: new Map([['v', [layers]]]),
  withheld: new Map(),
  proxies: new Map(proxies),
});
const layersOf = (layers: Readonly<Record<string, readonly EncodedResource[]>>): Section =>
  new Map(Object.entries(layers));
const namesIn = (view: View | undefined): readonly string[] =>
  view?.types.cluster.resources.flatMap((one) => one?.name ?? []) ?? [];

describe('cache', () => {
  it('knows a proxy once it and its view were published', () => {
    const cache = createCache();
    expect(cache.lookup('shop/a', '')).to.equal(undefined);
    cache.publish(publication(1, layersOf({ x: [cluster('a')] })));
    expect(cache.lookup('shop/a', '')).to.include({ group: 'g', viewKey: 'v' });
    expect(cache.lookup('shop/b', '')).to.equal(undefined);
    expect(cache.lookup('shop/a', '')?.view.revision).to.equal(1);
  });

  it('keeps the types that do not change', () => {
    const cache = createCache();
    const layer = [cluster('a'), listener('l')];
    cache.publish(publication(1, layersOf({ x: layer })));
    const before = cache.view('v');
    cache.publish(publication(2, layersOf({ x: layer, y: [cluster('b')] })));
    const after = cache.view('v');
    expect(after?.types.listener).to.equal(before?.types.listener);
    expect(after?.types.cluster).to.not.equal(before?.types.cluster);
    expect(namesIn(after)).to.deep.equal(['a', 'b']);
    cache.publish(publication(3, layersOf({ x: layer })));
    expect(namesIn(cache.view('v'))).to.deep.equal(['a']);
  });

  it('does not lose a name that moves between layers', () => {
    for (const order of [
      ['x', 'y'],
      ['y', 'x'],
    ] as const) {
      const cache = createCache();
      const [from, to] = order;
      cache.publish(publication(1, layersOf({ [from]: [cluster('a')], [to]: [] })));
      cache.publish(publication(2, layersOf({ [from]: [], [to]: [cluster('a', '2')] })));
      expect(cache.view('v')?.types.cluster.resources[0]?.version).to.equal(cluster('a', '2').version);
      cache.publish(publication(3, layersOf({ [from]: [cluster('a')] })));
      expect(namesIn(cache.view('v'))).to.deep.equal(['a']);
    }
  });

  it('serves the newest object of equal bytes, to which a refusal is traced', () => {
    const cache = createCache();
    const newer = cluster('a');
    cache.publish(publication(1, layersOf({ x: [cluster('a')] })));
    cache.publish(publication(2, layersOf({ x: [newer] })));
    expect(cache.view('v')?.types.cluster.resources[0]).to.equal(newer);
  });

  it('says which proxies changed, and which views were published', () => {
    const cache = createCache();
    const changes: string[] = [];
    const unsubscribe = cache.subscribe((change) => {
      changes.push([...change.views, ...change.proxies].join(' '));
    });
    const other: ProxyEntry = { ...entry };
    cache.publish(
      publication(1, layersOf({}), [
        ['shop/a', entry],
        ['shop/b', entry],
      ]),
    );
    cache.publish(
      publication(2, layersOf({}), [
        ['shop/a', entry],
        ['shop/b', other],
      ]),
    );
    cache.publish(publication(3, layersOf({}), [['shop/a', entry]]));
    unsubscribe();
    cache.publish(publication(4, layersOf({}), []));
    expect(changes).to.deep.equal(['v shop/a shop/b', 'v shop/b', 'v shop/b']);
  });

  it('forgets views that are no longer published', () => {
    const cache = createCache();
    cache.publish(publication(1, layersOf({ x: [cluster('a')] })));
    cache.publish({ revision: 2, views: new Map(), withheld: new Map(), proxies: new Map() });
    expect(cache.viewKeys()).to.deep.equal([]);
    cache.publish(publication(3, layersOf({ y: [cluster('b')] })));
    expect(namesIn(cache.view('v')), 'nothing of the old view comes back').to.deep.equal(['b']);
  });
});
