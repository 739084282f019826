// Clients that break the rules of HTTP/2 and of gRPC: each is told why, hurts nobody else, and leaves nothing behind.

import net from 'node:net';
import { constants, type OutgoingHttpHeaders } from 'node:http2';
import { expect } from 'chai';
import { DeltaDiscoveryRequest, DeltaDiscoveryResponse } from '../../src/gen/envoy/service/discovery/v3/discovery.js';
import { soon } from '../../src/lib/clock.js';
import { silentLogger } from '../../src/lib/logger.js';
import type { Delivery } from '../../src/model/delivery.js';
import { createCache, type Cache } from '../../src/xds/cache.js';
import { typeUrlOfType } from '../../src/xds/resources.js';
import { startServer, type Server } from '../../src/xds/server.js';
import { statusCodes, transportNames, type TransportName } from '../../src/xds/transport.js';
import { createFakeClock, type FakeClock } from '../support/fake-clock.js';
import { eventually } from '../support/eventually.js';
import { connectRaw, framed, type RawClient } from './raw-client.js';
import { publicationOf } from './world.js';

type Request = Parameters<typeof DeltaDiscoveryRequest.fromPartial>[0];
const bytesOf = (request: Request): Buffer =>
  Buffer.from(DeltaDiscoveryRequest.encode(DeltaDiscoveryRequest.fromPartial(request)).finish());

const polite = bytesOf({ node: { id: 'pod.shop' }, typeUrl: typeUrlOfType.cluster });
const turn = (): Promise<void> => new Promise(soon);

interface Rudeness {
  readonly what: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly says?: readonly Buffer[];
  /** The HTTP status, where it is not a matter of gRPC. */
  readonly http?: number;
  readonly code?: keyof typeof statusCodes;
  readonly words?: string;
  /** What grpc-js sees otherwise, or does not look at. */
  readonly only?: TransportName;
}

const rudeness: readonly Rudeness[] = [
  { what: 'a GET', headers: { ':method': 'GET' }, http: 405, only: 'http2' },
  { what: 'a page of text', headers: { 'content-type': 'text/plain' }, http: 415 },
  { what: 'gRPC in JSON', headers: { 'content-type': 'application/grpc+json' }, http: 415, only: 'http2' },
  { what: 'gRPC-Web', headers: { 'content-type': 'application/grpc-web' }, http: 415, only: 'http2' },
  {
    what: 'another method',
    headers: { ':path': '/envoy.Nope/Nope' },
    code: 'UNIMPLEMENTED',
    words: '/envoy.Nope/Nope',
  },
  { what: 'no `te`', headers: { te: undefined }, code: 'INTERNAL', words: 'te: trailers', only: 'http2' },
  {
    what: 'a compressed message',
    headers: { 'grpc-encoding': 'gzip' },
    says: [framed(polite, { flag: 1 })],
    code: 'UNIMPLEMENTED',
    words: "grpc-encoding 'gzip'",
    only: 'http2',
  },
  {
    what: 'a message that is compressed nobody knows how',
    says: [framed(polite, { flag: 1 })],
    code: 'INTERNAL',
    words: 'grpc-encoding',
    only: 'http2',
  },
  {
    what: 'a flag that there is not',
    says: [framed(polite, { flag: 7 })],
    code: 'INTERNAL',
    words: '7',
    only: 'http2',
  },
  {
    what: 'the beginning of a message of 16 MiB and a byte',
    says: [framed(polite, { length: 16 * 1024 * 1024 + 1 })],
    code: 'RESOURCE_EXHAUSTED',
    words: '16777217',
  },
  {
    what: 'a message that claims 4 GiB',
    says: [framed(polite, { length: 0xffffffff })],
    code: 'RESOURCE_EXHAUSTED',
    words: '4294967295',
  },
  {
    what: 'a node id whose 256th character is half an emoji',
    says: [framed(bytesOf({ node: { id: `${'%'.repeat(255)}😀` }, typeUrl: '' }))],
    code: 'INVALID_ARGUMENT',
    words: 'names no pod',
  },
];

for (const transport of transportNames) {
  describe(`rude clients of ${transport}`, () => {
    let server: Server;
    let cache: Cache;
    let clock: FakeClock;
    let deliveries: Delivery['kind'][];
    let client: RawClient;
    let isStopped: boolean;

    beforeEach(async () => {
      cache = createCache();
      clock = createFakeClock();
      deliveries = [];
      isStopped = false;
      server = await startServer(
        {
          cache,
          clock,
          log: silentLogger,
          onDelivery: ({ kind }) => void deliveries.push(kind),
          onRefused: () => undefined,
          yieldToLoop: (next) => {
            next();
          },
          transport,
        },
        '127.0.0.1:0',
      );
      client = connectRaw(server.address);
      cache.publish(publicationOf(1, { cds: { a: 1 } }));
    });

    afterEach(async () => {
      client.session.destroy();
      if (!isStopped) await server.stop();
    });

    const stillServes = async (): Promise<void> => {
      const other = connectRaw(server.address);
      const call = other.call();
      call.stream.end(framed(polite));
      const [message] = await call.messages(1);
      expect(DeltaDiscoveryResponse.decode(message ?? Buffer.alloc(0)).resources).to.have.length(1);
      expect(await call.ended()).to.include({ 'grpc-status': '0' });
      other.session.destroy();
    };

    const gone = (): Promise<number> =>
      eventually(() => server.connections() === 0 || server.connections(), { what: 'no connections' });

    for (const { what, headers, says = [], http, code, words = '', only } of rudeness) {
      if (only !== undefined && only !== transport) continue;
      it(`answers ${what}, and goes on`, async () => {
        const call = client.call(headers);
        for (const bytes of says) call.stream.write(bytes);
        const end = await call.ended();
        if (http !== undefined) expect(end[':status']).to.equal(http);
        if (code !== undefined) expect(end['grpc-status']).to.equal(String(statusCodes[code]));
        expect(decodeURIComponent(String(end['grpc-message'] ?? ''))).to.contain(words);
        if (code === 'UNIMPLEMENTED' && says.length > 0) expect(end['grpc-accept-encoding']).to.equal('identity');
        // grpc-js leaves it to the client to hang up.
        if (transport === 'http2') await call.closed();
        await stillServes();
        await gone();
      });
    }

    it('reads messages that come byte by byte, and several at once', async () => {
      const call = client.call();
      for (const byte of framed(polite)) {
        call.stream.write(Buffer.of(byte));
        await turn();
      }
      const [first] = await call.messages(1);
      const { nonce } = DeltaDiscoveryResponse.decode(first ?? Buffer.alloc(0));
      const ack = framed(bytesOf({ typeUrl: typeUrlOfType.cluster, responseNonce: nonce }));
      const asks = framed(bytesOf({ typeUrl: typeUrlOfType.route, resourceNamesSubscribe: ['r'] }));
      const half = framed(bytesOf({ typeUrl: typeUrlOfType.listener }));
      call.stream.write(Buffer.concat([ack, asks, half.subarray(0, 7)]));
      await call.messages(2);
      call.stream.end(half.subarray(7));
      await call.messages(3);
      expect(await call.ended()).to.include({ 'grpc-status': '0' });
    });

    it('tells of the end once, and keeps nothing, when a call is reset', async () => {
      const call = client.call();
      call.stream.write(framed(polite));
      await call.messages(1);
      call.stream.close(constants.NGHTTP2_CANCEL);
      await gone();
      expect(deliveries).to.deep.equal(['connected', 'disconnected']);
      await stillServes();
    });

    it('tells of the end once when the connection breaks in the middle of a message', async () => {
      const call = client.call();
      call.stream.write(Buffer.concat([framed(polite), framed(polite).subarray(0, 9)]));
      await call.messages(1);
      client.session.destroy();
      await gone();
      expect(deliveries).to.deep.equal(['connected', 'disconnected']);
      await stillServes();
    });

    it('takes a large answer apart for who reads slowly, and loses nothing', async () => {
      const clusters = Object.fromEntries(
        Array.from({ length: 3_000 }, (_, i) => [`${'c'.repeat(200)}${String(i)}`, 1]),
      );
      cache.publish(publicationOf(2, { cds: clusters, lds: clusters }));
      const call = client.call();
      call.stream.pause();
      call.stream.write(framed(polite));
      call.stream.write(framed(bytesOf({ typeUrl: typeUrlOfType.listener })));
      for (let turns = 0; turns < 50; turns++) await turn();
      call.stream.resume();
      const answers = await call.messages(2);
      const counts = answers.map((one) => DeltaDiscoveryResponse.decode(one).resources.length);
      expect(counts).to.deep.equal([3_000, 3_000]);
    });

    it('says goodbye when it stops', async () => {
      const call = client.call();
      call.stream.write(framed(polite));
      await call.messages(1);
      isStopped = true;
      const stopped = server.stop();
      expect(await call.ended()).to.include({ 'grpc-status': String(statusCodes.UNAVAILABLE) });
      call.stream.close();
      await client.closed();
      await stopped;
      expect(deliveries).to.deep.equal(['connected', 'disconnected']);
    });

    it('does not wait for who reads nothing when it stops', async () => {
      client.session.destroy();
      client = connectRaw(server.address, { settings: { initialWindowSize: 0 } });
      const call = client.call();
      call.stream.write(framed(polite));
      await eventually(() => deliveries.includes('connected'), { what: 'the call' });
      isStopped = true;
      const stopped = server.stop();
      await turn();
      clock.advance(2_000);
      await stopped;
      // grpc-js leaves such a stream to the end of the process.
      if (transport === 'http2') await gone();
    });

    it('is not brought down by what is no HTTP/2', async () => {
      const socket = net.connect(Number(server.address.split(':')[1]), '127.0.0.1');
      socket.on('error', () => undefined);
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(10));
      socket.resume();
      await closed;
      await stillServes();
    });
  });
}

describe('bounds of http2', () => {
  let server: Server;
  let clock: FakeClock;

  beforeEach(async () => {
    const cache = createCache();
    clock = createFakeClock();
    const quiet = { log: silentLogger, onDelivery: () => undefined, onRefused: () => undefined };
    const yieldToLoop = (next: () => void): void => {
      next();
    };
    server = await startServer({ cache, clock, ...quiet, yieldToLoop, transport: 'http2' }, '127.0.0.1:0');
    cache.publish(publicationOf(1, { cds: { a: 1 } }));
  });

  afterEach(() => server.stop());

  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      clock.advance(1_000);
      await turn();
    }
  };

  /** A connection that reads and never says more than this. */
  const connectSilent = (
    ...says: readonly Buffer[]
  ): { readonly closed: () => boolean; readonly read: () => Buffer } => {
    const socket = net.connect(Number(server.address.split(':')[1]), '127.0.0.1');
    let isClosed = false;
    let bytes = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
    });
    socket.once('close', () => {
      isClosed = true;
    });
    for (const one of says) socket.write(one);
    return { closed: () => isClosed, read: () => bytes };
  };

  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  const emptySettings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

  it('gives up who does not answer pings, within half a minute', async () => {
    const silent = connectSilent(preface, emptySettings);
    await eventually(() => silent.read().length > 0, { what: 'settings' });
    await pass(31);
    await eventually(silent.closed, { what: 'the end of the connection' });
  });

  it('gives up who connects and says nothing', async () => {
    const silent = connectSilent();
    await eventually(() => silent.read().length > 0, { what: 'settings' });
    await pass(31);
    await eventually(silent.closed, { what: 'the end of the connection' });
  });

  it('keeps who answers pings, and sends it away when it has asked for nothing for five minutes', async () => {
    const client = connectRaw(server.address);
    await eventually(() => client.session.connecting || true, { what: 'a connection' });
    await new Promise((resolve) => client.session.once('remoteSettings', resolve));
    expect(client.session.remoteSettings).to.include({ maxConcurrentStreams: 16, initialWindowSize: 1024 * 1024 });
    for (let second = 0; second < 299; second++) {
      await pass(1);
      await new Promise<void>((resolve) => {
        if (
          !client.session.ping(() => {
            resolve();
          })
        )
          resolve();
      });
    }
    expect(client.session.closed).to.equal(false);
    await pass(2);
    await client.closed();
  });

  it('ends a connection that opens and resets calls without end', async () => {
    const client = connectRaw(server.address);
    for (let count = 0; count < 400 && !client.session.destroyed; count++) {
      const { stream } = client.call();
      stream.close(constants.NGHTTP2_CANCEL);
      await turn();
    }
    await client.closed();
    expect(server.connections()).to.equal(0);
  });

  it('resets a call with more headers than it takes', async () => {
    const client = connectRaw(server.address);
    await new Promise((resolve) => client.session.once('remoteSettings', resolve));
    const call = client.call({ 'x-blob': 'x'.repeat(20_000) });
    await call.ended();
    expect(call.headers()).to.not.have.property('grpc-status');
    expect(server.connections()).to.equal(0);
    client.session.destroy();
  });
});
