// Commands that read a mesh from files, run as people run them: what is printed where, and with which exit code.

import { expect } from 'chai';
import { parse, parseAllDocuments } from 'yaml';
import { type TempFolder, createTempFolder } from '../sources/folder-harness.js';
import { brokenMesh, goodMesh, legation } from './cli-harness.js';

interface LintReport {
  readonly summary: unknown;
  readonly findings: readonly { readonly reason: string; readonly line: number; readonly path?: string }[];
}

interface Translation {
  readonly proxy: string;
  readonly group: string;
  readonly resources: Readonly<Record<string, readonly { readonly name?: string; readonly cluster_name?: string }[]>>;
}

describe('commands over files', () => {
  let good: TempFolder;
  let broken: TempFolder;

  before(async () => {
    good = await createTempFolder();
    await good.write('mesh.yaml', goodMesh);
    broken = await createTempFolder();
    await broken.write('mesh.yaml', goodMesh);
    await broken.write('routes/bad.yaml', brokenMesh);
    await broken.write('text.yaml', 'a: [\n');
  });

  after(async () => {
    await good.remove();
    await broken.remove();
  });

  it('refuse a path that leads nowhere', async () => {
    const { code, stdout, stderr } = await legation(['lint', good.path, good.at('no-such-folder')]);
    expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
    expect(stderr).to.match(
      /^legation lint: no such file or folder: '.*no-such-folder'; see 'legation lint --help'\n$/,
    );
  });

  describe('lint', () => {
    it('says nothing on stdout about a good mesh', async () => {
      expect(await legation(['lint', good.path])).to.deep.equal({
        code: 0,
        stdout: '',
        stderr: '3 objects, 0 errors, 0 warnings\n',
      });
    });

    it('names file and line of what the reader and the compiler find', async () => {
      const { code, stdout, stderr } = await legation(['lint', broken.path]);
      const bad = broken.at('routes/bad.yaml');
      const lines = stdout
        .trim()
        .split('\n')
        .map((line) => line.split(/ {2,}/).slice(0, 4));
      expect(code).to.equal(1);
      expect(lines).to.deep.equal([
        ['FILE:LINE', 'SEVERITY', 'REASON', 'OBJECT'],
        [`${bad}:5`, 'error', 'NoMatchingParent', 'TrafficRoute/shop/nowhere'],
        [`${bad}:12`, 'error', 'Invalid', 'TrafficRoute/shop/typo'],
        [`${bad}:14`, 'error', 'Invalid', 'TrafficRoute/shop/typo'],
        [`${bad}:16`, 'error', 'DuplicateObject', '-'],
        ...lines.slice(5, -1),
        [`${broken.at('text.yaml')}:2`, 'error', 'Unparsable', '-'],
      ]);
      expect(stderr)
        .to.include('not read: 1 × Ingress')
        .and.to.match(/5 objects, \d errors, 0 warnings\n/);
    });

    it('prints a report for scripts, and reads standard input', async () => {
      const { code, stdout } = await legation(['lint', '-', '-o', 'json'], { input: brokenMesh });
      const report = JSON.parse(stdout) as LintReport;
      expect(code).to.equal(1);
      expect(report).to.include({ apiVersion: 'cli.legation.dev/v1', kind: 'LintReport' });
      expect(report.findings[0]).to.include({ file: '<stdin>', line: 5, path: 'spec.parentRefs[0].name' });
    });

    it('prints workflow commands and SARIF', async () => {
      const github = await legation(['lint', '-', '-o', 'github'], { input: brokenMesh });
      expect(github.stdout.split('\n')[0]).to.match(/^::error file=<stdin>,line=5,col=\d+,title=NoMatchingParent::/);
      const sarif = await legation(['lint', '-', '-o', 'sarif'], { input: brokenMesh });
      expect(JSON.parse(sarif.stdout)).to.have.nested.property('runs[0].results[0].ruleId', 'NoMatchingParent');
    });
  });

  describe('translate', () => {
    it('prints one document for each group, with what is served', async () => {
      const { code, stdout, stderr } = await legation(['translate', good.path]);
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
      const documents = parseAllDocuments(stdout).map((document) => document.toJS() as Translation);
      expect(documents.map(({ proxy }) => proxy)).to.deep.equal(['shop/web-0']);
      expect(documents[0]?.group).to.include('Deployment/web.shop');
      expect(Object.keys(documents[0]?.resources ?? {})).to.include.members(['cds', 'eds', 'lds', 'rds']);
    });

    it('takes a pod or a workload, and only some types', async () => {
      const only = ['--type', 'cds,sds'];
      const { stdout: workload } = await legation(['translate', good.path, '--proxy', 'shop/web', ...only]);
      const { stdout: pod } = await legation(['translate', '-', '--proxy', 'shop/web-0', ...only], { input: goodMesh });
      expect(pod).to.equal(workload);
      const { resources } = parse(pod) as Translation;
      expect(Object.keys(resources).sort()).to.deep.equal(['cds', 'sds']);
      expect(resources['cds']?.length).to.be.greaterThan(0);
    });

    it('prints what a pod of a cluster would get', async () => {
      const { stdout } = await legation(['translate', good.path, '--capture', 'redirect', '-o', 'json']);
      expect(JSON.parse(stdout)).to.have.nested.property('items[0].group').that.includes('redirect');
    });

    it('knows which proxy was probably meant', async () => {
      const { code, stdout, stderr } = await legation(['translate', good.path, '--proxy', 'shop/wep-1']);
      expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' });
      expect(stderr).to.include("did you mean 'shop/web-1'?").and.to.include('shop/web-0  (Deployment/web.shop)');
    });

    it('prints what is good of a broken mesh, and warns', async () => {
      const { code, stdout, stderr } = await legation(['translate', broken.path, '--type', 'rds']);
      expect(code).to.equal(0);
      expect(stdout).to.include('proxy: shop/web-0');
      expect(stderr).to.include('bad.yaml:5: NoMatchingParent: TrafficRoute/shop/nowhere');
    });
  });

  describe('bootstrap', () => {
    interface Bootstrap {
      readonly node: unknown;
      readonly admin: { readonly address: unknown; readonly allow_paths?: unknown };
    }

    it('looks the proxy up, and says how to use the file', async () => {
      const { code, stdout, stderr } = await legation(['bootstrap', good.path, '--proxy', 'shop/web']);
      expect(code).to.equal(0);
      const { node, admin } = parse(stdout) as Bootstrap;
      expect(node).to.deep.equal({ id: 'web-0.shop', cluster: 'Deployment/web.shop' });
      expect(admin).not.to.have.property('allow_paths');
      expect(stderr).to.include('envoy --config-path envoy.yaml');
    });

    it('needs no mesh when it is told everything', async () => {
      const flags = ['--address', '127.0.0.7', '--workload', 'Deployment/edge', '--envoy-version', '1.39.3'];
      const more = ['--xds', '127.0.0.1:18001', '--admin-socket', '/run/edge.sock', '-o', 'json'];
      const { code, stdout } = await legation(['bootstrap', '--proxy', 'shop/edge-0', ...flags, ...more]);
      expect(code).to.equal(0);
      const { node, admin } = JSON.parse(stdout) as Bootstrap;
      expect(node).to.deep.equal({ id: 'edge-0.shop', cluster: 'Deployment/edge.shop' });
      expect(admin.address).to.have.nested.property('pipe.path', '/run/edge.sock');
      expect(admin).to.have.property('allow_paths');
      expect(stdout).to.include('18001').and.to.include('127.0.0.7');
    });
  });
});
