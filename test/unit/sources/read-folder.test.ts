import { symlink, truncate } from 'node:fs/promises';
import { expect } from 'chai';
import { readFolder } from '../../../src/sources/files.js';
import type { FolderContent } from '../../../src/sources/files.js';
import { accountYaml, createTempFolder, routeYaml } from './folder-harness.js';
import type { TempFolder } from './folder-harness.js';

const names = (content: FolderContent): string[] => content.objects.map(({ meta }) => `${meta.namespace}/${meta.name}`);

describe('sources/files: a folder read once', () => {
  let folder: TempFolder;
  beforeEach(async () => {
    folder = await createTempFolder();
  });
  afterEach(() => folder.remove());

  const only = async (file: string, content: string | Uint8Array): Promise<FolderContent> => {
    await folder.write(file, content);
    return readFolder([folder.path]);
  };

  it('reads yaml, yml and json, recursively, without dot files', async () => {
    await folder.write('a.yaml', accountYaml('a'));
    await folder.write('b/c/b.yml', accountYaml('b'));
    await folder.write('c.json', JSON.stringify({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'c' } }));
    await folder.write('d.txt', accountYaml('d'));
    await folder.write('.e.yaml', accountYaml('e'));
    await folder.write('.git/f.yaml', accountYaml('f'));
    const content = await readFolder([folder.path]);
    expect(names(content)).to.deep.equal(['default/a', 'default/b', 'default/c']);
    expect(content.diagnostics).to.deep.equal([]);
  });

  it('takes files by name, whatever they are called, and each once', async () => {
    await folder.write('a.conf', accountYaml('a'));
    const content = await readFolder([folder.at('a.conf'), folder.path, folder.at('a.conf')]);
    expect(names(content)).to.deep.equal(['default/a']);
    expect(content.diagnostics).to.deep.equal([]);
  });

  it('reads several documents, lists, comments and Windows line ends', async () => {
    const list = 'apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ServiceAccount, metadata: {name: x}}\n';
    const text = `# nothing\n---\n${accountYaml('a')}---\n# only a comment\n---\n${list}---\n${accountYaml('b').replaceAll('\n', '\r\n')}`;
    const content = await only('a.yaml', `\uFEFF${text}`);
    expect(names(content)).to.deep.equal(['default/a', 'default/x', 'default/b']);
    expect(content.objects.map(({ meta }) => meta.place?.line)).to.deep.equal([3, 14, 16]);
  });

  it('reads standard input', async () => {
    const stdin = (async function* () {
      await Promise.resolve();
      yield Buffer.from(accountYaml('a'));
    })();
    const content = await readFolder(['-'], { stdin });
    expect(names(content)).to.deep.equal(['default/a']);
    expect(content.objects[0]?.meta.place?.file).to.equal('<stdin>');
  });

  it('adds what a cluster would have added', async () => {
    const content = await only(
      'web.yaml',
      `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: a, ports: [{containerPort: 80}]}]}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
`,
    );
    expect(content.objects.map(({ kind, meta }) => `${kind} ${meta.name}`)).to.deep.equal([
      'Service web',
      'Pod web-0',
      'EndpointSlice web-80',
    ]);
  });

  it('skips kinds that are not read, counting them, and does not judge them', async () => {
    const ingress = 'apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: Not A Name}\non: yes\n';
    const content = await only('a.yaml', `${ingress}---\n${ingress}`);
    expect(content.skipped).to.deep.equal([{ what: 'Ingress (networking.k8s.io/v1)', count: 2 }]);
    expect(content.diagnostics).to.deep.equal([]);
  });

  it('warns of a boolean word where it matters, and says so at its line', async () => {
    const { diagnostics, objects } = await only('a.yaml', `apiVersion: v1\nkind: Service\nmetadata: {name: yes}\n`);
    expect(objects[0]?.meta.name).to.equal('yes');
    expect(diagnostics[0]).to.include({ severity: 'warning', line: 3, column: 18 });
  });

  it('gives the line of the field at fault', async () => {
    const { diagnostics, malformed } = await only('a.yaml', `# one\n---\n${routeYaml('r', '{a: b}')}`);
    expect(malformed).to.have.length(1);
    expect(diagnostics[0]).to.deep.include({
      severity: 'error',
      file: folder.at('a.yaml'),
      line: 12,
      path: 'spec.rules[0].matches[0].path.value',
      object: { kind: 'TrafficRoute', namespace: 'shop', name: 'r' },
    });
  });

  it('finds fields of items of a list', async () => {
    const item = routeYaml('r').trimEnd().replaceAll('\n', '\n  ');
    const content = await only('a.yaml', `apiVersion: v1\nkind: List\nitems:\n- ${item}\n`);
    const ref = { kind: 'TrafficRoute', namespace: 'shop', name: 'r' } as const;
    const place = await content.locate(ref, 'spec.rules[0].backendRefs[0].port');
    expect(place).to.deep.include({ file: folder.at('a.yaml'), line: 14 });
    expect(await content.locate({ ...ref, name: 'other' }, 'spec')).to.equal(undefined);
  });

  it('lets the first of two documents hold, by path and then by position', async () => {
    await folder.write('b.yaml', accountYaml('x', 'third'));
    await folder.write('a.yaml', `${accountYaml('x', 'first')}---\n${accountYaml('x', 'second')}`);
    const { objects, diagnostics } = await readFolder([folder.path]);
    expect(objects.map(({ meta }) => meta.labels['v'])).to.deep.equal(['first']);
    expect(diagnostics).to.have.length(2);
    expect(diagnostics[0]?.message)
      .to.contain(`${folder.at('a.yaml')}:1`)
      .and.to.contain(`${folder.at('a.yaml')}:7`);
    expect(diagnostics[1]).to.include({ file: folder.at('b.yaml'), line: 1, severity: 'error' });
  });

  it('follows symbolic links, into a loop only once', async () => {
    await folder.write('data/..v1/a.yaml', accountYaml('a'));
    await symlink('..v1', folder.at('data/..data'));
    await symlink('..data/a.yaml', folder.at('data/a.yaml'));
    await symlink('..', folder.at('data/loop'));
    const content = await readFolder([folder.path]);
    expect(names(content)).to.deep.equal(['default/a']);
    expect(content.diagnostics).to.deep.equal([]);
  });

  describe('refuses, and says why and where', () => {
    const account = 'apiVersion: v1\nkind: ServiceAccount\n';
    const cases: readonly (readonly [string, string | Uint8Array, RegExp, number])[] = [
      ['bad YAML', 'apiVersion: v1\nkind: [\n', /./, 3],
      ['an unknown field', routeYaml('r').replace('rules:', 'ruels:'), /ruels/, 6],
      [
        'a wrong type',
        'apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  ports: 80\n',
        /a list; found 80/,
        5,
      ],
      [
        'an unknown kind of ours',
        'apiVersion: legation.dev/v1alpha1\nkind: TrafficRoot\nmetadata: {name: a}\n',
        /TrafficRoot/,
        2,
      ],
      [
        'an unknown version of ours',
        'apiVersion: legation.dev/v2\nkind: TrafficRoute\nmetadata: {name: a}\n',
        /v1alpha1.*v2/,
        1,
      ],
      ['what is not UTF-8', new Uint8Array([0x61, 0x3a, 0x20, 0xff, 0xfe]), /UTF-8/, 1],
      ['UTF-16', Buffer.from(`\uFEFF${account}`, 'utf16le'), /UTF-8|NUL/, 1],
      ['a NUL byte', `${account}\u0000`, /NUL/, 1],
      ['deep nesting', `a: ${'{a: '.repeat(3000)}1${'}'.repeat(3000)}\n`, /deeper|flow/i, 1],
      ['no kind', 'apiVersion: v1\nmetadata: {name: a}\n', /`kind` must be set/, 1],
      ['no name', `${account}metadata:\n  namespace: a\n`, /metadata.name/, 3],
      ['a bad name', `${account}metadata:\n  name: Not_ok\n`, /RFC 1123.*Not_ok/, 4],
      ['a bad namespace', `${account}metadata:\n  name: a\n  namespace: a.b\n`, /RFC 1123/, 5],
      ['a name that is no string', `${account}metadata:\n  name: 1\n`, /a string; found 1/, 4],
      ['a scalar', 'hello\n', /mapping/, 1],
    ];
    for (const [what, content, message, line] of cases) {
      it(what, async () => {
        const { diagnostics, objects } = await only('a.yaml', content);
        expect(objects).to.deep.equal([]);
        const found = diagnostics.find((diagnostic) => message.test(diagnostic.message));
        expect(found, JSON.stringify(diagnostics)).to.include({ severity: 'error', file: folder.at('a.yaml'), line });
      });
    }

    it('an alias bomb', async () => {
      const levels = Array.from({ length: 12 }, (_, nth) => {
        const item = nth === 0 ? 'x' : `*l${String(nth - 1)}`;
        return `l${String(nth)}: &l${String(nth)} [${Array.from({ length: 8 }, () => item).join(', ')}]`;
      });
      const { diagnostics } = await only('a.yaml', levels.join('\n'));
      expect(diagnostics[0]?.message).to.match(/alias/);
    });

    it('50 MB, by its size alone', async () => {
      await folder.write('a.yaml', 'a: 1\n');
      await truncate(folder.at('a.yaml'), 50_000_000);
      const started = performance.now();
      const { diagnostics } = await readFolder([folder.path]);
      expect(diagnostics[0]?.message).to.contain('8 MiB').and.to.contain('47.7 MiB');
      expect(performance.now() - started).to.be.lessThan(100);
    });

    it('a path where nothing is', async () => {
      const { diagnostics } = await readFolder([folder.at('nothing')]);
      expect(diagnostics[0]).to.include({ severity: 'error', file: folder.at('nothing') });
    });
  });

  it('never shows the value of a Secret', async () => {
    const secret =
      'apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {k: "not base64!"}\nstringData: {p: 12345}\n';
    const { diagnostics } = await only('a.yaml', secret);
    expect(diagnostics).to.have.length(2);
    expect(JSON.stringify(diagnostics)).not.to.contain('not base64').and.not.to.contain('12345');
  });
});
