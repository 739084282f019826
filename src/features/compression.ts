// Compression of answers, where the caller accepts one of the algorithms. Knows no kind.

import { Brotli } from '../gen/envoy/extensions/compression/brotli/compressor/v3/brotli.js';
import { Gzip } from '../gen/envoy/extensions/compression/gzip/compressor/v3/gzip.js';
import { Zstd } from '../gen/envoy/extensions/compression/zstd/compressor/v3/zstd.js';
import { Compressor } from '../gen/envoy/extensions/filters/http/compressor/v3/compressor.js';
import type { Any } from '../gen/google/protobuf/any.js';
import { ok } from '../lib/result.js';
import { packAny } from './any.js';
import type { HttpFilter } from './envoy-types.js';
import { defineFeature } from './feature.js';
import type { Inbound } from './inbound.js';

type Algorithm = NonNullable<Inbound['compression']>[number];

const libraries: Readonly<Record<Algorithm, { readonly name: string; readonly typedConfig: Any }>> = {
  Gzip: { name: 'gzip', typedConfig: packAny(Gzip, Gzip.fromPartial({})) },
  Brotli: { name: 'brotli', typedConfig: packAny(Brotli, Brotli.fromPartial({})) },
  Zstd: { name: 'zstd', typedConfig: packAny(Zstd, Zstd.fromPartial({})) },
};

/** One filter for each algorithm; they agree among themselves which one the caller likes best. */
function compressor(algorithm: Algorithm): HttpFilter {
  const compressorLibrary = libraries[algorithm];
  return {
    name: `mesh.compressor.${compressorLibrary.name}`,
    configType: {
      $case: 'typedConfig',
      value: packAny(Compressor, Compressor.fromPartial({ compressorLibrary })),
    },
    isOptional: false,
    disabled: false,
  };
}

/** `inbound.compression`. */
export const compression = defineFeature<'compression', readonly Algorithm[], readonly HttpFilter[]>({
  key: 'compression',
  summary: 'Compression of answers.',
  compile: (algorithms) => ok(algorithms.map(compressor)),
  onChain: (filters, { http }) => (http ? { slots: Object.fromEntries(filters.map((one) => [one.name, one])) } : {}),
});
