// Providers by name: which blocks name one, which one is meant, and where it runs. A name means the nearest policy
// that declares it, as with every other part of a policy; the declaring policy needs the permission.

import { describeRef, keyOf } from '../api/meta.js';
import { didYouMean } from '../api/did-you-mean.js';
import type { Providers } from '../features/providers.js';
import { createInterner } from '../lib/intern.js';
import { memoised } from '../lib/memo.js';
import { err, type Problem, type Result } from '../lib/result.js';
import type { Provider, ProviderTable, Target } from '../model/mesh.js';
import { mergePolicies, type EffectivePolicy } from './policy-merge.js';
import type { CompiledPolicy, PolicyAttachment, PolicyBlocks } from './policy.js';
import { protocolOf } from './protocol.js';
import { resolveService, type ServiceReferents } from './references.js';

type ProviderSpec = Providers[number];
type ProviderType = ProviderSpec['type'];

/** A place in a policy that names a provider. */
export interface ProviderUse {
  /** `spec.telemetry.tracing.provider`. */
  readonly path: string;
  readonly name: string;
  readonly types: readonly ProviderType[];
}

const use = (path: string, name: string | undefined, types: readonly ProviderType[]): readonly ProviderUse[] =>
  name === undefined ? [] : [{ path: `spec.${path}`, name, types }];

/** The provider that metrics are pushed to. */
export const metricsProviderNamed = ({ telemetry }: PolicyBlocks): readonly ProviderUse[] =>
  use('telemetry.metrics.provider', telemetry?.metrics?.provider, ['OpenTelemetry']);

/** Every provider that the blocks of a policy name. */
export const providersNamed = (blocks: PolicyBlocks): readonly ProviderUse[] => {
  const { telemetry, rateLimit, extAuthz, extensions } = blocks;
  return [
    ...metricsProviderNamed(blocks),
    ...use('telemetry.tracing.provider', telemetry?.tracing?.provider, ['OpenTelemetry', 'Zipkin']),
    ...(telemetry?.accessLog?.sinks ?? []).flatMap((sink, index) =>
      sink === 'stdout' ? [] : use(`telemetry.accessLog.sinks[${index}]`, sink, ['OpenTelemetry', 'AccessLog']),
    ),
    ...use('rateLimit.provider', rateLimit?.provider, ['RateLimit']),
    ...use('extAuthz.provider', extAuthz?.provider, ['ExtAuthzGRPC', 'ExtAuthzHTTP']),
    ...(extensions ?? []).flatMap(({ extProc }, index) =>
      use(`extensions[${index}].extProc.provider`, extProc?.provider, ['ExtProc']),
    ),
  ];
};

/** All that is not asked by plain HTTP is asked by gRPC, which needs HTTP/2. */
const speaksGrpc = (type: ProviderType): boolean => type !== 'Zipkin' && type !== 'ExtAuthzHTTP';

function checkProtocol(target: Target, spec: ProviderSpec, referents: ServiceReferents): Problem | undefined {
  const port = referents.service(keyOf(target))?.ports.find((one) => one.port === target.port);
  const protocol = port === undefined ? 'auto' : protocolOf(port);
  if (!speaksGrpc(spec.type) || protocol === 'grpc' || protocol === 'http2') return undefined;
  const service = describeRef({ kind: 'Service', namespace: target.namespace, name: target.name });
  const message = `port ${String(target.port)} of ${service} must have appProtocol 'grpc' or 'kubernetes.io/h2c'; ${spec.type} is spoken by gRPC`;
  return { path: '', reason: 'ProtocolMismatch', message };
}

/** A provider as its policy declares it. Problems name its place in that policy. */
export function resolveDeclared(
  spec: ProviderSpec,
  owner: CompiledPolicy,
  referents: ServiceReferents,
): Result<Provider, Problem> {
  const { name, type, backendRef, path, timeout, onError = 'Deny' } = spec;
  const index = (owner.blocks.providers ?? []).indexOf(spec);
  const place = `spec.providers[${index}].backendRef`;
  const namespace = backendRef.namespace ?? owner.ref.namespace;
  const target = resolveService(
    owner.ref,
    { namespace, name: backendRef.name, port: backendRef.port, path: place },
    referents,
  );
  if (!target.ok) return err({ ...target.error, message: `provider '${name}': ${target.error.message}` });
  const mismatch = checkProtocol(target.value, spec, referents);
  if (mismatch !== undefined)
    return err({ ...mismatch, path: `${place}.port`, message: `provider '${name}': ${mismatch.message}` });
  return { ok: true, value: { type, target: target.value, path, timeout, onError } };
}

/** The provider that a block means, where `effective` is in force. */
export function resolveProvider(
  used: ProviderUse,
  effective: EffectivePolicy,
  referents: ServiceReferents,
): Result<Provider, Problem> {
  const known = effective.blocks.providers ?? [];
  const spec = known.find(({ name }) => name === used.name);
  const owner = effective.parts.get(`providers[${used.name}]`)?.by.policy;
  const missing = (message: string): Result<never, Problem> =>
    err({ path: used.path, reason: 'ProviderNotFound', message });
  if (spec === undefined || owner === undefined) {
    const names = known.map(({ name }) => name).sort();
    return missing(`no policy in reach has a provider '${used.name}'${didYouMean(used.name, names)}`);
  }
  if (!used.types.includes(spec.type))
    return missing(`provider '${used.name}' is of type ${spec.type}; allowed here: ${used.types.join(', ')}`);
  const provider = resolveDeclared(spec, owner, referents);
  return provider.ok ? provider : err({ ...provider.error, path: used.path });
}

const internTables = createInterner<ProviderTable>(10_000);

/** Everything that policies in reach declare and that resolves; equal tables are one object. */
export const providersInReach = memoised(
  (reaching: readonly PolicyAttachment[], referents: ServiceReferents): ProviderTable => {
    const { blocks, parts } = mergePolicies(reaching);
    const entries = (blocks.providers ?? []).flatMap((spec): [string, Provider][] => {
      const owner = parts.get(`providers[${spec.name}]`)?.by.policy;
      const provider = owner === undefined ? undefined : resolveDeclared(spec, owner, referents);
      return provider?.ok === true ? [[spec.name, provider.value]] : [];
    });
    return internTables(JSON.stringify(entries), () => new Map(entries));
  },
);
