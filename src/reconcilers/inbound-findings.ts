// What `inbound` says that cannot hold on a port of a pod.

import { idOf } from '../api/meta.js';
import type { ProxyModel } from '../model/mesh.js';
import { more, type Judgement } from './judgement.js';
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
