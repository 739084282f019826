// What policies say that cannot hold on a port of a pod.

import { describeRef, idOf } from '../api/meta.js';
import type { ProxyModel } from '../model/mesh.js';
import { more, type Judgement } from './judgement.js';
import { mergePolicies, mergeWith } from './policy-merge.js';
import type { PolicyContext } from './policy-reach.js';
import { placesOf } from './policy-subjects.js';
import type { CompiledPolicy } from './policy.js';

const isUnder = (policy: CompiledPolicy, port: ProxyModel['inbound'][number]): boolean =>
  port.policies.some(({ origin }) => idOf(origin.ref) === idOf(policy.ref));

/** Bodies are not buffered where they are streams. */
export function inboundFindings(policy: CompiledPolicy, proxies: Iterable<ProxyModel>): readonly Judgement[] {
  if ((policy.blocks.inbound?.maxRequestBytes ?? 0) === 0) return [];
  const ports = [...proxies].flatMap(({ key, inbound }) =>
    inbound
      .filter((port) => port.protocol === 'grpc' && isUnder(policy, port))
      .map(({ port }) => `port ${String(port)} of pod '${key}'`),
  );
  const [first] = ports;
  if (first === undefined) return [];
  const message = `\`inbound.maxRequestBytes\` does not hold for gRPC, whose streams cannot be buffered: ${first}${more(ports.length)}`;
  return [{ condition: 'Degraded', status: 'True', reason: 'FallbackActive', message }];
}

/** A port asks one service about all its limits: on a rule another one can be named in vain. */
export function askedInVain(policy: CompiledPolicy, context: PolicyContext): readonly Judgement[] {
  const { provider, domain = policy.ref.namespace } = policy.blocks.rateLimit ?? {};
  if (provider === undefined) return [];
  const places = policy.attachments.flatMap(({ target }) =>
    target.level === 'route' ? placesOf({ kind: 'route', ref: target.ref, rule: target.rule }, context) : [],
  );
  return places
    .flatMap(({ reaching }): readonly Judgement[] => {
      const others = mergePolicies(reaching.filter(({ target }) => target.level !== 'route'));
      const { blocks, parts } = mergeWith(policy, 'rateLimit', others);
      const asked = parts.get('rateLimit.provider');
      if (asked === undefined) return [];
      const other = asked.by.policy.ref;
      if (asked.value === provider && (blocks.rateLimit?.domain ?? other.namespace) === domain) return [];
      const message = `\`rateLimit.provider\` and \`domain\` of ${describeRef(other)} are asked in place of those here: a port asks one service`;
      return [{ condition: 'Degraded', status: 'True', reason: 'FallbackActive', message }];
    })
    .slice(0, 1);
}
