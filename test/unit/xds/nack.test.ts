// Envoy's words, verbatim, and whom they mean. The texts were recorded on 1.36, 1.39 and 1.40.

import { expect } from 'chai';
import { culpritsOf, normaliseNack, quoteNack } from '../../../src/xds/nack.js';
import { encodedFrom, type EncodedResource, type ResourceType } from '../../../src/xds/resources.js';

const sent = (type: ResourceType, ...names: readonly string[]): readonly EncodedResource[] =>
  names.map((name) => encodedFrom({ type, name, origins: [] }, Buffer.from(`${type} ${name}`)));

interface Case {
  readonly type: ResourceType;
  readonly text: string;
  readonly names: readonly string[];
}

const all = ['a', 'b', 'c', 'd', 'n1', 's1'];

const cases: readonly Case[] = [
  {
    type: 'cluster',
    text: "Error adding/updating cluster(s) c: cluster manager: cluster provided LB specified but cluster 'c' did not provide one. Check cluster documentation., d: Didn't find a registered implementation for 'nope' with type URL: ''",
    names: ['c', 'd'],
  },
  {
    type: 'cluster',
    text: 'goo.gle/debugproto    \nname: "c"\ntype: EDS\n…\nconnect_timeout {\n}\n: Proto constraint validation failed (ClusterValidationError.ConnectTimeout: value must be greater than 0s)',
    names: ['c'],
  },
  {
    type: 'cluster',
    text: 'Invalid duration: Expected positive duration: goo.gle/debugonly    \nseconds: -1\n',
    names: [],
  },
  {
    type: 'cluster',
    text: 'Unable to unpack as envoy.config.cluster.v3.Cluster: goo.gle/debugproto    \ntype_url: "type.googleapis.com/envoy.config.cluster.v3.Cluster"\nvalue: "\\377\\377\\377"\n',
    names: [],
  },
  {
    type: 'listener',
    text: "Error adding/updating listener(s) c: goo.gle/debugproto  \nrds {\n…}\n: Proto constraint validation failed (HttpConnectionManagerValidationError.StatPrefix: value length must be at least 1 characters)\nd: Didn't find a registered implementation for 'nosuch' with type URL: 'google.protobuf.Struct'\n",
    names: ['c', 'd'],
  },
  {
    type: 'listener',
    text: "Error adding/updating listener(s) c: error adding listener: 'c' has duplicate address '127.0.0.1:16011' as existing listener, to check if the listener has duplicated addresses with other listeners or 'enable_reuse_port' is set to 'false' for the listener\n",
    names: ['c'],
  },
  {
    type: 'listener',
    text: "Error adding/updating listener(s) n1: error adding listener named 'n1': address is necessary\n",
    names: ['n1'],
  },
  { type: 'route', text: 'Only a single wildcard domain is permitted in route c', names: ['c'] },
  { type: 'route', text: 'missing ): (', names: [] },
  {
    type: 'route',
    text: 'goo.gle/debugonly    \nname: "c"\nvirtual_hosts {\n…}\n: Proto constraint validation failed (RouteConfigurationValidationError.VirtualHosts[0]: embedded message failed validation | caused by VirtualHostValidationError.Name: value length must be at least 1 characters)',
    names: ['c'],
  },
  {
    type: 'endpoint',
    text: "malformed IP address: not.an.ip. Consider setting resolver_name or setting cluster type to 'STRICT_DNS' or 'LOGICAL_DNS'",
    names: [],
  },
  {
    type: 'endpoint',
    text: 'goo.gle/debugonly    \ncluster_name: "d"\nendpoints {\n…}\n: Proto constraint validation failed (ClusterLoadAssignmentValidationError.Endpoints[0]: … caused by SocketAddressValidationError.PortValue: value must be less than or equal to 65535)',
    names: ['d'],
  },
  { type: 'secret', text: 'Failed to load trusted CA certificates from <inline>', names: [] },
  { type: 'secret', text: 'Unexpected SDS secret (expecting s1): ca', names: [] },
  {
    type: 'route',
    text: 'goo.gle/debugonly    \nrules {\n…}\n: Proto constraint validation failed (RBACValidationError.Rules: … caused by PolicyValidationError.Permissions: value must contain at least 1 item(s))',
    names: [],
  },
  {
    type: 'route',
    text: 'Error: filter config has type URL envoy.extensions.filters.http.fault.v3.HTTPFault but expect envoy.extensions.filters.http.rbac.v3.RBAC.',
    names: [],
  },
];

describe('nack', () => {
  for (const { type, text, names } of cases) {
    it(`${type}: ${quoteNack(text).slice(0, 80)}`, () => {
      expect(culpritsOf(text, sent(type, ...all)).map((one) => one.resource.name)).to.deep.equal(names);
      expect(
        culpritsOf(text, sent(type, 'only')).map((one) => one.resource.name),
        'one alone is to blame',
      ).to.deep.equal(['only']);
    });
  }

  it('gives each culprit its own part of the text', () => {
    const [first, second] = culpritsOf(cases[0]?.text ?? '', sent('cluster', ...all));
    expect(first?.message).to.match(/^c: cluster manager: .*documentation\.$/);
    expect(second?.message).to.match(/^d: Didn't find/);
    const [listener] = culpritsOf(cases[4]?.text ?? '', sent('listener', ...all));
    expect(listener?.message).to.contain('StatPrefix').and.not.contain('nosuch');
  });

  it('splits only where a name that was sent begins an entry', () => {
    const text = 'Error adding/updating cluster(s) c: bad value, x: y, d: also bad';
    expect(culpritsOf(text, sent('cluster', 'b', 'c')).map((one) => one.message)).to.deep.equal([
      'c: bad value, x: y, d: also bad',
    ]);
    expect(
      culpritsOf('Error adding/updating cluster(s) c: bad value a: b', sent('cluster', 'a', 'c')).map(
        (one) => one.resource.name,
      ),
    ).to.deep.equal(['c']);
  });

  it('leaves out what differs from process to process', () => {
    expect(normaliseNack('x goo.gle/debugproto    \nname: "c"')).to.equal('x name: "c"');
    expect(quoteNack('goo.gle/debugonly \nname: "c"')).to.equal(quoteNack('goo.gle/debugproto    \nname: "c"'));
  });

  it('cuts what is shown', () => {
    expect(quoteNack('x'.repeat(10_000))).to.have.length(256);
    expect(quoteNack(' a\n  b ')).to.equal('a b');
  });
});
