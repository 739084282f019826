// Injected delays, errors and slow answers. Knows no kind.

import { HTTPFault } from '../gen/envoy/extensions/filters/http/fault/v3/fault.js';
import { dur, pct } from '../api/fields.js';
import { integer, object, oneOf, type Rule, type Static } from '../api/schema.js';
import { ok } from '../lib/result.js';
import { packAny } from './any.js';
import { durationOf } from './envoy-values.js';
import { defineFeature, type Patch } from './feature.js';

/** `filters[].fault`. */
export const faultSchema = object(
  {
    at: oneOf(['Destination', 'Caller'], {
      doc: 'Destination: at the chosen endpoint, so that retries and timeouts of callers see it; Caller: before retries.',
      default: 'Destination',
      envoy: 'HTTPFault in the inbound or outbound chain',
    }),
    percent: pct({ doc: 'Share of requests that are affected.', default: 100, envoy: 'HTTPFault percentages' }),
    delay: dur(
      { min: '1ms', max: '1h' },
      { doc: 'Wait before the request goes on.', envoy: 'HTTPFault.delay.fixed_delay' },
    ),
    httpStatus: integer(
      { min: 200, max: 599 },
      { doc: 'Answer with this status.', envoy: 'HTTPFault.abort.http_status' },
    ),
    grpcStatus: integer({ max: 16 }, { doc: 'Answer with this gRPC status.', envoy: 'HTTPFault.abort.grpc_status' }),
    responseBandwidthKiBps: integer(
      { min: 1, max: 1_000_000 },
      {
        doc: 'Slow answers down to so many KiB a second.',
        envoy: 'HTTPFault.response_rate_limit.fixed_limit.limit_kbps',
      },
    ),
  },
  {
    doc: 'Inject failures to see what callers make of them.',
    rules: [
      {
        id: 'TR13',
        rule: 'has(self.delay) || has(self.httpStatus) || has(self.grpcStatus) || has(self.responseBandwidthKiBps)',
        message: '`fault` must set at least one of `delay`, `httpStatus`, `grpcStatus` and `responseBandwidthKiBps`',
      },
      {
        id: 'TR13',
        rule: '!(has(self.httpStatus) && has(self.grpcStatus))',
        message: '`fault` must set `httpStatus` or `grpcStatus`, not both',
      },
    ],
  },
);

/** For the list of filters: at most one of each effect. */
export const faultListRule: Rule = {
  id: 'TR13',
  rule: 'self.filter(f, has(f.fault)).size() <= 2 && self.filter(f, has(f.fault) && has(f.fault.delay)).size() <= 1 && self.filter(f, has(f.fault) && (has(f.fault.httpStatus) || has(f.fault.grpcStatus))).size() <= 1 && self.filter(f, has(f.fault) && has(f.fault.responseBandwidthKiBps)).size() <= 1',
  message:
    'a rule may have two Fault filters, at most one with `delay`, one with `httpStatus` or `grpcStatus`, and one with `responseBandwidthKiBps`',
};

/** A fault after defaults. */
export type Fault = Static<typeof faultSchema>;

/** Faults under way at a proxy at any time: more of them are not injected. */
const maxActiveFaults = 1_000;

function abortOf({ httpStatus, grpcStatus, percent }: Fault): Patch<HTTPFault> {
  const percentage = { numerator: percent };
  if (httpStatus !== undefined) return { abort: { errorType: { $case: 'httpStatus', value: httpStatus }, percentage } };
  if (grpcStatus !== undefined) return { abort: { errorType: { $case: 'grpcStatus', value: grpcStatus }, percentage } };
  return {};
}

function faultOf(fault: Fault): Patch<HTTPFault> {
  const { delay, responseBandwidthKiBps: limit, percent } = fault;
  const percentage = { numerator: percent };
  return {
    ...abortOf(fault),
    ...(delay === undefined
      ? {}
      : { delay: { faultDelaySecifier: { $case: 'fixedDelay', value: durationOf(delay) }, percentage } }),
    ...(limit === undefined
      ? {}
      : {
          responseRateLimit: {
            limitType: { $case: 'fixedLimit', value: { limitKbps: BigInt(limit) } },
            percentage,
          },
        }),
  };
}

/** Each effect is there once at most: the schema sees to that. */
const packed = (faults: readonly Fault[]) =>
  packAny(
    HTTPFault,
    HTTPFault.fromPartial(faults.map(faultOf).reduce((all, one) => ({ ...all, ...one }), { maxActiveFaults })),
  );

/** All faults of a rule: Envoy has one message for them. */
export const fault = defineFeature<'fault', readonly Fault[], readonly Fault[]>({
  key: 'fault',
  summary: 'Inject delays, errors and slow answers, to see what callers make of them.',
  compile: (faults) => ok(faults),
  heldAt: (faults) => (faults.some(({ at }) => at === 'Destination') ? 'either' : 'caller'),
  onRoute: (faults, { direction, fallsBack }) => {
    const here = faults.filter(({ at }) =>
      direction === 'inbound' ? at === 'Destination' : at === 'Caller' || fallsBack,
    );
    return here.length === 0 ? {} : { route: { typedPerFilterConfig: { 'mesh.fault': packed(here) } } };
  },
});
