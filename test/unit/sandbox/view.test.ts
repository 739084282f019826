// The picture of a sandbox: pure, so it is compared as text.
import { expect } from 'chai';
import { countedSince, mergeCounted, nothingCounted, parseStats, quantile } from '../../../src/sandbox/envoy-stats.js';
import { parseStatus } from '../../../src/sandbox/object-status.js';
import { landings, parseRouteTargets } from '../../../src/sandbox/route-targets.js';
import { type ViewState, renderLine, renderView } from '../../../src/sandbox/view.js';

const statsText = [
  'cluster.o/shop/reviews/9080/version=v1.upstream_rq_completed: 80',
  'cluster.o/shop/reviews/9080/version=v1.upstream_rq_5xx: 4',
  'cluster.o/shop/reviews/9080/version=v2.upstream_rq_completed: 30',
  'cluster.legation-xds.upstream_rq_completed: 1',
  'vhost.reviews.shop.svc.route.shop/reviews.main/canary.upstream_rq_completed: 100',
  'vhost.other.route.shop/reviews.main/canary.upstream_rq_completed: 1',
  'vhost.other.route.shop/reviews.main/preview.upstream_rq_completed: 10',
  'vhost.other.route.shop/reviews.main/canary.upstream_rq_time: B0.5(0,0) B1(1,50) B2(0,99) B5(0,101) B10(0,101)',
].join('\n');

const routeDump = JSON.stringify({
  configs: [
    {
      route_config: {
        name: 'i/9080',
        virtual_hosts: [{ routes: [{ name: 'inbound', route: { cluster: 'i/9080' } }] }],
      },
    },
    {
      route_config: {
        name: 'o/shop/reviews/9080',
        virtual_hosts: [
          {
            routes: [
              { name: 'shop/reviews.main/preview', route: { cluster: 'o/shop/reviews/9080/version=v2' } },
              {
                name: 'shop/reviews.main/canary',
                route: {
                  weighted_clusters: {
                    clusters: [
                      { name: 'o/shop/reviews/9080/version=v1', weight: 90 },
                      { name: 'o/shop/reviews/9080/version=v2', weight: 10 },
                    ],
                  },
                },
              },
              { name: 'shop/reviews.main/about', direct_response: { status: 200 } },
            ],
          },
        ],
      },
    },
  ],
});

function statusBody(conditions: readonly object[], extra: object = {}): string {
  const item = {
    kind: 'TrafficRoute',
    metadata: { namespace: 'shop', name: 'reviews.main', generation: 2 },
    status: { applied: { proxies: '3/3' }, conditions, ...extra },
  };
  return JSON.stringify({ items: [item] });
}

const condition = (type: string, status: string, rest: object = {}): object => ({
  type,
  status,
  observedGeneration: 2,
  ...rest,
});

function state(changes: Partial<ViewState> = {}): ViewState {
  const counted = parseStats(statsText);
  return {
    folder: 'shop/',
    pods: { total: 3, ready: 3 },
    controlPlane: { serving: true, restarts: 0 },
    traffic: undefined,
    objects: parseStatus(statusBody([condition('Programmed', 'True')])) ?? [],
    targets: parseRouteTargets(routeDump),
    counted,
    recent: { counted, seconds: 10 },
    events: [],
    commands: ['curl -x http://127.77.0.1:15001 http://reviews:9080/'],
    ...changes,
  };
}

const canvas = { columns: 200, rows: 40, colour: false };

describe('sandbox: view', () => {
  it('shows each route: requests, rate, latency, where they landed, and that it is programmed', () => {
    const lines = renderView(state(), canvas);
    expect(lines[0]).to.include('pods 3/3 ready').and.to.include('control plane up').and.to.include('objects 1/1');
    expect(lines[1]).to.include('curl -x');
    const canary = lines.find((line) => line.startsWith('shop/reviews.main/canary')) ?? '';
    expect(canary).to.match(
      / 101 +10\.1 +0\.0% +1\.0ms +\d\.\dms +3\/3 +version=v1 80% \(90%\), version=v2 20% \(10%\)$/,
    );
    const v1 = lines.find((line) => line.startsWith('shop/reviews/9080/version=v1')) ?? '';
    expect(v1).to.match(/ 80 +8\.0 +5\.0%/);
    expect(lines.some((line) => line.includes('legation-xds') || line.includes('inbound'))).to.equal(false);
  });

  it('shows what is pending, refused, down, and what happened', () => {
    const pending = renderView(state({ objects: parseStatus(statusBody([])) ?? [] }), canvas);
    expect(pending.find((line) => line.includes('/canary'))).to.include('3/3…');
    const objects = parseStatus(statusBody([condition('Accepted', 'False', { message: 'no such thing' })])) ?? [];
    const refused = renderView(state({ objects, events: ['12:00:00 control plane ended'] }), canvas);
    expect(refused.find((line) => line.includes('/canary'))).to.include('refused');
    expect(refused).to.include('TrafficRoute shop/reviews.main: no such thing');
    expect(refused.at(-1)).to.equal('12:00:00 control plane ended');
    const down = renderView(state({ controlPlane: { serving: false, restarts: 2 } }), canvas);
    expect(down[0]).to.include('control plane down (restarted 2×)');
  });

  it('stays inside the canvas, and keeps the events in it', () => {
    const lines = renderView(state({ events: ['first', 'second'] }), { columns: 40, rows: 8, colour: false });
    expect(lines.length).to.be.at.most(7);
    expect(Math.max(...lines.map((line) => line.length))).to.be.at.most(40);
    expect(lines.slice(-2)).to.deep.equal(['first', 'second']);
  });

  it('says the same in one line where there is no terminal', () => {
    const line = renderLine(state({ traffic: { sent: 5, failed: 1 } }));
    expect(line).to.include('traffic 5 sent, 1 failed').and.to.include('shop/reviews.main/canary 101 requests');
    expect(line).not.to.include('\n');
  });
});

describe('sandbox: statistics', () => {
  it('adds up over virtual hosts and Envoys, and subtracts what was before', () => {
    const one = parseStats(statsText);
    const both = mergeCounted([one, one]);
    expect(both.routes.get('shop/reviews.main/canary')?.completed).to.equal(202);
    expect(both.clusters.get('o/shop/reviews/9080/version=v1')).to.include({ completed: 160, failed: 8 });
    const since = countedSince(both, one);
    expect(since.routes.get('shop/reviews.main/canary')).to.deep.equal(one.routes.get('shop/reviews.main/canary'));
    // An Envoy that restarted counts from zero again.
    expect(countedSince(one, both).routes.get('shop/reviews.main/canary')?.completed).to.equal(0);
  });

  it('estimates quantiles inside a bucket', () => {
    const canary = parseStats(statsText).routes.get('shop/reviews.main/canary');
    expect(canary).not.to.equal(undefined);
    if (canary === undefined) return;
    expect(quantile(canary, 0.5)).to.be.within(0.5, 1.1);
    expect(quantile(canary, 0.99)).to.be.within(2, 5);
    expect(quantile({ completed: 0, failed: 0, latency: new Map() }, 0.5)).to.equal(undefined);
  });

  it('does not guess where nothing was counted', () => {
    const shares = landings(parseRouteTargets(routeDump), nothingCounted).get('shop/reviews.main/canary') ?? [];
    expect(shares.map((share) => share.observed)).to.deep.equal([undefined, undefined]);
    expect(parseRouteTargets('{')).to.deep.equal(new Map());
  });
});

describe('sandbox: object status', () => {
  const phaseOf = (body: string): string | undefined => parseStatus(body)?.[0]?.phase;

  it('tells programmed from refused from pending', () => {
    expect(phaseOf(statusBody([condition('Programmed', 'True')]))).to.equal('programmed');
    expect(phaseOf(statusBody([condition('Accepted', 'False')]))).to.equal('refused');
    expect(phaseOf(statusBody([condition('Programmed', 'False', { reason: 'RejectedByProxy' })]))).to.equal('refused');
    expect(phaseOf(statusBody([condition('Programmed', 'False', { reason: 'Pending' })]))).to.equal('pending');
    expect(phaseOf(statusBody([]))).to.equal('pending');
  });

  it('does not take the word of an older generation', () => {
    expect(phaseOf(statusBody([condition('Programmed', 'True', { observedGeneration: 1 })]))).to.equal('pending');
  });

  it('reads the parents of a Gateway API route', () => {
    const parents = (...all: readonly (readonly object[])[]): string =>
      statusBody([], { parents: all.map((conditions) => ({ conditions })) });
    expect(phaseOf(parents([condition('Programmed', 'True')], []))).to.equal('pending');
    expect(phaseOf(parents([condition('Programmed', 'True')], [condition('Accepted', 'False')]))).to.equal('refused');
    expect(phaseOf(parents())).to.equal('programmed');
  });

  it('is undefined for anything else', () => {
    expect(parseStatus('{"items":3}')).to.equal(undefined);
    expect(parseStatus('half an ans')).to.equal(undefined);
  });
});
