// Features whose compile halves have branches: config in, patches or problems out.

import { expect } from 'chai';
import { directResponse } from '../../../src/features/direct-response.js';
import type { CompiledFeature, RouteContext } from '../../../src/features/feature.js';
import { healthCheck } from '../../../src/features/health-check.js';
import { requestHeaderModifier } from '../../../src/features/header-modifiers.js';
import { requestMirror } from '../../../src/features/request-mirror.js';
import { requestRedirect } from '../../../src/features/request-redirect.js';
import { retry, type Retry } from '../../../src/features/retry.js';
import { timeouts } from '../../../src/features/timeouts.js';
import { builtInDefaults } from '../../../src/features/route-defaults.js';
import { urlRewrite } from '../../../src/features/url-rewrite.js';
import type { Result } from '../../../src/lib/result.js';

const route: RouteContext = {
  direction: 'outbound',
  name: 'shop/route/rule',
  fallsBack: false,
  defaults: builtInDefaults,
  port: 9080,
  path: { kind: 'prefix', value: '/', ignoreCase: false },
  methods: 'safe',
  providerOf: () => undefined,
  clusterOf: ({ name }) => (name === 'there' ? 'o/shop/there/80' : undefined),
};

/** What comes of a configuration that compiles. */
function compiled(result: Result<CompiledFeature> | undefined): CompiledFeature {
  if (result?.ok !== true) throw new Error('does not compile');
  return result.value;
}

describe('requestRedirect: the port', () => {
  const rows = [
    [9080, {}, 9080],
    [9080, { hostname: 'h' }, 9080],
    [9080, { scheme: 'https' }, 443],
    [9080, { scheme: 'https', hostname: 'h' }, undefined],
    [9080, { scheme: 'http', hostname: 'h' }, undefined],
    [9080, { port: 8443 }, 8443],
    [9080, { port: 443, scheme: 'https', hostname: 'h' }, undefined],
    [9080, { port: 443, scheme: 'https' }, 443],
    [9080, { port: 443, scheme: 'http', hostname: 'h' }, 443],
    [80, {}, undefined],
    [80, { hostname: 'h' }, undefined],
    [80, { scheme: 'https' }, undefined],
    [443, { scheme: 'https' }, undefined],
    [443, { scheme: 'http' }, 80],
  ] as const;
  for (const [port, config, wanted] of rows) {
    it(`parent ${String(port)}, ${JSON.stringify(config)}: ${String(wanted)}`, () => {
      const { answer } = compiled(requestRedirect.from({ requestRedirect: { statusCode: 302, ...config } })).onRoute({
        ...route,
        port,
      });
      expect(answer?.action).to.have.property('responseCode');
      expect(answer?.kind === 'redirect' ? answer.action.portRedirect : 0).to.equal(wanted);
    });
  }
});

describe('retry', () => {
  const silent: Retry = { backoff: '25ms', idempotent: false, honorRetryAfter: false, hedgeOnTimeout: false };
  const of = (config: Partial<Retry>) => compiled(retry.from({ retry: { ...silent, ...config } }));
  const policy = (config: Partial<Retry>, methods: RouteContext['methods']) =>
    of(config).onRoute({ ...route, methods }).forward?.retryPolicy;
  const splits = (config: Partial<Retry>) => of(config).splitsMethods(builtInDefaults);
  const safe = 'connect-failure,refused-stream,reset-before-request';

  it('retries twice, before anything was done', () => {
    expect(policy({}, 'unsafe')).to.include({ retryOn: safe, numRetries: 2 });
    expect(splits({})).to.equal(false);
  });

  it('goes further for methods that may repeat alone', () => {
    const config = { codes: [503], retryOn: ['ServerError'] } as const;
    expect(splits(config)).to.equal(true);
    expect(policy(config, 'safe')).to.include({ retryOn: '5xx,retriable-status-codes' });
    expect(policy(config, 'unsafe')).to.include({ retryOn: safe }).and.have.property('retriableStatusCodes').that.is
      .empty;
  });

  it('goes further for all where the author promised', () => {
    const config = { codes: [503], idempotent: true };
    expect(splits(config)).to.equal(false);
    expect(policy(config, 'unsafe')).to.include({ retryOn: `${safe},retriable-status-codes` });
  });

  it('splits nothing where it is off or safe', () => {
    expect(splits({ attempts: 0, codes: [503] })).to.equal(false);
    expect(splits({ retryOn: ['ConnectFailure'] })).to.equal(false);
    expect(policy({ attempts: 0 }, 'safe')).to.include({ numRetries: 0 });
  });
});

describe('timeouts', () => {
  it('writes off what is not set', () => {
    const { forward } = compiled(timeouts.from({})).onRoute(route);
    expect(forward?.timeout).to.deep.equal({ seconds: 0n, nanos: 0 });
    expect(forward?.idleTimeout).to.deep.equal({ seconds: 0n, nanos: 0 });
    expect(forward).not.to.have.property('retryPolicy');
    expect(forward?.maxStreamDuration).not.to.have.property('maxStreamDuration');
  });

  it('lets the shorter of request and stream stand for both: beside the second, Envoy ignores the first', () => {
    const limits = (config: { request?: string; maxStream: string }) =>
      compiled(timeouts.from({ timeouts: config })).onRoute(route).forward?.maxStreamDuration;
    expect(limits({ request: '3s', maxStream: '0s' })).to.equal(undefined);
    expect(limits({ request: '3s', maxStream: '1h' })?.maxStreamDuration).to.deep.equal({ seconds: 3n, nanos: 0 });
    expect(limits({ request: '0s', maxStream: '1h' })?.maxStreamDuration).to.deep.equal({ seconds: 3600n, nanos: 0 });
  });
});

describe('requestMirror', () => {
  const backendRef = { group: '', kind: 'Service', name: 'there', port: 80 } as const;
  const shareOf = (config: object) =>
    compiled(requestMirror.from({ requestMirror: { backendRef, ...config } })).onRoute(route).forward
      ?.requestMirrorPolicies?.[0]?.runtimeFraction;

  it('takes percentages and fractions', () => {
    expect(shareOf({})?.defaultValue).to.deep.equal({ numerator: 100, denominator: 0 });
    expect(shareOf({ percent: 0 })?.defaultValue?.numerator).to.equal(0);
    expect(shareOf({ fraction: { numerator: 1, denominator: 10_000 } })?.defaultValue).to.deep.equal({
      numerator: 1,
      denominator: 1,
    });
    expect(shareOf({ fraction: { numerator: 1, denominator: 3 } })?.defaultValue).to.deep.equal({
      numerator: 333_333,
      denominator: 2,
    });
  });

  it('is off where it does not resolve', () => {
    expect(
      compiled(requestMirror.from({ requestMirror: { backendRef: { ...backendRef, name: 'gone' } } })).onRoute(route),
    ).to.deep.equal({});
  });
});

describe('what Envoy would not take', () => {
  it('the host as a header', () => {
    for (const config of [
      { set: [{ name: 'Host', value: 'x' }] },
      { add: [{ name: 'host', value: 'x' }] },
      { remove: ['HOST'] },
    ]) {
      expect(requestHeaderModifier.from({ requestHeaderModifier: config })).to.have.property('ok', false);
    }
    expect(
      requestHeaderModifier.from({ requestHeaderModifier: { set: [{ name: 'x-host', value: 'x' }] } }),
    ).to.have.property('ok', true);
  });

  it('a header value that ends the header', () => {
    for (const value of ['a\nb', 'a\r', '\u0000']) {
      const result = requestHeaderModifier.from({ requestHeaderModifier: { set: [{ name: 'x-a', value }] } });
      expect(result?.ok === false ? result.error[0]?.message : '').to.contain(
        "must not give header 'x-a' a value with a line break",
      );
    }
    expect(
      requestHeaderModifier.from({ requestHeaderModifier: { add: [{ name: 'x-a', value: 'a\tb é' }] } }),
    ).to.have.property('ok', true);
  });

  it('a body of too many bytes', () => {
    expect(directResponse.from({ directResponse: { statusCode: 200, body: 'x'.repeat(4096) } })).to.have.property(
      'ok',
      true,
    );
    expect(directResponse.from({ directResponse: { statusCode: 200, body: 'é'.repeat(2049) } })).to.have.property(
      'ok',
      false,
    );
  });

  it('a substitution of groups that are not there', () => {
    const rewrite = (pattern: string, substitution: string) =>
      urlRewrite.from({ urlRewrite: { path: { type: 'RegularExpression', pattern, substitution } } })?.ok;
    expect(rewrite('^/a/([0-9]+)', '/b/\\1')).to.equal(true);
    expect(rewrite('^/a', '/\\0\\\\')).to.equal(true);
    expect(rewrite('^/a/([0-9]+)', '/b/\\2')).to.equal(false);
    expect(rewrite('^/a', '/\\x')).to.equal(false);
    expect(rewrite('^/a', '/\\')).to.equal(false);
  });
});

describe('healthCheck: the path', () => {
  const check = { interval: '10s', timeout: '1s', healthyThreshold: 2, unhealthyThreshold: 2, statuses: [200] };
  const compiledWith = (protocol: 'HTTP' | 'GRPC', path: string) =>
    healthCheck.from({ healthCheck: { ...check, protocol, path } })?.ok;

  it('must not hold what no request line may', () => {
    expect(compiledWith('HTTP', '/a\u0001')).to.equal(false);
    expect(compiledWith('HTTP', '/a\n')).to.equal(false);
    expect(compiledWith('HTTP', '/a\tü')).to.equal(true);
    expect(compiledWith('GRPC', 'any.Service')).to.equal(true);
  });
});
