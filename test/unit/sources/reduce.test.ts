import { expect } from 'chai';
import fc from 'fast-check';
import { readObject } from '../../../src/sources/parse-object.js';
import { objectOf, read } from './objects.js';

const metadata = { name: 'x', namespace: 'shop' };
const service = (spec: unknown) => ({ apiVersion: 'v1', kind: 'Service', metadata, spec });
const pod = (status: unknown, spec: unknown = {}) => ({ apiVersion: 'v1', kind: 'Pod', metadata, spec, status });
const slice = (endpoints: unknown, ports: unknown = [{ port: 80 }]) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  endpoints,
  ports,
});

function problemsOf(raw: unknown): readonly (readonly [string, string])[] {
  const reading = read(raw);
  if (reading.kind !== 'object' || reading.parsed.ok) return [];
  return reading.parsed.malformed.problems.map(({ path, message }) => [path, message] as const);
}

describe('sources/reduce', () => {
  it('defaults a Service as the API server does', () => {
    expect(
      objectOf(service({ ports: [{ port: 80 }, { port: 81, name: 'b', protocol: 'UDP', targetPort: 'x' }] })),
    ).to.deep.include({
      type: 'ClusterIP',
      clusterIPs: [],
      headless: false,
      ports: [
        { name: '', port: 80, protocol: 'TCP', targetPort: 80 },
        { name: 'b', port: 81, protocol: 'UDP', targetPort: 'x' },
      ],
    });
  });

  it('knows headless, dual-stack and external Services', () => {
    expect(objectOf(service({ clusterIP: 'None', clusterIPs: ['None'] }))).to.deep.include({
      headless: true,
      clusterIPs: [],
    });
    expect(objectOf(service({ clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1', 'fd00::1'] }))).to.deep.include({
      clusterIPs: ['10.0.0.1', 'fd00::1'],
    });
    expect(objectOf(service({ type: 'ExternalName', externalName: 'a.example' }))).to.deep.include({
      externalName: 'a.example',
    });
  });

  it('reads conditions of endpoints: ready where nothing is said, serving as ready', () => {
    const endpoints = [
      { addresses: ['10.0.0.1'] },
      { addresses: ['10.0.0.2'], conditions: { ready: false } },
      {
        addresses: ['10.0.0.3'],
        conditions: { ready: false, serving: true, terminating: true },
        zone: 'z',
        nodeName: 'n',
      },
      {
        addresses: ['10.0.0.4'],
        conditions: { ready: null },
        targetRef: { kind: 'Pod', name: 'p', namespace: 'shop' },
      },
    ];
    const object = objectOf(slice(endpoints));
    expect(object.kind === 'EndpointSlice' && object.endpoints).to.deep.equal([
      { address: '10.0.0.1', ready: true, serving: true, terminating: false },
      { address: '10.0.0.2', ready: false, serving: false, terminating: false },
      { address: '10.0.0.3', ready: false, serving: true, terminating: true, nodeName: 'n', zone: 'z' },
      { address: '10.0.0.4', ready: true, serving: true, terminating: false, pod: 'shop/p' },
    ]);
  });

  it('leaves out slices of no Service and of names', () => {
    expect(read({ ...slice([]), metadata }).kind).to.equal('skipped');
    expect(read({ ...slice([]), addressType: 'FQDN' }).kind).to.equal('skipped');
  });

  it('takes a pod for ready in a folder, and in a cluster once it says so', () => {
    const ready = { conditions: [{ type: 'Ready', status: 'True' }] };
    expect(objectOf(pod({}))).to.include({ ready: true });
    expect(objectOf(pod({}), false)).to.include({ ready: false });
    expect(objectOf(pod(ready), false)).to.include({ ready: true });
  });

  it('forgets the addresses of a pod that ran to its end', () => {
    expect(objectOf(pod({ podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] }))).to.deep.include({
      ips: ['10.0.0.1', 'fd00::1'],
    });
    expect(objectOf(pod({ phase: 'Succeeded', podIP: '10.0.0.1' }))).to.deep.include({ ips: [] });
  });

  it('counts ports of native sidecars, not those of other init containers', () => {
    const container = (port: number) => ({ ports: [{ containerPort: port }] });
    const spec = {
      containers: [container(1)],
      initContainers: [{ ...container(2), restartPolicy: 'Always' }, container(3)],
    };
    const object = objectOf(pod({}, spec));
    expect(object.kind === 'Pod' && object.containerPorts.map(({ port }) => port)).to.deep.equal([1, 2]);
  });

  it('decodes Secrets and ConfigMaps', () => {
    const data = { k: Buffer.from('v').toString('base64'), p: 'AA==' };
    const secret = objectOf({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata,
      type: 'Opaque',
      data,
      stringData: { p: 'plain' },
    });
    const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();
    expect(secret.kind === 'Secret' && [text(secret.data.get('k')), text(secret.data.get('p'))]).to.deep.equal([
      'v',
      'plain',
    ]);
    const map = objectOf({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata,
      data: { k: 'v' },
      binaryData: { b: 'AA==' },
    });
    expect(map.kind === 'ConfigMap' && [...map.data.keys()].sort()).to.deep.equal(['b', 'k']);
  });

  it('drops what nobody reads', () => {
    const annotations = {
      'kubectl.kubernetes.io/last-applied-configuration': '{}',
      'legation.dev/drain': '5s',
      other: 'x',
    };
    const object = objectOf({
      ...pod({ hostIP: '1.2.3.4' }),
      metadata: { ...metadata, annotations, managedFields: [{}] },
    });
    expect(object.meta.annotations).to.deep.equal({ 'legation.dev/drain': '5s' });
    expect(JSON.stringify(object)).not.to.contain('hostIP').and.not.to.contain('managedFields');
  });

  it('leaves generation, uid and version to the cluster that gave them', () => {
    const raw = { ...pod({}), metadata: { ...metadata, generation: 4, uid: 'u', resourceVersion: '9' } };
    expect(objectOf(raw).meta).to.deep.include({ generation: 0 }).and.not.to.have.any.keys('uid', 'resourceVersion');
    expect(objectOf(raw, false).meta).to.deep.include({ generation: 4, uid: 'u', resourceVersion: '9' });
  });

  it('names the path, what was found and what is allowed', () => {
    expect(problemsOf(service({ ports: [{ port: 0 }, { port: 80, protocol: 'ICMP' }, {}] }))).to.deep.equal([
      ['spec.ports[0].port', '`spec.ports[0].port` must be from 1 to 65535; found 0'],
      ['spec.ports[1].protocol', "`spec.ports[1].protocol` must be one of 'TCP', 'UDP', 'SCTP'; found 'ICMP'"],
      ['spec.ports[2].port', '`spec.ports[2].port` must be set'],
    ]);
    expect(problemsOf(service({ selector: { a: 1 } }))[0]?.[0]).to.equal('spec.selector[a]');
    expect(problemsOf(slice([{}]))[0]?.[0]).to.equal('endpoints[0].addresses');
  });

  it('never throws', () => {
    const kind = fc.constantFrom(
      'Pod',
      'Service',
      'EndpointSlice',
      'Secret',
      'TrafficRoute',
      'HTTPRoute',
      'Deployment',
    );
    const apiVersion = fc.constantFrom('v1', 'apps/v1', 'legation.dev/v1alpha1', 'gateway.networking.k8s.io/v1');
    fc.assert(
      fc.property(fc.jsonValue(), fc.tuple(kind, apiVersion), fc.boolean(), (value, [kindName, version], folder) => {
        const raw = { apiVersion: version, kind: kindName, metadata, spec: value, data: value, status: value };
        expect(() => readObject(raw, { folder })).not.to.throw();
        expect(() => readObject(value, { folder })).not.to.throw();
      }),
    );
  });
});
