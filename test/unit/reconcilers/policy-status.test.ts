// What a policy is told: at each target, block by block, and as a whole.

import { expect } from 'chai';
import { idOf } from '../../../src/api/meta.js';
import { reconcile } from '../../../src/reconcilers/index.js';
import { policiesTouching, summaryOfPolicy } from '../../../src/reconcilers/policy-status.js';
import { byObject, statusOf } from '../../../src/reconcilers/status.js';
import { createWorlds, parsedOfAll, pod, route, service, type Raw } from './harness.js';

const policy = (name: string, spec: Raw, metadata: Raw = {}): Raw => ({
  apiVersion: 'legation.dev/v1alpha1',
  kind: 'MeshPolicy',
  metadata: { name, namespace: 'shop', ...metadata },
  spec,
});

const on = (...names: readonly string[]): Raw => ({ targetRefs: names.map((name) => ({ kind: 'Service', name })) });
const slow = { upstream: { timeouts: { request: '5s' } } };

/** The statuses of all policies, as the board would make them once all proxies have acknowledged. */
function statusesOf(...raws: readonly Raw[]) {
  const world = createWorlds().replace(parsedOfAll(raws));
  const { findings, policies, routes } = reconcile(world, { capture: 'redirect' });
  const context = { world, policies, routes };
  const found = byObject(findings);
  const delivery = { total: 1, acknowledged: 1, latched: true, tookMs: 1, waitedMs: 0 };
  const common = { generation: 1, parents: [], rejections: [], revision: 'r', effective: undefined, policies: [] };
  const statuses = policies.policies.map((one) => {
    const inputs = { ...common, ref: one.ref, findings: found.get(idOf(one.ref)) ?? [], delivery, pathOf: () => '' };
    const status = statusOf({ ...inputs, summary: summaryOfPolicy(one, context) }, undefined, '2030-01-01T00:00:00Z');
    return [one.ref.name, status] as const;
  });
  return { of: new Map(statuses), touching: routes.map((one) => policiesTouching(one, context)) };
}

type Status = ReturnType<typeof statusOf> | undefined;

const conditionsOf = (status: Status): Readonly<Record<string, string>> =>
  Object.fromEntries((status?.conditions ?? []).map((one) => [one.type, `${one.status} ${one.reason}`]));

describe('status of a MeshPolicy', () => {
  it('says of each target whether it is there', () => {
    const status = statusesOf(service('web'), policy('some', { ...on('web', 'webb'), ...slow })).of.get('some');
    expect(conditionsOf(status)).to.include({ Ready: 'True Programmed', Accepted: 'True Accepted' });
    const accepted = (status?.ancestors ?? []).map(({ ancestorRef, conditions }) => [
      ancestorRef['name'],
      conditions.find(({ type }) => type === 'Accepted')?.message,
    ]);
    expect(accepted).to.deep.equal([
      ['web', 'The policy is in force at 1 of 2 targets'],
      ['webb', "Service 'shop/webb' does not exist; did you mean 'web'?"],
    ]);
    expect(status?.ancestors?.[0]?.controllerName).to.equal('legation.dev/controller');
  });

  it('is not accepted where no target is there, nor where a port is not', () => {
    const { of } = statusesOf(
      service('web'),
      policy('none', { ...on('one', 'two'), ...slow }),
      policy('port', { targetRefs: [{ kind: 'Service', name: 'web', sectionName: 'htpp' }], ...slow }),
    );
    expect(conditionsOf(of.get('none'))).to.include({
      Accepted: 'False TargetNotFound',
      Stalled: 'True TargetNotFound',
    });
    expect(conditionsOf(of.get('port'))).to.include({ Accepted: 'False TargetNotFound' });
  });

  it('tells who overrides it, whole or in places', () => {
    const { of, touching } = statusesOf(
      ...[service('web'), service('other'), pod('web-0', { app: 'web' })],
      policy('base', { upstream: { timeouts: { request: '9s' }, retryBudget: {} } }),
      policy('mesh', slow, { namespace: 'legation-system' }),
      policy('web', { ...on('web'), ...slow }),
      route('web', [{ name: 'main', backendRefs: [{ name: 'web', port: 80 }] }]),
    );
    expect(of.get('base')?.blocks).to.deep.equal([
      'upstream.retryBudget: in force',
      'upstream.timeouts: in force, in places overridden by shop/web',
    ]);
    expect(of.get('base')?.selected).to.deep.equal({ workloads: 1, services: 2 });
    expect(of.get('mesh')?.blocks).to.deep.equal(['upstream: overridden by shop/base and 1 more']);
    expect(conditionsOf(of.get('mesh'))).to.include({
      ...{ Ready: 'False Overridden', Accepted: 'True Accepted' },
      ...{ Programmed: 'False Overridden', Stalled: 'True Overridden' },
    });
    expect(touching).to.deep.equal([['shop/web (upstream)', 'shop/base (upstream)']]);
  });

  it('tells the younger of two at one level, and says when nothing of it is left', () => {
    const { of } = statusesOf(
      service('web'),
      policy('older', { ...on('web'), ...slow }, { creationTimestamp: '2025-01-01T00:00:00Z' }),
      policy('younger', { ...on('web'), ...slow }, { creationTimestamp: '2026-01-01T00:00:00Z' }),
    );
    const conflict = of.get('younger')?.conditions.find(({ type }) => type === 'Conflicted');
    expect(conflict).to.include({
      reason: 'OlderWins',
      message: "`upstream.timeouts` of this policy loses to MeshPolicy 'shop/older' (older)",
    });
    expect(conditionsOf(of.get('younger'))).to.include({ Programmed: 'False Overridden' });
    expect(conditionsOf(of.get('older'))).to.include({ Ready: 'True Programmed' });
  });

  it('warns of a selector that selects nobody, and is in force', () => {
    const labels = { workloadSelector: { matchLabels: { app: 'wbe' } }, inbound: { mergeSlashes: true } };
    const status = statusesOf(pod('web-0', { app: 'web' }), policy('nobody', labels)).of.get('nobody');
    expect(conditionsOf(status)).to.include({ Ready: 'True Programmed', Degraded: 'True TargetNotFound' });
    expect(status?.blocks).to.deep.equal(['inbound: reaches nothing yet']);
  });

  it('says what is not compiled yet beside what is in force', () => {
    const status = statusesOf(service('web'), policy('part', { ...on('web'), ...slow, mtls: { mode: 'Strict' } }));
    expect(status.of.get('part')?.blocks).to.deep.equal(['upstream: in force', 'mtls: not compiled']);
  });

  it('gives the port of a pod behind two Services to the older policy', () => {
    const both = { selector: { app: 'web' } };
    const target = (name: string): Raw => ({ ...on(name), inbound: { mergeSlashes: true } });
    const { of } = statusesOf(
      ...[service('a', both), service('b', both), pod('web-0', { app: 'web' })],
      policy('younger', target('a'), { creationTimestamp: '2026-01-01T00:00:00Z' }),
      policy('older', target('b'), { creationTimestamp: '2025-01-01T00:00:00Z' }),
    );
    expect(of.get('older')?.blocks).to.deep.equal(['inbound: in force']);
    expect(of.get('younger')?.blocks).to.deep.equal(['inbound: overridden by shop/older']);
  });

  it('of one that is tried takes nothing from one that holds, and says that nothing is refused', () => {
    const limit = (requests: number): Raw => ({ rateLimit: { rules: [{ name: 'all', requests }] } });
    const { of } = statusesOf(
      service('web'),
      pod('web-0', { app: 'web' }),
      policy('base', limit(9)),
      policy('tried', { ...on('web'), mode: 'Audit', ...limit(1) }),
    );
    expect(of.get('base')?.blocks).to.deep.equal(['rateLimit: in force']);
    expect(conditionsOf(of.get('base'))).not.to.have.property('Auditing');
    expect(of.get('tried')?.blocks).to.deep.equal(['rateLimit: tried, refuses nothing']);
    expect(conditionsOf(of.get('tried'))).to.include({ Ready: 'True Programmed', Auditing: 'True NotEnforced' });
  });
});
