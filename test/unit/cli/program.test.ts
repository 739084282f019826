// The shape of the command line: help, usage errors, version, completion, explanations; where text goes, how it ends.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { commandTree } from '../../../src/cli/command-tree.js';
import type { Cli } from '../../../src/cli/command.js';
import { completionScript, shells } from '../../../src/cli/completion-scripts.js';
import { buildProgram, commands, runCli } from '../../../src/cli/program.js';
import { systemClock } from '../../../src/lib/clock.js';
import { legation } from './cli-harness.js';

const signal = new AbortController().signal;

/** Surroundings in memory. */
function createCli() {
  const text = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof text): Cli['stdout'] => ({
    write: (more) => {
      text[name] += more;
    },
    isTerminal: false,
    size: () => ({ columns: 80, rows: 24 }),
  });
  const cli: Cli = {
    clock: systemClock,
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    stdin: process.stdin,
    environment: {},
    temporary: '/tmp',
    program: { execPath: '', execArguments: [], script: '' },
  };
  return { cli, text };
}

/** A command line in this process; for everything that ends at once. */
async function run(...argv: readonly string[]) {
  const { cli, text } = createCli();
  const code = await runCli(argv, cli, signal);
  return { code, ...text };
}

const version = (JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version;

describe('command line', () => {
  it('prints the version of the package', async () => {
    expect(await legation(['--version'])).to.deep.equal({ code: 0, stdout: `${version}\n`, stderr: '' });
    expect(JSON.parse((await run('version', '-o', 'json')).stdout)).to.deep.equal({
      legation: version,
      api: 'legation.dev/v1alpha1',
    });
  });

  it('answers an unknown command with one line, a guess and exit code 2', async () => {
    const { code, stdout, stderr } = await legation(['lnt']);
    expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
    expect(stderr).to.equal("legation: unknown command 'lnt' (Did you mean lint?); see 'legation --help'\n");
  });

  it('answers wrong flags with one line that names the help of the command', async () => {
    const wrong: readonly (readonly string[])[] = [
      ['lint'],
      ['lint', '--stict', 'x'],
      ['lint', '-o', 'xml', 'x'],
      ['translate', '.', '--type', 'xds'],
      ['bootstrap'],
      ['bootstrap', '--proxy', 'shop'],
      ['bootstrap', '--proxy', 'shop/web-0'],
      ['bootstrap', '--proxy', 'shop/web-0', '--address', 'here'],
      ['bootstrap', '--proxy', 'shop/web-0', '--address', '127.0.0.7', '--envoy-version', '1.20.0'],
      ['status', '--admin', 'nowhere'],
      ['run', '.'],
      ['run', '.', '--xds-insecure', '--xds-listen', '0.0.0.0:18000'],
      ['sandbox', '.', '--traffic', 'much'],
      ['policy', 'efective', 'mesh', '.'],
      ['policy', 'effective', 'mesh'],
      ['policy', 'effective', 'web', '.'],
      ['completion', 'tcsh'],
    ];
    for (const argv of wrong) {
      const { code, stdout, stderr } = await run(...argv);
      expect({ code, stdout }, argv.join(' ')).to.deep.equal({ code: 2, stdout: '' });
      expect(stderr, argv.join(' ')).to.match(
        new RegExp(`^legation ${argv[0] ?? ''}: .*; see 'legation ${argv[0] ?? ''} --help'\\n$`),
      );
    }
  });

  it('shows examples in the help of every command, with flags that exist', async () => {
    const tree = commandTree(buildProgram({ cli: createCli().cli, signal, finish: () => undefined }));
    for (const { name, examples } of commands) {
      const { code, stdout } = await run(name, '--help');
      expect(code).to.equal(0);
      expect(stdout, name).to.include('Examples:').and.to.include(examples[0]?.line);
      const flags = tree.find((entry) => entry.name === name)?.options.flatMap(({ short, long }) => [short, long]);
      for (const { line } of examples) {
        const used = line.split(`legation ${name}`)[1]?.match(/(?<= )-{1,2}[a-z][-a-z]*/g) ?? [];
        expect(flags, line).to.include.members(used);
      }
    }
  });

  it('prints help without a command to stderr, and with --help to stdout', async () => {
    const bare = await run();
    expect({ code: bare.code, stdout: bare.stdout }).to.deep.equal({ code: 2, stdout: '' });
    expect(bare.stderr).to.include('Usage: legation');
    expect((await run('--help')).stdout).to.include('sandbox');
  });

  it('explains reasons, conditions and fields', async () => {
    expect((await run('explain', 'partiallyinvalid')).stdout).to.include('PartiallyInvalid (condition)');
    expect((await run('explain', 'Accepted')).stdout.split('\n').filter((line) => line !== '')).to.have.length(2);
    const field = await run('explain', 'troute.spec.rules[0].timeouts.request');
    expect(field.stdout)
      .to.include('TrafficRoute.spec.rules[].timeouts.request (field)')
      .and.to.include('type: string');
    const wrong = await run('explain', 'TrafficRoute.rules.timeout');
    expect({ code: wrong.code, stdout: wrong.stdout }).to.deep.equal({ code: 1, stdout: '' });
    expect(wrong.stderr).to.include("did you mean 'timeouts'?");
  });
});

describe('completion', () => {
  const tree = commandTree(buildProgram({ cli: createCli().cli, signal, finish: () => undefined }));

  it('knows every command and option, in every shell', () => {
    for (const shell of shells) {
      const script = completionScript(shell, tree);
      for (const { name, options } of tree) {
        expect(script).to.include(name);
        for (const { long } of options)
          expect(script, shell).to.include(shell === 'fish' ? `-l ${long.slice(2)}` : long);
      }
    }
  });

  it('completes in bash', async () => {
    const script = (await run('completion', 'bash')).stdout;
    const complete = (...line: readonly string[]): string => {
      const words = line.map((word) => `'${word}'`).join(' ');
      const program = `${script}\nCOMP_WORDS=(${words}); COMP_CWORD=${line.length - 1}; _legation; echo "\${COMPREPLY[*]}"`;
      return execFileSync('bash', ['-c', program], {
        encoding: 'utf8',
        cwd: join(import.meta.dirname, '../../..'),
      }).trim();
    };
    expect(complete('legation', 'l')).to.equal('lint');
    expect(complete('legation', 'lint', '--st')).to.equal('--strict');
    expect(complete('legation', 'lint', '-o', 's')).to.equal('sarif');
    expect(complete('legation', 'lint', 'exam')).to.equal('examples');
    expect(complete('legation', 'completion', 'z')).to.equal('zsh');
    expect(complete('legation', 'policy', 'e')).to.equal('effective');
    expect(complete('legation', 'policy', 'effective', 'mesh', 'exam')).to.equal('examples');
  });
});
