// Which clusters each rule sends to, as Envoy itself has it, and how the requests of a rule were shared out among
// them. Pure.

import type { Counted } from './envoy-stats.js';
import { field, listOf, parsedJson, textOf } from './json-fields.js';

/** One destination of a rule. */
export interface RouteTarget {
  readonly cluster: string;
  readonly weight: number;
}

/** Destinations by route name. */
export type RouteTargets = ReadonlyMap<string, readonly RouteTarget[]>;

/** Where the requests of a rule went: percent of the requests, and percent asked for. */
export interface Landing {
  readonly cluster: string;
  readonly observed: number | undefined;
  readonly asked: number;
}

/** The admin path whose answer `parseRouteTargets` reads. */
export const routesPath = '/config_dump?resource=dynamic_route_configs';

/** Reads a configuration dump; anything unexpected in it is skipped. */
export function parseRouteTargets(body: string): RouteTargets {
  const targets = new Map<string, readonly RouteTarget[]>();
  const configs = listOf(field(parsedJson(body), 'configs')).map((config) => field(config, 'route_config'));
  const routes = configs
    .filter((config) => textOf(field(config, 'name')).startsWith('o/'))
    .flatMap((config) => listOf(field(config, 'virtual_hosts')))
    .flatMap((host) => listOf(field(host, 'routes')));
  for (const route of routes) {
    const name = textOf(field(route, 'name'));
    const found = targetsOf(field(route, 'route'));
    if (name !== '' && found.length > 0) targets.set(name, found);
  }
  return targets;
}

function targetsOf(action: unknown): readonly RouteTarget[] {
  const single = textOf(field(action, 'cluster'));
  if (single !== '') return [{ cluster: single, weight: 1 }];
  return listOf(field(field(action, 'weighted_clusters'), 'clusters')).map((cluster) => ({
    cluster: textOf(field(cluster, 'name')),
    weight: Number(field(cluster, 'weight') ?? 0),
  }));
}

/**
 * Shares out the requests of each rule. Envoy counts by cluster, not by rule and cluster: what rules with one
 * destination sent is known and taken away first, the rest is what rules with several destinations sent.
 */
export function landings(targets: RouteTargets, counted: Counted): ReadonlyMap<string, readonly Landing[]> {
  const rest = new Map([...counted.clusters].map(([cluster, requests]) => [cluster, requests.completed]));
  for (const [route, [only, ...others]] of targets) {
    if (only === undefined || others.length > 0) continue;
    const sent = counted.routes.get(route)?.completed ?? 0;
    rest.set(only.cluster, Math.max(0, (rest.get(only.cluster) ?? 0) - sent));
  }
  return new Map([...targets].map(([route, to]) => [route, landingsOf(to, rest)]));
}

function landingsOf(targets: readonly RouteTarget[], rest: ReadonlyMap<string, number>): readonly Landing[] {
  const [only, ...others] = targets;
  if (only !== undefined && others.length === 0) return [{ cluster: only.cluster, observed: 100, asked: 100 }];
  const asked = targets.reduce((sum, target) => sum + target.weight, 0);
  const observed = targets.reduce((sum, target) => sum + (rest.get(target.cluster) ?? 0), 0);
  return targets.map(({ cluster, weight }) => ({
    cluster,
    observed: observed === 0 ? undefined : (100 * (rest.get(cluster) ?? 0)) / observed,
    asked: asked === 0 ? 0 : (100 * weight) / asked,
  }));
}
