// Mirroring of a share of requests to another backend whose answers are dropped. Knows no kind.

import {
  FractionalPercent_DenominatorType as Denominator,
  type FractionalPercent,
} from '../gen/envoy/type/v3/percent.js';
import { ok } from '../lib/result.js';
import { defineFeature, type Patch } from './feature.js';
import { groupRule, label, name, pct, port, servicePortRule } from '../api/fields.js';
import { integer, object, oneOf, text, type Static } from '../api/schema.js';

/** `filters[].requestMirror`. */
export const requestMirrorSchema = object(
  {
    backendRef: object(
      {
        group: text({}, { doc: "Group of the backend: '' for Service, 'legation.dev' for Host.", default: '' }),
        kind: oneOf(['Service', 'Host'], { doc: 'Kind of the backend.', default: 'Service' }),
        name: name({
          doc: 'Name of the backend.',
          required: true,
          envoy: 'RouteAction.request_mirror_policies[].cluster',
        }),
        namespace: label({ doc: 'Namespace of the backend; another one needs a ReferenceGrant.', effective: 'own' }),
        port: port({ doc: 'Port of the Service.' }),
      },
      { doc: 'Who gets the copies.', required: true, rules: [groupRule, servicePortRule] },
    ),
    percent: pct({
      doc: 'Share of requests that is copied.',
      effective: '100',
      envoy: 'RequestMirrorPolicy.runtime_fraction.default_value',
    }),
    fraction: object(
      {
        numerator: integer(
          { max: 1_000_000 },
          {
            doc: 'Copied requests.',
            required: true,
            envoy: 'RequestMirrorPolicy.runtime_fraction.default_value.numerator',
          },
        ),
        denominator: integer(
          { min: 1 },
          {
            doc: 'Out of so many; 100, 10000 and 1000000 are exact, others are rounded to millionths.',
            default: 100,
            envoy: 'RequestMirrorPolicy.runtime_fraction.default_value.denominator',
          },
        ),
      },
      {
        doc: 'Share of requests that is copied, as a fraction.',
        rules: [
          {
            id: 'TR8',
            rule: 'self.numerator <= self.denominator',
            messageExpression: `"\`numerator\` '%d' must not exceed \`denominator\` '%d'".format([self.numerator, self.denominator])`,
          },
        ],
      },
    ),
  },
  {
    doc: 'Send a copy of requests to another backend and drop its answers.',
    rules: [
      {
        id: 'TR8',
        rule: '!(has(self.percent) && has(self.fraction))',
        message: '`requestMirror` must not set both `percent` and `fraction`',
      },
    ],
  },
);

/** A mirror after defaults. */
export type RequestMirror = Static<typeof requestMirrorSchema>;

const exactDenominators: Readonly<Record<number, Denominator>> = {
  100: Denominator.HUNDRED,
  10_000: Denominator.TEN_THOUSAND,
  1_000_000: Denominator.MILLION,
};

/** Fractions with other denominators are rounded to millionths. */
function shareOf(config: RequestMirror): Patch<FractionalPercent> {
  const { fraction } = config;
  if (fraction === undefined) return { numerator: config.percent ?? 100, denominator: Denominator.HUNDRED };
  const exact = exactDenominators[fraction.denominator];
  if (exact !== undefined) return { numerator: fraction.numerator, denominator: exact };
  return {
    numerator: Math.round((fraction.numerator / fraction.denominator) * 1_000_000),
    denominator: Denominator.MILLION,
  };
}

/** A mirror that does not resolve is off: requests are served all the same. */
export const requestMirror = defineFeature<'requestMirror', RequestMirror, RequestMirror>({
  key: 'requestMirror',
  summary: 'Send a copy of requests to another Service and drop its answers.',
  compile: (config) => ok(config),
  onRoute: (config, route) => {
    const cluster = route.clusterOf(config.backendRef);
    if (cluster === undefined) return {};
    return { forward: { requestMirrorPolicies: [{ cluster, runtimeFraction: { defaultValue: shareOf(config) } }] } };
  },
});
