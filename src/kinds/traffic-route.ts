// TrafficRoute: where does a request go? Schema of spec and status, and the checks that CEL cannot make.
// Knows no other object.

import type { ObjectMeta } from '../api/meta.js';
import { dns, groupRule, label, name, port } from '../api/fields.js';
import { checkRe2 } from '../api/re2.js';
import { list, object, oneOf, text, type Rule, type Static } from '../api/schema.js';
import type { Problem } from '../lib/result.js';
import { cookiePattern } from '../features/envoy-values.js';
import type { RouteFilter } from './route-filters.js';
import type { RouteMatch } from './route-match.js';
import { rulesSchema, type RouteRule } from './route-rule.js';
import { commonStatus, conditionsSchema, lines, parentReferenceSchema } from './status-schema.js';

const parentRefsSchema = list(
  object(
    {
      group: text(
        {},
        {
          doc: "Group of the parent: '' for Service, 'legation.dev' for the others.",
          default: '',
          envoy: 'choice of listeners and route configurations',
        },
      ),
      kind: oneOf(['Service', 'Host', 'TrafficRoute', 'MeshIdentity'], {
        doc: 'Kind of the parent.',
        default: 'Service',
      }),
      name: name({ doc: 'Name of the parent.', required: true, envoy: 'RouteConfiguration.name o/<ns>/<svc>/<port>' }),
      namespace: label({
        doc: "Namespace of the parent; a Service elsewhere makes this a consumer's route.",
        effective: 'own',
      }),
      port: port({ doc: 'Port of the Service, not of its pods.', effective: 'all ports' }),
      sectionName: name({
        doc: 'Rule of a TrafficRoute, node group of a MeshIdentity, port name of a Service.',
        effective: 'none',
      }),
    },
    {
      doc: 'A parent.',
      rules: [
        groupRule,
        {
          id: 'TR16',
          rule: "!(self.kind in ['MeshIdentity', 'TrafficRoute']) || has(self.sectionName)",
          messageExpression: `"\`sectionName\` must name the %s of %s '%s'".format([self.kind == 'MeshIdentity' ? 'node group' : 'rule', self.kind, self.name])`,
        },
      ],
    },
  ),
  { min: 1, max: 32 },
  { doc: 'What the route attaches to.', required: true, change: 'R' },
);

const forbiddenInTcp = (what: string, present: string, advice: string): Rule => ({
  id: 'TR3',
  rule: `!(self.protocol in ['TCP', 'TLS']) || self.rules.all(r, !(${present}))`,
  messageExpression: `"rules of a %s route must not set \`${what}\`; ${advice}".format([self.protocol])`,
});

const specRules: readonly Rule[] = [
  forbiddenInTcp('matches', 'has(r.matches)', 'use separate parents or ports to split TCP traffic'),
  forbiddenInTcp(
    'filters',
    'has(r.filters) || (has(r.backendRefs) && r.backendRefs.exists(b, has(b.filters)))',
    'filters need requests, and TCP has none',
  ),
  forbiddenInTcp('sessionPersistence', 'has(r.sessionPersistence)', 'sessions need requests, and TCP has none'),
  forbiddenInTcp('backendRequest', 'has(r.timeouts) && has(r.timeouts.backendRequest)', 'use `timeouts.idle`'),
  forbiddenInTcp('codes', 'has(r.retry) && has(r.retry.codes)', 'only connecting is retried'),
  {
    id: 'TR4',
    rule: "self.protocol != 'TLS' || (has(self.hostnames) && size(self.hostnames) > 0)",
    message: 'a TLS route must list at least one name in `hostnames`; names are compared with SNI',
  },
  {
    id: 'TR5',
    rule: "self.protocol == 'GRPC' || self.rules.all(r, !has(r.matches) || r.matches.all(m, !has(m.grpc)))",
    message: "`grpc` may only be used when `protocol` is 'GRPC'",
  },
  {
    id: 'TR5',
    rule: "self.protocol != 'GRPC' || self.rules.all(r, !has(r.matches) || r.matches.all(m, !has(m.path) && !has(m.method) && !has(m.queryParams)))",
    message: "`path`, `method` and `queryParams` must not be set when `protocol` is 'GRPC'; use `grpc`",
  },
];

/** Spec of a TrafficRoute. */
export const trafficRouteSpecSchema = object(
  {
    parentRefs: parentRefsSchema,
    hostnames: list(
      dns({ doc: 'A name.' }),
      { type: 'atomic' },
      {
        doc: 'Names that the route applies to; TLS: compared with SNI.',
        effective: 'all',
        change: 'R',
        envoy: 'VirtualHost.domains, ServerNameInput',
      },
    ),
    protocol: oneOf(['HTTP', 'GRPC', 'TCP', 'TLS'], {
      doc: 'Protocol of the whole route; TLS is passed through by SNI.',
      default: 'HTTP',
      change: 'L',
      envoy: 'HttpConnectionManager or TcpProxy',
    }),
    distribution: oneOf(['Learned', 'Namespace', 'Mesh'], {
      doc: 'Proxies that hold the route from the start: learned callers and own namespace, own namespace, everyone.',
      default: 'Learned',
      change: 'R',
    }),
    rules: rulesSchema,
  },
  { doc: 'Where requests go.', required: true, rules: specRules },
);

/** Spec of a TrafficRoute after defaults. */
export type TrafficRouteSpec = Static<typeof trafficRouteSpecSchema>;

/** One parent after defaults. */
export type ParentRef = TrafficRouteSpec['parentRefs'][number];

/** Status of a TrafficRoute. */
export const trafficRouteStatusSchema = object(
  {
    ...commonStatus,
    effective: text({ max: 512 }, { doc: 'Weights in force and routes below, one line per rule that has either.' }),
    parents: list(
      object(
        {
          parentRef: parentReferenceSchema('The parent.'),
          controllerName: text({ max: 253 }, { doc: 'Who says so.', required: true }),
          conditions: conditionsSchema('Conditions of the route at this parent.'),
        },
        { doc: 'A parent.' },
      ),
      { max: 32, type: 'atomic' },
      { doc: 'The route at each of its parents.' },
    ),
    policies: lines({ max: 16 }, 'Policies that touch this route, with their blocks.'),
  },
  { doc: 'What became of the route.' },
);

/** Status of a TrafficRoute. */
export type TrafficRouteStatus = Static<typeof trafficRouteStatusSchema>;

/** A TrafficRoute that passed its schema. */
export interface TrafficRoute {
  readonly kind: 'TrafficRoute';
  readonly meta: ObjectMeta;
  readonly spec: TrafficRouteSpec;
}

const invalid = (path: string, message: string | undefined): readonly Problem[] =>
  message === undefined ? [] : [{ path, reason: 'Invalid', message: `\`${path}\`: ${message}` }];

const regex = (path: string, found: { readonly type: string; readonly value?: string }): readonly Problem[] =>
  found.type === 'RegularExpression' && found.value !== undefined ? invalid(path, checkRe2(found.value)) : [];

/** A path never holds these; Envoy refuses the first kind of match and could never meet the second. */
function pathProblems(path: string, found: NonNullable<RouteMatch['path']>): readonly Problem[] {
  if (found.type !== 'RegularExpression' && /[?#]/.test(found.value))
    return invalid(path, `must not contain '?' or '#', found '${found.value}'; use \`queryParams\` for the query`);
  return regex(path, found);
}

/** A tunnel is asked for by host and port alone. */
function tunnelProblems(path: string, { method, path: wanted, queryParams = [] }: RouteMatch): readonly Problem[] {
  if (method !== 'CONNECT') return [];
  const hasPath = wanted !== undefined && (wanted.type !== 'PathPrefix' || wanted.value !== '/');
  const advice = "must not be set beside `method` 'CONNECT'; such a request has neither path nor query";
  if (hasPath) return invalid(`${path}.path`, advice);
  return queryParams.length > 0 ? invalid(`${path}.queryParams`, advice) : [];
}

/** Names are parts of a path: one with a slash would be two. */
function callProblems(path: string, { type, service, method }: NonNullable<RouteMatch['grpc']>): readonly Problem[] {
  return Object.entries({ service, method }).flatMap(([member, value]) => {
    if (value === undefined) return [];
    if (type === 'RegularExpression') return invalid(`${path}.${member}`, checkRe2(value));
    const text = `must be a name without '/', found '${value}'; \`service\` and \`method\` are written apart`;
    return value.includes('/') ? invalid(`${path}.${member}`, text) : [];
  });
}

/** A cookie becomes an expression, and Envoy bounds those. */
const cookieProblems = (path: string, cookie: NonNullable<RouteMatch['cookies']>[number]): readonly Problem[] =>
  checkRe2(cookiePattern(cookie)) === undefined
    ? []
    : invalid(cookie.value === undefined ? `${path}.name` : `${path}.value`, 'is too long to be compared by Envoy');

function matchProblems(path: string, match: RouteMatch): readonly Problem[] {
  return [
    ...tunnelProblems(path, match),
    ...(match.path === undefined ? [] : pathProblems(`${path}.path.value`, match.path)),
    ...(match.headers ?? []).flatMap((header, index) => regex(`${path}.headers[${index}].value`, header)),
    ...(match.queryParams ?? []).flatMap((param, index) => regex(`${path}.queryParams[${index}].value`, param)),
    ...(match.cookies ?? []).flatMap((cookie, index) => cookieProblems(`${path}.cookies[${index}]`, cookie)),
    ...(match.grpc === undefined ? [] : callProblems(`${path}.grpc`, match.grpc)),
  ];
}

function filterProblems(path: string, filter: RouteFilter): readonly Problem[] {
  const pattern = filter.urlRewrite?.path?.pattern;
  return pattern === undefined ? [] : invalid(`${path}.urlRewrite.path.pattern`, checkRe2(pattern));
}

function ruleProblems(path: string, rule: RouteRule): readonly Problem[] {
  return [
    ...(rule.matches ?? []).flatMap((match, index) => matchProblems(`${path}.matches[${index}]`, match)),
    ...(rule.filters ?? []).flatMap((filter, index) => filterProblems(`${path}.filters[${index}]`, filter)),
  ];
}

/** Checks that the API server cannot make: regular expressions as Envoy takes them. */
export const trafficRouteProblems = (spec: TrafficRouteSpec): readonly Problem[] =>
  spec.rules.flatMap((rule, index) => ruleProblems(`spec.rules[${index}]`, rule));
