// What a line of an access log says, as text or as JSON. The names are a contract: people search for them.

import type { AccessLogFilter } from '../gen/envoy/config/accesslog/v3/accesslog.js';
import { ExpressionFilter } from '../gen/envoy/extensions/access_loggers/filters/cel/v3/cel.js';
import type { SubstitutionFormatString } from '../gen/envoy/config/core/v3/substitution_format_string.js';
import { packAny } from './any.js';
import { literal } from './envoy-values.js';
import type { ChainContext, Patch } from './feature.js';

/** What lines depend on. */
export interface LineOptions extends Pick<ChainContext, 'direction' | 'http' | 'workload'> {
  /** Further names and their command operators. */
  readonly fields: Readonly<Record<string, string>>;
}

/** The calling or called workload of a proxy; where proxies share a chain, each has it in its environment. */
export const workloadOperator = (workload: string | undefined): string =>
  workload === undefined ? '%ENVIRONMENT(LEGATION_WORKLOAD)%' : literal(workload);

/** The Service that was called, as `reviews.shop`. */
export const serviceOperator = '%CLUSTER_METADATA(mesh:service)%';

const common = {
  time: '%START_TIME%',
  flags: '%RESPONSE_FLAGS%',
  ms: '%DURATION%',
  cluster: '%UPSTREAM_CLUSTER_RAW%',
  upstream: '%UPSTREAM_HOST%',
  upstreamFailure: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
  received: '%BYTES_RECEIVED%',
  sent: '%BYTES_SENT%',
};

const http = {
  rule: '%ROUTE_NAME%',
  method: '%REQ(:METHOD)%',
  path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
  host: '%REQ(:AUTHORITY)%',
  protocol: '%PROTOCOL%',
  code: '%RESPONSE_CODE%',
  detail: '%RESPONSE_CODE_DETAILS%',
  grpc: '%GRPC_STATUS%',
  attempts: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
  id: '%REQ(X-REQUEST-ID)%',
  trace: '%TRACE_ID%',
};

const side = ({ direction, workload }: LineOptions): Readonly<Record<string, string>> =>
  direction === 'outbound'
    ? { source: workloadOperator(workload), destination: serviceOperator }
    : { source: '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%', destination: workloadOperator(workload) };

/** Names and command operators of a line. */
export const lineOf = (options: LineOptions): Readonly<Record<string, string>> => ({
  direction: options.direction,
  ...side(options),
  ...common,
  ...(options.http ? http : {}),
  ...options.fields,
});

/** How lines are written. */
export function formatOf(format: 'JSON' | 'Text', options: LineOptions): Patch<SubstitutionFormatString> {
  const line = lineOf(options);
  if (format === 'JSON') return { omitEmptyValues: true, format: { $case: 'jsonFormat', value: line } };
  const words = Object.entries(line).map(([name, operator]) => `${name}=${operator}`);
  const inlineString = `${words.join(' ')}\n`;
  return {
    format: { $case: 'textFormatSource', value: { specifier: { $case: 'inlineString', value: inlineString } } },
  };
}

/** Lines of requests and connections that an expression is true for. */
export const matching = (expression: string): Patch<AccessLogFilter> => ({
  filterSpecifier: {
    $case: 'extensionFilter',
    value: {
      name: 'envoy.access_loggers.extension_filters.cel',
      configType: { $case: 'typedConfig', value: packAny(ExpressionFilter, { expression }) },
    },
  },
});

/** Command operators that take no argument. */
const bare: ReadonlySet<string> = new Set([
  ...Object.values({ ...common, ...http }).flatMap((text) => /^%([A-Z_]+)%$/.exec(text)?.[1] ?? []),
  ...['RESPONSE_FLAGS_LONG', 'REQUEST_DURATION', 'RESPONSE_DURATION', 'RESPONSE_TX_DURATION', 'GRPC_STATUS_NUMBER'],
  ...['UPSTREAM_CLUSTER', 'UPSTREAM_REMOTE_ADDRESS', 'UPSTREAM_LOCAL_ADDRESS', 'UPSTREAM_PROTOCOL', 'HOSTNAME'],
  ...['DOWNSTREAM_REMOTE_ADDRESS', 'DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT', 'DOWNSTREAM_LOCAL_ADDRESS'],
  ...['CONNECTION_ID', 'STREAM_ID', 'VIRTUAL_CLUSTER_NAME', 'REQUESTED_SERVER_NAME', 'CONNECTION_TERMINATION_DETAILS'],
  ...['FILTER_CHAIN_NAME', 'REQUEST_HEADERS_BYTES', 'RESPONSE_HEADERS_BYTES', 'ACCESS_LOG_TYPE', 'UNIQUE_ID'],
]);

/** Those that need one. */
const withArgument: ReadonlySet<string> = new Set([
  ...['REQ', 'RESP', 'TRAILER', 'DYNAMIC_METADATA', 'CLUSTER_METADATA', 'UPSTREAM_METADATA', 'FILTER_STATE'],
  ...['ENVIRONMENT', 'METADATA', 'COMMON_DURATION'],
]);

const isKnown = (name: string, argument: string | undefined): boolean =>
  (argument === undefined || name === 'START_TIME' ? bare : withArgument).has(name);

/** The first part of a text with command operators that Envoy would not take; `%%` is a percent sign. */
export function unknownOperator(text: string): string | undefined {
  const rest = text.replaceAll(/%%|%([A-Z_0-9]+)(\([^()%]+\))?(:\d+)?%/g, (whole, name?: string, argument?: string) =>
    name === undefined || isKnown(name, argument) ? '' : `\u0000${whole}\u0000`,
  );
  return rest.split('\u0000')[1] ?? /%.*/.exec(rest)?.[0];
}
