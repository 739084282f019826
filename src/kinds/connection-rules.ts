// What routes for connections may not say beyond what their schema forbids: a connection holds no requests, and TCP
// shows no name. Such a field is refused, never ignored. Knows no other object.

import type { Problem } from '../lib/result.js';
import type { RouteRule } from './route-rule.js';
import type { TrafficRouteSpec } from './traffic-route.js';

const refuse = (path: string, protocol: string, advice: string): Problem => ({
  path,
  reason: 'UnsupportedValue',
  message: `\`${path}\` may not be used in a ${protocol} route; ${advice}`,
});

const hostAdvice = 'list the host in `egress.hosts`';

const onlyConnecting = 'only connecting is retried';

/** Members that need requests, by path below the rule, with what holds instead. */
const requestMembers: readonly (readonly [path: string, isSet: (rule: RouteRule) => boolean, advice: string])[] = [
  [
    'timeouts.request',
    ({ timeouts }) => timeouts?.request !== undefined,
    'use `timeouts.idle` or `timeouts.maxStream`',
  ],
  ['retry.retryOn', ({ retry }) => retry?.retryOn?.some((one) => one !== 'ConnectFailure') === true, onlyConnecting],
  ['retry.backoff', ({ retry }) => retry !== undefined && retry.backoff !== '25ms', 'connecting is retried at once'],
  ['retry.idempotent', ({ retry }) => retry?.idempotent === true, onlyConnecting],
  ['retry.honorRetryAfter', ({ retry }) => retry?.honorRetryAfter === true, onlyConnecting],
  ['retry.hedgeOnTimeout', ({ retry }) => retry?.hedgeOnTimeout === true, onlyConnecting],
  ['delegate', ({ delegate }) => delegate !== undefined, 'attach several routes to the Service'],
];

/** Whether the rules of a route are for connections. */
export const isForConnections = ({ protocol }: Pick<TrafficRouteSpec, 'protocol'>): boolean =>
  protocol === 'TCP' || protocol === 'TLS';

/** What is wrong with one rule of a TCP or TLS route: the rule is refused, its neighbours stay. */
export function connectionRuleProblems(
  spec: Pick<TrafficRouteSpec, 'protocol'>,
  rule: RouteRule,
  index: number,
): readonly Problem[] {
  if (!isForConnections(spec)) return [];
  return requestMembers
    .filter(([, isSet]) => isSet(rule))
    .map(([path, , advice]) => refuse(`spec.rules[${String(index)}].${path}`, spec.protocol, advice));
}

/** What is wrong outside of rules: the whole route is refused. */
export const connectionRouteProblems = (spec: TrafficRouteSpec): readonly Problem[] => [
  ...(spec.protocol === 'TCP' && spec.hostnames !== undefined && spec.hostnames.length > 0
    ? [refuse('spec.hostnames', 'TCP', "a name shows in TLS alone, with protocol 'TLS'")]
    : []),
  ...(isForConnections(spec)
    ? spec.parentRefs.flatMap(({ kind }, index) =>
        kind === 'Host' ? [refuse(`spec.parentRefs[${String(index)}].kind`, spec.protocol, hostAdvice)] : [],
      )
    : []),
];
