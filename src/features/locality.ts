// Whether near endpoints are preferred. Knows no kind.

import { labelKey } from '../api/fields.js';
import { list, object, oneOf, stringMap, text } from '../api/schema.js';

/** `upstream.locality`. */
export const localitySchema = object(
  {
    mode: oneOf(['None', 'Failover', 'Distribute', 'ZoneAware'], {
      doc: 'How near endpoints are preferred.',
      effective: 'from Service trafficDistribution, else None',
      change: 'E,C',
      envoy: 'ClusterLoadAssignment priorities, weights; zone_aware_lb_config',
    }),
    priorities: list(
      labelKey({ doc: 'A label key.' }),
      { max: 6, type: 'atomic' },
      {
        doc: 'Failover: labels of nodes whose equality makes an endpoint near, most important first.',
        default: ['topology.kubernetes.io/zone', 'topology.kubernetes.io/region'],
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
