// Rate limits know how many replicas share a number, and where callers are; what else changes in the World is no change.

import { expect } from 'chai';
import { reconcile } from '../../../src/reconcilers/index.js';
import { LocalRateLimit } from '../../../src/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.js';
import type { ProxyModel } from '../../../src/model/mesh.js';
import { createWorlds, parsedOfAll, pod, service, type Raw } from './harness.js';

const replica = (name: string, ready = true): Raw =>
  pod(
    name,
    { app: 'web' },
    {
      metadata: {
        name,
        namespace: 'shop',
        labels: { app: 'web' },
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'web', controller: true }],
      },
      status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
    },
  );

const caller = (name: string, podIP: string): Raw => pod(name, { app: 'caller' }, { status: { podIP } });

const policy = (rule: Raw): Raw => ({
  apiVersion: 'legation.dev/v1alpha1',
  kind: 'MeshPolicy',
  metadata: { name: 'limits', namespace: 'shop' },
  spec: { rateLimit: { rules: [{ name: 'all', requests: 10, burst: 9, ...rule }] } },
});

function build() {
  const worlds = createWorlds();
  return (...raws: readonly Raw[]) => {
    const { proxies } = reconcile(worlds.replace(parsedOfAll([service('web'), ...raws])), {
      capture: 'redirect',
    }).model;
    return proxies.get('shop/web-0');
  };
}

function limitsOf(proxy: ProxyModel | undefined): LocalRateLimit {
  const patches = (proxy?.inbound ?? []).flatMap(({ port, policies }) =>
    policies.map(({ feature }) => feature.onRoutes({ direction: 'inbound', port })),
  );
  const any = patches[0]?.typedPerFilterConfig?.['mesh.local_ratelimit'];
  return LocalRateLimit.decode(any?.value instanceof Uint8Array ? any.value : new Uint8Array());
}

describe('reconcile: rate limits', () => {
  it('divide the number by the replicas that are ready, exactly', () => {
    const next = build();
    const shared = policy({ scope: 'Workload' });
    const bucketOf = (...raws: readonly Raw[]) => limitsOf(next(shared, ...raws)).descriptors[0]?.tokenBucket;
    const two = bucketOf(replica('web-0'), replica('web-1'));
    expect(two).to.deep.include({ maxTokens: 5, tokensPerFill: 10, fillInterval: { seconds: 2n, nanos: 0 } });
    const alone = bucketOf(replica('web-0'), replica('web-1', false));
    expect(alone).to.deep.include({ maxTokens: 9, tokensPerFill: 10, fillInterval: { seconds: 1n, nanos: 0 } });
  });

  it('know the namespaces that they name by the addresses of their pods', () => {
    const next = build();
    const first = next(policy({ per: [{ type: 'Namespace', values: ['shop'] }] }), replica('web-0'));
    const limits = limitsOf(first);
    expect(limits.rateLimits).to.have.length(1);
    expect(limits.descriptors.map(({ entries }) => entries.map(({ value }) => value))).to.deep.equal([['all', 'shop']]);
  });

  it('leave proxies as they are where pods change that they do not ask about', () => {
    const next = build();
    const own = [policy({ scope: 'Workload' }), replica('web-0')];
    const first = next(...own, caller('a', '10.0.0.1'));
    expect(next(...own, caller('a', '10.0.0.2'))).to.equal(first);
    expect(next(...own, caller('a', '10.0.0.2'), replica('web-1'))).not.to.equal(first);
  });
});
