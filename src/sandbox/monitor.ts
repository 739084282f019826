// Watches a running sandbox: the control plane's readiness and object status, the Envoys' readiness and counters.
// Keeps the last seconds for rates. Must not change anything.

import type { Clock } from '../lib/clock.js';
import { type AdminPlace, askAdmin } from './admin-client.js';
import { type Counted, countedSince, mergeCounted, nothingCounted, parseStats, statsPath } from './envoy-stats.js';
import { type ObjectStatus, parseStatus } from './object-status.js';
import { type RouteTargets, parseRouteTargets, routesPath } from './route-targets.js';
import type { Sidecars } from './sidecars.js';

/** What the last look showed. */
export interface Observation {
  readonly serving: boolean;
  readonly objects: readonly ObjectStatus[];
  readonly readyPods: number;
  readonly counted: Counted;
  readonly recent: { readonly counted: Counted; readonly seconds: number };
  readonly targets: RouteTargets;
}

/** Looks when told to. */
export interface Monitor {
  /** Asks for readiness and status. */
  look(): Promise<void>;
  /** Asks for counters and routes too, which costs more. */
  lookClosely(): Promise<void>;
  latest(): Observation;
  /** True when the control plane serves, every Envoy is ready, and every object is programmed or refused for good. */
  isSettled(): boolean;
}

const windowMs = 12_000;
/** Envoys asked for their counters at the same time. */
const batch = 8;

interface Sample {
  readonly atMs: number;
  readonly counted: Counted;
}

/** A monitor that has seen nothing yet. */
export function createMonitor(deps: {
  readonly admin: AdminPlace;
  readonly sidecars: Pick<Sidecars, 'list' | 'unready'>;
  readonly clock: Clock;
}): Monitor {
  let serving = false;
  let statusKnown = false;
  let objects: readonly ObjectStatus[] = [];
  let unready = Number.POSITIVE_INFINITY;
  let total = 0;
  let targets: RouteTargets = new Map();
  let samples: readonly Sample[] = [];

  async function look(): Promise<void> {
    const [ready, status, waiting] = await Promise.all([
      askAdmin(deps.admin, '/readyz'),
      askAdmin(deps.admin, '/status'),
      deps.sidecars.unready(),
    ]);
    serving = ready?.status === 200;
    const parsed = status?.status === 200 ? parseStatus(status.body) : undefined;
    statusKnown = parsed !== undefined;
    // While the control plane is away, what it said last still describes what the Envoys run.
    objects = parsed ?? objects;
    unready = waiting.length;
    total = deps.sidecars.list().length;
  }

  async function lookClosely(): Promise<void> {
    await look();
    const sockets = deps.sidecars.list().map((sidecar) => ({ socket: sidecar.adminSocket }));
    const counted = mergeCounted(await askAll(sockets));
    const atMs = deps.clock.now();
    samples = [...samples.filter((sample) => sample.atMs > atMs - windowMs), { atMs, counted }];
    const [first] = sockets;
    const routes = first === undefined ? undefined : await askAdmin(first, routesPath);
    if (routes?.status === 200) targets = parseRouteTargets(routes.body);
  }

  function recent(): Observation['recent'] {
    const oldest = samples.at(0);
    const newest = samples.at(-1);
    if (oldest === undefined || newest === undefined) return { counted: nothingCounted, seconds: 0 };
    return {
      counted: countedSince(newest.counted, oldest.counted),
      seconds: (newest.atMs - oldest.atMs) / 1000,
    };
  }

  return {
    look,
    lookClosely,
    latest: () => ({
      serving,
      objects,
      readyPods: Math.max(0, total - unready),
      counted: samples.at(-1)?.counted ?? nothingCounted,
      recent: recent(),
      targets,
    }),
    isSettled: () => serving && statusKnown && unready === 0 && objects.every((object) => object.phase !== 'pending'),
  };
}

async function askAll(sockets: readonly AdminPlace[]): Promise<readonly Counted[]> {
  const answers: Counted[] = [];
  for (let start = 0; start < sockets.length; start += batch) {
    const asked = sockets.slice(start, start + batch).map((socket) => askAdmin(socket, statsPath));
    for (const answer of await Promise.all(asked)) {
      if (answer?.status === 200) answers.push(parseStats(answer.body));
    }
  }
  return answers;
}
