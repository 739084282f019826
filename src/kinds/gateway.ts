// Gateway API's routes: HTTPRoute and GRPCRoute. Their rules parse into the shape of a TrafficRoute's, see
// `gateway-rule.ts`. Knows no other object.

import type { ObjectMeta } from '../api/meta.js';
import type { Problem, Result } from '../lib/result.js';
import { err, ok } from '../lib/result.js';
import { parseGatewayRule, type GatewayRouteKind, type GatewayRule } from './gateway-rule.js';
import { createReader, optional, requiredText } from './reader.js';
import type { Fields, Reader } from './reader.js';

/** A parent of a Gateway API route. */
export interface GatewayParentRef {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
  readonly port?: number;
  readonly sectionName?: string;
  /** True for Services. Other parents belong to whoever owns the Gateway and are left alone. */
  readonly ours: boolean;
}

/** A Gateway API route of one kind. */
export interface GatewayRoute<Kind extends GatewayRouteKind = GatewayRouteKind> {
  readonly kind: Kind;
  readonly meta: ObjectMeta;
  readonly spec: {
    readonly parentRefs: readonly GatewayParentRef[];
    readonly hostnames: readonly string[];
    readonly rules: readonly GatewayRule[];
    /** Rules that are absent because not even their matches can be read. */
    readonly absent: readonly Problem[];
  };
}

/** A Gateway API HTTPRoute. */
export type HTTPRoute = GatewayRoute<'HTTPRoute'>;

/** A Gateway API GRPCRoute. */
export type GRPCRoute = GatewayRoute<'GRPCRoute'>;

/** An object, and what is odd about it without being wrong. */
export interface Parsing<T> {
  readonly object: T;
  readonly warnings: readonly Problem[];
}

const gatewayGroup = 'gateway.networking.k8s.io';
const at = (path: string, index: number): string => `${path}[${String(index)}]`;

function parseParentRef(read: Reader, value: unknown, path: string): GatewayParentRef {
  const raw = read.fields(value, path) ?? {};
  const group = read.text(raw['group'], `${path}.group`) ?? gatewayGroup;
  const kind = read.text(raw['kind'], `${path}.kind`) ?? 'Gateway';
  return {
    group,
    kind,
    name: requiredText(read, raw['name'], `${path}.name`),
    ...optional('namespace', read.text(raw['namespace'], `${path}.namespace`)),
    ...optional('port', read.integer(raw['port'], `${path}.port`, { min: 1, max: 65535 })),
    ...optional('sectionName', read.text(raw['sectionName'], `${path}.sectionName`)),
    ours: group === '' && kind === 'Service',
  };
}

interface RouteHead {
  readonly parentRefs: readonly GatewayParentRef[];
  readonly hostnames: readonly string[];
  readonly rules: readonly unknown[];
}

function parseHead(read: Reader, raw: Fields): RouteHead {
  const spec = read.fields(raw['spec'], 'spec') ?? {};
  if (raw['spec'] === undefined) read.refuse('spec', '`spec` must be set');
  return {
    parentRefs: read
      .list(spec['parentRefs'], 'spec.parentRefs')
      .map((parent, index) => parseParentRef(read, parent, at('spec.parentRefs', index))),
    hostnames: read.textList(spec['hostnames'], 'spec.hostnames'),
    rules: read.list(spec['rules'], 'spec.rules'),
  };
}

function parseRoute<Kind extends GatewayRouteKind>(
  kind: Kind,
  raw: Fields,
  meta: ObjectMeta,
): Result<Parsing<GatewayRoute<Kind>>> {
  const read = createReader();
  const head = parseHead(read, raw);
  if (read.problems.length > 0) return err(read.problems);
  const warnings: Problem[] = [];
  if (head.hostnames.length > 0 && head.parentRefs.some((parent) => parent.ours)) {
    const message = '`spec.hostnames` is ignored for Service parents, as Gateway API says for meshes';
    warnings.push({ path: 'spec.hostnames', reason: 'Ignored', message });
  }
  const rules = head.rules.length === 0 ? [{}] : head.rules;
  const outcomes = rules.map((rule, index) => parseGatewayRule(rule, { kind, index }, warnings));
  const spec = {
    parentRefs: head.parentRefs,
    hostnames: head.hostnames,
    rules: outcomes.flatMap(({ rule }) => rule ?? []),
    absent: outcomes.flatMap(({ absent }) => absent ?? []),
  };
  const ofRules = spec.rules.flatMap(({ problem, wrongRefs }) => [
    ...(problem === undefined ? [] : [problem]),
    ...wrongRefs.values(),
  ]);
  return ok({ object: { kind, meta, spec }, warnings: [...warnings, ...ofRules, ...spec.absent] });
}

/** Parses a raw HTTPRoute. Mistakes inside a rule cost that rule only. */
export const parseHTTPRoute = (raw: Fields, meta: ObjectMeta): Result<Parsing<HTTPRoute>> =>
  parseRoute('HTTPRoute', raw, meta);

/** Parses a raw GRPCRoute. Mistakes inside a rule cost that rule only. */
export const parseGRPCRoute = (raw: Fields, meta: ObjectMeta): Result<Parsing<GRPCRoute>> =>
  parseRoute('GRPCRoute', raw, meta);
