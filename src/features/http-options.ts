// How a cluster speaks HTTP to its endpoints: the extension of clusters that Envoy looks for under this name.

import type { Any } from '../gen/google/protobuf/any.js';
import { Http2ProtocolOptions } from '../gen/envoy/config/core/v3/protocol.js';
import { HttpProtocolOptions } from '../gen/envoy/extensions/upstreams/http/v3/http_protocol_options.js';
import { packAny } from './any.js';

type Options = Parameters<typeof HttpProtocolOptions.fromPartial>[0];

/** Fills `Cluster.typed_extension_protocol_options`. */
export const httpOptions = (options: Options): Readonly<Record<string, Any>> => ({
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': packAny(
    HttpProtocolOptions,
    HttpProtocolOptions.fromPartial(options),
  ),
});

/** HTTP/2, whatever callers speak. */
export const onlyHttp2 = (options: Parameters<typeof Http2ProtocolOptions.fromPartial>[0]) =>
  ({
    $case: 'explicitHttpConfig',
    value: {
      protocolConfig: { $case: 'http2ProtocolOptions', value: Http2ProtocolOptions.fromPartial(options) },
    },
  }) as const;
