// Ten kinds of broken input, each dropped into a mesh that is at work: one clear message with its place, or a condition;
// nothing else changes on any Envoy, no request fails, nothing restarts; and fixing it heals.

import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { eventually } from '../support/eventually.js';
import { conditionOf, type Mesh, startMesh, type StatusItem, supportedVersions } from './harness.js';
import { startLoad, type Load } from './load.js';
import {
  answering,
  deployment,
  fileOf,
  ownNamespace,
  prefix,
  service,
  to,
  trafficRoute,
  type Written,
} from './objects.js';

const namespace = ownNamespace('broken');
const callers = supportedVersions.map((_, index) => `${namespace}/caller-${String(index)}`);

/** The route that the broken input is about, when it is well. */
const victim = (body: string, more: Written = {}): Written =>
  trafficRoute(namespace, 'victim', { parent: 'victim', rules: [answering(body, { name: 'main', ...more })] });
const victimFile = (body: string): string => fileOf([victim(body)]);

/** A case: what is written in place of the victim's file, and what its owner is told. */
interface Case {
  readonly title: string;
  /** Content of `victim.yaml`. */
  readonly content: string | (() => string);
  /** In the log and among the diagnostics: line, and words. */
  readonly message?: { readonly line?: number; readonly words: RegExp };
  /** Condition of the victim, and its words. */
  readonly condition?: { readonly type: string; readonly is: string; readonly words: RegExp };
  /** What the victim's Service answers meanwhile. */
  readonly answers: string;
}

const route = (rule: string): string => `# comment
apiVersion: legation.dev/v1alpha1
kind: TrafficRoute
metadata: { namespace: ${namespace}, name: victim }
spec:
  parentRefs: [{ name: victim }]
  rules:
    - name: main
${rule}`;

const respond = '      filters: [{ type: DirectResponse, directResponse: { statusCode: 200, body: new } }]\n';

const cases: readonly Case[] = [
  {
    title: 'bad YAML',
    content: route('      matches: [{ path: { value: "/" }\n') + respond,
    message: {
      line: 10,
      words: /must be sufficiently indented and end with a }; the last good objects of this file stay in force/,
    },
    answers: 'well',
  },
  {
    title: 'alias bomb',
    content: [
      'a: &a [x, x, x, x, x, x, x, x, x]',
      ...'bcdefghij'.split('').map(
        (name, index) =>
          `${name}: &${name} [${Array(9)
            .fill(`*${'abcdefghi'.charAt(index)}`)
            .join(', ')}]`,
      ),
    ].join('\n'),
    message: { words: /alias/i },
    answers: 'well',
  },
  {
    title: 'unknown field',
    content: route('      timeout: 3s\n') + respond,
    message: { line: 9, words: /timeout.*timeouts/ },
    condition: { type: 'Accepted', is: 'False Invalid', words: /timeout.*last good version/ },
    answers: 'well',
  },
  {
    title: 'wrong type',
    content: route('      retry: { attempts: many }\n') + respond,
    message: { line: 9, words: /attempts.*(integer|number)/ },
    condition: { type: 'Accepted', is: 'False Invalid', words: /attempts.*last good version/ },
    answers: 'well',
  },
  {
    title: 'unknown backend',
    content: route('      backendRefs: [{ name: nowhere, port: 80 }]\n'),
    condition: {
      type: 'ResolvedRefs',
      is: 'False BackendNotFound',
      words: /Service '.*\/nowhere' does not exist.*'main' answers 500/,
    },
    answers: '500',
  },
  {
    title: 'bad regular expression',
    content: route('      matches: [{ path: { type: RegularExpression, value: "/a(b" } }]\n') + respond,
    message: { line: 9, words: /missing closing \)/ },
    condition: { type: 'Accepted', is: 'False Invalid', words: /missing closing \).*last good version/ },
    answers: 'well',
  },
  {
    title: 'duplicate object',
    content: `${victimFile('well')}${victimFile('twin')}`,
    message: { words: /TrafficRoute.*\/victim.*victim\.yaml:\d+/ },
    answers: 'well',
  },
  {
    title: '50 MB file',
    content: () => `${victimFile('new')}${'# nothing but weight\n'.repeat(2_500_000)}`,
    message: { words: /MiB|bytes/ },
    answers: 'well',
  },
  {
    title: 'a rule that Envoy itself rejects',
    content: fileOf([
      victim('new', {
        matches: [prefix('/'), { headers: [{ name: 'x', type: 'RegularExpression', value: '\\pL{900}' }] }],
      }),
    ]),
    condition: {
      type: 'Programmed',
      is: 'False RejectedByProxy',
      words: /Rule 'main' \(`spec\.rules\[0\]`\) rejected by Envoy .*(program size|too large).*last good version/,
    },
    answers: 'well',
  },
];

describe('bad input, on a mesh at work', function () {
  this.timeout(60_000);
  let mesh: Mesh;
  let load: Load;
  let pid = 0;

  before(async function () {
    this.timeout(300_000);
    mesh = await startMesh({
      files: {
        'mesh.yaml': fileOf([
          deployment(namespace, 'caller', { replicas: callers.length }),
          deployment(namespace, 'echo'),
          service(namespace, 'echo', { selector: { app: 'echo' } }),
          service(namespace, 'victim', { selector: { app: 'echo' } }),
          trafficRoute(namespace, 'echo', {
            parent: 'echo',
            rules: [{ name: 'main', backendRefs: [to('echo')], retry: { attempts: 0 } }],
          }),
        ]),
        'victim.yaml': victimFile('well'),
      },
      envoys: [
        ...callers.map((pod, index) => ({ pod, version: supportedVersions[index] ?? '' })),
        { pod: `${namespace}/echo-0` },
      ],
    });
    await mesh.programmed();
    pid = mesh.controlPlane.pid();
    load = startLoad({
      perSecond: 50,
      applications: mesh.applications,
      send: (nth, id) =>
        mesh.ask(callers[nth % callers.length] ?? '', { url: 'http://echo/', headers: { 'x-id': id } }),
    });
  });
  after(() => mesh.stop());

  /** Version of each resource that an Envoy holds, without those of the victim's Service. */
  async function neighbours(pod: string): Promise<Readonly<Record<string, string>>> {
    const dump = JSON.parse(await mesh.envoy(pod).admin('/config_dump')) as { configs: readonly unknown[] };
    const found: Record<string, string> = {};
    const walk = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      if ('version_info' in value) {
        const text = JSON.stringify(value);
        const name = /"name":"([^"]+)"/.exec(text)?.[1] ?? '';
        if (!name.includes('/victim') && !name.endsWith('victim'))
          found[`${name} ${String('route_config' in value)}`] = String(value.version_info);
      }
      for (const member of Object.values(value)) walk(member);
    };
    walk(dump.configs);
    return found;
  }

  const victimAnswers = async (): Promise<readonly string[]> =>
    Promise.all(
      callers.map(async (pod) =>
        mesh.ask(pod, { url: 'http://victim/' }).then(({ status, body }) => (status === 200 ? body : String(status))),
      ),
    );
  const untilAnswers = (wanted: string): Promise<number> =>
    eventually(async () => (await victimAnswers()).every((answer) => answer === wanted) || victimAnswers(), {
      what: `the victim to answer '${wanted}'`,
    });
  const statusOfVictim = (): Promise<StatusItem | undefined> => mesh.statusOf('TrafficRoute', `${namespace}/victim`);

  interface Diagnostic {
    readonly file: string;
    readonly line: number;
    readonly message: string;
  }
  const diagnostics = async (): Promise<readonly Diagnostic[]> =>
    (JSON.parse((await mesh.controlPlane.get('/debug/diagnostics')).body) as { diagnostics: readonly Diagnostic[] })
      .diagnostics;
  const complaints = (from: number): readonly string[] =>
    mesh.controlPlane
      .log()
      .slice(from)
      .filter((line) => line.message === 'file has a problem')
      .map((line) => `${String(line['place'])} ${String(line['problem'])}`);

  // Fixing the file heals, whatever it was.
  afterEach(async () => {
    await mesh.write('victim.yaml', victimFile('healed'));
    await untilAnswers('healed');
    await mesh.write('victim.yaml', victimFile('well'));
    await untilAnswers('well');
    await mesh.programmed();
    expect(await diagnostics()).to.deep.equal([]);
  });

  async function expectMessage(wanted: NonNullable<Case['message']>, from: number): Promise<void> {
    await eventually(async () => (await diagnostics()).length > 0, { what: 'a message' });
    const all = await diagnostics();
    expect(all, JSON.stringify(all, undefined, 1)).to.have.length(1);
    expect(all[0]?.file).to.equal(join(mesh.folder, 'victim.yaml'));
    expect(all[0]?.message).to.match(wanted.words);
    if (wanted.line !== undefined) expect(all[0]?.line).to.equal(wanted.line);
    const said = complaints(from);
    expect(said, said.join('\n')).to.have.length(1);
    expect(said[0])
      .to.match(/victim\.yaml:\d+/)
      .and.to.match(wanted.words);
  }

  async function expectCondition(wanted: NonNullable<Case['condition']>): Promise<void> {
    await eventually(
      async () => conditionOf(await statusOfVictim(), wanted.type).is === wanted.is || (await statusOfVictim())?.status,
      { what: `${wanted.type} ${wanted.is}` },
    );
    expect(conditionOf(await statusOfVictim(), wanted.type).message).to.match(wanted.words);
    expect(conditionOf(await statusOfVictim(), 'Ready').is).to.equal(wanted.is);
  }

  const expectRest = async (before: readonly Readonly<Record<string, string>>[]): Promise<void> => {
    expect(await Promise.all(callers.map(neighbours))).to.deep.equal(before);
    expect(conditionOf(await mesh.statusOf('TrafficRoute', `${namespace}/echo`), 'Ready').is).to.equal(
      'True Programmed',
    );
    expect([mesh.controlPlane.isRunning(), mesh.controlPlane.pid()]).to.deep.equal([true, pid]);
  };

  for (const { title, content, message, condition, answers } of cases) {
    it(title, async () => {
      const before = await Promise.all(callers.map(neighbours));
      expect(Object.keys(before[0] ?? {}).length).to.be.above(5);
      const from = mesh.controlPlane.log().length;
      await mesh.write('victim.yaml', typeof content === 'string' ? content : content());
      if (message !== undefined) await expectMessage(message, from);
      if (condition !== undefined) await expectCondition(condition);
      await untilAnswers(answers);
      await expectRest(before);
    });
  }

  it('a half-written file', async () => {
    const before = await Promise.all(callers.map(neighbours));
    const file = join(mesh.folder, 'victim.yaml');
    const whole = route(respond).replace('body: new', 'body: whole');
    const middle = whole.indexOf('filters:') + 20;
    const from = mesh.controlPlane.log().length;
    // As a writer does that empties the file first; what is there meanwhile is never what anybody meant.
    await writeFile(file, '');
    await appendFile(file, whole.slice(0, middle));
    await eventually(async () => (await diagnostics()).length === 1, { what: 'a message' });
    expect((await diagnostics())[0]?.file).to.equal(file);
    await untilAnswers('well');
    await expectRest(before);
    await appendFile(file, whole.slice(middle));
    await untilAnswers('whole');
    expect(complaints(from)).to.have.length(1);
    await expectRest(before);
  });

  it('no request was lost in all this', async () => {
    const { sent, lost } = await load.stop();
    expect(lost).to.deep.equal([]);
    expect(sent).to.be.above(100);
  });
});
