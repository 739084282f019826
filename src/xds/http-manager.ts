// The HTTP connection manager: one constant skeleton, so that policies never touch a listener. Callers
// cannot steer it: the `x-envoy-` family is stripped before routing, on every listener.

import { HeaderMutation as EarlyHeaderMutation } from '../gen/envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation.js';
import { HeaderValueOption_HeaderAppendAction as AppendAction } from '../gen/envoy/config/core/v3/base.js';
import { Buffer } from '../gen/envoy/extensions/filters/http/buffer/v3/buffer.js';
import { Cors } from '../gen/envoy/extensions/filters/http/cors/v3/cors.js';
import { HTTPFault } from '../gen/envoy/extensions/filters/http/fault/v3/fault.js';
import { FilterConfig as GrpcStats } from '../gen/envoy/extensions/filters/http/grpc_stats/v3/config.js';
import { HeaderMutation } from '../gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation.js';
import { LocalRateLimit } from '../gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.js';
import { Router } from '../gen/envoy/extensions/filters/http/router/v3/router.js';
import { StatefulSession } from '../gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session.js';
import {
  HttpConnectionManager,
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
  type HttpFilter,
} from '../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import type { Filter } from '../gen/envoy/config/listener/v3/listener_components.js';
import { packAny } from '../features/any.js';
import type { ChainPatch, Direction } from '../features/feature.js';
import { durationOfSeconds, fromAds } from './config-source.js';
import { overridden } from './merge.js';

const strippedHeaders = [
  'x-envoy-upstream-rq-timeout-ms',
  'x-envoy-upstream-rq-per-try-timeout-ms',
  'x-envoy-expected-rq-timeout-ms',
  'x-envoy-retry-on',
  'x-envoy-retry-grpc-on',
  'x-envoy-max-retries',
  'x-envoy-hedge-on-per-try-timeout',
  'x-envoy-internal',
  'x-envoy-decorator-operation',
  'x-envoy-original-path',
  'x-envoy-downstream-service-cluster',
  'x-envoy-downstream-service-node',
  'x-envoy-force-trace',
  'x-envoy-upstream-alt-stat-name',
  'x-envoy-ip-tags',
  'x-envoy-external-address',
  'x-envoy-retriable-status-codes',
  'x-envoy-retriable-header-names',
];

const removals = strippedHeaders.map((header) => ({ action: { $case: 'remove', value: header } as const }));

/** Calls through the encrypted fallback carry no scheme; both ways look alike to the application. */
const defaultScheme = {
  action: {
    $case: 'append',
    value: { header: { key: 'x-forwarded-proto', value: 'http' }, appendAction: AppendAction.ADD_IF_ABSENT },
  } as const,
};

/** Where the key of a scope stands, if it may be another than the authority. */
export const scopeHeader = 'x-mesh-scope';

/** Where a request keeps the address that was dialled, until a filter takes it. */
export const dialledHeader = 'x-mesh-dialled';

const written = (key: string, value: string) => ({
  action: {
    $case: 'append',
    value: { header: { key, value }, appendAction: AppendAction.OVERWRITE_IF_EXISTS_OR_ADD },
  } as const,
});

/** Scopes are looked up before filters run: the authority is the key until one of them says otherwise. */
const keepAuthority = written(scopeHeader, '%REQ(:authority)%');
const keepDialled = written(dialledHeader, '%DOWNSTREAM_LOCAL_ADDRESS%');

function mutationsFor({ direction, routes, dialled = false }: ManagerOptions) {
  if (direction === 'inbound') return [...removals, defaultScheme];
  if (dialled) return [...removals, keepDialled];
  return routes.kind === 'scopes' && routes.key === scopeHeader ? [...removals, keepAuthority] : removals;
}

const stripFor = (options: ManagerOptions) => ({
  name: 'mesh.strip',
  typedConfig: packAny(EarlyHeaderMutation, EarlyHeaderMutation.fromPartial({ mutations: mutationsFor(options) })),
});

const slot = (name: string, config: HttpFilter['configType'], disabled = false): HttpFilter => ({
  name,
  configType: config,
  isOptional: false,
  disabled,
});

const typed = (any: ReturnType<typeof packAny>): HttpFilter['configType'] => ({ $case: 'typedConfig', value: any });

const cors = slot('mesh.cors', typed(packAny(Cors, Cors.fromPartial({}))), true);
const fault = slot('mesh.fault', typed(packAny(HTTPFault, HTTPFault.fromPartial({}))), true);
const rateLimit = slot(
  'mesh.local_ratelimit',
  typed(packAny(LocalRateLimit, LocalRateLimit.fromPartial({ statPrefix: 'lrl' }))),
  true,
);
// Envoy wants a bound also where routes bring their own.
const buffer = slot('mesh.buffer', typed(packAny(Buffer, Buffer.fromPartial({ maxRequestBytes: 1 }))), true);
const headerMutation = slot(
  'mesh.header_mutation',
  typed(packAny(HeaderMutation, HeaderMutation.fromPartial({}))),
  true,
);
const session = slot('mesh.session', typed(packAny(StatefulSession, StatefulSession.fromPartial({}))), true);
const grpcStats = slot('mesh.grpc_stats', typed(packAny(GrpcStats, GrpcStats.fromPartial({ emitFilterState: true }))));
const router = slot(
  'envoy.filters.http.router',
  typed(packAny(Router, Router.fromPartial({ suppressEnvoyHeaders: true }))),
);

/** Slots that are always there, so that a policy fills one through the route, and no listener changes. */
const atRest: Readonly<Record<Direction, ReadonlyMap<string, HttpFilter>>> = {
  outbound: byName([fault, rateLimit, headerMutation, session, grpcStats, router]),
  inbound: byName([cors, fault, rateLimit, buffer, headerMutation, grpcStats, router]),
};

function byName(filters: readonly HttpFilter[]): ReadonlyMap<string, HttpFilter> {
  return new Map(filters.map((filter) => [filter.name, filter]));
}

/** The one order of HTTP filters, both ways. Those that are not at rest appear when a policy brings them. */
const slotOrder = [
  'mesh.dialled',
  'mesh.unknown_host',
  cors.name,
  'mesh.jwt',
  'mesh.rbac.deny',
  'mesh.ext_authz',
  'mesh.rbac.allow',
  'mesh.rbac.audit',
  fault.name,
  rateLimit.name,
  'mesh.local_ratelimit.audit',
  'mesh.ratelimit',
  'mesh.ratelimit.audit',
  buffer.name,
  'mesh.compressor.gzip',
  'mesh.compressor.brotli',
  'mesh.compressor.zstd',
  headerMutation.name,
  session.name,
  grpcStats.name,
  'mesh.dynamic_host',
  'mesh.unscope',
  router.name,
] as const;

/** Several filters may share a slot: each is called by it and, after a slash, by what is its own. */
const slotOf = (name: string): string => name.split('/')[0] ?? name;

function filtersOf(direction: Direction, brought: ChainPatch['slots'] = {}): readonly HttpFilter[] {
  const known: ReadonlySet<string> = new Set(slotOrder);
  const bySlot = Map.groupBy(Object.values(brought), (filter) => slotOf(filter.name));
  const stranger = [...bySlot.keys()].find((name) => !known.has(name));
  if (stranger !== undefined) throw new Error(`no slot is called ${stranger}`);
  return slotOrder.flatMap((name) => bySlot.get(name) ?? atRest[direction].get(name) ?? []);
}

/** What extensions stand before, by their stage. */
const anchors = { BeforeAuthz: 'mesh.rbac.deny', AfterAuthz: fault.name, BeforeRouter: grpcStats.name } as const;

/** The filters of a manager with more of them at a stage, behind those that are there already. */
export function withFilters(
  filters: readonly HttpFilter[],
  stage: keyof typeof anchors,
  more: readonly HttpFilter[],
): readonly HttpFilter[] {
  const order: readonly string[] = slotOrder;
  const anchor = order.indexOf(anchors[stage]);
  const place = filters.findIndex(({ name }) => order.indexOf(name) >= anchor);
  return filters.toSpliced(place, 0, ...more);
}

/** Where a connection manager gets its routes. */
export type RouteSource =
  | { readonly kind: 'name'; readonly name: string }
  /** By the value of a header. */
  | { readonly kind: 'scopes'; readonly name: string; readonly key: ':authority' | typeof scopeHeader };

function routeSpecifier(source: RouteSource): HttpConnectionManager['routeSpecifier'] {
  if (source.kind === 'name') return { $case: 'rds', value: { routeConfigName: source.name, configSource: fromAds } };
  return HttpConnectionManager.fromPartial({
    routeSpecifier: {
      $case: 'scopedRoutes',
      value: {
        name: source.name,
        scopeKeyBuilder: {
          fragments: [
            {
              type: {
                $case: 'headerValueExtractor',
                value: { name: source.key, extractType: { $case: 'index', value: 0 } },
              },
            },
          ],
        },
        rdsConfigSource: fromAds,
        configSpecifier: { $case: 'scopedRds', value: { scopedRdsConfigSource: fromAds } },
      },
    },
  }).routeSpecifier;
}

/** What there is to say of a connection manager. */
interface ManagerOptions {
  readonly direction: Direction;
  readonly statPrefix: string;
  readonly routes: RouteSource;
  /** What policies say of it. */
  readonly patch?: ChainPatch | undefined;
  /** Whether it carries TCP connections by CONNECT. */
  readonly tunnels?: boolean;
  /** Whether a filter wants to know which address was dialled. */
  readonly dialled?: boolean;
}

/** The network filter that speaks HTTP. */
export function buildHttpManager(options: ManagerOptions): Filter {
  const { direction, patch = {} } = options;
  const base = {
    statPrefix: options.statPrefix,
    routeSpecifier: routeSpecifier(options.routes),
    httpFilters: filtersOf(direction, patch.slots),
    useRemoteAddress: false,
    ...(direction === 'inbound' ? { skipXffAppend: true } : {}),
    serverHeaderTransformation: ServerHeader.PASS_THROUGH,
    normalizePath: true,
    mergeSlashes: true,
    pathWithEscapedSlashesAction: EscapedSlashes.KEEP_UNCHANGED,
    // The idle timeout of the route decides.
    streamIdleTimeout: durationOfSeconds(0),
    generateRequestId: true,
    preserveExternalRequestId: true,
    upgradeConfigs: [{ upgradeType: 'websocket' }, ...(options.tunnels === true ? [{ upgradeType: 'CONNECT' }] : [])],
    httpProtocolOptions: { acceptHttp10: true },
    // Over HTTP/2 an upgrade is a CONNECT.
    http2ProtocolOptions: { allowConnect: true },
    commonHttpProtocolOptions: { idleTimeout: durationOfSeconds(3_600) },
    earlyHeaderMutationExtensions: [stripFor(options)],
  };
  const manager = HttpConnectionManager.fromPartial(overridden(base, patch.manager));
  return {
    name: 'envoy.filters.network.http_connection_manager',
    configType: { $case: 'typedConfig', value: packAny(HttpConnectionManager, manager) },
  };
}
