// The largest body of a request. Bodies are buffered to know their size before the application sees them, so that
// streams would never begin: gRPC ports are left alone. Knows no kind.

import { BufferPerRoute } from '../gen/envoy/extensions/filters/http/buffer/v3/buffer.js';
import { ok } from '../lib/result.js';
import { packAny } from './any.js';
import { defineFeature } from './feature.js';

/** `inbound.maxRequestBytes`; 0 switches it off. */
export const maxRequestBytes = defineFeature<'maxRequestBytes', number, number>({
  key: 'maxRequestBytes',
  summary: 'The largest body of a request.',
  compile: ok,
  onRoute: (max) => {
    if (max === 0) return {};
    const config = BufferPerRoute.fromPartial({ override: { $case: 'buffer', value: { maxRequestBytes: max } } });
    return { route: { typedPerFilterConfig: { 'mesh.buffer': packAny(BufferPerRoute, config) } } };
  },
});
