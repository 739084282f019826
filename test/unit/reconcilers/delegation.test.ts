// Routes below rules of other routes: who is admitted, in which order they are tried, what they inherit, and what is
// said of them.

import { expect } from 'chai';
import { reconcile, type Reconciled } from '../../../src/reconcilers/index.js';
import { effectiveOf } from '../../../src/reconcilers/effective.js';
import { createWorlds, parsedOfAll, service, type Raw } from './harness.js';
import { builtInDefaults } from '../../../src/features/route-defaults.js';

const answering = (name: string, value?: string, more: Raw = {}): Raw => ({
  name,
  ...(value === undefined ? {} : { matches: [{ path: { value } }] }),
  filters: [{ type: 'DirectResponse', directResponse: { statusCode: 200, body: name } }],
  ...more,
});
const handing = (name: string, value: string, namespaces: readonly string[]): Raw => ({
  name,
  matches: [{ path: { value } }],
  delegate: { namespaces },
});
const below = (name: string, sectionName: string, more: Raw = {}): Raw => ({
  group: 'legation.dev',
  kind: 'TrafficRoute',
  namespace: 'shop',
  name,
  sectionName,
  ...more,
});
const routeIn = (id: string, parentRefs: readonly Raw[], rules: readonly Raw[]): Raw => {
  const [namespace, name] = id.split('/');
  return {
    apiVersion: 'legation.dev/v1alpha1',
    kind: 'TrafficRoute',
    metadata: { name, namespace },
    spec: { parentRefs, rules },
  };
};
const root = (rules: readonly Raw[]): Raw => routeIn('shop/web', [{ name: 'web' }], rules);
const extended = (raw: Raw, member: 'metadata' | 'spec', more: Raw): Raw => ({
  ...raw,
  [member]: { ...(raw[member] as Raw), ...more },
});
const createdAt = (raw: Raw, creationTimestamp: string): Raw => extended(raw, 'metadata', { creationTimestamp });
const forHosts = (raw: Raw, ...hostnames: readonly string[]): Raw => extended(raw, 'spec', { hostnames });

const build = (): ((raws: readonly Raw[]) => Reconciled) => {
  const worlds = createWorlds();
  return (raws) =>
    reconcile(worlds.replace(parsedOfAll([service('web'), service('other'), ...raws])), { capture: 'redirect' });
};
const once = (raws: readonly Raw[]): Reconciled => build()(raws);

/** `route/rule path` in the order in which they are tried. */
const tried = ({ model }: Reconciled, hostname = '*'): readonly string[] =>
  (
    model.services.get('shop/web')?.ports[0]?.hosts.find(({ hostnames }) => hostnames[0] === hostname)?.entries ?? []
  ).map(({ match, rule }) => `${rule.origin.ref.name}/${rule.name} ${match.path.value}`);

const said = ({ findings }: Reconciled, name: string, condition = 'Accepted'): readonly string[] =>
  findings
    .filter((one) => one.ref.name === name && one.condition === condition)
    .map(({ status, reason, message }) => `${status} ${reason}: ${message}`);

const refusedWith = (raws: readonly Raw[], name: string): string => {
  const reconciled = once(raws);
  expect(tried(reconciled).filter((one) => one.startsWith(`${name}/`))).to.deep.equal([]);
  return said(reconciled, name).join();
};

describe('delegation: order', () => {
  it('gives children the place of the rule, in the order of what they say', () => {
    const reconciled = once([
      root([answering('near', '/a/b'), handing('a', '/a', ['*']), answering('rest')]),
      routeIn('team/x', [below('web', 'a')], [answering('all'), answering('deep', '/a/c/d')]),
      routeIn('else/y', [below('web', 'a')], [answering('c', '/a/c'), answering('same', '/a/b')]),
    ]);
    expect(tried(reconciled)).to.deep.equal(['web/near /a/b', 'x/deep /a/c/d', 'y/c /a/c', 'x/all /a', 'web/rest /']);
    expect(said(reconciled, 'y', 'Conflicted')).to.deep.equal([
      "True RuleOverlap: Rule 'same' loses to rule 'near' of TrafficRoute 'shop/web' (equal match PathPrefix '/a/b'); it can never match there",
    ]);
    expect(said(reconciled, 'y', 'PartiallyInvalid')).to.deep.equal(["True RuleOverlap: Rule 'same' can never match"]);
    expect(said(reconciled, 'web', 'Conflicted')).to.deep.equal([]);
    expect(said(reconciled, 'x')).to.deep.equal(["True Accepted: Attached to rule 'a' of TrafficRoute 'shop/web'"]);
  });

  it('answers 404 where no child does', () => {
    const { model } = once([root([handing('a', '/a', ['team'])])]);
    const [entry] = model.services.get('shop/web')?.ports[0]?.hosts[0]?.entries ?? [];
    const route = {
      name: 'shop/root/a',
      port: 80,
      path: { kind: 'prefix', value: '/a', ignoreCase: false },
      methods: 'safe',
      direction: 'outbound',
      fallsBack: false,
      defaults: builtInDefaults,
      clusterOf: () => undefined,
      providerOf: () => undefined,
    } as const;
    const answers = entry?.rule.features.flatMap((feature) => feature.onRoute(route).answer ?? []);
    expect(answers).to.deep.equal([{ kind: 'respond', action: { status: 404 } }]);
  });

  it('lets the older of two children win', () => {
    const child = (name: string, created: string): Raw =>
      createdAt(routeIn(`team/${name}`, [below('web', 'a')], [answering('main', '/a/b')]), created);
    const reconciled = once([
      root([handing('a', '/a', ['*'])]),
      child('a-young', '2026-02-01T00:00:00Z'),
      child('z-old', '2026-01-01T00:00:00Z'),
    ]);
    expect(tried(reconciled)).to.deep.equal(['z-old/main /a/b', 'web/a /a']);
    expect(said(reconciled, 'a-young')).to.deep.equal([
      "False Conflicted: All rules duplicate rules of TrafficRoute 'team/z-old'",
    ]);
  });

  it('goes two rules deep, and no deeper', () => {
    const raws = [
      root([handing('a', '/a', ['*'])]),
      routeIn('shop/x', [below('web', 'a')], [handing('b', '/a/b', ['*'])]),
      routeIn('shop/y', [below('x', 'b')], [handing('c', '/a/b/c', ['*']), answering('y')]),
      routeIn('shop/z', [below('y', 'c')], [answering('z')]),
    ];
    expect(tried(once(raws))).to.deep.equal(['y/c /a/b/c', 'y/y /a/b', 'web/a /a']);
    expect(refusedWith(raws, 'z')).to.equal(
      "False NotAllowedByParent: Rule 'c' of TrafficRoute 'shop/y' is 2 rules below a Service already; requests are handed on at most 2 times",
    );
  });

  it('keeps to the host names of the parent', () => {
    const parent = forHosts(root([handing('a', '/a', ['*'])]), '*.example.com');
    const reconciled = once([
      parent,
      forHosts(routeIn('team/x', [below('web', 'a')], [answering('main', '/a')]), 'x.example.com'),
      routeIn('team/y', [below('web', 'a')], [answering('main', '/a/b')]),
    ]);
    expect(tried(reconciled, 'x.example.com')).to.deep.equal(['x/main /a', 'y/main /a/b']);
    expect(tried(reconciled, '*.example.com')).to.deep.equal(['y/main /a/b', 'web/a /a']);
    const stranger = forHosts(routeIn('team/x', [below('web', 'a')], [answering('main')]), 'x.example.org');
    expect(refusedWith([parent, stranger], 'x')).to.equal(
      "False NotAllowedByParent: `hostnames` must be among those of TrafficRoute 'shop/web', which lists '*.example.com'; found 'x.example.org'",
    );
  });
});

describe('delegation: refusals', () => {
  const parent = root([handing('team-b', '/b', ['team-b']), answering('plain', '/plain')]);
  const child = (parentRef: Raw, namespace = 'team-b'): Raw =>
    routeIn(`${namespace}/child`, [parentRef], [answering('main')]);

  const cases: readonly (readonly [string, readonly Raw[], string])[] = [
    [
      'namespace',
      [parent, child(below('web', 'team-b'), 'team-c')],
      "False NotAllowedByParent: Rule 'team-b' of TrafficRoute 'shop/web' admits namespaces 'team-b'; this route is in 'team-c'",
    ],
    [
      'no such route',
      [parent, child(below('webs', 'team-b'))],
      "False NoMatchingParent: TrafficRoute 'shop/webs' does not exist; did you mean 'web'?",
    ],
    [
      'no such route, and none that it may know of',
      [parent, child(below('webs', 'team-b'), 'team-c')],
      "False NoMatchingParent: TrafficRoute 'shop/webs' does not exist",
    ],
    [
      'no such rule',
      [parent, child(below('web', 'team-a'))],
      "False NoMatchingParent: TrafficRoute 'shop/web' has no rule 'team-a' (rules with `delegate`: 'team-b'); did you mean 'team-b'?",
    ],
    [
      'a rule that hands nothing on',
      [parent, child(below('web', 'plain'))],
      "False NoMatchingParent: Rule 'plain' of TrafficRoute 'shop/web' has no `delegate`",
    ],
    [
      'a port',
      [parent, child(below('web', 'team-b', { port: 80 }))],
      'False Invalid: `port` may only be set for a Service',
    ],
    [
      'a parent that hangs in the air',
      [routeIn('shop/web', [{ name: 'gone' }], [handing('team-b', '/b', ['*'])]), child(below('web', 'team-b'))],
      "False NoMatchingParent: TrafficRoute 'shop/web' is not attached to any Service itself",
    ],
    [
      'a rule that is left out',
      [
        root([
          {
            ...handing('team-b', '/b', ['*']),
            filters: [
              {
                type: 'URLRewrite',
                urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/' } },
              },
            ],
          },
          answering('rest'),
        ]),
        child(below('web', 'team-b')),
      ],
      "False NoMatchingParent: Rule 'team-b' of TrafficRoute 'shop/web' is not in force",
    ],
    [
      'matches that exclude each other',
      [parent, routeIn('team-b/child', [below('web', 'team-b')], [answering('main', '/c')])],
      "False NotAllowedByParent: No rule of this route can match a request that rule 'team-b' of TrafficRoute 'shop/web' hands on",
    ],
  ];
  for (const [title, raws, message] of cases) {
    it(title, () => {
      expect(refusedWith(raws, 'child')).to.equal(message);
    });
  }

  it('admits the own namespace of the parent always', () => {
    expect(tried(once([parent, child(below('web', 'team-b'), 'shop')]))).to.include('child/main /b');
  });

  it('refuses both sides of a circle, and serves the rest', () => {
    const reconciled = once([
      root([handing('a', '/a', ['*'])]),
      routeIn('shop/x', [below('web', 'a'), below('y', 'b')], [handing('b', '/a', ['*']), answering('x', '/a/x')]),
      routeIn('shop/y', [below('x', 'b')], [handing('b', '/a', ['*'])]),
    ]);
    expect(tried(reconciled)).to.deep.equal(['x/x /a/x', 'x/b /a']);
    expect(said(reconciled, 'y')).to.deep.equal([
      "False NotAllowedByParent: TrafficRoute 'shop/x' is itself below TrafficRoute 'shop/y'",
    ]);
  });

  it('refuses thousands of combinations', () => {
    const many = Array.from({ length: 64 }, (_, nth) => ({ path: { value: `/b/${String(nth)}` } }));
    const wide = routeIn('team-b/child', [below('web', 'team-b')], [answering('main', undefined, { matches: many })]);
    const parents = root([{ ...handing('team-b', '/b', ['*']), matches: many }]);
    expect(refusedWith([parents, wide], 'child')).to.equal(
      "False NotAllowedByParent: 64 matches below 64 matches of rule 'team-b' make 4096 routes; at most 1024 are made",
    );
  });

  it('names rules that can match nothing beside those that can', () => {
    const reconciled = once([
      parent,
      routeIn('team-b/child', [below('web', 'team-b')], [answering('in', '/b/in'), answering('out', '/out')]),
    ]);
    expect(said(reconciled, 'child', 'PartiallyInvalid')).to.deep.equal([
      "True NotAllowedByParent: Rule 'out' can never match: the rule above hands on no such request",
    ]);
  });
});

describe('delegation: what is inherited', () => {
  const mirror = (name: string): Raw => ({ type: 'RequestMirror', requestMirror: { backendRef: { name, port: 80 } } });
  const keysOf = (raws: readonly Raw[]): readonly string[] => {
    const entries = once(raws).model.services.get('shop/web')?.ports[0]?.hosts[0]?.entries ?? [];
    const rule = entries.find((entry) => entry.rule.origin.ref.name === 'child')?.rule;
    const targets = rule?.references.map(({ namespace, name }) => `${namespace}/${name}`) ?? [];
    const route = {
      name: 'shop/root/a',
      port: 80,
      path: { kind: 'prefix', value: '/', ignoreCase: false },
      methods: 'safe',
      direction: 'outbound',
      fallsBack: false,
      defaults: builtInDefaults,
      clusterOf: ({ namespace = 'unbound', name }: { namespace?: string; name: string }) => `${namespace}/${name}`,
      providerOf: () => undefined,
    } as const;
    return [
      ...(rule?.features ?? []).map((feature) => {
        const { route: more, forward } = feature.onRoute(route);
        return `${feature.key} ${JSON.stringify({ ...more, ...forward }, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value))}`;
      }),
      ...targets,
    ];
  };
  const child = (rule: Raw): Raw =>
    routeIn('team/child', [below('web', 'a')], [{ backendRefs: [{ name: 'x', port: 80 }], ...rule }]);
  const parent = root([{ ...handing('a', '/a', ['*']), timeouts: { request: '3s' }, filters: [mirror('other')] }]);

  it('is all that the child leaves out', () => {
    const features = keysOf([parent, child({ retry: { attempts: 1 } })]);
    expect(features.join('\n')).to.match(/^timeouts .*"timeout":\{"seconds":3/m);
    expect(features.join('\n')).to.match(/^requestMirror .*"cluster":"shop\/other"/m);
    expect(features.filter((one) => one.startsWith('retry'))).to.have.length(1);
    expect(features).to.include('shop/other');
  });

  it('is nothing that the child sets, nor the right to refer to it', () => {
    const features = keysOf([parent, child({ timeouts: { request: '1s' }, filters: [mirror('gone')] })]);
    expect(features.join('\n')).to.match(/^timeouts .*"timeout":\{"seconds":1/m);
    expect(features).not.to.include('shop/other');
  });
});

describe('delegation: identity', () => {
  const raws = [
    root([{ ...handing('a', '/a', ['team']), timeouts: { request: '3s' } }]),
    routeIn('team/x', [below('web', 'a')], [answering('main', '/a/x')]),
    routeIn('shop/other', [{ name: 'other' }], [answering('main')]),
  ];
  const edited = (name: string, rules: readonly Raw[]): readonly Raw[] =>
    raws.map((raw) =>
      (raw['metadata'] as Raw)['name'] === name ? { ...raw, spec: { ...(raw['spec'] as Raw), rules } } : raw,
    );

  it('an unrelated route recompiles nothing of a tree', () => {
    const next = build();
    const first = next(raws);
    const second = next(edited('other', [answering('changed')]));
    expect(second.model.services.get('shop/other')).not.to.equal(first.model.services.get('shop/other'));
    expect(second.model.services.get('shop/web')).to.equal(first.model.services.get('shop/web'));
    for (const [nth, route] of first.routes.entries()) {
      if (route.ref.name === 'other') continue;
      const same = second.routes[nth];
      expect(same).to.equal(route);
      if (same === undefined) continue;
      expect(second.delegation.treeOf(same)).to.equal(first.delegation.treeOf(route));
      expect(second.delegation.descentOf(same)).to.equal(first.delegation.descentOf(route));
    }
  });

  it('an edited child changes the Service of its parent, and no rule beside it', () => {
    const next = build();
    const first = next(raws);
    const second = next(edited('x', [answering('changed', '/a/x')]));
    expect(tried(second)).to.deep.equal(['x/changed /a/x', 'web/a /a']);
    expect(second.model.services.get('shop/other')).to.equal(first.model.services.get('shop/other'));
    const fallback = ({ model }: Reconciled) =>
      model.services.get('shop/web')?.ports[0]?.hosts[0]?.entries.at(-1)?.rule;
    expect(fallback(second)).to.equal(fallback(first));
  });

  it('an edit of the parent leaves the rules of children that inherit nothing', () => {
    const next = build();
    const plain = (namespaces: readonly string[]) => edited('web', [handing('a', '/a', namespaces)]);
    const childRule = ({ model }: Reconciled) => model.services.get('shop/web')?.ports[0]?.hosts[0]?.entries[0]?.rule;
    const first = childRule(next(plain(['team'])));
    expect(first?.name).to.equal('main');
    expect(childRule(next(plain(['team', 'more'])))).to.equal(first);
  });

  it('a withdrawn grant takes the child away and tells both sides', () => {
    const next = build();
    const first = next(raws);
    const treeOf = ({ routes, delegation }: Reconciled, name: string) => {
      const [route] = routes.filter(({ ref }) => ref.name === name);
      return route === undefined ? undefined : effectiveOf(delegation.treeOf(route));
    };
    expect(treeOf(first, 'web')).to.equal('a: handed on to team/x');
    const second = next(edited('web', [{ ...handing('a', '/a', ['nobody']), timeouts: { request: '3s' } }]));
    expect(tried(second)).to.deep.equal(['web/a /a']);
    expect(treeOf(second, 'web')).to.equal('a: handed on to no route yet (404)');
    expect(said(second, 'x')[0]).to.match(/^False NotAllowedByParent/);
  });
});
