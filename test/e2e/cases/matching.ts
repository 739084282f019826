// Which rule a request meets.

import { expect } from 'chai';
import { expectAnswers, expectCondition, ruleOf } from '../expectations.js';
import { feature, misuse } from '../registry.js';
import type { TestMesh } from '../mesh.js';
import { service } from '../world.js';
import { answeringRules, route } from '../written.js';

const shop = (matches: Readonly<Record<string, string>>): string => route('rules', 'shop', answeringRules(matches));

const applyRules = (mesh: TestMesh, matches: Readonly<Record<string, string>>): Promise<void> =>
  mesh.apply(service('shop', ['v1']), shop(matches));

/** What status says of rules that cannot be. */
async function attemptRule(mesh: TestMesh, match: string): Promise<void> {
  await mesh.attempt(service('shop', ['v1']), shop({ wrong: match }));
}

const acceptance = (mesh: TestMesh) => mesh.condition('TrafficRoute', 'rules', 'Accepted');

feature('1.1-path', 'exact paths, segments and expressions take what is theirs', async (mesh) => {
  await applyRules(mesh, {
    exact: '{ path: { type: Exact, value: /exact } }',
    prefix: '{ path: { type: PathPrefix, value: /api } }',
    slash: '{ path: { type: PathPrefix, value: /dir/ } }',
    regex: '{ path: { type: RegularExpression, value: "/users/[0-9]+" } }',
  });
  await expectAnswers(mesh.as('web'), {
    ...{ 'http://shop/exact': 'exact', 'http://shop/exact/': '404', 'http://shop/Exact': '404' },
    ...{ 'http://shop/exact?q=1': 'exact', 'http://shop/api/../exact': 'exact' },
    ...{ 'http://shop/api': 'prefix', 'http://shop/api/': 'prefix', 'http://shop/api/x': 'prefix' },
    ...{ 'http://shop/apix': '404', 'http://shop/API': '404', 'http://shop//api//x': 'prefix' },
    ...{ 'http://shop/dir': 'slash', 'http://shop/dir/x': 'slash', 'http://shop/dirx': '404' },
    ...{ 'http://shop/users/12': 'regex', 'http://shop/users/12/x': '404', 'http://shop/x/users/12': '404' },
  });
});

misuse('1.1-path', 'an expression that is not RE2 is named', async (mesh) => {
  await attemptRule(mesh, '{ path: { type: RegularExpression, value: "/(?=x)" } }');
  expectCondition(await acceptance(mesh), 'False Invalid', '(?=', '`value` must be a regular expression in RE2 syntax');
});

feature('1.1-ignore-case', 'paths of every kind match in any case', async (mesh) => {
  await applyRules(mesh, {
    exact: '{ path: { type: Exact, value: /exact, ignoreCase: true } }',
    prefix: '{ path: { type: PathPrefix, value: /Folder, ignoreCase: true } }',
    regex: '{ path: { type: RegularExpression, value: "/reg[a-z]+", ignoreCase: true } }',
  });
  await expectAnswers(mesh.as('web'), {
    ...{ 'http://shop/EXACT': 'exact', 'http://shop/exact': 'exact', 'http://shop/EXACT/x': '404' },
    ...{ 'http://shop/fOLDER/x': 'prefix', 'http://shop/folderx': '404', 'http://shop/rEGULAR': 'regex' },
  });
});

misuse('1.1-ignore-case', 'a value that is no boolean is named', async (mesh) => {
  await attemptRule(mesh, '{ path: { value: /x, ignoreCase: "yes" } }');
  expectCondition(await acceptance(mesh), 'False Invalid', 'spec.rules[0].matches[0].path.ignoreCase', "'yes'");
});

const headerRules = {
  exact: 'type: Exact, value: gold',
  regex: 'type: RegularExpression, value: "g.l[a-d]"',
  prefix: 'type: Prefix, value: go',
  suffix: 'type: Suffix, value: ld',
  contains: 'type: Contains, value: ol',
  present: 'type: Present',
};

const headerMatches = (more: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(headerRules).map(([name, comparison]) => [
      name,
      `{ path: { value: /${name} }, headers: [{ name: X-Kind, ${comparison}${more} }] }`,
    ]),
  );

feature('1.1-headers', 'every comparison takes what it should', async (mesh) => {
  await applyRules(mesh, headerMatches(''));
  const web = mesh.as('web');
  const names = Object.keys(headerRules);
  const all = (wanted: (name: string) => string): Readonly<Record<string, string>> =>
    Object.fromEntries(names.map((name) => [`http://shop/${name}`, wanted(name)]));
  await expectAnswers(
    web,
    all((name) => name),
    { 'x-kind': 'gold' },
  );
  await expectAnswers(
    web,
    all(() => '404'),
  );
  await expectAnswers(
    web,
    all((name) => (name === 'present' ? name : '404')),
    { 'x-kind': 'tin' },
  );
});

feature('1.1-headers', 'inverted comparisons take the rest, absent headers included', async (mesh) => {
  await applyRules(mesh, headerMatches(', invert: true'));
  const web = mesh.as('web');
  const names = Object.keys(headerRules);
  const all = (wanted: (name: string) => string): Readonly<Record<string, string>> =>
    Object.fromEntries(names.map((name) => [`http://shop/${name}`, wanted(name)]));
  await expectAnswers(
    web,
    all(() => '404'),
    { 'x-kind': 'gold' },
  );
  await expectAnswers(
    web,
    all((name) => name),
  );
  await expectAnswers(
    web,
    all((name) => (name === 'present' ? '404' : name)),
    { 'x-kind': 'tin' },
  );
});

misuse('1.1-headers', 'a comparison without its value is named', async (mesh) => {
  await attemptRule(mesh, '{ headers: [{ name: x-kind, type: Suffix }] }');
  expectCondition(await acceptance(mesh), 'False Invalid', "header 'x-kind' of type 'Suffix' must set `value`");
});

feature('1.1-query-method', 'parameters and methods decide', async (mesh) => {
  await applyRules(mesh, {
    exact: '{ path: { value: /exact }, queryParams: [{ name: v, value: "1" }] }',
    regex: '{ path: { value: /regex }, queryParams: [{ name: v, type: RegularExpression, value: "[0-9]+" }] }',
    present: '{ path: { value: /present }, queryParams: [{ name: v, type: Present }] }',
    delete: '{ path: { value: /method }, method: DELETE }',
    get: '{ path: { value: /method }, method: GET }',
  });
  const web = mesh.as('web');
  await expectAnswers(web, {
    ...{ 'http://shop/exact?v=1': 'exact', 'http://shop/exact?v=12': '404', 'http://shop/exact?a=b&v=1': 'exact' },
    ...{ 'http://shop/regex?v=12': 'regex', 'http://shop/regex?v=x1': '404', 'http://shop/exact': '404' },
    ...{ 'http://shop/present?v': 'present', 'http://shop/present?w=1': '404', 'http://shop/method': 'get' },
  });
  expect(ruleOf(await web.ask('http://shop/method', { method: 'DELETE' }))).to.equal('delete');
  expect(ruleOf(await web.ask('http://shop/method', { method: 'POST' }))).to.equal('404');
});

misuse('1.1-query-method', 'a method that does not exist is named, with those that do', async (mesh) => {
  await attemptRule(mesh, '{ method: FETCH }');
  expectCondition(await acceptance(mesh), 'False Invalid', 'spec.rules[0].matches[0].method', 'FETCH', 'DELETE');
});

feature('1.1-cookie', 'present or of one value, among others, quoted or not, and all of several', async (mesh) => {
  await applyRules(mesh, {
    none: '{}',
    present: '{ cookies: [{ name: canary }] }',
    exact: '{ path: { value: /x }, cookies: [{ name: canary, value: "v(2).0" }] }',
    both: '{ cookies: [{ name: canary }, { name: user, value: me }] }',
  });
  const wanted = {
    '': 'none',
    'canary=1': 'present',
    'canary=': 'present',
    'a=b; canary=v(2).0; c=d': 'exact',
    'canary="v(2).0"': 'exact',
    'canary=v(2)x0': 'present',
    'a=canary=1': 'none',
    'xcanary=1': 'none',
    'canaryx=1': 'none',
    canary: 'none',
    'user=me; canary=1': 'both',
    'user=you; canary=1': 'present',
  };
  const web = mesh.as('web');
  const ask = (cookie: string) => web.get('http://shop/x', cookie === '' ? {} : { cookie });
  const seen = await Promise.all(
    Object.keys(wanted).map(async (cookie) => [cookie, ruleOf(await ask(cookie))] as const),
  );
  expect(Object.fromEntries(seen)).to.deep.equal(wanted);
});

misuse('1.1-cookie', 'a name that no cookie can have is named, and so is a value that is too long', async (mesh) => {
  await attemptRule(mesh, '{ cookies: [{ name: "a b" }] }');
  expectCondition(await acceptance(mesh), 'False Invalid', 'spec.rules[0].matches[0].cookies[0].name', "'a b'");
  await attemptRule(mesh, `{ cookies: [{ name: a, value: "${'.'.repeat(1024)}" }] }`);
  expectCondition(await acceptance(mesh), 'False Invalid', 'is too long to be compared by Envoy');
});

feature('1.1-precedence', 'the most specific match wins, whatever the order of the file', async (mesh) => {
  await applyRules(mesh, {
    none: '{}',
    short: '{ path: { value: /a } }',
    long: '{ path: { value: /a/b } }',
    'long-query': '{ path: { value: /a/b }, queryParams: [{ name: v, value: "1" }] }',
    'long-header': '{ path: { value: /a/b }, headers: [{ name: x-kind, value: gold }] }',
    'long-method': '{ path: { value: /a/b }, method: PUT }',
    regex: '{ path: { type: RegularExpression, value: "/a/b/c.*" } }',
    exact: '{ path: { type: Exact, value: /a/b/c } }',
  });
  const web = mesh.as('web');
  await expectAnswers(web, {
    ...{ 'http://shop/a/b/c': 'exact', 'http://shop/a/b/cd': 'regex', 'http://shop/a/b/x?v=1': 'long-query' },
    ...{ 'http://shop/a/b/x': 'long', 'http://shop/a/x': 'short', 'http://shop/x': 'none' },
  });
  const headers = { 'x-kind': 'gold' };
  await expectAnswers(web, { 'http://shop/a/b/x?v=1': 'long-header' }, headers);
  expect(ruleOf(await web.ask('http://shop/a/b/x?v=1', { method: 'PUT', headers }))).to.equal('long-method');
});

misuse('1.1-precedence', 'of equal matches the first counts, and the other is told', async (mesh) => {
  const match = '{ path: { value: /same } }';
  await mesh.attempt(service('shop', ['v1']), shop({ first: match, second: match }));
  await expectAnswers(mesh.as('web'), { 'http://shop/same': 'first' });
  const told = await mesh.condition('TrafficRoute', 'rules', 'Conflicted');
  expectCondition(told, 'True RuleOverlap', "Rule 'second' loses to rule 'first'", 'can never match');
});

feature('1.1-host-port', 'host names, the nearest first, and ports of a Service', async (mesh) => {
  const rules = (name: string, head: string): string =>
    route(name, 'shop', answeringRules({ [name]: '{}' })).replace('spec:', `spec:\n  ${head}`);
  await mesh.apply(
    service('shop', ['v1'], { ports: { 80: 'http', 8081: 'http' } }),
    rules('claimed', 'hostnames: [api.example.test]'),
    rules('wildcard', 'hostnames: ["*.svc.cluster.local"]'),
    rules('any', 'hostnames: []'),
    route('one-port', 'shop', answeringRules({ port: '{ path: { value: /port } }' })).replace(
      '{ name: shop }',
      '{ name: shop, port: 8081 }',
    ),
  );
  await expectAnswers(mesh.as('web'), {
    ...{ 'http://api.example.test/': 'claimed', 'http://shop/': 'any', 'http://shop:8081/': 'any' },
    ...{
      [`http://shop.${mesh.namespace}.svc.cluster.local/`]: 'wildcard',
      [`http://shop.${mesh.namespace}.svc/`]: 'any',
    },
    ...{ 'http://shop:8081/port': 'port', 'http://shop/port': 'any', 'http://other.example.test/': '404' },
  });
});

misuse('1.1-host-port', 'a port that the Service does not have is named, with those that it has', async (mesh) => {
  await mesh.attempt(
    service('shop', ['v1']),
    shop({ all: '{}' }).replace('{ name: shop }', '{ name: shop, port: 9999 }'),
  );
  expectCondition(await acceptance(mesh), 'False NoMatchingParent', 'no TCP port 9999', "80 'http'");
});

feature('1.1-rule-names', 'statistics of the caller are counted under the name of the rule', async (mesh) => {
  await mesh.apply(
    service('shop', ['v1']),
    route('rules', 'shop', '  - { name: main, backendRefs: [{ name: shop, port: 80 }] }'),
  );
  await mesh.as('web').many(7, 'http://shop/');
  const counted = await mesh.envoy('web').stats(new RegExp(`${mesh.namespace}/rules/main\\..*upstream_rq_completed$`));
  expect([...counted.values()]).to.deep.equal([7]);
});

misuse('1.1-rule-names', 'a name that is used twice is named', async (mesh) => {
  const rule = '  - { name: main, backendRefs: [{ name: shop, port: 80 }] }';
  await mesh.attempt(service('shop', ['v1']), route('rules', 'shop', `${rule}\n${rule}`));
  expectCondition(await acceptance(mesh), 'False Invalid', "rule names must be unique; 'main' is used twice");
});
