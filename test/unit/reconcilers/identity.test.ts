// What did not change keeps its references, all the way to the model: everything after it is remembered by them.

import { expect } from 'chai';
import { reconcile } from '../../../src/reconcilers/index.js';
import { createWorlds, parsedOfAll, pod, route, service, type Raw } from './harness.js';

const backend = (subset?: Raw): Raw => ({
  backendRefs: [{ name: 'web', port: 80, ...(subset === undefined ? {} : { subset }) }],
});

const base: readonly Raw[] = [
  service('web'),
  service('other'),
  pod('web-1', { app: 'web', version: 'v1' }),
  pod('other-1', { app: 'other' }),
  route('web', [backend({ version: 'v1' })]),
];

function build() {
  const worlds = createWorlds();
  return (raws: readonly Raw[], capture: 'redirect' | 'explicit' = 'redirect') =>
    reconcile(worlds.replace(parsedOfAll(raws)), { capture });
}

const unready = { status: { conditions: [{ type: 'Ready', status: 'False' }] } };

describe('reconcile: identity', () => {
  it('keeps everything where nothing changed', () => {
    const next = build();
    const first = next(base);
    const second = next(base);
    for (const key of ['shop/web', 'shop/other']) {
      expect(second.model.services.get(key)).to.equal(first.model.services.get(key));
      expect(second.model.endpoints.get(key)).to.equal(first.model.endpoints.get(key));
    }
    for (const [key, proxy] of first.model.proxies) expect(second.model.proxies.get(key)).to.equal(proxy);
  });

  it('changes the Service of an edited route, and no other', () => {
    const next = build();
    const first = next(base);
    const second = next([...base.slice(0, -1), route('web', [backend({ version: 'v2' })])]);
    expect(second.model.services.get('shop/web')).not.to.equal(first.model.services.get('shop/web'));
    expect(second.model.services.get('shop/other')).to.equal(first.model.services.get('shop/other'));
    expect(second.model.endpoints.get('shop/other')).to.equal(first.model.endpoints.get('shop/other'));
  });

  it('changes the endpoints of a pod that becomes unready, and neither Service nor proxy', () => {
    const next = build();
    const first = next(base);
    const second = next(
      base.map((raw) => (raw === base[2] ? pod('web-1', { app: 'web', version: 'v1' }, unready) : raw)),
    );
    expect(second.model.endpoints.get('shop/web')).not.to.equal(first.model.endpoints.get('shop/web'));
    expect(second.model.endpoints.get('shop/other')).to.equal(first.model.endpoints.get('shop/other'));
    expect(second.model.services.get('shop/web')).to.equal(first.model.services.get('shop/web'));
    expect(second.model.proxies.get('shop/web-1')).to.equal(first.model.proxies.get('shop/web-1'));
  });

  it('does not look at a pod that stands behind no Service', () => {
    const next = build();
    const first = next([...base, pod('lonely', { app: 'none' })]);
    const second = next([...base, pod('lonely', { app: 'none', x: 'y' })]);
    for (const key of ['shop/web', 'shop/other']) {
      expect(second.model.endpoints.get(key)).to.equal(first.model.endpoints.get(key));
    }
  });
});

describe('reconcile: rules that hold where requests arrive', () => {
  const faulty = (more: Raw = {}): Raw =>
    route('web', [
      {
        filters: [{ type: 'Fault', fault: { httpStatus: 503 } }],
        backendRefs: [{ name: 'web', port: 80, ...more }],
      },
    ]);
  const mesh: readonly Raw[] = [...base.slice(0, -1), faulty()];
  const bare = { spec: { hostNetwork: true, containers: [] }, status: { podIP: '10.0.0.9' } };

  it('are known to the proxies behind their Service, and to no other', () => {
    const { proxies } = build()(mesh).model;
    const namesOf = (key: string) =>
      proxies.get(key)?.inbound.flatMap(({ services }) => services.map(({ ref }) => ref.name));
    expect([namesOf('shop/web-1'), namesOf('shop/other-1')]).to.deep.equal([['web'], []]);
  });

  it('are the same after an endpoint changed or came', () => {
    const next = build();
    const first = next(mesh);
    const unreadyPod = pod('web-1', { app: 'web', version: 'v1' }, unready);
    const second = next([...mesh.map((raw) => (raw === base[2] ? unreadyPod : raw)), pod('web-2', { app: 'web' })]);
    expect(second.model.endpoints.get('shop/web')).not.to.equal(first.model.endpoints.get('shop/web'));
    expect(second.model.services.get('shop/web')).to.equal(first.model.services.get('shop/web'));
    expect(second.model.proxies.get('shop/web-1')).to.equal(first.model.proxies.get('shop/web-1'));
    expect(second.routes).to.equal(first.routes);
  });

  it('fall back to callers while an endpoint has no proxy, unless it is of another subset', () => {
    const next = build();
    const degraded = (raws: readonly Raw[]) =>
      next(raws).findings.some(({ condition, ref }) => condition === 'Degraded' && ref.kind === 'TrafficRoute');
    const withBare = [...mesh, pod('bare', { app: 'web', version: 'v2' }, bare)];
    expect([degraded(mesh), degraded(withBare), degraded(mesh)]).to.deep.equal([false, true, false]);
    const onlyV1 = withBare.map((raw) => (raw === mesh.at(-1) ? faulty({ subset: { version: 'v1' } }) : raw));
    expect(degraded(onlyV1)).to.equal(false);
  });
});

describe('reconcile: ports of a pod', () => {
  const slice = (port: number): Raw => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-a', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port, protocol: 'TCP' }],
    endpoints: [{ addresses: ['127.0.0.9'], targetRef: { kind: 'Pod', name: 'web-1', namespace: 'shop' } }],
  });
  const webPod = pod(
    'web-1',
    { app: 'web' },
    { spec: { containers: [{ name: 'main', ports: [{ containerPort: 80 }] }] } },
  );
  const inboundOf = (port: number) =>
    build()([service('web'), webPod, slice(port)], 'explicit')
      .model.proxies.get('shop/web-1')
      ?.inbound.map(({ port: own, protocol }) => ({ port: own, protocol }));

  it('are those that the container declares and those that slices call', () => {
    expect(inboundOf(80)).to.deep.equal([{ port: 80, protocol: 'http' }]);
    expect(inboundOf(8080)).to.deep.equal([
      { port: 80, protocol: 'auto' },
      { port: 8080, protocol: 'http' },
    ]);
  });
});
