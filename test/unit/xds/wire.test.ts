// The hand-written protobuf against the generated one, both ways.

import { expect } from 'chai';
import fc from 'fast-check';
import { Node } from '../../../src/gen/envoy/config/core/v3/base.js';
import {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from '../../../src/gen/envoy/service/discovery/v3/discovery.js';
import { createRequestReader } from '../../../src/xds/requests.js';
import { decodeRequest, eachVersion, type RawNames, type RawVersions } from '../../../src/xds/wire-read.js';
import { encodeDeltaResponse, encodeSotwResponse, messageIn, resourceFrame } from '../../../src/xds/wire.js';

const text = fc.string({ unit: 'binary', maxLength: 200 });
// The generated maps are plain objects, which cannot hold this key.
const key = text.filter((one) => one !== '__proto__');
const names = fc.array(text, { maxLength: 20 });
const error = fc.option(fc.record({ code: fc.nat(20), message: text }), { nil: undefined });
const node = fc.option(fc.record({ id: text, cluster: text, metadata: fc.dictionary(key, text) }), { nil: undefined });

const namesIn = ({ buffer, bounds }: RawNames): readonly string[] =>
  bounds.flatMap((start, index) => (index % 2 === 0 ? [buffer.toString('utf8', start, bounds[index + 1])] : []));

/** Pairs as a record, as the generated map has them: the last of equal keys counts. */
const pairsIn = (raw: RawVersions): ReadonlyMap<string, string> => {
  const pairs = new Map<string, string>();
  const textOf = (start: number, end: number): string => raw.buffer.toString('utf8', start, end);
  eachVersion(raw, (at) => pairs.set(textOf(at.keyStart, at.keyEnd), textOf(at.valueStart, at.valueEnd)));
  return pairs;
};

const entriesOf = (map: unknown): ReadonlyMap<string, string> =>
  map instanceof Map ? (map as Map<string, string>) : new Map(Object.entries(map as Record<string, string>));

describe('wire', () => {
  it('reads delta requests as the generated code does', () => {
    const request = fc.record({
      typeUrl: text,
      responseNonce: text,
      subscribe: names,
      unsubscribe: names,
      initial: fc.array(fc.tuple(key, text)),
      error,
      node,
    });
    fc.assert(
      fc.property(request, (given) => {
        const empty = DeltaDiscoveryRequest.fromPartial({});
        const initial =
          empty.initialResourceVersions instanceof Map ? new Map(given.initial) : Object.fromEntries(given.initial);
        const message = {
          ...empty,
          typeUrl: given.typeUrl,
          responseNonce: given.responseNonce,
          resourceNamesSubscribe: given.subscribe,
          resourceNamesUnsubscribe: given.unsubscribe,
          initialResourceVersions: initial as typeof empty.initialResourceVersions,
          errorDetail: given.error === undefined ? undefined : { ...given.error, details: [] },
          node: given.node === undefined ? undefined : Node.fromPartial(given.node),
        };
        const bytes = Buffer.from(DeltaDiscoveryRequest.encode(message).finish());
        const want = DeltaDiscoveryRequest.decode(bytes);
        const raw = decodeRequest(bytes, 'delta');
        expect(raw.typeUrl).to.equal(want.typeUrl);
        expect(raw.nonce).to.equal(want.responseNonce);
        expect(raw.error).to.equal(want.errorDetail?.message);
        expect(namesIn(raw.subscribe)).to.deep.equal(want.resourceNamesSubscribe);
        expect(namesIn(raw.unsubscribe)).to.deep.equal(want.resourceNamesUnsubscribe);
        expect(pairsIn(raw.initial)).to.deep.equal(entriesOf(want.initialResourceVersions));
        expect(raw.node === undefined ? undefined : Node.decode(raw.node)).to.deep.equal(want.node);
      }),
      { numRuns: 300 },
    );
  });

  it('reads state-of-the-world requests as the generated code does', () => {
    const request = fc.record({
      typeUrl: text,
      responseNonce: text,
      versionInfo: text,
      resourceNames: names,
      error,
      node,
    });
    fc.assert(
      fc.property(request, (given) => {
        const message = {
          ...DiscoveryRequest.fromPartial({}),
          ...given,
          errorDetail: given.error === undefined ? undefined : { ...given.error, details: [] },
          node: given.node === undefined ? undefined : Node.fromPartial(given.node),
        };
        const bytes = Buffer.from(DiscoveryRequest.encode(message).finish());
        const want = DiscoveryRequest.decode(bytes);
        const raw = decodeRequest(bytes, 'sotw');
        expect(raw).to.include({ typeUrl: want.typeUrl, nonce: want.responseNonce, version: want.versionInfo });
        expect(raw.error).to.equal(want.errorDetail?.message);
        expect(namesIn(raw.subscribe)).to.deep.equal(want.resourceNames);
        expect(raw.node === undefined ? undefined : Node.decode(raw.node)).to.deep.equal(want.node);
      }),
      { numRuns: 300 },
    );
  });

  const resource = fc.record({ name: text, version: text, typeUrl: text, bytes: fc.uint8Array({ maxLength: 400 }) });
  const meta = fc.record({ typeUrl: text, nonce: text });

  it('writes delta responses that the generated code reads', () => {
    fc.assert(
      fc.property(meta, fc.array(resource, { maxLength: 8 }), names, (said, resources, removed) => {
        const frames = resources.map((one) => resourceFrame(one).frame);
        const read = DeltaDiscoveryResponse.decode(
          messageIn(encodeDeltaResponse({ ...said, systemVersion: said.nonce, frames, removed })),
        );
        expect(read).to.include({ typeUrl: said.typeUrl, nonce: said.nonce, systemVersionInfo: said.nonce });
        expect(read.removedResources).to.deep.equal(removed);
        const got = read.resources.map((one) => ({
          name: one.name,
          version: one.version,
          typeUrl: one.resource?.typeUrl,
          bytes: [...(one.resource?.value ?? [])],
        }));
        expect(got).to.deep.equal(resources.map((one) => ({ ...one, bytes: [...one.bytes] })));
      }),
      { numRuns: 300 },
    );
  });

  it('writes state-of-the-world responses that the generated code reads', () => {
    fc.assert(
      fc.property(meta, fc.array(resource, { maxLength: 8 }), (said, resources) => {
        const anys = resources.map((one) => {
          const { frame, anyStart, anyEnd } = resourceFrame(one);
          return frame.subarray(anyStart, anyEnd);
        });
        const read = DiscoveryResponse.decode(messageIn(encodeSotwResponse({ ...said, version: said.nonce, anys })));
        expect(read).to.include({ typeUrl: said.typeUrl, nonce: said.nonce, versionInfo: said.nonce });
        expect(read.resources.map((one) => [one.typeUrl, ...one.value])).to.deep.equal(
          resources.map((one) => [one.typeUrl, ...one.bytes]),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('reads requests whose bytes it knows as it read them first', () => {
    const known = Array.from({ length: 100 }, (_, index) => `o/shop/service-${String(index)}/80`);
    const read = createRequestReader('delta');
    const list = fc.constantFrom(
      known,
      known.slice(0, 70),
      [...known, 'more'],
      ['first', ...known],
      [known.join(''), ...known],
      known.toReversed(),
      known.map((name) => name.padEnd(200, 'x')),
      ['few'],
      [],
    );
    fc.assert(
      fc.property(list, list, text, (add, drop, nonce) => {
        const said = { resourceNamesSubscribe: add, resourceNamesUnsubscribe: drop, responseNonce: nonce };
        const bytes = Buffer.from(DeltaDiscoveryRequest.encode(DeltaDiscoveryRequest.fromPartial(said)).finish());
        for (const raw of [read(bytes), read(bytes)]) {
          expect(namesIn(raw.subscribe)).to.deep.equal(add);
          expect(namesIn(raw.unsubscribe)).to.deep.equal(drop);
          expect(raw.nonce).to.equal(nonce);
        }
      }),
    );
  });

  it('throws nothing but RangeError on any bytes', () => {
    const whole = Buffer.from(
      DeltaDiscoveryRequest.encode(
        DeltaDiscoveryRequest.fromPartial({ typeUrl: 'x', resourceNamesSubscribe: ['a'.repeat(300)] }),
      ).finish(),
    );
    const broken = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.tuple(fc.nat(whole.length - 1), fc.nat(255)).map(([at, byte]) => {
        const copy = Buffer.from(whole);
        copy[at] = byte;
        return copy;
      }),
      fc.nat(whole.length).map((end) => whole.subarray(0, end)),
    );
    fc.assert(
      fc.property(broken, fc.constantFrom('delta' as const, 'sotw' as const), (bytes, protocol) => {
        try {
          eachVersion(decodeRequest(Buffer.from(bytes), protocol).initial, () => undefined);
        } catch (thrown) {
          expect(thrown).to.be.instanceOf(RangeError);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
