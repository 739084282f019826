// `legation sandbox` as a user runs it: a folder nobody here wrote, real Envoys, edits, a killed control plane, and
// nothing left at the end. Linux only, as it looks for what is left in /proc.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { systemClock as clock } from '../../src/lib/clock.js';
import { type Caller, createCaller } from '../../src/sandbox/proxied-call.js';
import type { ReadyContent } from '../../src/sandbox/ready-file.js';

const run = promisify(execFile);

const shop = (v2Weight: number): string => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec:
  replicas: 1
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: web, image: nginx, ports: [{ containerPort: 8080 }] }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: cart-v1, namespace: shop }
spec:
  replicas: 2
  selector: { matchLabels: { app: cart, version: v1 } }
  template:
    metadata: { labels: { app: cart, version: v1 } }
    spec: { containers: [{ name: cart, image: cart, ports: [{ name: http, containerPort: 8000 }] }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: cart-v2, namespace: shop }
spec:
  replicas: 1
  selector: { matchLabels: { app: cart, version: v2 } }
  template:
    metadata: { labels: { app: cart, version: v2 } }
    spec: { containers: [{ name: cart, image: cart, ports: [{ name: http, containerPort: 8000 }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: cart, namespace: shop }
spec:
  selector: { app: cart }
  ports: [{ port: 80, targetPort: http }]
---
apiVersion: v1
kind: Service
metadata: { name: cart-v1, namespace: shop }
spec: { selector: { app: cart, version: v1 }, ports: [{ port: 80, targetPort: http }] }
---
apiVersion: v1
kind: Service
metadata: { name: cart-v2, namespace: shop }
spec: { selector: { app: cart, version: v2 }, ports: [{ port: 80, targetPort: http }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: cart, namespace: shop }
spec:
  parentRefs: [{ group: "", kind: Service, name: cart, port: 80 }]
  rules:
    - backendRefs:
        - { name: cart-v1, port: 80, weight: ${100 - v2Weight} }
        - { name: cart-v2, port: 80, weight: ${v2Weight} }
`;

interface Sandbox {
  readonly child: ChildProcess;
  readonly ready: ReadyContent;
  readonly output: () => string;
}

describe('sandbox', function () {
  this.timeout(120_000);
  let scratch = '';
  let folder = '';
  let binary = '';
  let sandbox: Sandbox | undefined;
  let caller: Caller;

  before(async function () {
    this.timeout(300_000);
    binary = process.env['ENVOY'] ?? (await run('scripts/install-envoy.sh')).stdout.trim();
  });

  beforeEach(async () => {
    scratch = await realpath(await mkdtemp(join(tmpdir(), 'legation-test-')));
    folder = await mkdtemp(join(scratch, 'shop-'));
    caller = createCaller();
    await writeFile(join(folder, 'shop.yaml'), shop(0));
  });

  afterEach(async () => {
    caller.close();
    sandbox?.child.kill('SIGKILL');
    sandbox = undefined;
    await until('nothing to be left', () => survivors().length === 0);
    await rm(scratch, { recursive: true, force: true });
  });

  /** Processes that were started for this run: all of them name its folder. */
  function survivors(): readonly string[] {
    const isOurs = (pid: string): boolean => pid !== String(process.pid) && commandOf(pid).includes(scratch);
    return readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && isOurs(entry));
  }

  async function start(...extra: readonly string[]): Promise<Sandbox> {
    const readyFile = join(scratch, 'ready.json');
    const args = ['sandbox', folder, '--ready-file', readyFile, '--run-dir', join(scratch, 'run'), '--envoy', binary];
    const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...args, ...extra]);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
    await until('the ready file', () => {
      if (child.exitCode !== null) throw new Error(`the sandbox ended early:\n${output}`);
      return existsSync(readyFile);
    });
    const ready = JSON.parse(await readFile(readyFile, 'utf8')) as ReadyContent;
    sandbox = { child, ready, output: () => output };
    return sandbox;
  }

  async function until(what: string, isDone: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = clock.now() + 40_000;
    while (!(await isDone())) {
      if (clock.now() > deadline) throw new Error(`waited for ${what}; output so far:\n${sandbox?.output() ?? ''}`);
      await clock.sleep(20);
    }
  }

  async function call(ready: ReadyContent, url: string): Promise<{ status: number; pod: string }> {
    const proxy = ready.pods.find((pod) => pod.name === 'web-0')?.proxy ?? '';
    const { status, body } = await caller.call({ proxy, url });
    return { status, pod: status === 200 ? String((JSON.parse(body) as { pod: unknown }).pod) : body };
  }

  async function ended(child: ChildProcess): Promise<number | null> {
    if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve));
    return child.exitCode;
  }

  const controlPlane = (): number => Number(readFileSync(join(scratch, 'run/control-plane.pid'), 'utf8'));

  it('runs plain Kubernetes YAML: calls go through the caller’s sidecar, edits are live within a second', async () => {
    const { ready, child, output } = await start('--no-view');
    expect(ready.pods.map((pod) => `${pod.namespace}/${pod.name} ${pod.workload}`)).to.deep.equal([
      'shop/cart-v1-0 Deployment/cart-v1',
      'shop/cart-v1-1 Deployment/cart-v1',
      'shop/cart-v2-0 Deployment/cart-v2',
      'shop/web-0 Deployment/web',
    ]);
    for (const pod of ready.pods) {
      expect((await fetch(`http://${pod.ready}/ready`)).status).to.equal(200);
      expect(await (await fetch(`http://${pod.metrics}/stats/prometheus`)).text()).to.include('envoy_');
    }
    for (const url of ['http://cart/x', 'http://cart.shop/x', 'http://cart.shop.svc.cluster.local:80/x']) {
      expect(await call(ready, url)).to.satisfy((answer: { pod: string }) => answer.pod.startsWith('cart-v1-'), url);
    }
    expect((await call(ready, 'http://nobody/')).status).to.equal(404);

    const editedAt = clock.now();
    await writeFile(join(folder, 'shop.yaml'), shop(100));
    await until('the edit', async () => (await call(ready, 'http://cart/')).pod === 'cart-v2-0');
    expect(clock.now() - editedAt).to.be.below(2000);

    child.kill('SIGINT');
    expect(await ended(child), output()).to.equal(0);
    expect(survivors()).to.deep.equal([]);
  });

  it('loses nothing while its control plane is killed, and starts and stops pods as the folder says', async () => {
    const { ready } = await start('--no-view');
    const statuses = new Map<number, number>();
    const load = new AbortController();
    const loading = (async () => {
      while (!load.signal.aborted) {
        const { status } = await call(ready, 'http://cart/');
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        await clock.sleep(5);
      }
    })();
    const before = controlPlane();
    process.kill(before, 'SIGKILL');
    await until('a new control plane', () => controlPlane() !== before);
    await until('it to serve', async () => (await readyz(ready)) === 200);
    await writeFile(join(folder, 'shop.yaml'), shop(100).replace('replicas: 2', 'replicas: 1'));
    await until('the edit', async () => (await call(ready, 'http://cart/')).pod === 'cart-v2-0');
    const gone = ready.pods.find((pod) => pod.name === 'cart-v1-1')?.ready ?? '';
    await until('the pod to be gone', async () => (await fetch(`http://${gone}/ready`).catch(() => 0)) === 0);
    load.abort();
    await loading;
    expect([...statuses.keys()]).to.deep.equal([200]);
  });

  it('leaves nothing behind when it is killed itself, and is ready without any route', async () => {
    await writeFile(join(folder, 'shop.yaml'), shop(0).split('---').slice(0, 4).join('---'));
    const { child, ready } = await start('--no-view');
    expect((await call(ready, 'http://cart/')).status).to.equal(200);
    expect(survivors().length).to.be.above(4);
    child.kill('SIGKILL');
    await until('nothing to be left', () => survivors().length === 0);
  });

  it('sends steady traffic and says so without a terminal', async () => {
    const annotated = shop(0).replace(
      'metadata: { labels: { app: web } }',
      'metadata: { labels: { app: web }, annotations: { app.legation.dev/entry: "http://cart/" } }',
    );
    await writeFile(join(folder, 'shop.yaml'), annotated);
    const { output } = await start('--traffic', '50');
    // Its files come first.
    await until('what to try to be shown', () => /ready: 4 pods[^]*curl -x http:/.test(output()));
    await until('traffic to be shown', () => /traffic [1-9]\d* sent, 0 failed.*shop\/cart\/r0 [1-9]/.test(output()));
  });
});

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // It ended while we looked.
    return '';
  }
}

async function readyz(ready: ReadyContent): Promise<number> {
  return fetch(`http://${ready.admin}/readyz`).then(
    (response) => response.status,
    () => 0,
  );
}
