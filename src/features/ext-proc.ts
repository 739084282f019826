// External processing: a provider that sees requests and answers, and may change them. Knows no kind.

import { ExternalProcessor } from '../gen/envoy/extensions/filters/http/ext_proc/v3/ext_proc.js';
import {
  type ProcessingMode,
  ProcessingMode_BodySendMode as Body,
  ProcessingMode_HeaderSendMode as Headers,
} from '../gen/envoy/extensions/filters/http/ext_proc/v3/processing_mode.js';
import { err, ok, type Result } from '../lib/result.js';
import { packAny, typeUrlOf } from './any.js';
import { durationOf } from './envoy-values.js';
import type { FilterExtension } from './extension-parts.js';
import type { Extensions } from './extensions.js';
import type { ProviderConfig } from './feature.js';
import { grpcServiceOf } from './grpc-service.js';

type Extension = Extensions[number];
type Send = NonNullable<Extension['extProc']>['send'];

const headers = (sent: boolean): Headers => (sent ? Headers.SEND : Headers.SKIP);
/** Whole: a processor need not put parts together. Larger than the buffer is 413. */
const body = (sent: boolean): Body => (sent ? Body.BUFFERED : Body.NONE);

const modeOf = (send: Send): ProcessingMode => ({
  requestHeaderMode: headers(send.includes('RequestHeaders')),
  responseHeaderMode: headers(send.includes('ResponseHeaders')),
  requestBodyMode: body(send.includes('RequestBody')),
  responseBodyMode: body(send.includes('ResponseBody')),
  requestTrailerMode: Headers.SKIP,
  responseTrailerMode: Headers.SKIP,
});

/** A provider that is not there is one that never answers: `onError` says what happens then. */
const unresolved: ProviderConfig = {
  type: 'ExtProc',
  cluster: 'unresolved',
  authority: 'unresolved',
  path: undefined,
  timeout: '1s',
  onError: 'Deny',
};

/** The extension's own word comes before that of the provider. */
const mayFail = ({ onError }: Extension, provider: Pick<ProviderConfig, 'onError'>): boolean =>
  onError === undefined ? provider.onError === 'Allow' : onError === 'Ignore';

const isHeaderName = (key: string): boolean => /^[a-z0-9_.-]{1,64}$/.test(key);

const metadataOf = (config: Extension['config'] = {}) =>
  Object.entries(config).map(([key, value]) => ({
    key,
    value: typeof value === 'string' ? value : JSON.stringify(value),
  }));

/** The filter, once it is known where the provider runs. Its `config` becomes metadata of each stream. */
export function compileExtProc(extension: Extension, path: string): Result<FilterExtension> {
  const { name, config, extProc } = extension;
  const bad = Object.keys(config ?? {}).find((key) => !isHeaderName(key));
  if (bad !== undefined) {
    const message = `\`${path.replace(/^spec\./, '')}.config.${bad}\` must be a name of gRPC metadata: lower case letters, digits, '-', '_' and '.'`;
    return err([{ path: `${path}.config.${bad}`, reason: 'Invalid', message }]);
  }
  return ok({
    kind: 'filter',
    type: typeUrlOf(ExternalProcessor),
    provider: extProc?.provider,
    filter: (provider = unresolved) => {
      const { timeout, onError } = provider;
      return packAny(
        ExternalProcessor,
        ExternalProcessor.fromPartial({
          // A stream lasts as long as its request: only answers are timed.
          grpcService: { ...grpcServiceOf(provider), timeout: undefined, initialMetadata: metadataOf(config) },
          processingMode: modeOf(extProc?.send ?? []),
          messageTimeout: durationOf(timeout),
          failureModeAllow: mayFail(extension, { onError }),
          statPrefix: name,
        }),
      );
    },
  });
}
