import { appendFile, mkdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import type { World } from '../../../src/kinds/world.js';
import { accountYaml, createTempFolder, routeYaml, run } from './folder-harness.js';
import type { Running, TempFolder } from './folder-harness.js';

const labelOf = (world: World, name: string): string | undefined =>
  world.serviceAccounts.get(`default/${name}`)?.meta.labels['v'];

describe('sources/files: a folder that is watched', () => {
  let folder: TempFolder;
  let running: Running | undefined;
  beforeEach(async () => {
    folder = await createTempFolder();
  });
  afterEach(async () => {
    await running?.stop();
    running = undefined;
    await folder.remove();
  });

  async function start(names: readonly string[] = ['a']): Promise<Running> {
    for (const name of names) await folder.write(`${name}.yaml`, accountYaml(name, '1'));
    const source = run([folder.path]);
    running = source;
    await source.until(
      (world) => names.every((name) => world.serviceAccounts.has(`default/${name}`)),
      'the first list',
    );
    return source;
  }

  const diagnosed = (source: Running, pattern: RegExp) => () =>
    source.files.diagnostics().some(({ message }) => pattern.test(message));

  it('lists once, then once for each rescan that differs, keeping unchanged objects', async () => {
    const source = await start(['a', 'b']);
    const before = source.world().serviceAccounts.get('default/b');
    await folder.write('a.yaml', accountYaml('a', '2'));
    await source.until((world) => labelOf(world, 'a') === '2', 'the edit');
    expect(source.world().serviceAccounts.get('default/b')).to.equal(before);
    expect(source.events.filter(({ kind }) => kind === 'init')).to.have.length(2);
    expect(source.events.filter(({ kind }) => kind === 'initDone')).to.have.length(2);
  });

  it('reacts soon', async () => {
    const source = await start();
    const started = performance.now();
    await folder.write('a.yaml', accountYaml('a', '2'));
    await source.until((world) => labelOf(world, 'a') === '2', 'the edit');
    expect(performance.now() - started).to.be.lessThan(200);
  });

  it('notices an atomic rename', async () => {
    const source = await start();
    await folder.replace('a.yaml', accountYaml('a', '2'));
    await source.until((world) => labelOf(world, 'a') === '2', 'the rename');
  });

  it('notices new files and folders, and those that go', async () => {
    const source = await start();
    await folder.write('deep/er/b.yaml', accountYaml('b'));
    await source.until((world) => world.serviceAccounts.size === 2, 'the new file');
    await rm(folder.at('deep'), { recursive: true });
    await source.until((world) => world.serviceAccounts.size === 1, 'the file to go');
  });

  it('notices a swap of links, as kubelet swaps a ConfigMap', async () => {
    await folder.write('..v1/a.yaml', accountYaml('a', '1'));
    await folder.write('..v2/a.yaml', accountYaml('a', '2'));
    await symlink('..v1', folder.at('..data'));
    await symlink('..data/a.yaml', folder.at('a.yaml'));
    running = run([folder.path]);
    await running.until((world) => labelOf(world, 'a') === '1', 'the first version');
    await symlink('..v2', folder.at('..tmp'));
    await rename(folder.at('..tmp'), folder.at('..data'));
    await running.until((world) => labelOf(world, 'a') === '2', 'the second version');
  });

  it('keeps all objects of a file that does not parse, says so once, and once when it is healed', async () => {
    await folder.write('two.yaml', `${accountYaml('x')}---\n${accountYaml('y')}`);
    const source = await start();
    await source.until((world) => world.serviceAccounts.size === 3, 'all objects');
    await folder.write('two.yaml', `${accountYaml('x', '2')}---\nkind: [\n`);
    await source.until(diagnosed(source, /stay in force/), 'the diagnostic');
    expect(labelOf(source.world(), 'x')).to.equal('');
    expect(source.world().serviceAccounts.size).to.equal(3);
    await folder.write('two.yaml', `${accountYaml('x', '3')}---\n${accountYaml('y')}`);
    await source.until((world) => labelOf(world, 'x') === '3', 'the repair');
    expect(source.files.diagnostics()).to.deep.equal([]);
    expect(source.logged.filter((line) => line.startsWith('file has a problem'))).to.have.length(1);
    expect(source.logged.filter((line) => line.startsWith('file problem is gone'))).to.have.length(1);
  });

  it('keeps the last good version of a document that fails its schema, and takes its neighbours', async () => {
    await folder.write('r.yaml', `${routeYaml('one')}---\n${routeYaml('two')}`);
    running = run([folder.path]);
    await running.until((world) => world.trafficRoutes.size === 2, 'the routes');
    await folder.write('r.yaml', `${routeYaml('one', '{}')}---\n${routeYaml('two', '/y')}`);
    await running.until((world) => world.malformed.size === 1, 'the malformed route');
    const world = running.world();
    expect(world.malformed.get('TrafficRoute/shop/one')).to.include({ lastGood: true, generation: 2 });
    const pathOf = (name: string): unknown => world.trafficRoutes.get(name)?.spec.rules[0]?.matches?.[0]?.path?.value;
    expect(pathOf('shop/one')).to.equal('/x');
    expect(pathOf('shop/two')).to.equal('/y');
    await folder.write('r.yaml', `${routeYaml('one', '/z')}---\n${routeYaml('two', '/y')}`);
    await running.until((next) => next.malformed.size === 0, 'the repair');
    expect(running.world().trafficRoutes.get('shop/one')?.meta.generation).to.equal(3);
  });

  it('keeps endpoints of a Service whose document fails', async () => {
    const service = (ports: string): string =>
      `apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: ${ports}}\n`;
    const pod = 'apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {app: web}}\nspec: {containers: []}\n';
    await folder.write('pod.yaml', pod);
    await folder.write('svc.yaml', service('[{port: 80}]'));
    running = run([folder.path]);
    await running.until((world) => world.endpointSlices.size === 1, 'the slice');
    await folder.write('svc.yaml', service('80'));
    await running.until((world) => world.malformed.size === 1, 'the malformed Service');
    expect(running.world().endpointSlices.size).to.equal(1);
    expect(running.world().services.size).to.equal(1);
  });

  it('does not believe a half-written file', async () => {
    await folder.write(
      'all.yaml',
      Array.from({ length: 20 }, (_, nth) => accountYaml(`n${String(nth)}`)).join('---\n'),
    );
    const source = await start();
    await source.until((world) => world.serviceAccounts.size === 21, 'all objects');
    const sizes = new Set<number>();
    const whole = Array.from({ length: 21 }, (_, nth) => accountYaml(`n${String(nth)}`, 'new')).join('---\n');
    await writeFile(folder.at('all.yaml'), '');
    for (let at = 0; at < whole.length; at += 400) {
      await appendFile(folder.at('all.yaml'), whole.slice(at, at + 400));
      sizes.add(source.world().serviceAccounts.size);
    }
    await source.until((world) => labelOf(world, 'n20') === 'new', 'the whole file');
    expect([...sizes].every((size) => size >= 21)).to.equal(true);
    expect(source.files.diagnostics()).to.deep.equal([]);
  });

  it('takes a move from one file to another for what it is', async () => {
    const source = await start(['a', 'b']);
    const before = source.world().serviceAccounts.get('default/a');
    await rename(folder.at('a.yaml'), folder.at('z.yaml'));
    await source.until(
      (world) => world.serviceAccounts.get('default/a')?.meta.place?.file === folder.at('z.yaml'),
      'the move',
    );
    expect(source.files.diagnostics()).to.deep.equal([]);
    expect(source.world().serviceAccounts.get('default/a')?.meta.labels).to.deep.equal(before?.meta.labels);
  });

  it('keeps a file that grew too large, reading nothing of it', async () => {
    const source = await start();
    await truncate(folder.at('a.yaml'), 50_000_000);
    await source.until(diagnosed(source, /8 MiB/), 'the diagnostic');
    expect(source.world().serviceAccounts.size).to.equal(1);
  });

  it('follows a file that becomes a folder, and back', async () => {
    const source = await start();
    await rm(folder.at('a.yaml'));
    await folder.write('a.yaml/b.yaml', accountYaml('b'));
    await source.until(
      (world) => world.serviceAccounts.has('default/b') && world.serviceAccounts.size === 1,
      'the folder',
    );
    await rm(folder.at('a.yaml'), { recursive: true });
    await folder.write('a.yaml', accountYaml('c'));
    await source.until(
      (world) => world.serviceAccounts.has('default/c') && world.serviceAccounts.size === 1,
      'the file',
    );
  });

  it('keeps everything while the folder itself is away', async () => {
    const source = await start();
    await rename(folder.path, `${folder.path}-away`);
    await source.until(diagnosed(source, /stay in force/), 'the diagnostic');
    expect(source.world().serviceAccounts.size).to.equal(1);
    await rename(`${folder.path}-away`, folder.path);
    await source.until(() => source.files.diagnostics().length === 0, 'the folder to be back');
    await folder.write('a.yaml', accountYaml('a', '2'));
    await source.until((world) => labelOf(world, 'a') === '2', 'an edit after that');
  });

  it('does not list before a path that is missing at the start is there', async () => {
    running = run([folder.at('later')], { rescanMs: 20 });
    const source = running;
    await source.until(diagnosed(source, /cannot be read/), 'the diagnostic');
    expect(source.events).to.deep.equal([]);
    await mkdir(folder.at('later'));
    await folder.write('later/a.yaml', accountYaml('a'));
    await source.until((world) => world.serviceAccounts.size === 1, 'the list');
  });

  it('names a kind that is not read once', async () => {
    await folder.write('i.yaml', 'apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i}\n');
    const source = await start();
    await folder.write('a.yaml', accountYaml('a', '2'));
    await source.until((world) => labelOf(world, 'a') === '2', 'an edit');
    expect(source.logged.filter((line) => line.includes('Ingress'))).to.have.length(1);
    expect(source.files.skipped()).to.deep.equal([{ what: 'Ingress (networking.k8s.io/v1)', count: 1 }]);
  });

  it('costs little for an edit among 1,000 files', async () => {
    const names = Array.from({ length: 1000 }, (_, nth) => `n${String(nth)}`);
    const source = await start(names);
    const revision = source.world().revision;
    await folder.write('n500.yaml', accountYaml('n500', '2'));
    const started = performance.now();
    await source.until((world) => labelOf(world, 'n500') === '2', 'the edit');
    expect(performance.now() - started).to.be.lessThan(300);
    expect(source.world().revision).to.equal(revision + 1);
  });
});
