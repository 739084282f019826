// Rules for connections on their way to resources: per namespace of callers, and without what an Envoy refused.

import { expect } from 'chai';
import { reconcile } from '../../../src/reconcilers/index.js';
import { nothingRefused } from '../../../src/xds/quarantine.js';
import { buildPublication } from '../../../src/xds/publication.js';
import { pathBy, pathTo } from '../../../src/xds/tcp.js';
import type { PortModel, Rule, ServiceModel } from '../../../src/model/mesh.js';
import { createWorlds, parsedOfAll, pod, route, service } from '../reconcilers/harness.js';

const name = 'o/shop/web/80';
const model = reconcile(
  createWorlds().replace(
    parsedOfAll([
      service('web', { clusterIP: '10.0.0.1', ports: [{ name: 'data', port: 80 }] }),
      pod('web-0', { app: 'web' }),
      route('raw', [{ name: 'main', backendRefs: [{ name: 'web', port: 80, weight: 0 }] }], { protocol: 'TCP' }),
    ]),
  ),
  { capture: 'redirect' },
).model;

const ruled = (): { readonly rule: Rule; readonly owner: { service: ServiceModel; port: PortModel } } => {
  const service = model.services.get('shop/web');
  const port = service?.ports[0];
  const rule = port?.hosts[0]?.entries[0]?.rule;
  if (service === undefined || port === undefined || rule === undefined) throw new Error('no rule');
  return { rule, owner: { service, port } };
};

describe('rules for connections', () => {
  it('close everything where no backend has a weight', () => {
    expect(pathBy(ruled().rule, ruled().owner)).to.deep.include({
      name: 'shop/raw/main',
      to: { $case: 'cluster', value: 'unresolved' },
    });
  });

  it('say how long, and how often', () => {
    expect(pathTo('c', 'n').patch).to.deep.equal({
      idleTimeout: { seconds: 3600n, nanos: 0 },
      maxConnectAttempts: 3,
    });
  });

  it('a listener names the rules that it is made of, and does without a refused one', () => {
    const quarantine = { ...nothingRefused, parts: new Map([[ruled().rule, undefined]]) };
    const { publication } = buildPublication(model, new Map([['1.36.7', quarantine]]));
    const viewFor = publication.proxies.get('shop/web-0')?.viewFor;
    const listenerFor = (envoy: string) =>
      (publication.views.get(viewFor?.(envoy) ?? '') ?? [])
        .flatMap((section) => [...section.values()].flat())
        .filter((one) => one.type === 'listener' && one.name === name);
    const [whole, ...more] = listenerFor('1.36.6');
    const [without] = listenerFor('1.36.7');
    expect(more).to.deep.equal([]);
    expect(whole?.parts).to.deep.equal([ruled().rule]);
    expect(whole?.frame.toString('latin1')).to.include('shop/raw/main');
    expect(without?.parts).to.deep.equal([]);
    expect(without?.frame.toString('latin1')).not.to.include('shop/raw/main');
  });
});
