// The tree of commands, and how it fails: usage in one line with a pointer to --help, the environment in one line, bugs in
// one line unless somebody asks for the stack. Must not know what a command does.

import { Command, CommanderError } from 'commander';
import { OperationalError, messageOf } from '../lib/result.js';
import { bootstrapCommand } from './bootstrap.js';
import type { Binding, Cli, CliCommand, ExitCode } from './command.js';
import { completionCommand } from './completion.js';
import { explainCommand } from './explain.js';
import { lintCommand } from './lint.js';
import { createPaint, wantsColour } from './output.js';
import { policyCommand } from './policy.js';
import { runCommand } from './run.js';
import { sandboxCommand } from './sandbox.js';
import { statusCommand } from './status.js';
import { translateCommand } from './translate.js';
import { packageVersion, versionCommand } from './version.js';

/** Every command, in the order of help and reference. */
export const commands: readonly CliCommand[] = [
  runCommand,
  sandboxCommand,
  lintCommand,
  translateCommand,
  policyCommand,
  bootstrapCommand,
  statusCommand,
  explainCommand,
  versionCommand,
  completionCommand,
];

const helpWidth = 100;

const oneLine = (text: string): string =>
  text
    .trim()
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ');

function nameOf(command: Command): string {
  const parent = command.parent;
  return parent === null ? command.name() : `${nameOf(parent)} ${command.name()}`;
}

function speakThrough(command: Command, { stdout, stderr, environment }: Cli): void {
  const coloured = (isTerminal: boolean): boolean => wantsColour({ when: 'auto', isTerminal, environment });
  const width = (stream: Cli['stdout']): number => (stream.isTerminal ? stream.size().columns : helpWidth);
  const paint = createPaint(coloured(stdout.isTerminal));
  command.exitOverride();
  command.configureHelp({ styleTitle: paint.bold });
  command.configureOutput({
    writeOut: stdout.write,
    writeErr: stderr.write,
    getOutHasColors: () => coloured(stdout.isTerminal),
    getErrHasColors: () => coloured(stderr.isTerminal),
    getOutHelpWidth: () => width(stdout),
    getErrHelpWidth: () => width(stderr),
    outputError: (text, write) => {
      const name = nameOf(command);
      write(`${name}: ${oneLine(text)}; see '${name} --help'\n`);
    },
  });
}

/** The commander tree of all commands. */
export function buildProgram(binding: Omit<Binding, 'root'>): Command {
  const root = new Command('legation')
    .description('Configures the Envoy fleet you already have.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .usage('COMMAND [OPTIONS]')
    .helpCommand('help [COMMAND]', 'show the help of a command')
    .addHelpText(
      'after',
      "\nData goes to standard output, prose to standard error. 'legation COMMAND --help' shows examples.",
    );
  for (const { build } of commands) root.addCommand(build({ ...binding, root }));
  for (const command of [root, ...root.commands]) speakThrough(command, binding.cli);
  return root;
}

function codeOf(thrown: unknown): ExitCode {
  if (!(thrown instanceof OperationalError)) return 1;
  if (thrown.code === 'PeerUnreachable') return 3;
  return thrown.code === 'InvalidConfig' ? 2 : 1;
}

function failure(thrown: unknown, isVerbose: boolean): string {
  const stack = thrown instanceof Error ? thrown.stack : undefined;
  if (isVerbose && stack !== undefined) return `legation: ${stack}\n`;
  const hint = thrown instanceof OperationalError ? '' : ' (unexpected; --verbose shows where)';
  return `legation: ${oneLine(messageOf(thrown))}${hint}\n`;
}

/** Runs a command line; resolves to its exit code and never throws. */
export async function runCli(argv: readonly string[], cli: Cli, signal: AbortSignal): Promise<ExitCode> {
  let code: ExitCode = 0;
  const finish = (next: ExitCode): void => {
    code = next;
  };
  try {
    await buildProgram({ cli, signal, finish }).parseAsync(argv, { from: 'user' });
    return code;
  } catch (thrown) {
    // Commander has said what it had to say.
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
    cli.stderr.write(failure(thrown, argv.includes('--verbose')));
    return codeOf(thrown);
  }
}
