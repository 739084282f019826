// The merged policy as it is read: whose word each line is, what lost and why, and that built-in lines are true.

import { expect } from 'chai';
import { builtInInbound, builtInUpstream } from '../../../src/features/built-in.js';
import { builtInDefaults, routeDefaultsOf } from '../../../src/features/route-defaults.js';
import { reconcile } from '../../../src/reconcilers/index.js';
import type { PolicySubject } from '../../../src/reconcilers/policy-subjects.js';
import { effectivePolicy, type PolicyView } from '../../../src/reconcilers/policy-view.js';
import { resourcesToJson } from '../../../src/xds/readable.js';
import { resourceTypes } from '../../../src/xds/resources.js';
import { translate } from '../../../src/xds/translate.js';
import { createWorlds, parsedOfAll, pod, route, service, type Raw } from './harness.js';
import { leastCapabilities } from '../../../src/xds/capabilities.js';

const policy = (name: string, spec: Raw, metadata: Raw = {}): Raw => ({
  apiVersion: 'legation.dev/v1alpha1',
  kind: 'MeshPolicy',
  metadata: { name, namespace: 'shop', ...metadata },
  spec,
});

const onWeb = { targetRefs: [{ kind: 'Service', name: 'web' }] };
const request = (time: string): Raw => ({ timeouts: { request: time } });

const base = [
  service('web'),
  pod('web-0', { app: 'web' }, { status: { podIP: '10.0.0.1' } }),
  policy('mesh', { upstream: { ...request('60s'), retry: { attempts: 9 } } }, { namespace: 'legation-system' }),
  policy('base', { upstream: request('30s'), inbound: { mergeSlashes: false } }),
];

function compiled(raws: readonly Raw[]) {
  const world = createWorlds().replace(parsedOfAll(raws));
  return { world, ...reconcile(world, { capture: 'redirect' }) };
}

const viewsOf = (subject: PolicySubject, ...raws: readonly Raw[]): readonly PolicyView[] =>
  effectivePolicy(subject, compiled([...base, ...raws]));

/** `5s by shop/limits (Service)`. */
function lineOf(view: PolicyView | undefined, path: string): string | undefined {
  const line = view?.lines.find((one) => one.path === path);
  if (line === undefined) return undefined;
  const { value, origin } = line;
  if ('policy' in origin) return `${String(value)} by ${origin.policy} (${origin.level})`;
  return `${String(value)} by ${'rule' in origin ? origin.rule : 'nobody'}`;
}

const web: PolicySubject = { kind: 'service', key: 'shop/web', port: undefined };

describe('the merged policy', () => {
  it('says for a Service how it is called, and for the pods behind it how they are', () => {
    const [calls, pods, ...others] = viewsOf(web, policy('limits', { ...onWeb, upstream: request('5s') }));
    expect(others).to.deep.equal([]);
    expect(calls?.about).to.equal("calls to Service 'shop/web', port 80 (http)");
    expect(lineOf(calls, 'upstream.timeouts.request')).to.equal('5s by shop/limits (Service)');
    expect(lineOf(calls, 'upstream.retry.attempts')).to.equal('9 by legation-system/mesh (Mesh)');
    expect(lineOf(calls, 'upstream.connection.connectTimeout')).to.equal('5s by nobody');
    expect(lineOf(calls, 'inbound.mergeSlashes')).to.equal(undefined);
    expect(pods?.about).to.equal("requests to Pod 'shop/web-0', port 8080");
    expect(lineOf(pods, 'inbound.mergeSlashes')).to.equal('false by shop/base (Namespace)');
    expect(lineOf(pods, 'upstream.timeouts.request')).to.equal(undefined);
    expect(calls?.lost).to.deep.equal(
      ['shop/base Namespace', 'legation-system/mesh Mesh'].map((one) => {
        const [name = '', level = ''] = one.split(' ');
        const to = { policy: 'shop/limits', level: 'Service' };
        return { path: 'upstream.timeouts', by: { policy: name, level }, to, why: 'nearer level' };
      }),
    );
  });

  it('knows an older policy of the same level, and the port that is nearer than its Service', () => {
    const created = (year: number): Raw => ({ creationTimestamp: `${String(year)}-01-01T00:00:00Z` });
    const [calls] = viewsOf(
      { ...web, port: 'http' },
      policy('younger', { ...onWeb, upstream: { ...request('2s'), retryBudget: {} } }, created(2026)),
      policy('older', { ...onWeb, upstream: { retryBudget: {} } }, created(2025)),
      policy('port', { targetRefs: [{ kind: 'Service', name: 'web', sectionName: 'http' }], upstream: request('1s') }),
    );
    expect(lineOf(calls, 'upstream.timeouts.request')).to.equal('1s by shop/port (Service port http)');
    const lost = calls?.lost.filter(({ by }) => by.policy === 'shop/younger').map(({ path, why }) => [path, why]);
    expect(lost).to.deep.equal([
      ['upstream.retryBudget', 'same level, older'],
      ['upstream.timeouts', 'nearer level'],
    ]);
  });

  it('puts the words of a rule before policies on it, and those before its Service', () => {
    const views = viewsOf(
      { kind: 'route', ref: { kind: 'TrafficRoute', namespace: 'shop', name: 'web' }, rule: 'main' },
      route('web', [
        { name: 'main', retry: { attempts: 1 }, backendRefs: [{ name: 'web', port: 80 }] },
        { name: 'rest', matches: [{ path: { value: '/rest' } }], backendRefs: [{ name: 'web', port: 80 }] },
      ]),
      policy('limits', { ...onWeb, upstream: request('5s') }),
      policy('rule', {
        targetRefs: [{ group: 'legation.dev', kind: 'TrafficRoute', name: 'web', sectionName: 'main' }],
        upstream: request('3s'),
      }),
    );
    expect(views).to.have.length(1);
    expect(lineOf(views[0], 'upstream.timeouts.request')).to.equal('3s by shop/rule (TrafficRoute rule main)');
    expect(lineOf(views[0], 'upstream.retry.attempts')).to.equal('1 by TrafficRoute shop/web rule main');
    expect(lineOf(views[0], 'upstream.connection.connectTimeout')).to.equal(undefined);
    const written = views[0]?.lost.filter(({ why }) => why === 'written in the rule');
    expect(written?.map(({ path, by }) => [path, by.policy])).to.deep.equal([
      ['upstream.retry.attempts', 'legation-system/mesh'],
    ]);
  });

  it('says nothing of what is not there', () => {
    for (const subject of [
      { kind: 'service', key: 'shop/wbe', port: undefined },
      { kind: 'service', key: 'shop/web', port: '81' },
      { kind: 'pod', key: 'shop/web-9' },
      { kind: 'namespace', namespace: 'shpo' },
    ] as const)
      expect(viewsOf(subject), JSON.stringify(subject)).to.deep.equal([]);
    expect(viewsOf({ kind: 'workload', workload: 'Pod', key: 'shop/web-0' })).to.have.length(1);
  });

  it('leaves the built-in budget out where a fixed number of retries stands in its place', () => {
    const [calls] = viewsOf(web, policy('few', { ...onWeb, upstream: { circuitBreaker: { maxRetries: 1 } } }));
    expect(lineOf(calls, 'upstream.circuitBreaker.maxRetries')).to.equal('1 by shop/few (Service)');
    expect(lineOf(calls, 'upstream.retryBudget.percent')).to.equal(undefined);
  });

  it('lists what is only tried beside what holds', () => {
    const limit = (requests: number): Raw => ({ rateLimit: { rules: [{ name: 'all', requests }] } });
    const views = viewsOf(
      { kind: 'pod', key: 'shop/web-0' },
      policy('held', limit(9)),
      policy('tried', { ...onWeb, mode: 'Audit', ...limit(1) }),
    );
    const found = views.flatMap(({ lines, lost }) => [
      ...lines.filter(({ path }) => path === 'rateLimit.rules[all].requests'),
      ...lost.filter(({ path }) => path.startsWith('rateLimit')),
    ]);
    expect(found).to.deep.equal([
      { path: 'rateLimit.rules[all].requests', value: 9, origin: { policy: 'shop/held', level: 'Namespace' } },
      {
        path: 'rateLimit.rules[all].requests',
        value: 1,
        origin: { policy: 'shop/tried', level: 'Service', audit: true },
      },
    ]);
  });
});

describe('what is called built-in', () => {
  it('changes nothing where it is written', () => {
    const plain = [service('web'), pod('web-0', { app: 'web' }, { status: { podIP: '10.0.0.1' } })];
    const configurationOf = (raws: readonly Raw[]): unknown => {
      const { model } = compiled(raws);
      const proxy = model.proxies.get('shop/web-0');
      if (proxy === undefined) throw new Error('the pod has a proxy');
      const bundles = translate(model, proxy, leastCapabilities);
      return resourceTypes.map((type) => resourcesToJson(bundles[type]));
    };
    const written = policy('all', { upstream: builtInUpstream, inbound: builtInInbound });
    expect(configurationOf([...plain, written])).to.deep.equal(configurationOf(plain));
    expect(routeDefaultsOf(builtInUpstream)).to.deep.equal(builtInDefaults);
  });
});
