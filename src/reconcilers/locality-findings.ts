// Policies on localities that have no effect where they reach: a hash decides, or nobody says where endpoints are.

import { describeRef } from '../api/meta.js';
import type { PortModel, ServiceModel } from '../model/mesh.js';
import { keysOf, spreadOfWorkload, type Preference } from '../model/place.js';
import type { ServiceEndpoints } from './endpoints.js';
import { more, type Judgement } from './judgement.js';
import type { PolicyIndex } from './policies.js';
import { mergePolicies } from './policy-merge.js';
import type { CompiledPolicy } from './policy.js';
import type { PooledService } from './services.js';

/** What the effect of a policy is seen in. */
export interface LocalityContext {
  readonly policies: PolicyIndex;
  readonly pooled: ReadonlyMap<string, PooledService>;
  readonly endpoints: ReadonlyMap<string, ServiceEndpoints>;
}

type Mode = NonNullable<NonNullable<CompiledPolicy['blocks']['upstream']>['locality']>['mode'];

const grades = (mode: Mode): boolean => mode !== undefined && mode !== 'None';

/** Why near endpoints of a port are not preferred although a policy asks for it. */
function obstacle(port: PortModel, hash: string, found: ServiceEndpoints | undefined): string | undefined {
  const { preference } = port;
  if (preference?.kind === 'same') return 'its `internalTrafficPolicy` keeps callers on their node';
  if (preference === undefined) return `\`loadBalancer.type\` '${hash}' needs all endpoints`;
  const endpoints = found?.sets.filter(({ target }) => target.port === port.port).flatMap((set) => set.endpoints) ?? [];
  const isSilent = endpoints.length > 0 && endpoints.every(({ place = {} }) => Object.keys(place).length === 0);
  return isSilent ? `no endpoint has a label ${labelsIn(preference)}` : undefined;
}

const labelsIn = (preference: Preference): string =>
  keysOf(preference)
    .filter((key) => key !== spreadOfWorkload)
    .map((key) => `'${key}'`)
    .join(' or ');

function obstaclesAt(policy: CompiledPolicy, key: string, context: LocalityContext): readonly string[] {
  const service: ServiceModel | undefined = context.pooled.get(key)?.model;
  return (service?.ports ?? []).flatMap((port) => {
    const { blocks, parts } = mergePolicies(context.policies.reachingService(key, port.name));
    if (parts.get('upstream.locality')?.by.policy !== policy) return [];
    const why = obstacle(port, blocks.upstream?.loadBalancer?.type ?? '', context.endpoints.get(key));
    return service === undefined || why === undefined ? [] : [`${describeRef(service.ref)}: ${why}`];
  });
}

/** What is said of a policy that prefers near endpoints in vain. */
export function localityFindings(policy: CompiledPolicy, context: LocalityContext): readonly Judgement[] {
  if (!grades(policy.blocks.upstream?.locality?.mode)) return [];
  const found = [...context.pooled.keys()].sort().flatMap((key) => obstaclesAt(policy, key, context));
  const [first] = found;
  if (first === undefined) return [];
  const message = `\`upstream.locality\` has no effect on ${first}${more(found.length)}`;
  return [{ condition: 'Degraded', status: 'True', reason: 'Ignored', message, path: 'spec.upstream.locality' }];
}
