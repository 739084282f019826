// How many connections a port of a pod has open at a time. Knows no kind.

import { ConnectionLimit } from '../gen/envoy/extensions/filters/network/connection_limit/v3/connection_limit.js';
import { ok } from '../lib/result.js';
import { packAny } from './any.js';
import { defineFeature } from './feature.js';

/** `inbound.maxConnections`: those beyond it are closed at once. */
export const maxConnections = defineFeature<'maxConnections', number, number>({
  key: 'maxConnections',
  summary: 'How many connections a port has open at a time.',
  compile: ok,
  onChain: (max) => {
    const config = ConnectionLimit.fromPartial({ statPrefix: 'connections', maxConnections: BigInt(max) });
    const name = 'envoy.filters.network.connection_limit';
    return { before: [{ name, configType: { $case: 'typedConfig', value: packAny(ConnectionLimit, config) } }] };
  },
});
