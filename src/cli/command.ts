// What a command is, and what it gets of the outside: streams, clock, environment. Commands are data that commander is
// built from; help, completion and docs/reference/cli.md come from the same data. Knows no concrete command.

import { Argument, Command, Option, type OptionValues } from 'commander';
import type { Clock } from '../lib/clock.js';
import { type ColourWhen, type Paint, createPaint, wantsColour } from './output.js';

/** 0: fine, 1: findings or a negative answer, 2: wrong usage, 3: a peer was not reached. */
export type ExitCode = 0 | 1 | 2 | 3;

/** Where text goes. */
export interface TextStream {
  readonly write: (text: string) => void;
  readonly isTerminal: boolean;
  /** Size of the terminal now. */
  size(): { readonly columns: number; readonly rows: number };
}

/** Everything that a command gets of its surroundings. */
export interface Cli {
  readonly clock: Clock;
  /** Data. */
  readonly stdout: TextStream;
  /** Prose. */
  readonly stderr: TextStream;
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The folder for temporary files. */
  readonly temporary: string;
  /** How this program itself is run, so that children run the same way. */
  readonly program: {
    readonly execPath: string;
    readonly execArguments: readonly string[];
    readonly script: string;
  };
}

/** Options that every command has. */
export interface CommonOptions {
  readonly color: ColourWhen;
  readonly verbose?: true;
}

/** One call of a command. */
export interface Invocation<Options> {
  readonly args: readonly string[];
  readonly options: Options & CommonOptions;
  readonly cli: Cli;
  /** Colours for standard output. */
  readonly paint: Paint;
  /** One line of prose on standard error. */
  readonly say: (line: string) => void;
  /** The whole tree of commands. */
  readonly root: Command;
}

/** A command line and what it does. */
export interface Example {
  readonly line: string;
  readonly does: string;
}

/** The data of a command. */
export interface CommandSpec<Options extends OptionValues> {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** Paragraphs for help and reference. */
  readonly description: readonly string[];
  readonly arguments?: readonly {
    readonly name: string;
    readonly doc: string;
    readonly choices?: readonly string[];
  }[];
  readonly options: readonly Option[];
  readonly examples: readonly Example[];
  readonly exitCodes?: string;
  readonly run: (invocation: Invocation<Options>, signal: AbortSignal) => Promise<ExitCode>;
}

/** What the program adds to a command. */
export interface Binding {
  readonly cli: Cli;
  readonly signal: AbortSignal;
  readonly finish: (code: ExitCode) => void;
  readonly root: Command;
}

/** A command, ready to be put into the tree. */
export interface CliCommand {
  readonly name: string;
  readonly examples: readonly Example[];
  readonly exitCodes: string | undefined;
  readonly build: (binding: Binding) => Command;
}

/** The command line cannot be meant; the message says what would be. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const colourOption = (): Option =>
  new Option('--color <WHEN>', 'colours').choices(['auto', 'always', 'never']).default('auto');

const helpOf = (spec: Pick<CommandSpec<OptionValues>, 'examples' | 'exitCodes'>): string =>
  [
    '',
    'Examples:',
    ...spec.examples.flatMap(({ line, does }) => [`  # ${does}`, `  ${line}`]),
    ...(spec.exitCodes === undefined ? [] : ['', `Exit codes: ${spec.exitCodes}`]),
  ].join('\n');

/** Makes a command of its data. */
export function defineCommand<Options extends OptionValues>(spec: CommandSpec<Options>): CliCommand {
  function build({ cli, signal, finish, root }: Binding): Command {
    const command = new Command(spec.name)
      .summary(spec.summary)
      .description(spec.description.join('\n\n'))
      .addHelpText('after', helpOf(spec))
      .showSuggestionAfterError();
    for (const { name, doc, choices } of spec.arguments ?? []) {
      const argument = new Argument(name, doc);
      command.addArgument(choices === undefined ? argument : argument.choices(choices));
    }
    for (const option of spec.options) command.addOption(option);
    command.addOption(colourOption()).option('--verbose', 'print the stack of an unexpected error');
    return command.action(async () => {
      const options = command.opts<Options & CommonOptions>();
      const { stdout, stderr, environment } = cli;
      const paint = createPaint(wantsColour({ when: options.color, isTerminal: stdout.isTerminal, environment }));
      const say = (line: string): void => {
        stderr.write(`${line}\n`);
      };
      try {
        finish(await spec.run({ args: command.args, options, cli, paint, say, root }, signal));
      } catch (thrown) {
        if (!(thrown instanceof UsageError)) throw thrown;
        command.error(thrown.message, { exitCode: 2 });
      }
    });
  }
  return { name: spec.name, examples: spec.examples, exitCodes: spec.exitCodes, build };
}
