// Proto JSON as authors write it in patches: what is read, and how mistakes are told.

import { expect } from 'chai';
import { readMessage } from '../../../src/features/message-json.js';

const cluster = (json: unknown) => readMessage('envoy.config.cluster.v3.Cluster', json, 'spec.value');
const messages = (json: unknown): readonly string[] => cluster(json).problems.map(({ message }) => message);

describe('message JSON', () => {
  it('reads what is written, and adds no defaults', () => {
    const { fields, problems } = cluster({
      connect_timeout: '0.25s',
      lbPolicy: 'RANDOM',
      per_connection_buffer_limit_bytes: 4096,
      circuit_breakers: { thresholds: [{ max_retries: '3' }] },
      metadata: { filter_metadata: { mine: { a: [1, null] } } },
      respect_dns_ttl: null,
    });
    expect(problems).to.deep.equal([]);
    expect(fields).to.deep.equal({
      connectTimeout: { seconds: 0n, nanos: 250_000_000 },
      lbPolicy: 3,
      perConnectionBufferLimitBytes: 4096,
      circuitBreakers: { thresholds: [{ maxRetries: 3 }] },
      metadata: { filterMetadata: { mine: { a: [1, null] } } },
    });
  });

  it('tells every mistake with its place', () => {
    expect(
      messages({
        conect_timeout: '1s',
        connect_timeout: 1,
        lb_policy: 'FAIR',
        circuit_breakers: { thresholds: [{ max_retries: -1 }, { max_requests: 4_294_967_296 }] },
        metadata: [],
      }),
    ).to.deep.equal([
      '`value.conect_timeout` is not a field of envoy.config.cluster.v3.Cluster',
      "`value.connect_timeout` must be a duration in seconds, such as '0.25s'",
      '`value.lb_policy` must be one of ROUND_ROBIN, LEAST_REQUEST, RING_HASH, RANDOM, MAGLEV, CLUSTER_PROVIDED, LOAD_BALANCING_POLICY_CONFIG',
      '`value.circuit_breakers.thresholds[0].max_retries` must fit into uint32',
      '`value.circuit_breakers.thresholds[1].max_requests` must fit into uint32',
      '`value.metadata` must be an object: envoy.config.core.v3.Metadata',
    ]);
  });

  it('reads packed messages of types that it knows', () => {
    const any = (json: object) =>
      readMessage('envoy.config.core.v3.TypedExtensionConfig', { typed_config: json }, 'spec');
    const router = 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router';
    expect(any({ '@type': router, suppress_envoy_headers: true }).problems).to.deep.equal([]);
    expect(any({ '@type': router, supress: true }).problems).to.have.length(1);
    expect(any({ '@type': 'type.googleapis.com/a.B' }).problems[0]?.message).to.include("'a.B'");
    expect(any({}).problems[0]?.message).to.include('`@type`');
  });
});
