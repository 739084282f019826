// Who says what a port speaks, and whose routes count there.

import { expect } from 'chai';
import { effectiveProtocol, protocolOf, suits } from '../../../src/reconcilers/protocol.js';
import { reconcile } from '../../../src/reconcilers/index.js';
import type { Finding } from '../../../src/model/finding.js';
import { createWorlds, parsedOfAll, pod, route, service, type Raw } from './harness.js';

const port = (more: { name?: string; port?: number; appProtocol?: string } = {}) => ({ name: '', port: 8000, ...more });

const reconciled = (raws: readonly Raw[]) =>
  reconcile(createWorlds().replace(parsedOfAll(raws)), { capture: 'redirect' });

const to = (name: string, portNumber = 80): Raw => ({ backendRefs: [{ name, port: portNumber }] });
const tcp = (name: string, more: Raw = {}): Raw => route(name, [to('web')], { protocol: 'TCP', ...more });
const aged = (raw: Raw, creationTimestamp: string): Raw => ({
  ...raw,
  metadata: { ...(raw['metadata'] as Raw), creationTimestamp },
});
const said = (findings: readonly Finding[], name: string): readonly string[] =>
  findings.filter((one) => one.ref.name === name && one.condition === 'Accepted').map(({ reason }) => reason);

describe('protocol of a port', () => {
  for (const [appProtocol, wanted] of Object.entries({
    'kubernetes.io/h2c': 'http2',
    'kubernetes.io/ws': 'http',
    'kubernetes.io/wss': 'tls',
    ...{ grpc: 'grpc', http2: 'http2', https: 'tls', tcp: 'tcp', HTTP: 'http', 'example.com/own': 'auto' },
  }))
    it(`appProtocol ${appProtocol}: ${wanted}`, () => {
      expect(protocolOf(port({ appProtocol }))).to.equal(wanted);
    });

  it('appProtocol before the name, the name before the number, the number before a look', () => {
    expect(protocolOf(port({ appProtocol: 'grpc', name: 'tcp-x', port: 25 }))).to.equal('grpc');
    expect(protocolOf(port({ name: 'http-x', port: 3306 }))).to.equal('http');
    expect(protocolOf(port({ name: 'data', port: 3306 }))).to.equal('tcp');
    expect(protocolOf(port({ name: 'data' }))).to.equal('auto');
  });

  it('a route before all of these; one for HTTP leaves it to the port which HTTP', () => {
    expect(effectiveProtocol(port({ name: 'grpc' }), { route: 'TCP' })).to.equal('tcp');
    expect(effectiveProtocol(port({ name: 'grpc' }), { route: 'HTTP' })).to.equal('grpc');
    expect(effectiveProtocol(port({ name: 'mysql' }), { route: 'HTTP' })).to.equal('http');
    expect(effectiveProtocol(port(), { route: 'HTTP' })).to.equal('http');
    expect(effectiveProtocol(port({ name: 'http' }), { route: 'GRPC' })).to.equal('grpc');
    expect(effectiveProtocol(port(), { route: undefined })).to.equal('auto');
  });

  it('routes of other namespaces count where they suit', () => {
    const table = (['HTTP', 'GRPC', 'TCP', 'TLS'] as const).map((one) =>
      (['http2', 'auto', 'tcp', 'tls'] as const).filter((spoken) => suits(one, spoken)),
    );
    expect(table).to.deep.equal([['http2', 'auto'], ['http2', 'auto'], ['tcp', 'tls'], ['tls']]);
  });

  it('the oldest route keeps a port, whatever comes first in the folder', () => {
    const young = aged(tcp('a'), '2026-02-01T00:00:00Z');
    const old = aged(route('b', [to('web')]), '2026-01-01T00:00:00Z');
    for (const raws of [
      [service('web'), young, old],
      [service('web'), old, young],
    ]) {
      const { model, findings } = reconciled(raws);
      expect(model.services.get('shop/web')?.ports[0]?.protocol).to.equal('http');
      expect([said(findings, 'a'), said(findings, 'b')]).to.deep.equal([['ProtocolMismatch'], ['Accepted']]);
    }
  });

  it('a route without a rule in force keeps nothing', () => {
    const broken = aged(tcp('a', { hostnames: ['db.example.com'] }), '2026-01-01T00:00:00Z');
    const { model, findings } = reconciled([service('web'), broken, route('b', [to('web')])]);
    expect(model.services.get('shop/web')?.ports[0]?.protocol).to.equal('http');
    expect([said(findings, 'a'), said(findings, 'b')]).to.deep.equal([['UnsupportedValue'], ['Accepted']]);
  });

  it('one port may be TCP and its neighbour HTTP', () => {
    const ports = [
      { name: 'data', port: 5000 },
      { name: 'http', port: 80 },
    ];
    const raws = [
      service('web', { ports }),
      tcp('raw', { parentRefs: [{ name: 'web', port: 5000 }] }),
      route('requests', [to('web')], { parentRefs: [{ name: 'web', sectionName: 'http' }] }),
    ];
    const { model, findings } = reconciled(raws);
    expect(model.services.get('shop/web')?.ports.map(({ protocol }) => protocol)).to.deep.equal(['tcp', 'http']);
    expect([said(findings, 'raw'), said(findings, 'requests')]).to.deep.equal([['Accepted'], ['Accepted']]);
  });

  it('pods go by what their Services speak, and a Service that knows is enough', () => {
    const quiet = (name: string): Raw =>
      service(name, { selector: { app: 'web' }, ports: [{ name: 'data', port: 5000 }] });
    const backend: Raw = pod('web-0', { app: 'web' });
    const protocols = (raws: readonly Raw[]) =>
      reconciled(raws)
        .model.proxies.get('shop/web-0')
        ?.inbound.filter((one) => one.port === 5000)
        .map(({ protocol }) => protocol);
    const raw = route('raw', [to('web', 5000)], { protocol: 'TCP' });
    expect(protocols([quiet('web'), backend])).to.deep.equal(['auto']);
    expect(protocols([quiet('web'), backend, raw])).to.deep.equal(['tcp']);
    expect(protocols([quiet('web'), quiet('alias'), backend, raw])).to.deep.equal(['tcp']);
  });

  it('proxies keep their identity when only rules change', () => {
    const worlds = createWorlds();
    const of = (more: Raw) => {
      const raws = [service('web'), pod('web-0', { app: 'web' }), route('r', [{ ...to('web'), ...more }])];
      return reconcile(worlds.replace(parsedOfAll(raws)), { capture: 'redirect' }).model;
    };
    const [before, after] = [of({}), of({ timeouts: { request: '1s' } })];
    expect(after.services).not.to.equal(before.services);
    expect(after.proxies).to.equal(before.proxies);
  });
});
