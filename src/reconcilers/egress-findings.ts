// What is said of the hosts that a policy lists: whether its namespace may use them, and whether their roots are there.

import type { World } from '../kinds/world.js';
import type { Problem } from '../lib/result.js';
import { claimsIn, refusalOfHost } from './claims.js';
import { rootsOf } from './egress.js';
import { more, refusal, type Judgement } from './judgement.js';
import { namedPorts } from '../model/egress.js';
import type { Capture } from '../model/mesh.js';
import type { PolicyIndex } from './policies.js';
import type { CompiledPolicy } from './policy.js';

/** What hosts are judged by. */
interface Context {
  readonly world: Pick<World, 'configMaps'>;
  readonly policies: PolicyIndex;
}

const listedIn = ({ blocks }: CompiledPolicy) => blocks.egress?.hosts ?? [];

/** Hosts that are not for the namespace of the policy; its other hosts are. */
export const keptHosts = (policy: CompiledPolicy, { policies }: Context): readonly Problem[] =>
  listedIn(policy).flatMap(({ host }, index) => {
    const path = `spec.egress.hosts[${String(index)}].host`;
    return refusalOfHost(claimsIn(policies), { host, namespace: policy.ref.namespace, path }) ?? [];
  });

/** Said where a host is not for the policy. */
export function keptJudgement(policy: CompiledPolicy, context: Context): Judgement | undefined {
  const kept = keptHosts(policy, context);
  const [first] = kept;
  if (first === undefined) return undefined;
  return { ...refusal(first), message: `${first.message}${more(kept.length)}; the rest of the policy is in force` };
}

/** Roots of its hosts that are not where the policy says; undefined where it names none. */
export function missingRoots(
  policy: CompiledPolicy,
  { world }: Context,
): readonly (Problem & { readonly loss: string })[] | undefined {
  const { namespace } = policy.ref;
  const named = listedIn(policy).flatMap(({ host, tls }, index) =>
    tls?.caConfigMap === undefined
      ? []
      : [{ host, name: tls.caConfigMap, path: `spec.egress.hosts[${String(index)}].tls.caConfigMap` }],
  );
  if (named.length === 0) return undefined;
  return named
    .filter(({ name }) => rootsOf(world.configMaps, namespace, name) === undefined)
    .map(({ host, name, path }) => ({
      ...{ path, reason: 'BackendNotFound', loss: `no certificate of host '${host}' is believed` },
      message: `ConfigMap '${name}' of namespace '${namespace}' with key \`ca.crt\` does not exist`,
    }));
}

/** Connections that are redirected have an address; only some tell their name. */
export function redirectJudgement(policy: CompiledPolicy, capture: Capture): readonly Judgement[] {
  if (capture === 'explicit') return [];
  const nameless = listedIn(policy).flatMap(({ host, protocol, ports, addresses = [] }, index) =>
    protocol === 'TLS' && addresses.length === 0
      ? ports.filter((port) => !namedPorts.includes(port)).map((port) => ({ host, port, index }))
      : [],
  );
  const [first] = nameless;
  if (first === undefined) return [];
  const fact = `Redirected connections to host '${first.host}' on port ${String(first.port)} are not told apart`;
  const message = `${fact}${more(nameless.length)}: TLS is asked for its name on ports ${namedPorts.join(' and ')} only; set \`addresses\``;
  const path = `spec.egress.hosts[${String(first.index)}].ports`;
  return [{ condition: 'Degraded', status: 'True', reason: 'UnsupportedValue', message, path }];
}
