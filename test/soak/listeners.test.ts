// A port that is HTTP and TCP in turn, under load: listeners change their kind at the caller and where requests arrive.
// The kernel hands connections to the proxies, since in file mode callers have to know which kind a port is of. Each
// request has a connection of its own, which both kinds serve alike, and is counted by its id at both ends. `SWAPS=`
// overrides.

import { expect } from 'chai';
import { conditionOf, type StatusItem, supportedVersions } from '../envoy/harness.js';
import { startLoad } from '../envoy/load.js';
import { type Lab, startLab } from '../netns/lab.js';
import { obstacleToNamespaces } from '../netns/network.js';
import { eventually } from '../support/eventually.js';

const swaps = Number(process.env['SWAPS'] ?? 200);
const perSecond = 40;
const obstacle = obstacleToNamespaces();

const clusterIP = '10.96.0.20';
const port = 9080;
const servers = { v1: '10.78.2.1', v2: '10.78.2.2' } as const;

const pod = (name: string, labels: string, address: string): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, labels: { ${labels} } }
spec: { containers: [{ name: main, ports: [{ name: http, containerPort: ${String(port)} }] }] }
status: { podIP: ${address}, podIPs: [{ ip: ${address} }] }
`;

const reviews = `
apiVersion: v1
kind: Service
metadata: { name: reviews, namespace: shop }
spec:
  clusterIP: "${clusterIP}"
  selector: { app: reviews }
  ports: [{ name: http, port: ${String(port)} }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: reviews, namespace: shop, labels: { kubernetes.io/service-name: reviews } }
addressType: IPv4
ports: [{ name: http, port: ${String(port)}, protocol: TCP }]
endpoints:
${Object.entries(servers)
  .map(
    ([name, address]) => `  - { addresses: ["${address}"], targetRef: { kind: Pod, name: ${name}, namespace: shop } }`,
  )
  .join('\n')}
`;

const protocols = ['HTTP', 'TCP'] as const;

/** Each swap has a route of its own name, so that its status speaks of it and of nothing older. */
const routeOf = (nth: number): string => {
  const weight = (nth * 37) % 101;
  const backends = Object.entries({ v1: weight, v2: 101 - weight }).map(
    ([version, share]) =>
      `{ name: reviews, port: ${String(port)}, weight: ${String(share)}, subset: { version: ${version} } }`,
  );
  return `
apiVersion: legation.dev/v1alpha1
kind: TrafficRoute
metadata: { name: swap-${String(nth)}, namespace: shop }
spec:
  parentRefs: [{ name: reviews }]
  protocol: ${protocols[nth % 2] ?? 'HTTP'}
  rules: [{ name: main, retry: { attempts: 0 }, backendRefs: [${backends.join(', ')}] }]
`;
};

async function swap(lab: Lab, nth: number): Promise<void> {
  await lab.write('route.yaml', routeOf(nth));
  await eventually(
    async () => {
      const { items } = JSON.parse((await lab.controlPlane.get('/status')).body) as {
        readonly items: readonly StatusItem[];
      };
      const ready = conditionOf(
        items.find(({ metadata }) => metadata.name === `swap-${String(nth)}`),
        'Ready',
      );
      return ready.is === 'True Programmed' || ready;
    },
    { what: `swap ${String(nth)} to be in force`, deadlineMs: 15_000, everyMs: 10 },
  );
}

describe(`listeners: HTTP and TCP in turn, ${String(swaps)} times under load`, function () {
  this.timeout(30 * 60_000);
  if (obstacle !== undefined) {
    it.skip(`needs network namespaces; ${obstacle}`);
    return;
  }
  for (const envoy of supportedVersions) {
    describe(`Envoy ${envoy}`, () => {
      let lab: Lab | undefined;
      after(() => lab?.stop());

      it('lose no request', async () => {
        const serves = [{ port, manner: 'http' }] as const;
        const running = await startLab({
          label: `soak-${envoy.replaceAll('.', '-')}`,
          files: {
            'pods.yaml': [
              pod('client', 'app: client', '10.78.1.1'),
              ...Object.entries(servers).map(([name, address]) => pod(name, `app: reviews, version: ${name}`, address)),
            ].join('---'),
            'services.yaml': reviews,
            'route.yaml': routeOf(0),
          },
          pods: { 'shop/client': { envoy }, 'shop/v1': { envoy, serves }, 'shop/v2': { envoy, serves } },
          strangers: {},
        });
        lab = running;
        await swap(running, 0);
        const ids: string[] = [];
        const load = startLoad({
          perSecond,
          applications: undefined,
          send: async (_, id) => {
            ids.push(id);
            const { status, text } = await running.call('shop/client', {
              manner: 'http',
              address: clusterIP,
              port,
              id,
            });
            return { status, body: text, headers: {}, seen: undefined };
          },
        });
        for (let nth = 1; nth <= swaps; nth++) await swap(running, nth);
        const { sent, lost } = await load.stop();
        const arrivals = await Promise.all(Object.keys(servers).map((name) => running.arrivals(`shop/${name}`)));
        const times = (id: string): number => arrivals.reduce((sum, counts) => sum + (counts.get(id) ?? 0), 0);
        expect(sent).to.be.greaterThan(swaps);
        expect(lost.slice(0, 20), `of ${String(sent)}`).to.deep.equal([]);
        expect(ids.filter((id) => times(id) !== 1)).to.deep.equal([]);
      });
    });
  }
});
