import { expect } from 'chai';
import fc from 'fast-check';
import { keyOf } from '../../../src/api/meta.js';
import type { World } from '../../../src/kinds/world.js';
import { createStore } from '../../../src/sources/store.js';
import type { Feed, Parsed, Store } from '../../../src/sources/store.js';
import { account, bad, good, slice } from './objects.js';

function relist(feed: Feed, objects: readonly Parsed[]): void {
  feed({ kind: 'init' });
  for (const object of objects) feed({ kind: 'initApply', object });
  feed({ kind: 'initDone' });
}

function counting(store: Store): () => number {
  let count = 0;
  store.subscribe(() => {
    count += 1;
  });
  return () => count;
}

const refOf = (name: string) => ({ kind: 'ServiceAccount', namespace: 'shop', name }) as const;

describe('sources/store', () => {
  it('is synced, and tells so, once every source has listed', () => {
    const store = createStore();
    const [first, second] = [store.feed(), store.feed()];
    const notified = counting(store);
    relist(first, []);
    expect(store.synced()).to.equal(false);
    relist(second, []);
    expect(store.synced()).to.equal(true);
    expect(notified()).to.equal(2);
    expect(store.world().revision).to.equal(0);
  });

  it('shows nothing of a list before its end, and replaces at once', () => {
    const store = createStore();
    const feed = store.feed();
    relist(feed, [good(account('a')), good(account('b'))]);
    const before = store.world();
    feed({ kind: 'init' });
    feed({ kind: 'initApply', object: good(account('b')) });
    feed({ kind: 'initApply', object: good(account('c')) });
    expect(store.world()).to.equal(before);
    feed({ kind: 'initDone' });
    expect([...store.world().serviceAccounts.keys()]).to.have.members(['shop/b', 'shop/c']);
    expect(store.world().serviceAccounts.get('shop/b')).to.equal(before.serviceAccounts.get('shop/b'));
  });

  it('neither notifies nor copies for equal content, also under another resourceVersion', () => {
    const store = createStore();
    const feed = store.feed();
    relist(feed, [good(account('a', { resourceVersion: '1', generation: 4 }))]);
    const before = store.world();
    const notified = counting(store);
    feed({ kind: 'apply', object: good(account('a', { resourceVersion: '2', generation: 4 })) });
    relist(feed, [good(account('a', { resourceVersion: '3', generation: 4 }))]);
    expect(notified()).to.equal(0);
    expect(store.world()).to.equal(before);
  });

  it('shares the tables that did not change', () => {
    const store = createStore();
    const feed = store.feed();
    relist(feed, [good(account('a')), good(slice('s1', 'x')), good(slice('s2', 'y'))]);
    const before = store.world();
    feed({ kind: 'apply', object: good(slice('s2', 'y', '10.0.0.2')) });
    const after = store.world();
    expect(after.revision).to.be.greaterThan(before.revision);
    expect(after.serviceAccounts).to.equal(before.serviceAccounts);
    expect(after.endpointSlices.get('shop/x')).to.equal(before.endpointSlices.get('shop/x'));
    expect(after.endpointSlices.get('shop/y')?.[0]?.endpoints[0]?.address).to.equal('10.0.0.2');
    expect(before.endpointSlices.get('shop/y')?.[0]?.endpoints[0]?.address).to.equal('10.0.0.1');
  });

  it('follows a slice that moves to another Service, and sorts by name', () => {
    const store = createStore();
    const feed = store.feed();
    relist(feed, [good(slice('s2', 'x')), good(slice('s1', 'x'))]);
    expect(
      store
        .world()
        .endpointSlices.get('shop/x')
        ?.map(({ meta }) => meta.name),
    ).to.deep.equal(['s1', 's2']);
    feed({ kind: 'apply', object: good(slice('s1', 'y')) });
    feed({ kind: 'delete', ref: { kind: 'EndpointSlice', namespace: 'shop', name: 's2' } });
    expect([...store.world().endpointSlices.keys()]).to.deep.equal(['shop/y']);
  });

  it('keeps the last good version of a malformed object, until it is good again or gone', () => {
    const store = createStore();
    const feed = store.feed();
    relist(feed, [good(account('a')), bad('b', '1')]);
    feed({ kind: 'apply', object: bad('a', '1') });
    const world = store.world();
    expect(world.serviceAccounts.has('shop/a')).to.equal(true);
    expect(world.malformed.get('ServiceAccount/shop/a')).to.include({ lastGood: true, generation: 2 });
    expect(world.malformed.get('ServiceAccount/shop/b')).to.include({ lastGood: false, generation: 1 });
    feed({ kind: 'apply', object: good(account('a')) });
    feed({ kind: 'delete', ref: refOf('b') });
    expect(store.world().malformed.size).to.equal(0);
    expect(store.world().serviceAccounts.get('shop/a')?.meta.generation).to.equal(3);
  });

  it('counts edits of the spec where nobody else does, also over a delete and recreate', () => {
    const store = createStore();
    const feed = store.feed();
    const generation = (): number | undefined => store.world().endpointSlices.get('shop/x')?.[0]?.meta.generation;
    relist(feed, [good(slice('s', 'x'))]);
    expect(generation()).to.equal(1);
    feed({ kind: 'apply', object: good(slice('s', 'x', '10.0.0.2')) });
    expect(generation()).to.equal(2);
    const labelled = slice('s', 'x', '10.0.0.2');
    feed({ kind: 'apply', object: good({ ...labelled, meta: { ...labelled.meta, labels: { a: 'b' } } }) });
    expect(generation()).to.equal(2);
    feed({ kind: 'delete', ref: { kind: 'EndpointSlice', namespace: 'shop', name: 's' } });
    feed({ kind: 'apply', object: good(slice('s', 'x', '10.0.0.3')) });
    expect(generation()).to.equal(3);
  });

  it('takes the generation of a cluster as it is', () => {
    const store = createStore();
    relist(store.feed(), [good(account('a', { generation: 7 }))]);
    expect(store.world().serviceAccounts.get('shop/a')?.meta.generation).to.equal(7);
  });

  it('lets the list of one source touch only what that source gave, and the first one win', () => {
    const store = createStore();
    const [first, second] = [store.feed(), store.feed()];
    relist(first, [good(account('a')), good(account('both', { labels: { from: 'first' } }))]);
    relist(second, [good(account('b')), good(account('both', { labels: { from: 'second' } }))]);
    const from = (): string | undefined => store.world().serviceAccounts.get('shop/both')?.meta.labels['from'];
    expect(from()).to.equal('first');
    relist(first, []);
    expect([...store.world().serviceAccounts.keys()]).to.have.members(['shop/b', 'shop/both']);
    expect(from()).to.equal('second');
  });

  it('takes nothing away at an end without a beginning', () => {
    const store = createStore();
    const feed = store.feed();
    relist(feed, [good(account('a'))]);
    feed({ kind: 'initDone' });
    expect(store.world().serviceAccounts.size).to.equal(1);
  });

  it('freezes what it holds', () => {
    const store = createStore();
    relist(store.feed(), [good(account('a'))]);
    expect(Object.isFrozen(store.world().serviceAccounts.get('shop/a')?.meta.labels)).to.equal(true);
  });

  it('applies one change among 10,000 without looking at the others', () => {
    const store = createStore();
    const feed = store.feed();
    relist(
      feed,
      Array.from({ length: 10_000 }, (_, nth) => good(account(`a${String(nth)}`))),
    );
    store.world();
    const started = performance.now();
    for (let nth = 0; nth < 1000; nth += 1) {
      feed({ kind: 'apply', object: good(account(`a${String(nth)}`, { labels: { nth: String(nth) } })) });
    }
    store.world();
    // 1,000 changes with 10,000 comparisons each would take many seconds.
    expect(performance.now() - started).to.be.lessThan(1000);
  });

  it('feeds from a source until it ends', async () => {
    const store = createStore();
    const { signal } = new AbortController();
    await store.attach(async function* () {
      await Promise.resolve();
      yield { kind: 'init' } as const;
      yield { kind: 'initApply', object: good(account('a')) } as const;
      yield { kind: 'initDone' } as const;
    }, signal);
    expect(store.world().serviceAccounts.size).to.equal(1);
  });

  describe('folding, whatever the order of events', () => {
    type Step =
      | { readonly kind: 'put'; readonly name: string; readonly value: string }
      | { readonly kind: 'drop'; readonly name: string }
      | { readonly kind: 'relist'; readonly entries: readonly (readonly [string, string])[] };

    const name = fc.constantFrom('a', 'b', 'c', 'd');
    const value = fc.constantFrom('1', '2', '3');
    const step: fc.Arbitrary<Step> = fc.oneof(
      fc.record({ kind: fc.constant('put' as const), name, value }),
      fc.record({ kind: fc.constant('drop' as const), name }),
      fc.record({ kind: fc.constant('relist' as const), entries: fc.array(fc.tuple(name, value), { maxLength: 4 }) }),
    );
    const object = (id: string, address: string): Parsed => good(slice(id, id < 'c' ? 'x' : 'y', address));

    function run(feed: Feed, held: Map<string, string>, todo: Step): void {
      if (todo.kind === 'put') {
        held.set(todo.name, todo.value);
        feed({ kind: 'apply', object: object(todo.name, todo.value) });
      } else if (todo.kind === 'drop') {
        held.delete(todo.name);
        feed({ kind: 'delete', ref: { kind: 'EndpointSlice', namespace: 'shop', name: todo.name } });
      } else {
        held.clear();
        for (const [id, address] of todo.entries) held.set(id, address);
        relist(
          feed,
          todo.entries.map(([id, address]) => object(id, address)),
        );
      }
    }

    const content = (world: World): unknown =>
      [...world.endpointSlices.values()]
        .flat()
        .map((found) => [keyOf(found.meta), found.service, found.endpoints[0]?.address])
        .sort();

    it('equals a fresh fold of the final objects', () => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
          const store = createStore();
          const feed = store.feed();
          const held = new Map<string, string>();
          let revision = 0;
          for (const todo of steps) {
            const before = store.world();
            run(feed, held, todo);
            const after = store.world();
            expect(after.revision).to.be.at.least(revision);
            if (after.revision === before.revision) expect(after).to.equal(before);
            revision = after.revision;
          }
          const fresh = createStore();
          relist(
            fresh.feed(),
            [...held].map(([id, address]) => object(id, address)),
          );
          expect(content(store.world())).to.deep.equal(content(fresh.world()));
        }),
      );
    });
  });
});
