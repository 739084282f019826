// Who acknowledged what: counts, latching, and objects and proxies that come and go.

import { expect } from 'chai';
import type { Delivery } from '../../../src/model/delivery.js';
import { createDeliveryTracker } from '../../../src/runtime/delivery-tracker.js';

const clock = { now: () => 0, sleep: () => Promise.resolve(), schedule: () => () => undefined };

function tracked() {
  const programmed: string[] = [];
  const tracker = createDeliveryTracker({ clock, onProgrammed: (id) => programmed.push(id) });
  const say = (kind: Delivery['kind'], proxy: string, revision = 0): void => {
    const source = { proxy, group: 'g' };
    if (kind === 'connected') tracker.onDelivery({ ...source, kind, envoy: '1.39.3' });
    else if (kind === 'settled') tracker.onDelivery({ ...source, kind, revision });
    else tracker.onDelivery({ ...source, kind });
  };
  return { tracker, programmed, say };
}

describe('delivery tracker', () => {
  it('tells once every proxy in reach has acknowledged, and stays so for proxies that come later', () => {
    const { tracker, programmed, say } = tracked();
    tracker.published(1, [{ id: 'a', token: {}, reach: undefined }]);
    say('connected', 'shop/one');
    say('connected', 'shop/two');
    say('settled', 'shop/one', 1);
    expect(programmed).to.deep.equal([]);
    expect(tracker.progressOf('a')).to.include({ total: 2, acknowledged: 1, latched: false });
    say('settled', 'shop/two', 1);
    expect(programmed).to.deep.equal(['a']);
    say('connected', 'shop/late');
    expect(tracker.progressOf('a')).to.include({ total: 3, acknowledged: 2, latched: true });
  });

  it('does not wait for proxies that left, nor for namespaces that it does not concern', () => {
    const { tracker, programmed, say } = tracked();
    tracker.published(1, [{ id: 'a', token: {}, reach: 'shop' }]);
    say('connected', 'shop/one');
    say('connected', 'shop/gone');
    say('connected', 'web/slow');
    say('settled', 'shop/one', 1);
    say('disconnected', 'shop/gone');
    expect(programmed).to.deep.equal(['a']);
  });

  it('starts anew when what is delivered changes, and forgets what is gone', () => {
    const { tracker, programmed, say } = tracked();
    const kept = { id: 'kept', token: {}, reach: undefined };
    tracker.published(1, [
      kept,
      { id: 'edited', token: {}, reach: undefined },
      { id: 'gone', token: {}, reach: undefined },
    ]);
    tracker.published(2, [kept, { id: 'edited', token: {}, reach: undefined }]);
    say('connected', 'shop/one');
    say('settled', 'shop/one', 1);
    expect(programmed).to.deep.equal(['kept']);
    say('settled', 'shop/one', 2);
    expect(programmed).to.deep.equal(['kept', 'edited']);
    expect(tracker.progressOf('gone')).to.equal(undefined);
  });
});
