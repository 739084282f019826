// The injected proxy container. Merged field by field, so without stored defaults. Knows no kind.

import { cidr, dur, port } from '../api/fields.js';
import { freeForm, integer, list, object, oneOf, stringMap, text, type Static } from '../api/schema.js';

const quantity = { max: 64, pattern: '^[0-9]+([.][0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$' };

/** `sidecar`. */
export const sidecarSchema = object(
  {
    requests: stringMap(
      { values: quantity },
      {
        doc: 'Resources that the proxy asks for.',
        effective: 'cpu 50m, memory 64Mi',
        envoy: 'container resources.requests',
      },
    ),
    limits: stringMap(
      { values: quantity },
      {
        doc: 'Resources that the proxy may use.',
        effective: 'memory 256Mi',
        envoy: 'container resources.limits',
      },
    ),
    concurrency: integer(
      { min: 1, max: 64 },
      {
        doc: 'Worker threads.',
        effective: 'CPU limit, else 2',
        envoy: '--concurrency',
      },
    ),
    excludeInboundPorts: list(
      port({ doc: 'A port.' }),
      { max: 32 },
      {
        doc: 'Ports whose connections bypass the proxy.',
        effective: 'none',
        envoy: 'redirect rules, plain endpoints',
      },
    ),
    excludeOutboundPorts: list(
      port({ doc: 'A port.' }),
      { max: 32 },
      {
        doc: 'Destination ports that bypass the proxy.',
        effective: 'none',
        envoy: 'redirect rules',
      },
    ),
    excludeOutboundCIDRs: list(
      cidr({ doc: 'A prefix.' }),
      { max: 32 },
      {
        doc: 'Destinations that bypass the proxy.',
        effective: 'none',
        envoy: 'redirect rules',
      },
    ),
    includeOutboundCIDRs: list(
      cidr({ doc: 'A prefix.' }),
      { max: 32 },
      {
        doc: 'Only these destinations pass the proxy.',
        effective: 'all',
        envoy: 'redirect rules',
      },
    ),
    excludeUIDs: list(
      integer({}, { doc: 'A user ID.' }),
      { max: 8 },
      {
        doc: 'Users whose connections bypass the proxy.',
        effective: 'none',
        envoy: 'redirect rules, owner match',
      },
    ),
    excludeInterfaces: list(
      text({ min: 1, max: 15 }, { doc: 'An interface.' }),
      { max: 8 },
      {
        doc: 'Network interfaces that bypass the proxy.',
        effective: 'none',
        envoy: 'redirect rules',
      },
    ),
    drainDuration: dur(
      { max: '1h' },
      {
        doc: 'How long a stopping proxy serves open connections.',
        effective: '45s',
        envoy: '--drain-time-s, DRAINING endpoints',
      },
    ),
    preStopDelay: dur(
      { max: '5m' },
      {
        doc: 'How long applications wait before they are told to stop.',
        effective: '0s',
        envoy: 'kubelet sleep action',
      },
    ),
    onStale: oneOf(['Report', 'Restart'], {
      doc: 'Pods with a missing or outdated proxy: report them, or restart their owner.',
      effective: 'Report',
      change: '-',
    }),
    podPatch: freeForm(8192, {
      doc: 'Strategic merge patch on the proxy container and on volumes, up to 8 KiB.',
      effective: 'none',
      envoy: 'pod template',
    }),
  },
  { doc: 'The injected proxy container.', change: 'A' },
);

/** Sidecar settings after defaults. */
export type Sidecar = Static<typeof sidecarSchema>;
