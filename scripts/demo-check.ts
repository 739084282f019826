// `make demo CHECK=1`: proves on the bookstore that edits and a killed control plane cost no request. Sends 2,000
// requests through a sidecar, edits a weight and a match while they flow, kills the control plane once.
// Usage: tsx scripts/demo-check.ts [FOLDER]
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock as clock } from '../src/lib/clock.js';
import { parseStatus } from '../src/sandbox/object-status.js';
import { createCaller } from '../src/sandbox/proxied-call.js';
import type { ReadyContent } from '../src/sandbox/ready-file.js';

const total = 2000;
const perSecond = 70;
const startTimeoutMs = 40_000;
const stepTimeoutMs = 10_000;
/** An edit is live within one second, the control plane is back within two; a busy machine gets some more. */
const liveMs = 2000;
const backMs = 4000;

interface Request {
  readonly kind: 'canary' | 'preview' | 'ratings' | 'details';
  readonly sentAt: number;
  readonly status: number;
  /** `v1`; empty where the pod has no version. */
  readonly version: string;
}

interface Bookstore {
  readonly routes: string;
  readonly run: string;
  readonly ready: ReadyContent;
  readonly proxy: string;
}

/** What the steps did, and when it was live. */
interface Steps {
  readonly weightEditedAt: number;
  readonly weightLiveAt: number;
  readonly matchEditedAt: number;
  readonly matchLiveAt: number;
  readonly killedAt: number;
  readonly backAt: number;
}

const caller = createCaller();
let previewValue = 'yes';

async function main(source: string): Promise<number> {
  const scratch = await mkdtemp(join(tmpdir(), 'legation-demo-'));
  const folder = join(scratch, 'bookstore');
  const run = join(scratch, 'run');
  await cp(source, folder, { recursive: true });
  await mkdir(run);
  const readyFile = join(scratch, 'ready.json');
  const sandbox = startSandbox(['sandbox', folder, '--ready-file', readyFile, '--run-dir', run, '--no-view']);
  try {
    const ready = await readyContent(readyFile, sandbox);
    const proxy = ready.pods.find((pod) => pod.name.startsWith('frontend'))?.proxy;
    if (proxy === undefined) throw new Error('the folder has no frontend pod');
    const bookstore = { routes: join(folder, '50-routes.yaml'), run, ready, proxy };
    const requests: Request[] = [];
    const [steps] = await Promise.all([takeSteps(bookstore, requests), sendAll(bookstore, requests)]);
    return report(requests, steps);
  } finally {
    caller.close();
    await stop(sandbox);
    await rm(scratch, { recursive: true, force: true });
  }
}

function startSandbox(args: readonly string[]): ChildProcess {
  const built = 'dist/cli/main.js';
  const program = existsSync(built) ? [built] : ['--import', 'tsx', 'src/cli/main.ts'];
  return spawn(process.execPath, [...program, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
}

async function readyContent(file: string, sandbox: ChildProcess): Promise<ReadyContent> {
  await until('the sandbox to be ready', startTimeoutMs, () => {
    if (sandbox.exitCode !== null) throw new Error(`the sandbox ended with code ${sandbox.exitCode}`);
    return Promise.resolve(existsSync(file));
  });
  return JSON.parse(await readFile(file, 'utf8')) as ReadyContent;
}

async function stop(sandbox: ChildProcess): Promise<void> {
  if (sandbox.exitCode !== null || sandbox.signalCode !== null) return;
  const gone = new Promise((resolve) => sandbox.once('exit', resolve));
  sandbox.kill('SIGTERM');
  await gone;
}

async function sendAll(bookstore: Bookstore, requests: Request[]): Promise<void> {
  const startedAt = clock.now();
  const sent: Promise<void>[] = [];
  for (let id = 0; id < total; id += 1) {
    await clock.sleep(Math.max(0, startedAt + (id * 1000) / perSecond - clock.now()));
    sent.push(send(bookstore, id).then((request) => void requests.push(request)));
  }
  await Promise.all(sent);
}

/** Of ten requests, one each; the others are canary requests. */
const kinds = ['ratings', 'details', 'preview'] as const;
const stems: Readonly<Record<Request['kind'], string>> = {
  canary: 'http://reviews:9080/books',
  preview: 'http://reviews:9080/books',
  ratings: 'http://ratings:9080/books',
  details: 'http://details:9080/catalog/books',
};

async function send(bookstore: Bookstore, id: number): Promise<Request> {
  const kind = kinds[id % 10] ?? 'canary';
  const sentAt = clock.now();
  const headers = { 'x-request-id': `demo-${id}`, ...(kind === 'preview' ? { 'x-preview': previewValue } : {}) };
  const { status, body } = await caller.call({ proxy: bookstore.proxy, url: `${stems[kind]}/${id}`, headers });
  if (!isGood(status)) return { kind, sentAt, status, version: '' };
  const echo = JSON.parse(body) as { path?: string; labels?: Record<string, string> };
  // The echo must be of this very request; the rewrite takes /catalog away.
  const isOurs = echo.path === `/books/${id}`;
  return { kind, sentAt, status: isOurs ? status : 0, version: echo.labels?.['version'] ?? '' };
}

const isGood = (status: number): boolean => status >= 200 && status < 300;

async function takeSteps(bookstore: Bookstore, requests: readonly Request[]): Promise<Steps> {
  const sentIs = (count: number): Promise<void> =>
    until(`${count} requests`, 60_000, () => Promise.resolve(requests.length >= count));
  await sentIs(700);
  const generation = (await reviewsStatus(bookstore))?.generation ?? 0;
  const weightEditedAt = clock.now();
  await edit(bookstore, (text) => text.replace('weight: 80', 'weight: 50').replace('weight: 20', 'weight: 50'));
  await until('the weight to be live', stepTimeoutMs, async () => {
    const status = await reviewsStatus(bookstore);
    return status !== undefined && status.generation > generation && status.phase === 'programmed';
  });
  const weightLiveAt = clock.now();
  await sentIs(1100);
  const killedAt = clock.now();
  process.kill(Number(await readFile(join(bookstore.run, 'control-plane.pid'), 'utf8')), 'SIGKILL');
  await until('the control plane to be away', stepTimeoutMs, async () => !(await isServing(bookstore)));
  await until('the control plane to be back', stepTimeoutMs, () => isServing(bookstore));
  const backAt = clock.now();
  await sentIs(1500);
  const matchEditedAt = clock.now();
  await edit(bookstore, (text) => text.replace('value: "yes"', 'value: "please"'));
  await until('the match to be live', stepTimeoutMs, async () => {
    const headers = { 'x-preview': 'please' };
    const answer = await caller.call({ proxy: bookstore.proxy, url: 'http://reviews:9080/probe', headers });
    return answer.status === 200 && answer.body.includes('"version":"v3"');
  });
  const matchLiveAt = clock.now();
  previewValue = 'please';
  return { weightEditedAt, weightLiveAt, matchEditedAt, matchLiveAt, killedAt, backAt };
}

async function edit(bookstore: Bookstore, change: (text: string) => string): Promise<void> {
  const before = await readFile(bookstore.routes, 'utf8');
  const after = change(before);
  if (after === before) throw new Error(`nothing to edit in ${bookstore.routes}`);
  await writeFile(`${bookstore.routes}.new`, after);
  await rename(`${bookstore.routes}.new`, bookstore.routes);
}

async function reviewsStatus(bookstore: Bookstore): Promise<ReturnType<typeof findReviews>> {
  const answer = await ask(bookstore, '/status');
  return answer === undefined ? undefined : findReviews(answer.body);
}

function findReviews(body: string): NonNullable<ReturnType<typeof parseStatus>>[number] | undefined {
  return parseStatus(body)?.find((object) => object.kind === 'TrafficRoute' && object.name === 'reviews');
}

async function isServing(bookstore: Bookstore): Promise<boolean> {
  return (await ask(bookstore, '/readyz'))?.status === 200;
}

function ask(bookstore: Bookstore, path: string): Promise<{ status: number; body: string } | undefined> {
  const { promise, resolve } = Promise.withResolvers<{ status: number; body: string } | undefined>();
  const request = get(`http://${bookstore.ready.admin}${path}`, { agent: false, timeout: 2000 }, (response) => {
    let body = '';
    response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    response.on('end', () => {
      resolve({ status: response.statusCode ?? 0, body });
    });
    response.on('error', () => {
      resolve(undefined);
    });
  });
  request.on('timeout', () => request.destroy());
  request.on('error', () => {
    resolve(undefined);
  });
  return promise;
}

async function until(what: string, timeoutMs: number, isDone: () => Promise<boolean>): Promise<void> {
  const deadline = clock.now() + timeoutMs;
  while (!(await isDone())) {
    if (clock.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s for ${what}`);
    await clock.sleep(10);
  }
}

/** Canary requests of one phase; `asked`: percent that should land on v2. */
interface Split {
  readonly when: string;
  readonly asked: number;
  readonly requests: readonly Request[];
}

function report(requests: readonly Request[], steps: Steps): number {
  const problems = [...reportTimes(steps), ...reportSplits(requests, steps), ...reportLost(requests)];
  for (const problem of problems) console.log(`FAILED: ${problem}`);
  return problems.length === 0 ? 0 : 1;
}

function reportTimes(steps: Steps): readonly string[] {
  const took = (what: string, tookMs: number, limitMs: number): readonly string[] => {
    console.log(`${what.padEnd(52)}${String(tookMs).padStart(6)} ms`);
    return tookMs <= limitMs ? [] : [`${what} more than ${limitMs} ms`];
  };
  console.log();
  return [
    ...took('weights 80/20 to 50/50: live on every proxy after', steps.weightLiveAt - steps.weightEditedAt, liveMs),
    ...took('control plane killed with -9: serving again after', steps.backAt - steps.killedAt, backMs),
    ...took("match x-preview 'yes' to 'please': live after", steps.matchLiveAt - steps.matchEditedAt, liveMs),
  ];
}

function reportSplits(requests: readonly Request[], steps: Steps): readonly string[] {
  const canary = requests.filter((request) => request.kind === 'canary');
  const splits: readonly Split[] = [
    { when: 'before the edit', asked: 20, requests: canary.filter((each) => each.sentAt < steps.weightEditedAt) },
    { when: 'after the edit', asked: 50, requests: canary.filter((each) => each.sentAt > steps.weightLiveAt) },
  ];
  const row = (...[when, asked, observed]: readonly [string, string, string]): void => {
    console.log(`${when.padEnd(34)}${asked.padEnd(12)}${observed}`);
  };
  console.log();
  row('', 'asked', 'observed');
  const problems = splits.flatMap((split) => {
    const { when, asked, requests: counted } = split;
    const observed = (100 * counted.filter((each) => each.version === 'v2').length) / counted.length;
    const shown = `${(100 - observed).toFixed(1)} / ${observed.toFixed(1)} of ${counted.length}`;
    row(`reviews v1 / v2 ${when}`, `${100 - asked} / ${asked}`, shown);
    // Four standard deviations: chance alone fails one run in fifteen thousand.
    const tolerance = 4 * Math.sqrt((asked * (100 - asked)) / counted.length);
    return Math.abs(observed - asked) <= tolerance ? [] : [`the split ${when} is off by more than chance explains`];
  });
  const previews = requests.filter((each) => each.kind === 'preview' && isSettled(each, steps));
  const onV3 = previews.filter((each) => each.version === 'v3').length;
  row('preview on v3', '100', `${((100 * onV3) / previews.length).toFixed(1)} of ${previews.length}`);
  return onV3 === previews.length ? problems : [...problems, 'a request with the preview header landed elsewhere'];
}

function reportLost(requests: readonly Request[]): readonly string[] {
  const lost = requests.filter((each) => !isGood(each.status));
  console.log(`\nrequests sent / lost: ${requests.length} / ${lost.length}`);
  const kindsOfLoss = [...new Set(lost.map(describe))].join(', ');
  return [
    ...(requests.length === total ? [] : [`only ${requests.length} of ${total} requests were sent`]),
    ...(lost.length === 0 ? [] : [`${lost.length} requests were lost: ${kindsOfLoss}`]),
  ];
}

/** Between edit and effect the preview header means nothing certain. */
function isSettled(request: Request, steps: Steps): boolean {
  return request.sentAt < steps.matchEditedAt - 50 || request.sentAt > steps.matchLiveAt + 100;
}

const describe = (request: Request): string =>
  `${request.kind} ${request.status === 0 ? 'no or wrong answer' : request.status}`;

process.exitCode = await main(process.argv[2] ?? 'examples/bookstore').catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  return 1;
});
