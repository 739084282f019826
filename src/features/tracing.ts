// Traces: who gets spans, how many requests are traced, and what spans say. Knows no kind.

import { label, pct } from '../api/fields.js';
import { list, object, oneOf, text, type Static } from '../api/schema.js';
import { OpenTelemetryConfig } from '../gen/envoy/config/trace/v3/opentelemetry.js';
import { ZipkinConfig, ZipkinConfig_CollectorEndpointVersion as Version } from '../gen/envoy/config/trace/v3/zipkin.js';
import type { CustomTag } from '../gen/envoy/type/tracing/v3/custom_tag.js';
import type { Any } from '../gen/google/protobuf/any.js';
import { ok } from '../lib/result.js';
import { packAny } from './any.js';
import { shareOf } from './envoy-values.js';
import { defineFeature, type ChainContext, type Patch, type ProviderConfig } from './feature.js';
import { grpcServiceOf } from './grpc-service.js';

/** `telemetry.tracing`. */
export const tracingSchema = object(
  {
    provider: label({
      doc: 'Mesh default only: provider that gets spans.',
      effective: 'none',
      change: 'L',
      envoy: 'Tracing.provider',
    }),
    samplingPercent: pct({
      doc: 'Share of requests that is traced.',
      default: 0,
      envoy: 'Route.tracing.random_sampling',
    }),
    tags: list(
      object(
        {
          name: text(
            { min: 1, max: 128 },
            { doc: 'Name of the tag.', required: true, envoy: 'Route.tracing.custom_tags[].tag' },
          ),
          from: oneOf(['Literal', 'Header', 'Environment'], {
            doc: 'Where the value comes from.',
            required: true,
            envoy: 'Route.tracing.custom_tags[]',
          }),
          value: text(
            { min: 1, max: 256 },
            {
              doc: 'The value, or the name of header or variable.',
              required: true,
              envoy: 'Route.tracing.custom_tags[]',
            },
          ),
        },
        { doc: 'A tag.' },
      ),
      { keys: ['name'] },
      { doc: 'Further tags of spans.' },
    ),
  },
  { doc: 'Traces.', change: 'R' },
);

/** Tracing after defaults. */
export type Tracing = Static<typeof tracingSchema>;

type Tag = NonNullable<Tracing['tags']>[number];

function tagOf({ name, from, value }: Tag): Patch<CustomTag> {
  if (from === 'Literal') return { tag: name, type: { $case: 'literal', value: { value } } };
  if (from === 'Header') return { tag: name, type: { $case: 'requestHeader', value: { name: value } } };
  return { tag: name, type: { $case: 'environment', value: { name: value } } };
}

function openTelemetry(provider: ProviderConfig, { workload }: ChainContext): Any {
  const config = OpenTelemetryConfig.fromPartial({
    grpcService: grpcServiceOf(provider),
    // Where proxies share the chain, spans tell them apart by `node_id`.
    ...(workload === undefined ? {} : { serviceName: workload }),
  });
  return packAny(OpenTelemetryConfig, config);
}

function zipkin({ cluster, authority, path }: ProviderConfig): Any {
  const config = ZipkinConfig.fromPartial({
    collectorCluster: cluster,
    collectorEndpoint: path ?? '/api/v2/spans',
    collectorEndpointVersion: Version.HTTP_JSON,
    collectorHostname: authority,
    traceId128bit: true,
  });
  return packAny(ZipkinConfig, config);
}

const tracers = {
  OpenTelemetry: { name: 'envoy.tracers.opentelemetry', config: openTelemetry },
  Zipkin: { name: 'envoy.tracers.zipkin', config: zipkin },
} as const;

const isTracer = (type: ProviderConfig['type']): type is keyof typeof tracers => Object.hasOwn(tracers, type);

/**
 * `telemetry.tracing`. The tracer is in the listener, and traces nothing by itself; how much is traced, and what spans
 * say, is in the route, so that a change closes no connection.
 */
export const tracing = defineFeature<'tracing', Tracing, Tracing>({
  key: 'tracing',
  summary: 'Spans about requests.',
  compile: (config) => ok(config),
  onChain: (config, chain) => {
    const provider = config.provider === undefined ? undefined : chain.providerOf(config.provider);
    if (!chain.http || provider === undefined || !isTracer(provider.type)) return {};
    const { name, config: configOf } = tracers[provider.type];
    const typedConfig = { $case: 'typedConfig', value: configOf(provider, chain) } as const;
    return { manager: { tracing: { randomSampling: { value: 0 }, provider: { name, configType: typedConfig } } } };
  },
  onRoute: ({ provider, samplingPercent, tags = [] }, route) => {
    if (provider === undefined || route.providerOf(provider) === undefined) return {};
    const rule: Tag = { name: 'rule', from: 'Literal', value: route.name };
    return { route: { tracing: { randomSampling: shareOf(samplingPercent), customTags: [rule, ...tags].map(tagOf) } } };
  },
});
