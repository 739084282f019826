// Which service a name means, and what is said where it means none.

import { expect } from 'chai';
import { shutGates } from '../../../src/kinds/gates.js';
import { indexPolicies } from '../../../src/reconcilers/policies.js';
import { providersInReach } from '../../../src/reconcilers/providers.js';
import { referentsOf } from '../../../src/reconcilers/references.js';
import { reconcile } from '../../../src/reconcilers/index.js';
import { createWorlds, parsedOfAll, service, type Raw } from './harness.js';

const policy = (namespace: string, spec: Raw): Raw => ({
  apiVersion: 'legation.dev/v1alpha1',
  kind: 'MeshPolicy',
  metadata: { name: 'default', namespace },
  spec,
});

const collector = (backend: Raw, type = 'OpenTelemetry'): Raw => ({
  providers: [{ name: 'otel', type, backendRef: { name: 'otel', port: 4317, ...backend } }],
});

const grpc = { ports: [{ name: 'otlp', port: 4317, appProtocol: 'grpc' }] };

const grant: Raw = {
  apiVersion: 'gateway.networking.k8s.io/v1beta1',
  kind: 'ReferenceGrant',
  metadata: { name: 'all', namespace: 'infra' },
  spec: {
    from: [{ group: 'legation.dev', kind: 'MeshPolicy', namespace: 'shop' }],
    to: [{ group: '', kind: 'Service' }],
  },
};

const worldOf = (raws: readonly Raw[]) => createWorlds().replace(parsedOfAll(raws));

function inReach(raws: readonly Raw[]) {
  const world = worldOf(raws);
  const policies = indexPolicies(world.meshPolicies, shutGates);
  const reaching = policies.reachingService('shop/', '');
  return providersInReach(reaching, referentsOf(world.services, world.referenceGrants, policies));
}

function referencesOf(raws: readonly Raw[]): string {
  const found = reconcile(worldOf(raws), { capture: 'explicit' }).findings.find(
    ({ condition, ref }) => condition === 'ResolvedRefs' && ref.kind === 'MeshPolicy',
  );
  return `${found?.reason ?? 'nothing'} ${found?.path ?? ''}: ${found?.message ?? ''}`;
}

describe('providers', () => {
  it('are those of the nearest policy', () => {
    const raws = [
      service('otel', grpc, 'legation-system'),
      service('otel', grpc),
      policy('legation-system', collector({})),
    ];
    expect(inReach(raws).get('otel')?.target.namespace).to.equal('legation-system');
    expect(inReach([...raws, policy('shop', collector({}))]).get('otel')?.target.namespace).to.equal('shop');
  });

  it('need a grant for a Service elsewhere', () => {
    const raws = [service('otel', grpc, 'infra'), policy('shop', collector({ namespace: 'infra' }))];
    expect(referencesOf(raws)).to.match(/^RefNotPermitted spec\.providers\[0\]\.backendRef: provider 'otel': /);
    expect(inReach(raws).size).to.equal(0);
    expect(referencesOf([...raws, grant])).to.match(/^ResolvedRefs /);
    expect(inReach([...raws, grant]).get('otel')?.target).to.include({ namespace: 'infra', port: 4317 });
  });

  it('are spoken to by gRPC, which their port must speak', () => {
    const plain = { ports: [{ name: 'otlp', port: 4317 }] };
    expect(referencesOf([service('otel', plain), policy('shop', collector({}))])).to.match(
      /^ProtocolMismatch spec\.providers\[0\]\.backendRef\.port: .*must have appProtocol 'grpc'/,
    );
    expect(referencesOf([service('otel', plain), policy('shop', collector({}, 'Zipkin'))])).to.match(/^ResolvedRefs /);
  });
});
