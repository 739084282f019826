// Whether near endpoints are preferred. Knows no kind.

import { labelKey } from '../api/fields.js';
import { wellKnownLabels } from '../api/meta.js';
import { list, object, oneOf, stringMap, text, type Static } from '../api/schema.js';
import { err, ok, type Result } from '../lib/result.js';
import { defineFeature } from './feature.js';

/** `upstream.locality`. */
export const localitySchema = object(
  {
    mode: oneOf(['None', 'Failover', 'Distribute', 'ZoneAware'], {
      doc: 'How near endpoints are preferred.',
      effective: 'from Service trafficDistribution, else None',
      change: 'E,C',
      envoy: 'LocalityLbEndpoints.priority, load_balancing_weight',
    }),
    priorities: list(
      labelKey({ doc: 'A label key.' }),
      { max: 6, type: 'atomic' },
      {
        doc: 'Failover: labels of nodes whose equality makes an endpoint near, most important first.',
        default: [wellKnownLabels.zone, wellKnownLabels.region],
        change: 'E',
        envoy: 'LocalityLbEndpoints.priority',
      },
    ),
    distribute: list(
      object(
        {
          from: text(
            { min: 1 },
            {
              doc: "Locality of the caller: region, region/zone or '*'.",
              required: true,
              change: 'E',
              envoy: 'LocalityLbEndpoints.load_balancing_weight',
            },
          ),
          to: stringMap(
            { values: { max: 3, pattern: '^(0|[1-9][0-9]?|100)$' } },
            {
              doc: 'Localities and their percentages, which sum to 100.',
              required: true,
              change: 'E',
              envoy: 'LocalityLbEndpoints.load_balancing_weight',
            },
          ),
        },
        {
          doc: 'Shares for callers of one locality.',
          rules: [
            {
              id: 'MP9',
              rule: 'self.to.map(k, int(self.to[k])).sum() == 100',
              messageExpression: `"\`to\` of locality '%s' must sum to 100, it sums to %d".format([self.from, self.to.map(k, int(self.to[k])).sum()])`,
            },
          ],
        },
      ),
      { keys: ['from'] },
      { doc: 'Distribute: shares for callers of each locality.' },
    ),
  },
  { doc: 'Whether near endpoints are preferred.', change: 'E,C' },
);

/** A locality policy after defaults. */
export type Locality = Static<typeof localitySchema>;

/** How the endpoints of a Service are graded for a caller. */
export type LocalityPolicy =
  /** By the first of these labels of nodes that is equal, the nearest first. */
  | { readonly kind: 'failover'; readonly keys: readonly string[] }
  /** The own zone first, but for what its endpoints would get beyond their share. */
  | { readonly kind: 'zoneAware' }
  /** By shares in percent, `region` or `region/zone`, for callers of a locality. */
  | { readonly kind: 'distribute'; readonly shares: NonNullable<Locality['distribute']> };

/** What a policy asks for; undefined where all endpoints count alike. */
export function localityOf({ mode, priorities, distribute = [] }: Locality): LocalityPolicy | undefined {
  if (mode === 'Failover') return { kind: 'failover', keys: priorities };
  if (mode === 'ZoneAware') return { kind: 'zoneAware' };
  return mode === 'Distribute' ? { kind: 'distribute', shares: distribute } : undefined;
}

/** What `trafficDistribution` of a Service asks for; the older `PreferClose` means the zone. */
export function localityOfDistribution(distribution: string | undefined): LocalityPolicy | undefined {
  const { zone, region, hostname } = wellKnownLabels;
  switch (distribution) {
    case 'PreferClose':
    case 'PreferSameZone':
      return { kind: 'failover', keys: [zone] };
    case 'PreferSameNode':
      return { kind: 'failover', keys: [hostname, zone, region] };
    default:
      return undefined;
  }
}

/** Shares belong to one mode. */
function checked(config: Locality): Result<Locality> {
  const isShared = config.mode === 'Distribute';
  if (isShared === (config.distribute?.length ?? 0) > 0) return ok(config);
  const message = isShared
    ? "`distribute` must be set when `mode` is 'Distribute'"
    : "`distribute` may only be set when `mode` is 'Distribute'";
  return err([{ path: 'locality.distribute', reason: 'Invalid', message }]);
}

/**
 * `upstream.locality`. It changes no cluster: endpoints are graded for each place from which a Service is called, see
 * `localityOf`.
 */
export const locality = defineFeature<'locality', Locality, Locality>({
  key: 'locality',
  summary: 'Prefer near endpoints.',
  compile: checked,
});
