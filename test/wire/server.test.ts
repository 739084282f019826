// What the server says to clients that break the rules, and that it outlives them.

import * as grpc from '@grpc/grpc-js';
import { expect } from 'chai';
import { DeltaDiscoveryRequest } from '../../src/gen/envoy/service/discovery/v3/discovery.js';
import { silentLogger } from '../../src/lib/logger.js';
import type { Delivery } from '../../src/model/delivery.js';
import { createCache, type Cache } from '../../src/xds/cache.js';
import { typeUrlOfType } from '../../src/xds/resources.js';
import { startServer, type Server } from '../../src/xds/server.js';
import { transportNames } from '../../src/xds/transport.js';
import { createFakeClock, type FakeClock } from '../support/fake-clock.js';
import { publicationOf } from './world.js';

const pass = (bytes: Buffer): Buffer => bytes;
const path = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
const cluster = typeUrlOfType.cluster;

type Request = Parameters<typeof DeltaDiscoveryRequest.fromPartial>[0];
const bytesOf = (request: Request): Buffer =>
  Buffer.from(DeltaDiscoveryRequest.encode(DeltaDiscoveryRequest.fromPartial(request)).finish());

for (const transport of transportNames)
  describe(`server over ${transport}`, () => {
    let server: Server;
    let client: grpc.Client;
    let cache: Cache;
    let clock: FakeClock;
    let deliveries: Delivery[];

    beforeEach(async () => {
      cache = createCache();
      clock = createFakeClock();
      deliveries = [];
      const onDelivery = (delivery: Delivery): void => void deliveries.push(delivery);
      const yieldToLoop = (next: () => void): void => {
        next();
      };
      server = await startServer(
        { cache, clock, log: silentLogger, onDelivery, onRefused: () => undefined, yieldToLoop, transport },
        '127.0.0.1:0',
      );
      client = new grpc.Client(server.address, grpc.credentials.createInsecure());
      cache.publish(publicationOf(1, { cds: { a: 1 } }));
    });

    afterEach(async () => {
      client.close();
      await server.stop();
    });

    /** Says these things; resolves with how the stream ended and how many responses came before. */
    const talk = (
      ...said: readonly Buffer[]
    ): Promise<{ readonly code: number; readonly details: string; readonly responses: number }> =>
      new Promise((resolve) => {
        const call = client.makeBidiStreamRequest(path, pass, pass);
        let responses = 0;
        call.on('data', () => responses++);
        call.on('error', () => undefined);
        call.on('status', ({ code, details }: grpc.StatusObject) => {
          resolve({ code, details, responses });
        });
        for (const bytes of said) call.write(bytes);
        if (said.length === 1 && said[0] === polite) call.end();
      });

    const polite = bytesOf({ node: { id: 'pod.shop' }, typeUrl: cluster });

    const stillServes = async (): Promise<void> => {
      expect(await talk(polite)).to.deep.include({ code: grpc.status.OK, responses: 1 });
    };

    const rude: readonly {
      readonly what: string;
      readonly said: readonly Buffer[];
      readonly code: number;
      readonly words: string;
    }[] = [
      {
        what: 'bytes that are no message',
        said: [Buffer.from([0x0a, 0xff, 0xff])],
        code: grpc.status.INVALID_ARGUMENT,
        words: 'malformed request',
      },
      {
        what: 'a node that is no message',
        said: [Buffer.from([0x0a, 0x02, 0x0a, 0x7f])],
        code: grpc.status.INVALID_ARGUMENT,
        words: 'malformed',
      },
      {
        what: 'no node',
        said: [bytesOf({ typeUrl: cluster })],
        code: grpc.status.INVALID_ARGUMENT,
        words: 'must name its node',
      },
      {
        what: 'a node id that names no pod',
        said: [bytesOf({ node: { id: 'x' }, typeUrl: cluster })],
        code: grpc.status.INVALID_ARGUMENT,
        words: "node id 'x' names no pod",
      },
      {
        what: 'a pod that does not exist',
        said: [bytesOf({ node: { id: 'x.y' }, typeUrl: cluster })],
        code: grpc.status.NOT_FOUND,
        words: "names pod 'y/x'",
      },
      {
        what: 'a type that is not served',
        said: [bytesOf({ node: { id: 'pod.shop' }, typeUrl: 'nope' })],
        code: grpc.status.UNIMPLEMENTED,
        words: "'nope' is not served",
      },
      {
        what: 'another node in mid-stream',
        said: [polite, bytesOf({ node: { id: 'other.shop' }, typeUrl: cluster })],
        code: grpc.status.INVALID_ARGUMENT,
        words: 'node of a stream must not change',
      },
    ];
    for (const { what, said, code, words } of rude) {
      it(`closes a stream that sends ${what}, and goes on`, async () => {
        const end = await talk(...said);
        expect(end.code).to.equal(code);
        expect(end.details).to.contain(words);
        await stillServes();
      });
    }

    it('takes a node with huge metadata, and the same node again', async () => {
      const metadata = { blob: 'x'.repeat(3 * 1024 * 1024) };
      const huge = bytesOf({ node: { id: 'pod.shop', metadata }, typeUrl: cluster });
      const end = await talk(huge, huge, bytesOf({ typeUrl: 'end' }));
      expect(end).to.include({ code: grpc.status.UNIMPLEMENTED, responses: 1 });
      await stillServes();
    });

    it('closes streams of pods that are gone', async () => {
      const ended = talk(polite, bytesOf({ typeUrl: typeUrlOfType.listener }));
      await new Promise<void>((resolve) => {
        const stop = clock.onRead(() => {
          if (clock.reads() < 4) return;
          stop();
          resolve();
        });
      });
      cache.publish({ ...publicationOf(2, {}), proxies: new Map() });
      expect(await ended).to.include({ code: grpc.status.NOT_FOUND });
    });

    it('speaks of a proxy once while an older stream of it lingers', async () => {
      const lingering = talk(polite, bytesOf({ typeUrl: typeUrlOfType.listener }));
      await stillServes();
      await stillServes();
      expect(deliveries.filter((one) => one.kind === 'connected').length).to.equal(3);
      expect(deliveries.at(-1)?.kind).to.equal('disconnected');
      expect(deliveries.filter((one) => one.kind === 'disconnected')).to.have.length(2);
      cache.publish({ ...publicationOf(2, {}), proxies: new Map() });
      await lingering;
      expect(deliveries.filter((one) => one.kind === 'disconnected')).to.have.length(2);
    });

    it('closes a stream when it has grown old', async () => {
      const end = talk(polite, bytesOf({ typeUrl: typeUrlOfType.listener }));
      await stillServes();
      clock.advance(40 * 60_000);
      expect(await end).to.include({ code: grpc.status.UNAVAILABLE, details: 'stream age reached' });
    });
  });
