// Tables, colours and ages.

import { expect } from 'chai';
import { createPaint, renderTable, wantsColour } from '../../../src/cli/output.js';
import { ageOf, rowOf, statusTable } from '../../../src/cli/status-rows.js';

describe('output', () => {
  it('aligns columns by what is seen, colours apart', () => {
    const { red } = createPaint(true);
    const [head = '', body = ''] = renderTable([
      ['NAME', 'STATE', 'WHY'],
      [red('a'), 'down', ''],
    ]).split('\n');
    expect(head.indexOf('STATE')).to.equal(body.replace(red('a'), 'a').indexOf('down'));
    expect(body.endsWith('down')).to.equal(true);
  });

  it('colours as asked, else as the environment says, else on a terminal', () => {
    const ask = (when: 'auto' | 'always' | 'never', isTerminal: boolean, environment: Record<string, string>) =>
      wantsColour({ when, isTerminal, environment });
    expect(ask('auto', true, {})).to.equal(true);
    expect(ask('auto', false, {})).to.equal(false);
    expect(ask('auto', true, { NO_COLOR: '1', FORCE_COLOR: '1' })).to.equal(false);
    expect(ask('auto', false, { FORCE_COLOR: '1' })).to.equal(true);
    expect(ask('auto', true, { FORCE_COLOR: '0' })).to.equal(false);
    expect(ask('always', false, { NO_COLOR: '1' })).to.equal(true);
    expect(ask('never', true, { FORCE_COLOR: '1' })).to.equal(false);
  });

  it('says how old something is', () => {
    const now = Date.parse('2030-01-03T00:00:00Z');
    expect(ageOf('2030-01-02T23:59:48Z', now)).to.equal('12s');
    expect(ageOf('2030-01-02T23:00:01Z', now)).to.equal('59m');
    expect(ageOf('2030-01-01T00:00:00Z', now)).to.equal('2d');
    expect(ageOf('', now)).to.equal('');
  });

  it('takes the state of a route without Ready from its parents, the worst first', () => {
    const condition = (type: string, status: string) => ({ type, status, reason: `${type}Reason`, message: type });
    const row = rowOf({
      kind: 'HTTPRoute',
      metadata: { name: 'web', namespace: 'shop', generation: 3 },
      status: {
        parents: [
          { conditions: [condition('Accepted', 'True'), condition('ResolvedRefs', 'True')] },
          { conditions: [condition('Accepted', 'True'), condition('ResolvedRefs', 'False')] },
        ],
      },
    });
    expect(row).to.include({ ready: 'False', reason: 'ResolvedRefsReason', proxies: '', generation: 3 });
    expect(rowOf({ kind: 'TrafficRoute' })).to.include({ ready: 'Unknown', reason: '' });
  });

  it('cuts messages, except in wide tables', () => {
    const row = { ...rowOf({}), message: 'x'.repeat(50) };
    const style = { paint: createPaint(false), now: 0, messageWidth: 10 };
    expect(statusTable([row], { ...style, wide: false })).to.include(`${'x'.repeat(9)}…`);
    expect(statusTable([row], { ...style, wide: true })).to.include('x'.repeat(50));
  });
});
