import { expect } from 'chai';
import fc from 'fast-check';
import type { EndpointSlice, Pod, Service, WorldObject } from '../../../src/kinds/world.js';
import { allocate, podRange } from '../../../src/sources/addresses.js';
import { expand } from '../../../src/sources/expand.js';
import type { ExpandOptions } from '../../../src/sources/expand.js';
import { folderOf } from './objects.js';

const container = { name: 'main', ports: [{ name: 'http', containerPort: 8080 }] };

const workload = (kind: string, name: string, more: Record<string, unknown> = {}): unknown => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name, namespace: 'shop' },
  spec: {
    ...more,
    template: { metadata: { labels: { app: name }, annotations: { note: 'x' } }, spec: { containers: [container] } },
  },
});

const service = (name: string, spec: Record<string, unknown> = {}): unknown => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'shop' },
  spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 'http' }], ...spec },
});

const pod = (name: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', labels: { app: 'web' } },
  spec: { containers: [container] },
  ...more,
});

const sliceFor = (name: string, address: string, target?: string): unknown => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: `${name}-1`, namespace: 'shop', labels: { 'kubernetes.io/service-name': name } },
  addressType: 'IPv4',
  ports: [{ name: '', port: 9999 }],
  endpoints: [{ addresses: [address], ...(target === undefined ? {} : { targetRef: { kind: 'Pod', name: target } }) }],
});

const run = (raws: readonly unknown[], options: ExpandOptions = {}) => expand(folderOf(raws), options);
const pods = (objects: readonly WorldObject[]): Pod[] => objects.filter((object) => object.kind === 'Pod');
const services = (objects: readonly WorldObject[]): Service[] => objects.filter((object) => object.kind === 'Service');
const slices = (objects: readonly WorldObject[]): EndpointSlice[] =>
  objects.filter((object) => object.kind === 'EndpointSlice');
const names = (objects: readonly WorldObject[]): string[] => pods(objects).map(({ meta }) => meta.name);

describe('sources/expand', () => {
  describe('pods of a workload', () => {
    for (const kind of ['Deployment', 'ReplicaSet', 'StatefulSet']) {
      it(`numbers those of a ${kind} from zero`, () => {
        const found = pods(run([workload(kind, 'web', { replicas: 3 })]).objects);
        expect(found.map(({ meta }) => meta.name)).to.deep.equal(['web-0', 'web-1', 'web-2']);
        expect(found[0]?.workload).to.deep.equal({ kind, namespace: 'shop', name: 'web' });
        expect(found[0]?.meta.labels).to.deep.equal({ app: 'web' });
        expect(found[0]?.meta.annotations).to.deep.equal({ note: 'x' });
        expect(found[0]?.containerPorts).to.deep.equal([{ name: 'http', port: 8080, protocol: 'TCP' }]);
        expect(found[0]?.serviceAccount).to.equal('default');
      });
    }

    it('is one where nothing is written, none where zero is', () => {
      expect(names(run([workload('Deployment', 'web')]).objects)).to.deep.equal(['web-0']);
      expect(names(run([workload('Deployment', 'web', { replicas: 0 })]).objects)).to.deep.equal([]);
    });

    it('is one for a DaemonSet, none for a Job', () => {
      const job = { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'once' }, spec: {} };
      expect(names(run([workload('DaemonSet', 'agent'), job]).objects)).to.deep.equal(['agent-0']);
    });

    it('is what a dump of a cluster holds, named by the topmost owner', () => {
      const owned = (name: string, owner: string, labels = {}) => ({
        name,
        namespace: 'shop',
        labels,
        ownerReferences: [
          { apiVersion: 'apps/v1', kind: owner, name: owner === 'Deployment' ? 'web' : 'web-5d', controller: true },
        ],
      });
      const set = { ...(workload('ReplicaSet', 'web-5d') as object), metadata: owned('web-5d', 'Deployment') };
      const dumped = pod('web-5d-x', {
        metadata: owned('web-5d-x', 'ReplicaSet', { app: 'web', 'pod-template-hash': '5d' }),
      });
      const whole = run([workload('Deployment', 'web'), set, dumped]).objects;
      expect(names(whole)).to.deep.equal(['web-5d-x']);
      expect(pods(whole)[0]?.workload).to.deep.equal({ kind: 'Deployment', namespace: 'shop', name: 'web' });
      expect(names(run([workload('Deployment', 'web'), set]).objects)).to.deep.equal(['web-0']);
    });

    it('leaves a name to the pod that is written, and says so', () => {
      const { objects, notes } = run([pod('web-0'), workload('Deployment', 'web', { replicas: 2 })]);
      expect(names(objects)).to.deep.equal(['web-0', 'web-1']);
      expect(notes[0]?.message).to.contain('1 of its pods');
    });

    it('is bounded', () => {
      const { objects, notes } = run([workload('Deployment', 'web', { replicas: 1_000_000 })]);
      expect(names(objects)).to.have.length(1000);
      expect(notes[0]?.message).to.contain('only 1000');
    });
  });

  describe('addresses', () => {
    it('are those written, else of the two ranges', () => {
      const { objects } = run([
        workload('Deployment', 'web'),
        pod('written', { status: { podIP: '10.1.2.3' } }),
        service('web'),
        service('own', { clusterIP: '10.96.0.7' }),
      ]);
      const [written, made] = pods(objects);
      expect(written?.ips).to.deep.equal(['10.1.2.3']);
      expect(made?.ips[0]).to.match(/^127\.77\./);
      expect(services(objects)[0]?.clusterIPs[0]).to.match(/^198\.1[89]\./);
      expect(services(objects)[1]?.clusterIPs).to.deep.equal(['10.96.0.7']);
    });

    it('are given neither to headless Services nor to ExternalName', () => {
      const { objects } = run([
        service('quiet', { clusterIP: 'None' }),
        service('far', { type: 'ExternalName', externalName: 'example.com', selector: undefined }),
      ]);
      expect(services(objects).map(({ clusterIPs }) => clusterIPs)).to.deep.equal([[], []]);
    });

    it('stay when neighbours come and go', () => {
      const name = fc.stringMatching(/^[a-z]{1,4}$/);
      fc.assert(
        fc.property(fc.uniqueArray(name, { maxLength: 40 }), name, (all, newcomer) => {
          const before = allocate(all, new Set(), podRange);
          const after = allocate([...all, newcomer], new Set(), podRange);
          const moved = all.filter((one) => before.get(one) !== after.get(one));
          // Only names of the newcomer's own slot may move.
          expect(moved.length).to.be.at.most(1);
          expect(new Set(after.values()).size).to.equal(after.size);
        }),
      );
    });

    it('go to the next free one where two names share a slot, the first name keeping it', () => {
      const range = { base: podRange.base, size: 6 };
      const given = allocate(['d', 'c', 'b', 'a'], new Set(), range);
      expect([...given.values()].sort()).to.deep.equal(['127.77.0.1', '127.77.0.2', '127.77.0.3', '127.77.0.4']);
      expect(allocate(['a', 'b', 'c', 'd', 'e'], new Set(), range).size).to.equal(4);
      expect([...allocate(['a', 'b'], new Set(['127.77.0.1', '127.77.0.2']), range).values()].sort()).to.deep.equal([
        '127.77.0.3',
        '127.77.0.4',
      ]);
    });

    it('are moved to loopback on request, also in slices of the pod', () => {
      const raws = [
        pod('far', { status: { podIP: '10.1.2.3' } }),
        pod('near', { status: { podIP: '127.1.2.3' } }),
        service('web'),
        sliceFor('web', '10.1.2.3', 'far'),
      ];
      const { objects } = run(raws, { loopback: true });
      const [far, near] = pods(objects);
      expect(far?.ips[0]).to.match(/^127\.77\./);
      expect(near?.ips).to.deep.equal(['127.1.2.3']);
      expect(slices(objects)[0]?.endpoints[0]?.address).to.equal(far?.ips[0]);
      expect(slices(run(raws).objects)[0]?.endpoints[0]?.address).to.equal('10.1.2.3');
    });
  });

  describe('ports below 1024', () => {
    const low = pod('low', { spec: { containers: [{ name: 'main', ports: [{ name: 'http', containerPort: 80 }] }] } });
    const targets = [
      { name: 'a', port: 80, targetPort: 'http' },
      { name: 'b', port: 81 },
      { name: 'c', port: 82, targetPort: 8080 },
    ];

    it('move up on request, in pods and slices, and Service ports stay', () => {
      const { objects } = run([low, service('web', { ports: targets })], { highPorts: true });
      expect(pods(objects)[0]?.containerPorts.map(({ port }) => port)).to.deep.equal([20_080]);
      expect(slices(objects)[0]?.ports.map(({ port }) => port)).to.deep.equal([20_080, 20_081, 8080]);
      const written = objects.flatMap((one) => (one.kind === 'Service' ? one.ports.map(({ port }) => port) : []));
      expect(written).to.deep.equal([80, 81, 82]);
    });

    it('stay where they may be bound', () => {
      const { objects } = run([low, service('web', { ports: targets })]);
      expect(slices(objects)[0]?.ports.map(({ port }) => port)).to.deep.equal([80, 81, 8080]);
    });
  });

  describe('EndpointSlices', () => {
    it('are taken as written, and end the matter', () => {
      const found = slices(run([pod('web-0'), service('web'), sliceFor('web', '10.9.9.9')]).objects);
      expect(found).to.have.length(1);
      expect(found[0]?.endpoints[0]?.address).to.equal('10.9.9.9');
    });

    it('are made from selector and pods, with named and numbered target ports', () => {
      const ports = [
        { name: 'a', port: 80, targetPort: 'http' },
        { name: 'b', port: 81, targetPort: 9000, appProtocol: 'grpc' },
        { name: 'c', port: 82 },
      ];
      const { objects } = run([
        workload('Deployment', 'web', { replicas: 2 }),
        service('web', { ports }),
        pod('other', { metadata: { name: 'other', namespace: 'shop' } }),
      ]);
      const [found] = slices(objects);
      expect(found?.service).to.equal('shop/web');
      expect(found?.ports).to.deep.equal([
        { name: 'a', port: 8080 },
        { name: 'b', port: 9000, appProtocol: 'grpc' },
        { name: 'c', port: 82 },
      ]);
      expect(found?.endpoints.map((endpoint) => endpoint.pod)).to.deep.equal(['shop/web-0', 'shop/web-1']);
    });

    it('are one for each set of port numbers', () => {
      const odd = pod('odd', { spec: { containers: [{ ports: [{ name: 'http', containerPort: 8081 }] }] } });
      const found = slices(run([pod('even'), odd, service('web')]).objects);
      expect(found.map(({ meta, ports }) => [meta.name, ports[0]?.port])).to.deep.equal([
        ['web-8080', 8080],
        ['web-8081', 8081],
      ]);
    });

    it('follow Ready=False and a deletion', () => {
      const notReady = pod('sick', { status: { conditions: [{ type: 'Ready', status: 'False' }] } });
      const leaving = pod('leaving', {
        metadata: {
          name: 'leaving',
          namespace: 'shop',
          labels: { app: 'web' },
          deletionTimestamp: '2026-01-01T00:00:00Z',
        },
      });
      const [found] = slices(run([pod('well'), notReady, leaving, service('web')]).objects);
      const state = found?.endpoints.map(({ pod: key, ready, serving, terminating }) => [
        key,
        ready,
        serving,
        terminating,
      ]);
      expect(state).to.deep.equal([
        ['shop/well', true, true, false],
        ['shop/sick', false, false, false],
        ['shop/leaving', false, true, true],
      ]);
    });

    it('know zones from pod labels, else from the node', () => {
      const zone = 'topology.kubernetes.io/zone';
      const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', labels: { [zone]: 'z1' } } };
      const labelled = pod('a', { metadata: { name: 'a', namespace: 'shop', labels: { app: 'web', [zone]: 'z2' } } });
      const placed = pod('b', { spec: { nodeName: 'n1', containers: [container] } });
      const [found] = slices(run([node, labelled, placed, service('web')]).objects);
      expect(found?.endpoints.map((endpoint) => endpoint.zone)).to.deep.equal(['z2', 'z1']);
    });

    it('name the pods of a StatefulSet behind a headless Service', () => {
      const [found] = slices(run([workload('StatefulSet', 'db'), service('db', { clusterIP: 'None' })]).objects);
      expect(found?.endpoints[0]?.hostname).to.equal('db-0');
    });

    it('are not made without a selector', () => {
      expect(slices(run([pod('web-0'), service('web', { selector: {} })]).objects)).to.deep.equal([]);
    });
  });

  it('gives the same objects for the same inputs', () => {
    const folder = folderOf([workload('Deployment', 'web', { replicas: 2 }), service('web'), pod('lone')]);
    const first = expand(folder).objects;
    const second = expand({ objects: [...folder.objects], workloads: [...folder.workloads] }).objects;
    expect(second).to.have.length(first.length);
    for (const [nth, object] of second.entries()) expect(object).to.equal(first[nth]);
  });

  it('never throws, whatever the folder holds', () => {
    const kind = fc.constantFrom(
      'Pod',
      'Service',
      'Deployment',
      'StatefulSet',
      'EndpointSlice',
      'Node',
      'List',
      'Secret',
    );
    const apiVersion = fc.constantFrom('v1', 'apps/v1', 'discovery.k8s.io/v1', 'legation.dev/v1alpha1');
    const json = fc.jsonValue({ maxDepth: 4 });
    const spec = fc.dictionary(
      fc.constantFrom('selector', 'ports', 'replicas', 'template', 'containers', 'clusterIP', 'type'),
      json,
    );
    const raw = fc.oneof(
      json,
      fc.record({
        apiVersion,
        kind,
        metadata: fc.oneof(json, fc.record({ name: fc.constantFrom('a', 'b'), labels: json })),
        spec: fc.oneof(json, spec),
        status: json,
        endpoints: json,
      }),
    );
    fc.assert(
      fc.property(fc.array(raw, { maxLength: 6 }), fc.boolean(), (raws, loopback) => {
        expect(() => expand(folderOf(raws), { loopback })).not.to.throw();
      }),
      { numRuns: 300 },
    );
  });
});
