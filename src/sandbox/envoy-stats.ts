// Reads the statistics of Envoys: requests, failures and latency per route and per destination cluster, merged over
// proxies, compared over time. Pure: text and numbers in, numbers out.

/** Requests and their latency. */
export interface Requests {
  readonly completed: number;
  /** Answers with a 5xx status. */
  readonly failed: number;
  /** Requests by upper bound of their latency in milliseconds; each bound counts all below it too. */
  readonly latency: ReadonlyMap<number, number>;
}

/** What Envoys have counted. */
export interface Counted {
  /** By route name, `<namespace>/<route>/<rule>`. */
  readonly routes: ReadonlyMap<string, Requests>;
  /** By cluster name, `o/<namespace>/<service>/<port>[/<subset>]`. Retries and mirrored copies count as well. */
  readonly clusters: ReadonlyMap<string, Requests>;
}

/** The admin path whose answer `parseStats` reads. */
export const statsPath = `/stats?usedonly&histogram_buckets=cumulative&filter=${encodeURIComponent(
  '^(vhost\\..*\\.route\\.|cluster\\.o/).*upstream_rq_(completed|5xx|time)$',
)}`;

/** Nothing counted yet. */
export const nothingCounted: Counted = { routes: new Map(), clusters: new Map() };

const noRequests: Requests = { completed: 0, failed: 0, latency: new Map() };
const linePattern =
  /^(?:vhost\..*\.route\.(?<route>.+)|cluster\.(?<cluster>o\/[^.]+))\.upstream_rq_(?<what>\w+): (?<value>.*)$/;
// Upper bound, count since the last flush, count since the start.
const bucketPattern = /B([\d.e+]+)\(\d+,(\d+)\)/g;

/** Reads one Envoy's answer. */
export function parseStats(text: string): Counted {
  const routes = new Map<string, Requests>();
  const clusters = new Map<string, Requests>();
  for (const line of text.split('\n')) {
    const groups = linePattern.exec(line)?.groups;
    if (groups === undefined) continue;
    const { route, cluster, what = '', value = '' } = groups;
    const table = route === undefined ? clusters : routes;
    const name = route ?? cluster ?? '';
    // One route may stand in several virtual hosts.
    table.set(name, plus(table.get(name) ?? noRequests, requestsOf(what, value)));
  }
  return { routes, clusters };
}

function requestsOf(what: string, value: string): Requests {
  switch (what) {
    case 'completed':
      return { ...noRequests, completed: Number(value) };
    case '5xx':
      return { ...noRequests, failed: Number(value) };
    case 'time':
      return { ...noRequests, latency: parseBuckets(value) };
    default:
      return noRequests;
  }
}

function parseBuckets(text: string): ReadonlyMap<number, number> {
  return new Map([...text.matchAll(bucketPattern)].map(([, bound, count]) => [Number(bound), Number(count)]));
}

/** All Envoys together. */
export function mergeCounted(all: readonly Counted[]): Counted {
  return {
    routes: mergeTables(all.map((each) => each.routes)),
    clusters: mergeTables(all.map((each) => each.clusters)),
  };
}

/** What was counted between two moments; an Envoy that restarted in between counts for nothing rather than less. */
export function countedSince(now: Counted, before: Counted): Counted {
  return { routes: minusTable(now.routes, before.routes), clusters: minusTable(now.clusters, before.clusters) };
}

/** The latency in milliseconds that a share of the requests stayed below; undefined without requests. */
export function quantile(requests: Requests, share: number): number | undefined {
  const buckets = [...requests.latency].sort(([left], [right]) => left - right);
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total === 0) return undefined;
  const wanted = total * share;
  let lowerBound = 0;
  let below = 0;
  for (const [bound, count] of buckets) {
    if (count >= wanted) return lowerBound + ((bound - lowerBound) * (wanted - below)) / Math.max(1, count - below);
    lowerBound = bound;
    below = count;
  }
  return lowerBound;
}

function mergeTables(tables: readonly ReadonlyMap<string, Requests>[]): ReadonlyMap<string, Requests> {
  const merged = new Map<string, Requests>();
  for (const [name, requests] of tables.flatMap((table) => [...table])) {
    merged.set(name, plus(merged.get(name) ?? noRequests, requests));
  }
  return merged;
}

function minusTable(
  now: ReadonlyMap<string, Requests>,
  before: ReadonlyMap<string, Requests>,
): ReadonlyMap<string, Requests> {
  return new Map([...now].map(([name, requests]) => [name, minus(requests, before.get(name) ?? noRequests)]));
}

const plus = (left: Requests, right: Requests): Requests => combine(left, right, (a, b) => a + b);
const minus = (left: Requests, right: Requests): Requests => combine(left, right, (a, b) => Math.max(0, a - b));

function combine(left: Requests, right: Requests, by: (a: number, b: number) => number): Requests {
  const bounds = new Set([...left.latency.keys(), ...right.latency.keys()]);
  return {
    completed: by(left.completed, right.completed),
    failed: by(left.failed, right.failed),
    latency: new Map(
      [...bounds].map((bound) => [bound, by(left.latency.get(bound) ?? 0, right.latency.get(bound) ?? 0)]),
    ),
  };
}
