// A rule of a TrafficRoute: matches, filters, backends and how they are asked. Knows no object around it.

import { groupRule, label, labelOrAny, labels, name, port, servicePortRule } from '../api/fields.js';
import { bool, integer, list, object, oneOf, text, type Rule, type Static } from '../api/schema.js';
import { retrySchema } from '../features/retry.js';
import { sessionPersistenceSchema } from '../features/session-persistence.js';
import { timeoutsSchema } from '../features/timeouts.js';
import { backendFiltersSchema, filtersSchema } from './route-filters.js';
import { matchesSchema } from './route-match.js';

const backendRefsSchema = list(
  object(
    {
      group: text(
        {},
        { doc: "Group of the backend: '' for Service, 'legation.dev' for Host.", default: '', change: 'R,C' },
      ),
      kind: oneOf(['Service', 'Host'], { doc: 'Kind of the backend.', default: 'Service', change: 'R,C' }),
      name: name({
        doc: 'Name of the Service, or DNS name of the Host.',
        required: true,
        change: 'R,C',
        envoy: 'cluster o/<ns>/<svc>/<port>[/<subset>], x/<host>/<port>',
      }),
      namespace: label({ doc: 'Namespace of the Service; another one needs a ReferenceGrant.', effective: 'own' }),
      port: port({ doc: 'Port of the Service, not of its pods.' }),
      weight: integer(
        { max: 1_000_000 },
        {
          doc: 'Share of requests, relative to the sum of all weights of the rule.',
          default: 1,
          envoy: 'WeightedCluster.clusters[].weight',
        },
      ),
      subset: labels({
        doc: 'Only pods of the Service with these labels.',
        effective: 'all',
        change: 'R,C',
        envoy: 'a cluster of its own',
      }),
      fallback: bool({
        doc: 'Used only when no other backend of the rule has a healthy endpoint.',
        default: false,
        change: 'C',
        envoy: 'envoy.clusters.aggregate',
      }),
      filters: backendFiltersSchema,
    },
    { doc: 'A backend.', rules: [groupRule, servicePortRule] },
  ),
  {},
  { doc: 'Who answers; none with a redirect, a direct response or `delegate`.' },
);

const weightsFromSchema = object(
  {
    kind: oneOf(['Rollout', 'Canary'], { doc: 'Argo Rollouts or Flagger.', required: true }),
    name: name({
      doc: 'Name of the object in the namespace of the route; its Services are matched to backends by name.',
      required: true,
      envoy: 'WeightedCluster.clusters[].weight',
    }),
  },
  { doc: 'Experimental: live weights from a delivery object, without edits of this spec.' },
);

const theRule = "(has(self.name) ? \"rule '%s'\".format([self.name]) : 'a rule')";

const prefixRewrite = (member: string): string =>
  `(has(f.${member}) && has(f.${member}.path) && f.${member}.path.type == 'ReplacePrefixMatch')`;

const ruleRules: readonly Rule[] = [
  {
    id: 'TR2',
    rule: "[has(self.backendRefs) && size(self.backendRefs) > 0, has(self.filters) && self.filters.exists(f, f.type == 'RequestRedirect'), has(self.filters) && self.filters.exists(f, f.type == 'DirectResponse'), has(self.delegate)].filter(x, x).size() == 1",
    messageExpression: `"%s must have exactly one of \`backendRefs\`, a RequestRedirect filter, a DirectResponse filter or \`delegate\`".format([${theRule}])`,
  },
  {
    id: 'TR2',
    rule: "!has(self.filters) || !(self.filters.exists(f, f.type == 'RequestRedirect') && self.filters.exists(f, f.type == 'URLRewrite'))",
    messageExpression: `"%s must not have a URLRewrite filter beside a RequestRedirect filter".format([${theRule}])`,
  },
  {
    id: 'TR7',
    rule: `!has(self.filters) || !has(self.matches) || self.matches.all(m, !has(m.grpc) && (!has(m.path) || m.path.type == 'PathPrefix')) || !self.filters.exists(f, ${prefixRewrite('urlRewrite')} || ${prefixRewrite('requestRedirect')})`,
    message: "`replacePrefixMatch` may only be used in rules whose matches are all of type 'PathPrefix'",
  },
  {
    id: 'TR10',
    rule: '!has(self.retry) || !self.retry.hedgeOnTimeout || (self.retry.idempotent && has(self.timeouts) && has(self.timeouts.backendRequest))',
    message: '`hedgeOnTimeout` must be used with `timeouts.backendRequest` and `idempotent: true`',
  },
  {
    id: 'TR12',
    rule: '!has(self.backendRefs) || size(self.backendRefs) == 0 || !self.backendRefs.all(b, b.fallback)',
    messageExpression: `"at least one backend of %s must not be a fallback".format([${theRule}])`,
  },
  {
    id: 'TR15',
    rule: "!has(self.weightsFrom) || (has(self.backendRefs) && self.backendRefs.filter(b, !b.fallback).size() == 2 && self.backendRefs.all(b, b.fallback || b.kind == 'Service'))",
    message: '`weightsFrom` may only be used in a rule with two Service backends',
  },
];

const rulesRules: readonly Rule[] = [
  {
    id: 'TR1',
    rule: 'self.all(r, !has(r.name) || self.exists_one(o, has(o.name) && o.name == r.name))',
    messageExpression: `"rule names must be unique; '%s' is used twice".format([self.filter(r, has(r.name) && !self.exists_one(o, has(o.name) && o.name == r.name))[0].name])`,
  },
  {
    id: 'TR14',
    rule: 'self.map(r, has(r.matches) ? size(r.matches) : 0).sum() <= 128',
    messageExpression: `"the route has %d matches; it may not have more than 128, split it".format([self.map(r, has(r.matches) ? size(r.matches) : 0).sum()])`,
  },
];

/** `spec.rules`. */
export const rulesSchema = list(
  object(
    {
      name: name({
        doc: 'Name of the rule, unique in the route.',
        effective: 'r<index>',
        envoy: 'Route.name <ns>/<route>/<rule>, stat_prefix',
      }),
      matches: matchesSchema,
      filters: filtersSchema,
      backendRefs: backendRefsSchema,
      timeouts: timeoutsSchema,
      retry: retrySchema,
      sessionPersistence: sessionPersistenceSchema,
      delegate: object(
        {
          namespaces: list(
            labelOrAny({ doc: "A namespace, or '*'." }),
            { min: 1, max: 16 },
            {
              doc: 'Namespaces whose TrafficRoutes may attach to this rule.',
              required: true,
              envoy: 'matches of children below those of this rule',
            },
          ),
        },
        { doc: 'Hand the requests of this rule to child routes.' },
      ),
      weightsFrom: weightsFromSchema,
    },
    { doc: 'What happens to some of the requests.', rules: ruleRules },
  ),
  { min: 1 },
  { doc: 'Rules, ordered by their matches, not by their place.', required: true, change: 'R', rules: rulesRules },
);

/** One rule after defaults. */
export type RouteRule = Static<typeof rulesSchema>[number];

/** One backend after defaults. */
export type BackendRef = NonNullable<RouteRule['backendRefs']>[number];
