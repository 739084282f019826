// Rules that are handed on to routes of other namespaces: what these may say, when it begins, and when it ends.

import { expect } from 'chai';
import { expectAnswers, expectCondition } from '../expectations.js';
import type { TestMesh } from '../mesh.js';
import { feature, misuse } from '../registry.js';
import { service } from '../world.js';
import { answeringRules, route } from '../written.js';

/** The namespace that rules are handed on to. */
const teamOf = (mesh: TestMesh): string => `${mesh.namespace}-team`;

const setBy = (name: string): string =>
  `{ type: ResponseHeaderModifier, responseHeaderModifier: { set: [{ name: x-by, value: ${name} }] } }`;

/** Owns the host; the rule `team` is handed on. */
const edge = (namespaces: readonly string[]): string =>
  route(
    'edge',
    'shop',
    `
  - { name: health, matches: [{ path: { value: /team/health } }], backendRefs: [{ name: shop, port: 80 }] }
  - name: team
    matches: [{ path: { value: /team } }]
    filters: [${setBy('edge')}]
    timeouts: { request: 300ms }
    delegate: { namespaces: [${namespaces.join(', ')}] }
  - { name: rest, backendRefs: [{ name: shop, port: 80 }] }`,
  );

/** A route of the team below a rule. */
const child = (mesh: TestMesh, rule: string, rules: string): string =>
  route(`below-${rule}`, 'edge', rules)
    .replace(`{ name: below-${rule} }`, `{ name: below-${rule}, namespace: ${teamOf(mesh)} }`)
    .replace(
      '{ name: edge }',
      `{ group: legation.dev, kind: TrafficRoute, name: edge, namespace: ${mesh.namespace}, sectionName: ${rule} }`,
    );

const ofTeam = (mesh: TestMesh): readonly string[] => [
  child(
    mesh,
    'team',
    `
  - { name: all, matches: [{ path: { value: /team/app } }], backendRefs: [{ name: own, port: 80 }] }
  - { name: own, matches: [{ path: { value: /team/own } }], filters: [${setBy('team')}], timeouts: { request: 0s }, backendRefs: [{ name: own, port: 80 }] }
  - { name: outside, matches: [{ path: { value: /elsewhere } }], backendRefs: [{ name: own, port: 80 }] }`,
  ),
];

const services = (mesh: TestMesh) => [
  ...service('shop', ['v1']),
  ...service('own', ['v2'], { namespace: teamOf(mesh) }),
];

feature('1.2-delegation', 'a child decides below its rule, and nowhere else', async (mesh) => {
  await mesh.attempt(services(mesh), edge([teamOf(mesh)]), ...ofTeam(mesh));
  await expectAnswers(mesh.as('web'), {
    ...{ 'http://shop/team/app/x': 'v2', 'http://shop/team/own': 'v2', 'http://shop/team/other': '404' },
    ...{ 'http://shop/team/health': 'v1', 'http://shop/elsewhere': 'v1', 'http://shop/': 'v1' },
  });
  const told = await mesh.condition('TrafficRoute', `${teamOf(mesh)}/below-team`, 'PartiallyInvalid');
  expectCondition(told, 'True NotAllowedByParent', "Rule 'outside' can never match");
});

feature('1.2-delegation', 'a child has what the rule says, where it says nothing itself', async (mesh) => {
  await mesh.attempt(services(mesh), edge([teamOf(mesh)]), ...ofTeam(mesh));
  const header = async (path: string): Promise<unknown> =>
    (await mesh.as('web').get(`http://shop/${path}`)).headers['x-by'];
  expect([await header('team/app'), await header('team/own'), await header('')]).to.deep.equal([
    'edge',
    'team',
    undefined,
  ]);
  const slow = { 'x-app-delay': '600' };
  await expectAnswers(mesh.as('web'), { 'http://shop/team/app': '504', 'http://shop/team/own': 'v2' }, slow);
});

feature('1.2-delegation', 'it ends where it is withdrawn, and begins where it is given', async (mesh) => {
  const by = async (): Promise<string> => (await mesh.as('web').get('http://shop/team/app')).by;
  for (const [namespaces, wanted] of [
    [['nobody'], '404'],
    [[teamOf(mesh)], 'v2'],
    [['nobody'], '404'],
    [['"*"'], 'v2'],
  ] as const) {
    await mesh.attempt(services(mesh), edge(namespaces), ...ofTeam(mesh));
    expect(await by(), namespaces.join()).to.equal(wanted);
    expect((await mesh.as('web').get('http://shop/')).by).to.equal('v1');
  }
});

misuse('1.2-delegation', 'who is not admitted is told who is, and a rule that is not there is named', async (mesh) => {
  const rules = answeringRules({ main: '{}' });
  await mesh.attempt(services(mesh), edge(['others']), child(mesh, 'team', rules), child(mesh, 'teem', rules));
  const parent = `TrafficRoute '${mesh.namespace}/edge'`;
  expectCondition(
    await mesh.condition('TrafficRoute', `${teamOf(mesh)}/below-team`, 'Accepted'),
    'False NotAllowedByParent',
    `Rule 'team' of ${parent} admits namespaces 'others'; this route is in '${teamOf(mesh)}'`,
  );
  expectCondition(
    await mesh.condition('TrafficRoute', `${teamOf(mesh)}/below-teem`, 'Accepted'),
    'False NoMatchingParent',
    `${parent} has no rule 'teem'`,
    "did you mean 'team'?",
  );
  expect((await mesh.as('web').get('http://shop/team')).by).to.equal('404');
});
