// Several owners of one host, on every supported Envoy: routes below rules of routes, routes beside routes, consumers,
// references that are granted and withdrawn. Neighbours are under load all the while, and lose nothing.

import { expect } from 'chai';
import { eventually } from '../support/eventually.js';
import { conditionOf, type Mesh, startMesh, supportedVersions } from './harness.js';
import { startLoad, type Load } from './load.js';
import { answering, fileOf, httpRoute, prefix, trafficRoute, type Written } from './objects.js';
import {
  applications,
  callers,
  childRoute,
  createdAt,
  edge,
  grantFor,
  guest,
  objects,
  team,
  visitor,
  webChildren,
  webRoute,
} from './owners-mesh.js';

/** A change of what is granted is in force after this time. */
const promptMs = 1_000;

describe(`several owners, on Envoy ${supportedVersions.join(', ')}`, function () {
  this.timeout(60_000);
  let mesh: Mesh;
  let load: Load;

  before(async function () {
    this.timeout(300_000);
    mesh = await startMesh({
      files: {
        'mesh.yaml': fileOf(objects),
        'web.yaml': fileOf([webRoute([team])]),
        'children.yaml': fileOf(webChildren),
        'grants.yaml': fileOf([]),
        'shared.yaml': fileOf([]),
      },
      envoys: [
        ...callers.map((pod, index) => ({ pod, version: supportedVersions[index] ?? '' })),
        ...[visitor, ...applications].map((pod) => ({ pod })),
      ],
    });
  });
  after(() => mesh.stop());

  beforeEach(() => {
    load = startLoad({
      perSecond: 50,
      applications: mesh.applications,
      send: (nth, id) =>
        mesh.ask(callers[nth % callers.length] ?? '', { url: 'http://echo/', headers: { 'x-id': id } }),
    });
  });
  afterEach(async () => {
    const { sent, lost } = await load.stop();
    expect(lost).to.deep.equal([]);
    expect(sent).to.be.greaterThan(0);
  });

  /** What every caller gets: the body where a rule answered, the pod where an application did, else the status. */
  const answers = async (url: string, pods: readonly string[] = callers): Promise<string> => {
    const replies = await Promise.all(pods.map((pod) => mesh.ask(pod, { url })));
    const texts = replies.map(({ status, body, seen }) => (status === 200 ? (seen?.pod ?? body) : String(status)));
    return [...new Set(texts)].join(' | ');
  };
  const soon = (url: string, wanted: string): Promise<number> =>
    eventually(async () => (await answers(url)) === wanted || (await answers(url)), {
      what: `${url} to answer '${wanted}'`,
      deadlineMs: promptMs,
    });
  const said = async (id: string, condition: string): Promise<string> => {
    const { is, message } = conditionOf(await mesh.statusOf('TrafficRoute', id), condition);
    return `${is}: ${message}`;
  };
  /** The status of the object once it says this. */
  const says = (id: string, condition: string, wanted: RegExp): Promise<number> =>
    eventually(async () => wanted.test(await said(id, condition)) || (await said(id, condition)), {
      what: `${id} to say ${String(wanted)}`,
      deadlineMs: promptMs,
    });

  describe('delegation', () => {
    it('sends each request to the rule that is for it', async () => {
      const wanted = {
        ...{ '/': 'rest', '/teams': 'rest', '/team': '404', '/team/other': '404' },
        ...{ '/team/app': 'exact', '/team/app?q': 'exact', '/team/app/x': 'all', '/team/health': 'health' },
        ...{ '/team/x.html': 'html', '/team/x.html?q=1': 'html', '/x.html': 'rest', '/elsewhere': 'rest' },
        ...{ '/team/deep/x/1': 'deep', '/team/deep/z': '404', '/team/deep/y': '404' },
      };
      const seen = await Promise.all(
        Object.keys(wanted).map(async (path) => [path, await answers(`http://web${path}`)] as const),
      );
      expect(Object.fromEntries(seen)).to.deep.equal(wanted);
    });

    it('gives children what the rule says and they leave out', async () => {
      for (const pod of callers) {
        const header = async (path: string): Promise<unknown> =>
          (await mesh.ask(pod, { url: `http://web${path}` })).headers['x-by'];
        expect(await header('/team/app')).to.equal('edge');
        expect(await header('/team/deep/x')).to.equal('edge');
        expect(await header('/team/own')).to.equal('team');
        expect(await header('/')).to.equal(undefined);
      }
    });

    it('rewrites the prefix that the child wrote', async () => {
      for (const pod of callers) {
        const { seen } = await mesh.ask(pod, { url: 'http://web/team/old/x?q=1' });
        expect([seen?.pod, seen?.path]).to.deep.equal([`${team}/own-0`, '/new/x?q=1']);
      }
    });

    it('says on both sides who hands on to whom', async () => {
      const parent = (await mesh.statusOf('TrafficRoute', `${edge}/web`))?.status;
      expect(JSON.stringify(parent)).to.include(`"effective":"team: handed on to ${team}/app"`);
      const child = JSON.stringify((await mesh.statusOf('TrafficRoute', `${team}/app`))?.status);
      expect(child).to.include(
        `"parents":[{"parentRef":{"group":"legation.dev","kind":"TrafficRoute","name":"web","namespace":"${edge}","sectionName":"team"}`,
      );
      expect(await said(`${team}/app`, 'Accepted')).to.equal(
        `True Accepted: Attached to rule 'team' of TrafficRoute '${edge}/web'`,
      );
    });

    it('tells those who are refused, and those who lose', async () => {
      expect(await said(`${guest}/stranger`, 'Accepted')).to.equal(
        `False NotAllowedByParent: Rule 'team' of TrafficRoute '${edge}/web' admits namespaces '${team}'; this route is in '${guest}'`,
      );
      expect(await said(`${team}/misnamed`, 'Accepted')).to.equal(
        `False NoMatchingParent: TrafficRoute '${edge}/web' has no rule 'teem' (rules with \`delegate\`: 'team'); did you mean 'team'?`,
      );
      expect(await said(`${edge}/deepest`, 'Accepted')).to.equal(
        `False NotAllowedByParent: Rule 'deepest' of TrafficRoute '${edge}/deep' is 2 rules below a Service already; requests are handed on at most 2 times`,
      );
      expect(await said(`${team}/app`, 'PartiallyInvalid')).to.equal(
        "True RuleOverlap: Rule 'health' can never match; Rule 'outside' can never match: the rule above hands on no such request",
      );
      expect(await said(`${team}/app`, 'Conflicted')).to.equal(
        `True RuleOverlap: Rule 'health' loses to rule 'health' of TrafficRoute '${edge}/web' (equal match PathPrefix '/team/health'); it can never match there`,
      );
    });

    it('ends at once where it is withdrawn, and begins at once where it is given', async () => {
      for (let round = 0; round < 3; round++) {
        await mesh.write('web.yaml', fileOf([webRoute([guest])]));
        await soon('http://web/team/app/x', 'stranger');
        await says(`${team}/app`, 'Accepted', /^False NotAllowedByParent: .*admits namespaces/);
        await says(`${guest}/stranger`, 'Ready', /^True Programmed/);
        await mesh.write('web.yaml', fileOf([webRoute([])]).replace('"namespaces": []', '"namespaces": ["nobody"]'));
        await soon('http://web/team/app/x', '404');
        expect(await answers('http://web/')).to.equal('rest');
        await mesh.write('web.yaml', fileOf([webRoute(['*'])]));
        await soon('http://web/team/app/x', 'all');
        expect(await answers('http://web/team/none')).to.equal('stranger');
        await mesh.write('web.yaml', fileOf([webRoute([team])]));
        await soon('http://web/team/none', '404');
      }
      await says(`${team}/app`, 'Programmed', /^True Programmed/);
    });

    it('a child that Envoy refuses costs itself, and nobody else', async () => {
      const poison = childRoute([team, 'poison'], { route: 'web', rule: 'team' }, [
        answering('poison', {
          name: 'main',
          matches: [{ headers: [{ name: 'x', type: 'RegularExpression', value: '\\pL{900}' }] }],
        }),
        answering('well', { name: 'well', matches: [prefix('/team/well')] }),
      ]);
      await mesh.write('poison.yaml', fileOf([poison]));
      await eventually(async () => (await answers('http://web/team/well')) === 'well', { what: 'the good rule' });
      await eventually(
        async () => /^False RejectedByProxy: Rule 'main'/.test(await said(`${team}/poison`, 'Programmed')),
        { what: 'the refusal in status' },
      );
      expect(await answers('http://web/team/app')).to.equal('exact');
      await mesh.remove('poison.yaml');
      await eventually(async () => (await answers('http://web/team/well')) === '404', { what: 'the child to go' });
    });
  });

  describe('references into other namespaces', () => {
    const api = `${guest}/api-0`;
    const grants = (...some: readonly string[]): Promise<void> => mesh.write('grants.yaml', fileOf(some.map(grantFor)));
    let asked = 0;
    /** How many copies of one request of each caller arrive. */
    const copies = async (): Promise<number> => {
      const path = `/copy-${String(asked++)}`;
      expect(await answers(`http://mirrored${path}`)).to.equal(`${edge}/echo-0`);
      const arrived = (pod: string): number =>
        mesh.applications.arrivals().filter((one) => one.path === path && one.pod === pod).length;
      await eventually(() => arrived(`${edge}/echo-0`) === callers.length, { what: 'the requests' });
      return arrived(api);
    };
    /** Copies are sent beside the requests, so that one may arrive after its answer. */
    const mirrors = (wanted: boolean): Promise<number> =>
      eventually(async () => (await copies()) > 0 === wanted, {
        what: `the mirror to be ${wanted ? 'on' : 'off'}`,
        deadlineMs: promptMs,
      });

    it('backends answer while they are granted', async () => {
      await soon('http://granted/', '500');
      await says(
        `${edge}/granted`,
        'ResolvedRefs',
        /^False RefNotPermitted: Service '.*\/api' is in another namespace and no ReferenceGrant there allows TrafficRoute from '.*'; rule 'main' answers 500 for its share$/,
      );
      for (let round = 0; round < 3; round++) {
        await grants('api');
        await soon('http://granted/', api);
        await says(`${edge}/granted`, 'ResolvedRefs', /^True/);
        await grants('shadow');
        await soon('http://granted/', '500');
        await says(`${edge}/granted`, 'ResolvedRefs', /^False RefNotPermitted/);
      }
    });

    it('mirrors copy while they are granted', async () => {
      await grants();
      await mirrors(false);
      await says(
        `${edge}/mirrored`,
        'ResolvedRefs',
        /^False RefNotPermitted: .*; the mirror of rule 'main' is off, requests are served$/,
      );
      for (let round = 0; round < 3; round++) {
        await grants('shadow');
        await mirrors(true);
        await grants('api');
        await mirrors(false);
      }
    });
  });

  describe('three owners', () => {
    const owner = (name: string, day: number, rules: readonly Written[]): Written =>
      createdAt(trafficRoute(edge, name, { parent: 'shared', rules }), `2026-01-0${String(day)}T00:00:00Z`);
    const main = (name: string): Written => answering(name, { name: 'main', matches: [prefix('/main')] });
    const mine = (name: string): Written => answering(name, { name: 'mine', matches: [prefix(`/${name}`)] });
    const three = ['young', 'older', 'oldest'].map((name, index) => owner(name, 3 - index, [main(name), mine(name)]));
    const write = (...some: readonly Written[]): Promise<void> => mesh.write('shared.yaml', fileOf(some));

    it('of equal matches the oldest wins, and each next when it goes', async () => {
      await write(...three);
      await soon('http://shared/main', 'oldest');
      for (const name of ['young', 'older', 'oldest']) expect(await answers(`http://shared/${name}`)).to.equal(name);
      expect(await answers('http://shared/')).to.equal('404');
      expect(await said(`${edge}/young`, 'Conflicted')).to.equal(
        `True RuleOverlap: Rule 'main' loses to rule 'main' of TrafficRoute '${edge}/oldest' (older, equal match PathPrefix '/main'); it can never match there`,
      );
      await write(...three.slice(0, 2));
      await soon('http://shared/main', 'older');
      expect(await answers('http://shared/oldest')).to.equal('404');
      await write(...three.slice(0, 1));
      await soon('http://shared/main', 'young');
      expect(await said(`${edge}/young`, 'Conflicted')).to.equal(': ');
      await write(...three);
      await soon('http://shared/main', 'oldest');
    });

    it('a TrafficRoute displaces HTTPRoutes, and gives way to them when it goes', async () => {
      const theirs = httpRoute(edge, 'theirs', {
        parent: 'shared',
        rules: [{ backendRefs: [{ name: 'echo', port: 80 }] }],
      });
      await write(theirs);
      await soon('http://shared/main', `${edge}/echo-0`);
      await write(theirs, ...three);
      await soon('http://shared/main', 'oldest');
      expect(await answers('http://shared/')).to.equal('404');
      await eventually(
        async () =>
          conditionOf(await mesh.statusOf('HTTPRoute', `${edge}/theirs`), 'Accepted').is ===
          'False OverriddenByTrafficRoute',
        { what: 'the HTTPRoute to be told' },
      );
      await write(theirs);
      await soon('http://shared/', `${edge}/echo-0`);
    });

    it("a consumer's routes hold for its own callers, as a whole, and end with them", async () => {
      const consumer: Written = {
        apiVersion: 'legation.dev/v1alpha1',
        kind: 'TrafficRoute',
        metadata: { namespace: guest, name: 'ours' },
        spec: {
          parentRefs: [{ name: 'shared', namespace: edge }],
          rules: [
            answering('consumer', { name: 'main', matches: [prefix('/main')] }),
            { name: 'down', matches: [prefix('/down')], delegate: { namespaces: [team] } },
          ],
        },
      };
      const below = childRoute([team, 'below-consumer'], { route: 'ours', rule: 'down', namespace: guest }, [
        answering('below', { name: 'main' }),
      ]);
      const host = `http://shared.${edge}`;
      await write(...three, consumer, below);
      await eventually(async () => (await answers(`${host}/main`, [visitor])) === 'consumer', {
        what: 'the consumer',
        deadlineMs: promptMs,
      });
      expect(await answers(`${host}/oldest`, [visitor])).to.equal('404');
      expect(await answers(`${host}/down`, [visitor])).to.equal('below');
      expect(await answers(`${host}/main`)).to.equal('oldest');
      expect(await answers(`${host}/down`)).to.equal('404');
      await write(...three);
      await eventually(async () => (await answers(`${host}/main`, [visitor])) === 'oldest', {
        what: "the producer's rules",
        deadlineMs: promptMs,
      });
      expect(await answers(`${host}/oldest`, [visitor])).to.equal('oldest');
    });
  });
});
