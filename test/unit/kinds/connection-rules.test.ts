// What routes for connections may not say is refused, field by field.

import { expect } from 'chai';
import { parse } from '../../../src/api/schema.js';
import { connectionRouteProblems, connectionRuleProblems } from '../../../src/kinds/connection-rules.js';
import { trafficRouteSpecSchema, type TrafficRouteSpec } from '../../../src/kinds/traffic-route.js';

function specOf(
  rule: Readonly<Record<string, unknown>>,
  more: Readonly<Record<string, unknown>> = {},
): TrafficRouteSpec {
  const backendRefs = [{ name: 'db', port: 5432 }];
  const raw = { parentRefs: [{ name: 'db' }], protocol: 'TCP', rules: [{ backendRefs, ...rule }], ...more };
  const parsed = parse(trafficRouteSpecSchema, raw, 'spec');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return parsed.value;
}

const problemsOf = (spec: TrafficRouteSpec) =>
  spec.rules.flatMap((rule, index) => connectionRuleProblems(spec, rule, index));

describe('rules for connections', () => {
  const refused: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
    'timeouts.request': { timeouts: { request: '1s' } },
    'retry.retryOn': { retry: { retryOn: ['ConnectFailure', 'Reset'] } },
    'retry.backoff': { retry: { backoff: '1s' } },
    'retry.idempotent': { retry: { idempotent: true } },
    'retry.honorRetryAfter': { retry: { honorRetryAfter: true } },
  };
  for (const [path, rule] of Object.entries(refused))
    it(`refuse ${path}, which requests may have`, () => {
      const [problem, ...more] = problemsOf(specOf(rule));
      expect(more).to.deep.equal([]);
      expect(problem).to.include({ path: `spec.rules[0].${path}`, reason: 'UnsupportedValue' });
      expect(problem?.message).to.match(/^`spec\.rules\[0\]\..*` may not be used in a TCP route; /);
      expect(problemsOf(specOf(rule, { protocol: 'HTTP' }))).to.deep.equal([]);
    });

  it('take what connections have', () => {
    const rule = { timeouts: { idle: '5m', maxStream: '1h' }, retry: { attempts: 3, retryOn: ['ConnectFailure'] } };
    expect(problemsOf(specOf(rule))).to.deep.equal([]);
    expect(connectionRouteProblems(specOf({}))).to.deep.equal([]);
  });

  it('have names in TLS alone', () => {
    const hostnames = ['db.example.com'];
    expect(connectionRouteProblems(specOf({}, { hostnames })).map(({ path }) => path)).to.deep.equal([
      'spec.hostnames',
    ]);
    expect(connectionRouteProblems(specOf({}, { hostnames, protocol: 'TLS' }))).to.deep.equal([]);
  });
});
