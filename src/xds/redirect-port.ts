// Redirects to the usual port of a scheme. Envoy keeps the port of the request unless it is told another one, and prints
// what it is told; Gateway API wants no `:443` in a location of https. Where the caller's name for the host is known, the
// location is that name alone.

import { type Route, RouteMatch } from '../gen/envoy/config/route/v3/route_components.js';

/** How a host is called. */
export interface CallNames {
  readonly names: readonly string[];
  /** Port of the Service, which is in the authority. */
  readonly port: number;
}

const usualPorts = new Map([
  ['http', 80],
  ['https', 443],
]);

function redirectTo(route: Route, name: string, port: number): Route {
  const { action } = route;
  if (action?.$case !== 'redirect') return route;
  const authority = {
    name: ':authority',
    headerMatchSpecifier: {
      $case: 'stringMatch',
      value: { matchPattern: { $case: 'exact', value: `${name}:${String(port)}` }, ignoreCase: true },
    },
  } as const;
  const match = RouteMatch.fromPartial({ ...route.match, headers: [...(route.match?.headers ?? []), authority] });
  return { ...route, match, action: { ...action, value: { ...action.value, hostRedirect: name, portRedirect: 0 } } };
}

/** The route, after one for each name that needs no port. */
export function withoutUsualPort(route: Route, { names, port }: CallNames): readonly Route[] {
  if (route.action?.$case !== 'redirect') return [route];
  const { schemeRewriteSpecifier: scheme, hostRedirect, portRedirect } = route.action.value;
  const isUsual = scheme?.$case === 'schemeRedirect' && usualPorts.get(scheme.value) === portRedirect;
  if (!isUsual || hostRedirect !== '') return [route];
  return [...names.map((name) => redirectTo(route, name, port)), route];
}
