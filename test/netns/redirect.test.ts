// Redirect capture on real Envoys: the kernel hands connections to the proxy, and the application knows nothing of it.
// Applications tell who called: the delivery source says that the proxy of the pod was passed, the address of a pod
// that it was not. Every version has a mesh of its own. What users ask for by name is shown in test/e2e/cases/redirected.ts.

import { expect } from 'chai';
import { deliverySource } from '../../src/webhook/redirect-rules.js';
import { inParallel } from '../envoy/client.js';
import { conditionOf, type StatusItem, supportedVersions } from '../envoy/harness.js';
import { eventually } from '../support/eventually.js';
import { type Lab, startLab } from './lab.js';
import {
  addresses,
  excludedPort,
  type Family,
  labOptions,
  ledgerName,
  openPort,
  split,
  undeclaredPort,
  virtual,
} from './mesh.js';
import { hasIpv6, obstacleToNamespaces } from './network.js';
import type { Answer, Call } from './orders.js';
import { expectShare } from '../e2e/statistics.js';

const obstacle = obstacleToNamespaces();
const families: readonly Family[] = ['ipv4', 'ipv6'];

describe('redirect capture', function () {
  this.timeout(60_000);
  if (obstacle !== undefined) {
    it.skip(`needs network namespaces; ${obstacle}`);
    return;
  }

  for (const version of supportedVersions) {
    describe(`Envoy ${version}`, () => {
      let lab: Lab | undefined;
      const running = (): Lab => {
        if (lab === undefined) throw new Error('the lab did not start');
        return lab;
      };
      const call = (from: string, asked: Call): Promise<Answer> => running().call(from, asked);
      const fromClient = (asked: Call): Promise<Answer> => call('shop/client', asked);

      /** A counter of the proxy beside a pod; what never counted is not there. */
      const counted = async (pod: string, name: string): Promise<number> =>
        (
          await running()
            .envoy(pod)
            .stats(/upstream_cx_total|no_filter_chain_match/)
        ).get(name) ?? 0;
      const passedThrough = (pod: string, cluster: string): Promise<number> =>
        counted(pod, `cluster.${cluster}.upstream_cx_total`);

      before(async () => {
        lab = await startLab(labOptions(version));
      });
      after(() => lab?.stop());

      it('every object is programmed, and no proxy refused anything', async () => {
        await eventually(
          async () => {
            const { items } = JSON.parse((await running().controlPlane.get('/status')).body) as {
              readonly items: readonly StatusItem[];
            };
            const states = items.map((item) => conditionOf(item, 'Programmed').is);
            return (states.length === 4 && states.every((state) => state === 'True Programmed')) || items;
          },
          { what: 'all routes to be programmed' },
        );
        const logs = ['client', 'v1', 'bank', 'legacy'].map((pod) => running().envoy(`shop/${pod}`).log());
        expect(logs.join('')).not.to.match(/rejected|\]\[(error|critical)\]/);
      });

      it('readiness is asked for from outside, without redirection', async () => {
        const answer = await call('visitor', {
          ...{ manner: 'http', address: addresses.v1.ipv4, port: 15021, path: '/ready' },
        });
        expect(answer).to.include({ status: 200, text: 'LIVE\n' });
      });

      it('a pod without IPv6 calls, and is called', async () => {
        const service = { manner: 'http', address: virtual.reviews.ipv4, port: 9080 } as const;
        expect((await call('shop/legacy', service)).echo?.from).to.equal(deliverySource.ipv4);
        const { echo } = await fromClient({ manner: 'http', address: addresses.legacy.ipv4, port: 8080 });
        expect(echo).to.include({ pod: 'shop/legacy', from: deliverySource.ipv4 });
      });

      for (const family of families) {
        describe(family, function () {
          if (family === 'ipv6' && !hasIpv6) {
            it.skip('needs a kernel with IPv6');
            return;
          }
          const reviews = { manner: 'http', address: virtual.reviews[family], port: 9080 } as const;
          const bank = virtual.bank[family];

          it('a Service is called by its address, and its route splits', async () => {
            const answers = await inParallel(200, 8, () => fromClient({ ...reviews, name: 'reviews' }));
            expect(answers.filter(({ status }) => status !== 200)).to.deep.equal([]);
            const firsts = answers.filter(({ echo }) => echo?.pod === 'shop/v1').length;
            expectShare(firsts, 200, 0.8);
            const callers = new Set(answers.map(({ echo }) => echo?.from));
            expect([...callers], 'both proxies were passed').to.deep.equal([deliverySource[family]]);
          });

          it('a route matches whatever the host is called', async () => {
            const answers = await inParallel(20, 4, (index) =>
              fromClient({ ...reviews, path: '/only-v2/x', name: `name-${String(index)}.example.com` }),
            );
            expect(new Set(answers.map(({ echo }) => echo?.pod))).to.deep.equal(new Set(['shop/v2']));
          });

          it('TLS passes through to the application that ends it, with the name that was asked for', async () => {
            const answer = await fromClient({ manner: 'tls', address: bank, port: 8443, name: 'vault.example.com' });
            expect(answer.echo).to.include({
              ...{ pod: 'shop/bank', name: 'vault.example.com', from: deliverySource[family] },
            });
          });

          it('TLS is led by the name with which it begins', async () => {
            const { echo } = await fromClient({ manner: 'tls', address: bank, port: 8443, name: ledgerName });
            expect(echo).to.include({ pod: 'shop/v1', name: ledgerName, from: deliverySource[family] });
          });

          it('a port that no object mentions passes through both proxies', async () => {
            const before = await passedThrough('shop/bank', 'inbound-passthrough');
            const { echo } = await fromClient({
              ...{ manner: 'banner', address: addresses.bank[family], port: undeclaredPort },
            });
            expect(echo).to.include({ pod: 'shop/bank', from: deliverySource[family] });
            expect(await passedThrough('shop/bank', 'inbound-passthrough')).to.equal(before + 1);
          });

          it('a pod that calls its own Service comes in as anybody', async () => {
            const { echo } = await fromClient({ manner: 'http', address: virtual.client[family], port: 7000 });
            expect(echo).to.include({ pod: 'shop/client', from: deliverySource[family] });
          });

          it('a pod that calls its own address never leaves', async () => {
            const own = addresses.client[family];
            const { echo } = await fromClient({ manner: 'http', address: own, port: 7000 });
            expect(echo).to.include({ pod: 'shop/client', from: own });
          });

          it('what nobody knows is passed on, through the proxy', async () => {
            const before = await passedThrough('shop/client', 'passthrough');
            const { echo } = await fromClient({ manner: 'http', address: addresses.world[family], port: 8080 });
            expect(echo).to.include({ pod: 'world', from: addresses.client[family] });
            expect(await passedThrough('shop/client', 'passthrough')).to.equal(before + 1);
          });

          it('an excluded port is called without the proxy', async () => {
            const before = await passedThrough('shop/client', 'passthrough');
            const { echo } = await fromClient({
              ...{ manner: 'http', address: addresses.world[family], port: excludedPort },
            });
            expect(echo).to.include({ pod: 'world', from: addresses.client[family] });
            expect(await passedThrough('shop/client', 'passthrough')).to.equal(before);
          });

          it('an excluded port is called from outside without the proxy', async () => {
            const { echo } = await call('visitor', {
              ...{ manner: 'banner', address: addresses.bank[family], port: openPort },
            });
            expect(echo).to.include({ pod: 'shop/bank', from: addresses.visitor[family] });
          });

          it('a caller without a proxy reaches the Service by NAT, and comes in by the proxy', async () => {
            const { echo } = await call('visitor', { ...reviews, name: 'reviews' });
            expect(echo).to.include({ from: deliverySource[family] });
          });

          it('a neighbour cannot call out through the proxy of another pod', async () => {
            const asked = { manner: 'http', address: virtual.empty[family], port: 80, patienceMs: 500 } as const;
            running().misdirect(asked.address, 'shop/client');
            expect(await fromClient(asked), 'from inside the listener answers').to.include({ status: 503 });
            expect(await call('visitor', asked)).to.include({ status: 0, text: 'no answer in time' });
          });

          it('the ports of the proxy itself are dead ends, from inside and from outside', async () => {
            const dialled = [
              ...['shop/client', 'visitor'].flatMap((from) =>
                [15001, 15006].map((port) => ({ from, address: addresses.client[family], port })),
              ),
              ...[15001, 15006].map((port) => ({
                ...{ from: 'shop/client', port, address: family === 'ipv6' ? '::1' : '127.0.0.1' },
              })),
              ...[15001, 15006].map((port) => ({ from: 'shop/client', port, address: addresses.v1[family] })),
            ];
            const clusters = ['passthrough', 'inbound-passthrough'];
            const total = async (): Promise<number> => {
              const counts = ['shop/client', 'shop/v1'].flatMap((pod) =>
                clusters.map((cluster) => passedThrough(pod, cluster)),
              );
              return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
            };
            const before = await total();
            for (const { from, address, port } of dialled) {
              const answer = await call(from, { manner: 'banner', address, port });
              expect(answer, `${from} to ${address} ${String(port)}`).to.include({ status: 0 });
              expect(answer.ms, `${from} to ${address} ${String(port)}`).to.be.below(2_000);
            }
            // A loop would count thousands; an attempt that is tried again counts a few.
            expect((await total()) - before).to.be.below(10 * dialled.length);
          });
        });
      }

      describe('without a control plane', () => {
        it('traffic goes on, and what changed meanwhile is live after its return', async () => {
          const service = { manner: 'http', address: virtual.reviews.ipv4, port: 9080 } as const;
          const { controlPlane } = running();
          await controlPlane.kill();
          const answers = await inParallel(50, 4, () => fromClient(service));
          expect(answers.filter(({ status }) => status !== 200)).to.deep.equal([]);
          await running().write('split-ipv4.yaml', split('ipv4', [0, 100]));
          await controlPlane.start();
          await eventually(
            async () => {
              const seen = await inParallel(20, 4, () => fromClient(service));
              return seen.every(({ echo }) => echo?.pod === 'shop/v2') || seen.map(({ echo }) => echo?.pod);
            },
            { what: 'the new split', deadlineMs: 15_000, everyMs: 100 },
          );
        });
      });
    });
  }
});
