// What the reducer must not cost, and what no scenario says: sharing, silence, bounds.

import { expect } from 'chai';
import { createCache, type Cache } from '../../../src/xds/cache.js';
import type { Protocol } from '../../../src/xds/plan.js';
import { inFlightAllowed } from '../../../src/xds/schedule.js';
import { newStream, reduce } from '../../../src/xds/stream.js';
import type { StreamEffect, StreamState } from '../../../src/xds/stream-state.js';
import type { Push } from '../../../src/xds/push.js';
import { decodeRequest } from '../../../src/xds/wire-read.js';
import { requestOf, type Said } from '../../wire/client.js';
import { publicationOf, theProxy, type Spec } from '../../wire/world.js';

interface Talk {
  state: StreamState;
  now: number;
}

const started = (cache: Cache, protocol: Protocol): Talk => ({
  state: newStream({ protocol, names: cache.names }),
  now: 0,
});

function look(talk: Talk, cache: Cache): readonly StreamEffect[] {
  const found = cache.lookup(theProxy, '');
  if (found === undefined) throw new Error('nothing is served');
  const { state, effects } = reduce(talk.state, { kind: 'view', view: found.view, own: found.own, now: talk.now });
  talk.state = state;
  return effects;
}

function say(talk: Talk, said: Said): readonly StreamEffect[] {
  const request = decodeRequest(requestOf(talk.state.protocol, said, false), talk.state.protocol);
  const { state, effects } = reduce(talk.state, { kind: 'request', type: said.type, request, now: talk.now });
  talk.state = state;
  return effects;
}

const pushesIn = (effects: readonly StreamEffect[]): readonly Push[] =>
  effects.flatMap((effect) => (effect.kind === 'send' ? [effect.push] : []));

/** Acknowledges until nothing more comes. */
function settle(talk: Talk, effects: readonly StreamEffect[], names: readonly string[] = []): void {
  for (let [push] = pushesIn(effects); push !== undefined;)
    [push] = pushesIn(say(talk, { type: 'endpoint', nonce: push.nonce, names }));
}

const many = (count: number, v = 1): Spec => ({
  eds: Object.fromEntries(Array.from({ length: count }, (_, at) => [`c${String(at)}`, v])),
});
const namesOf = (spec: Spec): readonly string[] => Object.keys(spec.eds ?? {});

describe('stream', () => {
  for (const protocol of ['delta', 'sotw'] as const) {
    it(`one change is one response, shared by all streams (${protocol})`, () => {
      const cache = createCache();
      const spec = many(50);
      cache.publish(publicationOf(1, spec));
      const streams = Array.from({ length: 20 }, () => started(cache, protocol));
      streams.forEach((talk, index) => {
        look(talk, cache);
        // Each asks in its own order and in its own steps.
        const names = [...namesOf(spec)].sort((a, b) => (a < b ? -1 : 1) * (index % 2 === 0 ? 1 : -1));
        const [first, rest] = [names.slice(0, index), names.slice(index)];
        settle(talk, say(talk, { type: 'endpoint', add: first, names: first }), first);
        const { lastNonce = '' } = talk.state.types.endpoint ?? {};
        settle(talk, say(talk, { type: 'endpoint', add: rest, names, nonce: lastNonce }), names);
      });
      expect(
        new Set(streams.map((talk) => talk.state.types.endpoint?.sent)).size,
        'one object of what they hold',
      ).to.equal(1);
      cache.publish(publicationOf(2, { eds: { ...spec.eds, c7: 2 } }));
      const pushes = new Set(streams.flatMap((talk) => pushesIn(look(talk, cache))));
      expect(pushes.size).to.equal(1);
    });
  }

  it('an acknowledgement of everything changes nothing but what is in flight', () => {
    const cache = createCache();
    const spec = many(100);
    cache.publish(publicationOf(1, spec));
    const talk = started(cache, 'delta');
    look(talk, cache);
    const [push] = pushesIn(say(talk, { type: 'endpoint', add: namesOf(spec) }));
    const before = talk.state.types.endpoint;
    say(talk, { type: 'endpoint', nonce: push?.nonce ?? '' });
    expect(talk.state.types.endpoint?.subscription).to.equal(before?.subscription);
    expect(talk.state.types.endpoint?.inFlight).to.deep.equal([]);
    const settled = talk.state;
    say(talk, { type: 'endpoint' });
    expect(talk.state, 'a request that says nothing').to.equal(settled);
  });

  it('remembers a bounded number of unanswered responses', () => {
    const cache = createCache();
    cache.publish(publicationOf(1, { cds: { a: 1 } }));
    const talk = started(cache, 'delta');
    look(talk, cache);
    say(talk, { type: 'cluster' });
    for (let v = 2; v < 100; v++) {
      talk.now += 1_000;
      cache.publish(publicationOf(v, { cds: { a: v } }));
      expect(pushesIn(look(talk, cache))).to.have.length(1);
    }
    expect(talk.state.types.cluster?.inFlight).to.have.length(inFlightAllowed);
  });

  it('answers a hundred thousand unknown names in bounded responses', () => {
    const cache = createCache();
    cache.publish(publicationOf(1, {}));
    const talk = started(cache, 'delta');
    look(talk, cache);
    const names = Array.from({ length: 100_000 }, (_, at) => `unknown/${String(at)}`);
    let effects = say(talk, { type: 'endpoint', add: names });
    let answered = 0;
    for (let [push] = pushesIn(effects); push !== undefined; [push] = pushesIn(effects)) {
      expect(push.encode().length).to.be.below(2 * 1_048_576);
      answered += push.names.length;
      if (answered > 5_000) break;
      effects = say(talk, { type: 'endpoint', nonce: push.nonce });
    }
    expect(answered).to.be.above(5_000);
  }).timeout(20_000);

  it('large pushes are cut at about a mebibyte', () => {
    const cache = createCache();
    const spec = many(200);
    const long = Object.fromEntries(Object.keys(spec.eds ?? {}).map((name) => [`${name}/${'x'.repeat(20_000)}`, 1]));
    cache.publish(publicationOf(1, { eds: long }));
    const talk = started(cache, 'delta');
    look(talk, cache);
    const sizes: number[] = [];
    let effects = say(talk, { type: 'endpoint', add: Object.keys(long) });
    for (let [push] = pushesIn(effects); push !== undefined; [push] = pushesIn(effects)) {
      sizes.push(push.encode().length);
      effects = say(talk, { type: 'endpoint', nonce: push.nonce });
    }
    expect(Math.max(...sizes)).to.be.below(1_200_000);
    expect(sizes.length).to.be.above(5);
  });

  it('a returning client that lists what it has gets the object that all others have', () => {
    const cache = createCache();
    const spec = many(100);
    cache.publish(publicationOf(1, spec));
    const first = started(cache, 'delta');
    look(first, cache);
    settle(first, say(first, { type: 'endpoint', add: namesOf(spec) }));
    const initial = Object.fromEntries(
      (first.state.types.endpoint?.sent ?? []).flatMap((entry) =>
        typeof entry === 'object' ? [[entry.name, entry.version]] : [],
      ),
    );
    const second = started(cache, 'delta');
    look(second, cache);
    expect(pushesIn(say(second, { type: 'endpoint', add: namesOf(spec), initial }))).to.deep.equal([]);
    expect(second.state.types.endpoint?.sent).to.equal(first.state.types.endpoint?.sent);
  });
});
