// `npm run new-feature` in a copy of the repository: what it writes compiles, and passes lint, golden and document tests
// as it is; a name that is taken changes nothing.

import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { expect } from 'chai';

const root = join(import.meta.dirname, '../..');
const left = new Set(['node_modules', '.git', 'dist', 'coverage', '.tools', 'src/gen', 'bench/results']);

interface Ended {
  readonly code: number;
  readonly output: string;
}

function run(folder: string, program: string, ...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const path = join(folder, 'node_modules/.bin', program);
    const env = { ...process.env, PATH: `${join(folder, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}` };
    execFile(path, [...args], { cwd: folder, env, maxBuffer: 32 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, output: `${stdout}${stderr}` });
    });
  });
}

describe('npm run new-feature', () => {
  let copy: string;
  const newFeature = (...args: readonly string[]): Promise<Ended> =>
    run(copy, 'tsx', 'scripts/new-feature.ts', ...args);
  const passes = async (program: string, ...args: readonly string[]): Promise<void> => {
    const { code, output } = await run(copy, program, ...args);
    expect(code, output).to.equal(0);
  };

  before(async () => {
    copy = await mkdtemp(join(tmpdir(), 'legation-copy-'));
    await cp(root, copy, { recursive: true, filter: (path) => !left.has(relative(root, path)) });
    for (const folder of ['node_modules', 'src/gen']) await symlink(join(root, folder), join(copy, folder));
    for (const [name, holder] of [
      ['slow-lane', 'upstream'],
      ['fast-lane', 'rule'],
    ] as const) {
      const { code, output } = await newFeature(name, '--in', holder);
      expect(code, output).to.equal(0);
    }
  });

  after(() => rm(copy, { recursive: true, force: true }));

  it('compiles', () => passes('tsc', '--noEmit', '-p', 'tsconfig.json', '--incremental', 'false'));

  it('passes lint and is formatted', async () => {
    const files = ['slow-lane', 'fast-lane', 'index', 'upstream'].map((name) => `src/features/${name}.ts`);
    const lists = ['src/kinds/route-rule.ts', 'src/kinds/unsupported.ts', 'src/kinds/mesh-policy-rules.ts'];
    await passes('eslint', ...files, ...lists);
    await passes('prettier', '--check', ...files, ...lists);
  });

  it('passes the tests of documents, architecture and refused fields', () =>
    passes('mocha', 'test/docs.test.ts', 'test/architecture.test.ts', 'test/unit/kinds/unsupported.test.ts'));

  it('passes its golden cases, in which it is refused by name', async () => {
    await passes('mocha', 'test/golden/runner.test.ts', '--timeout', '60000', '--grep', 'golden (slow|fast)-lane ');
    for (const [name, field] of [
      ['slow-lane', 'spec.upstream.slowLane'],
      ['fast-lane', 'spec.rules[0].fastLane'],
    ] as const) {
      const conditions = await readFile(join(copy, 'test/golden/cases', name, 'want/conditions.yaml'), 'utf8');
      expect(conditions).to.include('UnsupportedValue').and.to.include(`\`${field}\` is set`);
    }
  });

  it('writes nothing for a name that is taken, or is none', async () => {
    const before = await readdir(join(copy, 'src/features'));
    for (const args of [['slow-lane'], ['retry-budget'], ['SlowLane'], [], ['third-lane', '--in', 'mesh']])
      expect((await newFeature(...args)).code, args.join(' ')).to.equal(1);
    expect(await readdir(join(copy, 'src/features'))).to.deep.equal(before);
  });
});
