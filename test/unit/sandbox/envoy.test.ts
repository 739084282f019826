// Finding an Envoy, and how it is run.
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { envoyArguments, findEnvoy, parseEnvoyVersion } from '../../../src/sandbox/envoy.js';

const versionLine = 'envoy  version: 6eb0d2d97489ec1b4e1584a004f5de443d97a41b/1.39.3/Clean/RELEASE/BoringSSL';

describe('sandbox: envoy', () => {
  let folder = '';
  const nowhere = { option: undefined, variable: undefined, path: '', installScript: '/nonexistent/install.sh' };

  async function fake(name: string, prints: string): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, `#!/bin/sh\necho '${prints}'\n`);
    await chmod(path, 0o755);
    return path;
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'legation-test-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('runs one worker, without hot restart, with immediate drain', () => {
    expect(envoyArguments('/run/b.json')).to.deep.equal([
      '--config-path',
      '/run/b.json',
      '--concurrency',
      '1',
      '--disable-hot-restart',
      '--drain-strategy',
      'immediate',
      '--drain-time-s',
      '5',
      '--file-flush-interval-msec',
      '500',
      '--log-level',
      'warning',
    ]);
  });

  it('reads versions', () => {
    expect(parseEnvoyVersion(`\n${versionLine}\n`)).to.equal('1.39.3');
    expect(parseEnvoyVersion('GNU bash, version 5.2')).to.equal(undefined);
  });

  it('takes --envoy before $ENVOY before the path before its own', async () => {
    const option = await fake('one', versionLine.replace('1.39.3', '1.1.1'));
    const variable = await fake('two', versionLine.replace('1.39.3', '2.2.2'));
    await fake('envoy', versionLine.replace('1.39.3', '3.3.3'));
    const own = await fake('own', versionLine.replace('1.39.3', '4.4.4'));
    const installScript = await fake('install.sh', own);
    const versionOf = async (search: Partial<Parameters<typeof findEnvoy>[0]>): Promise<string> => {
      const found = await findEnvoy({ ...nowhere, installScript, ...search });
      return found.ok ? found.value.version : found.error;
    };
    expect(await versionOf({ option, variable, path: folder })).to.equal('1.1.1');
    expect(await versionOf({ variable, path: folder })).to.equal('2.2.2');
    expect(await versionOf({ variable: '', path: `/nonexistent:${folder}` })).to.equal('3.3.3');
    expect(await versionOf({ path: '/nonexistent' })).to.equal('4.4.4');
  });

  it('says what is wrong', async () => {
    const messageOf = async (search: Partial<Parameters<typeof findEnvoy>[0]>): Promise<string> => {
      const found = await findEnvoy({ ...nowhere, ...search });
      return found.ok ? '' : found.error;
    };
    expect(await messageOf({ option: '/nonexistent/envoy' })).to.include("'/nonexistent/envoy' (from --envoy)");
    expect(await messageOf({ variable: await fake('other', 'hello') })).to.include('is no Envoy: hello');
    expect(await messageOf({})).to.include('--envoy');
  });
});
