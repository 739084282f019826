// Patches are laid over messages as protobuf merges.

import { expect } from 'chai';
import { Route } from '../../../src/gen/envoy/config/route/v3/route_components.js';
import { laidOver } from '../../../src/xds/lay-over.js';

const type = 'envoy.config.route.v3.Route';
const base = Route.fromPartial({
  name: 'r',
  requestHeadersToRemove: ['a'],
  typedPerFilterConfig: { one: { typeUrl: '1' } },
  action: {
    $case: 'route',
    value: {
      clusterSpecifier: { $case: 'cluster', value: 'c' },
      timeout: { seconds: 1n, nanos: 5 },
      retryPolicy: { retryOn: '5xx' },
    },
  },
});

describe('laying over', () => {
  it('merges messages, appends to lists, adds to maps, and replaces the rest', () => {
    const laid = laidOver(type, base, {
      requestHeadersToRemove: ['b'],
      typedPerFilterConfig: { two: { typeUrl: '2' } },
      action: {
        $case: 'route',
        value: { timeout: { seconds: 2n, nanos: 0 }, retryPolicy: { hostSelectionRetryMaxAttempts: 3n } },
      },
    });
    expect(laid.requestHeadersToRemove).to.deep.equal(['a', 'b']);
    expect(Object.keys(laid.typedPerFilterConfig)).to.deep.equal(['one', 'two']);
    const action = laid.action?.$case === 'route' ? laid.action.value : undefined;
    expect(action).to.deep.include({
      clusterSpecifier: { $case: 'cluster', value: 'c' },
      timeout: { seconds: 2n, nanos: 0 },
    });
    expect(action?.retryPolicy).to.deep.include({ retryOn: '5xx', hostSelectionRetryMaxAttempts: 3n });
  });

  it('leaves what it is laid over as it was', () => {
    const before = structuredClone(base);
    laidOver(type, base, { requestHeadersToRemove: ['b'] });
    expect(base).to.deep.equal(before);
  });

  it('replaces one choice by another', () => {
    const laid = laidOver(type, base, { action: { $case: 'directResponse', value: { status: 204 } } });
    expect(laid.action).to.deep.equal({ $case: 'directResponse', value: { status: 204 } });
  });
});
