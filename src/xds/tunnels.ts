// Requests where a connection is meant. Tunnels of the explicit proxy: what becomes of a CONNECT to a port that speaks no
// HTTP, or of which nobody said what it speaks; a tunnel goes the way that a redirected connection would. And what is
// left of HTTP on a port that has just become TCP.

import {
  DirectResponseAction,
  Route,
  RouteAction,
  RouteAction_ClusterNotFoundResponseCode as ClusterNotFound,
} from '../gen/envoy/config/route/v3/route_components.js';
import { durationOfSeconds } from './config-source.js';
import type { ConnectionPath } from './tcp.js';

/** The way of a connection in the words of a route. */
function actionOf({ to, patch }: ConnectionPath): RouteAction {
  const { idleTimeout, maxDownstreamConnectionDuration: maxStreamDuration, maxConnectAttempts = 1 } = patch;
  return RouteAction.fromPartial({
    clusterSpecifier: to,
    clusterNotFoundResponseCode: ClusterNotFound.INTERNAL_SERVER_ERROR,
    timeout: durationOfSeconds(0),
    ...(idleTimeout === undefined ? {} : { idleTimeout }),
    ...(maxStreamDuration === undefined ? {} : { maxStreamDuration: { maxStreamDuration } }),
    retryPolicy: { retryOn: 'connect-failure', numRetries: maxConnectAttempts - 1 },
    upgradeConfigs: [{ upgradeType: 'CONNECT', connectConfig: {} }],
  });
}

/** The route of a tunnel. */
export const tunnel = (path: ConnectionPath): Route =>
  Route.fromPartial({
    name: path.name,
    statPrefix: path.name,
    match: { pathSpecifier: { $case: 'connectMatcher', value: {} } },
    action: { $case: 'route', value: actionOf(path) },
  });

/**
 * For redirected connections of before the port was TCP, and while it stops to be: listeners and their routes do not
 * change at one moment. Such requests go where connections go, under the same name.
 */
export const leftover = ({ name, to }: ConnectionPath): Route =>
  Route.fromPartial({
    name,
    statPrefix: name,
    match: { pathSpecifier: { $case: 'prefix', value: '/' } },
    action: {
      $case: 'route',
      value: RouteAction.fromPartial({
        clusterSpecifier: to,
        clusterNotFoundResponseCode: ClusterNotFound.INTERNAL_SERVER_ERROR,
        timeout: durationOfSeconds(0),
      }),
    },
  });

/** A tunnel is an upgrade: who receives it is asked for it. */
export const forwardedTunnel = {
  upgradeConfigs: RouteAction.fromPartial({ upgradeConfigs: [{ upgradeType: 'CONNECT' }] }).upgradeConfigs,
};

/** What a request is told that found no HTTP. */
export const onlyTunnels = Route.fromPartial({
  name: 'only-tunnels',
  match: { pathSpecifier: { $case: 'prefix', value: '/' } },
  action: {
    $case: 'directResponse',
    value: DirectResponseAction.fromPartial({
      status: 405,
      body: { specifier: { $case: 'inlineString', value: 'this port speaks TCP: open a tunnel by CONNECT\n' } },
    }),
  },
});

/** Says no to requests and tunnels alike. */
export const refusal = (why: string): readonly Route[] =>
  [{ $case: 'prefix', value: '/' } as const, { $case: 'connectMatcher', value: {} } as const].map((pathSpecifier) =>
    Route.fromPartial({
      name: 'refused',
      match: { pathSpecifier },
      action: {
        $case: 'directResponse',
        value: DirectResponseAction.fromPartial({
          status: 502,
          body: { specifier: { $case: 'inlineString', value: `${why}\n` } },
        }),
      },
    }),
  );
