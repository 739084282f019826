// The picture of a running sandbox, as text: parts, routes, destinations, what happened last. Pure: state in, lines
// out; whoever prints them decides how often.

import { createColors } from 'picocolors';
import { type Counted, type Requests, quantile } from './envoy-stats.js';
import type { ObjectStatus } from './object-status.js';
import { type Landing, type RouteTargets, landings } from './route-targets.js';

/** Everything that the picture shows. */
export interface ViewState {
  readonly folder: string;
  readonly pods: { readonly total: number; readonly ready: number };
  readonly controlPlane: { readonly serving: boolean; readonly restarts: number };
  /** Undefined when no steady traffic was asked for. */
  readonly traffic: { readonly sent: number; readonly failed: number } | undefined;
  readonly objects: readonly ObjectStatus[];
  readonly targets: RouteTargets;
  /** Since the start. */
  readonly counted: Counted;
  /** In the last `recent.seconds`. */
  readonly recent: { readonly counted: Counted; readonly seconds: number };
  /** Newest last. */
  readonly events: readonly string[];
  readonly commands: readonly string[];
}

/** How to draw. */
export interface Canvas {
  readonly columns: number;
  readonly rows: number;
  readonly colour: boolean;
}

const columns = { name: 34, count: 9, rate: 8, failed: 8, latency: 8 } as const;
const shownEvents = 4;

/** The lines of the picture: no wider and no longer than the canvas. */
export function renderView(state: ViewState, canvas: Canvas): readonly string[] {
  const paint = createColors(canvas.colour);
  const lines = [
    { text: headline(state), style: paint.bold },
    ...state.commands.map((text) => ({ text, style: paint.dim })),
    plain(''),
    { text: routeHeader, style: paint.underline },
    ...routeLines(state).map((text) => ({ text, style: text.includes('refused') ? paint.red : identity })),
    plain(''),
    { text: destinationHeader, style: paint.underline },
    ...destinationLines(state).map(plain),
    ...state.objects.filter(isRefused).map((object) => ({ text: refusal(object), style: paint.red })),
  ];
  const events = state.events.slice(-shownEvents).map((text) => ({ text, style: paint.yellow }));
  const room = Math.max(1, canvas.rows - 1 - (events.length > 0 ? events.length + 1 : 0));
  const shown = [...lines.slice(0, room), ...(events.length > 0 ? [plain(''), ...events] : [])];
  return shown.map(({ text, style }) => style(text.slice(0, canvas.columns)));
}

/** One line for places without a terminal. */
export function renderLine(state: ViewState): string {
  const routes = routeNames(state).map((name) => {
    const row = rowOf(name, state);
    return `${name} ${row.requests.completed} requests, ${row.landed}, ${row.programmed}`;
  });
  return [headline(state), ...routes].join(' | ');
}

const identity = (text: string): string => text;
const plain = (text: string): { readonly text: string; readonly style: (text: string) => string } => ({
  text,
  style: identity,
});

function headline(state: ViewState): string {
  const { pods, controlPlane, traffic, objects } = state;
  const restarts = controlPlane.restarts > 0 ? ` (restarted ${controlPlane.restarts}×)` : '';
  const programmed = objects.filter((object) => object.phase === 'programmed').length;
  return [
    `sandbox ${state.folder}`,
    `pods ${pods.ready}/${pods.total} ready`,
    `control plane ${controlPlane.serving ? 'up' : 'down'}${restarts}`,
    `objects ${programmed}/${objects.length} programmed`,
    ...(traffic === undefined ? [] : [`traffic ${traffic.sent} sent, ${traffic.failed} failed`]),
  ].join('  ·  ');
}

const statisticsHeader = [
  'REQUESTS'.padStart(columns.count),
  'PER S'.padStart(columns.rate),
  'FAILED'.padStart(columns.failed),
  'P50'.padStart(columns.latency),
  'P99'.padStart(columns.latency),
].join('');
const routeHeader = `${'ROUTE'.padEnd(columns.name)}${statisticsHeader}  PROGRAMMED  LANDED (ASKED)`;
const destinationHeader = `${'DESTINATION'.padEnd(columns.name)}${statisticsHeader}`;

interface Row {
  readonly requests: Requests;
  readonly landed: string;
  readonly programmed: string;
}

const noRequests: Requests = { completed: 0, failed: 0, latency: new Map() };

function routeNames(state: ViewState): readonly string[] {
  const ours = new Set(state.objects.map((object) => `${object.namespace}/${object.name}`));
  const isOurs = (name: string): boolean => ours.has(name.split('/').slice(0, 2).join('/'));
  return [...new Set([...state.targets.keys(), ...state.counted.routes.keys()])].filter(isOurs).sort();
}

function rowOf(name: string, state: ViewState): Row {
  const landed = landings(state.targets, state.counted).get(name) ?? [];
  const object = state.objects.find((each) => name.startsWith(`${each.namespace}/${each.name}/`));
  return {
    requests: state.counted.routes.get(name) ?? noRequests,
    landed: landed.map(landingText).join(', '),
    programmed: object === undefined ? '-' : programmedText(object),
  };
}

function routeLines(state: ViewState): readonly string[] {
  return routeNames(state).map((name) => {
    const row = rowOf(name, state);
    const statistics = statisticsText(row.requests, state.recent.counted.routes.get(name), state.recent.seconds);
    return `${fitted(name)}${statistics}  ${row.programmed.padEnd(10)}  ${row.landed}`;
  });
}

function destinationLines(state: ViewState): readonly string[] {
  return [...state.counted.clusters]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, requests]) => {
      const recent = state.recent.counted.clusters.get(name);
      return `${fitted(name.slice(2))}${statisticsText(requests, recent, state.recent.seconds)}`;
    });
}

function statisticsText(total: Requests, recent: Requests | undefined, seconds: number): string {
  const timed = recent === undefined || recent.latency.size === 0 ? total : recent;
  const latency = quantile(timed, 0.5) === undefined ? total : timed;
  const rate = recent === undefined || seconds <= 0 ? 0 : recent.completed / seconds;
  const failed = total.completed === 0 ? 0 : (100 * total.failed) / total.completed;
  return [
    String(total.completed).padStart(columns.count),
    rate.toFixed(1).padStart(columns.rate),
    `${failed.toFixed(1)}%`.padStart(columns.failed),
    latencyText(quantile(latency, 0.5)).padStart(columns.latency),
    latencyText(quantile(latency, 0.99)).padStart(columns.latency),
  ].join('');
}

function latencyText(ms: number | undefined): string {
  if (ms === undefined) return '-';
  return ms < 10 ? `${ms.toFixed(1)}ms` : `${ms.toFixed(0)}ms`;
}

function landingText({ cluster, observed, asked }: Landing): string {
  // The subset if there is one, else the Service.
  const parts = cluster.split('/');
  const name = parts[4] ?? parts[2] ?? cluster;
  return `${name} ${observed === undefined ? '-' : `${observed.toFixed(0)}%`} (${asked.toFixed(0)}%)`;
}

function programmedText(object: ObjectStatus): string {
  switch (object.phase) {
    case 'programmed':
      return object.proxies === '' ? 'yes' : object.proxies;
    case 'pending':
      return object.proxies === '' ? 'pending' : `${object.proxies}…`;
    case 'refused':
      return 'refused';
  }
}

const isRefused = (object: ObjectStatus): boolean => object.phase === 'refused' || object.message !== '';

function refusal(object: ObjectStatus): string {
  return `${object.kind} ${object.namespace}/${object.name}: ${object.message}`;
}

function fitted(name: string): string {
  const width = columns.name - 1;
  return (name.length > width ? `${name.slice(0, width - 1)}…` : name).padEnd(columns.name);
}
