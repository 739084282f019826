// The tree of commands as plain data: what completion and the reference are made from. Pure.

import type { Argument, Command, Option } from 'commander';

/** An option. */
export interface OptionEntry {
  /** `-o`. */
  readonly short: string | undefined;
  /** `--output`. */
  readonly long: string;
  /** As help prints it: `-o, --output <FORMAT>`. */
  readonly flags: string;
  readonly doc: string;
  readonly takesValue: boolean;
  /** What may be given, where that is a closed list. */
  readonly choices: readonly string[];
  readonly preset: string | undefined;
  readonly isRequired: boolean;
}

/** An argument. */
export interface ArgumentEntry {
  readonly name: string;
  readonly doc: string;
  readonly isRequired: boolean;
  readonly isVariadic: boolean;
  readonly choices: readonly string[];
}

/** A command. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly description: string;
  readonly options: readonly OptionEntry[];
  readonly arguments: readonly ArgumentEntry[];
}

function presetOf(option: Option): string | undefined {
  const value: unknown = option.defaultValue;
  return typeof value === 'string' ? value : undefined;
}

const optionEntry = (option: Option): OptionEntry => ({
  short: option.short,
  long: option.long ?? option.flags,
  flags: option.flags,
  doc: option.description,
  takesValue: option.required,
  choices: option.argChoices ?? [],
  preset: presetOf(option),
  isRequired: option.mandatory,
});

const argumentEntry = (argument: Argument): ArgumentEntry => ({
  name: argument.name(),
  doc: argument.description,
  isRequired: argument.required,
  isVariadic: argument.variadic,
  choices: argument.argChoices ?? [],
});

/** The commands below `root`. */
export const commandTree = (root: Command): readonly CommandEntry[] =>
  root.commands.map((command) => ({
    name: command.name(),
    summary: command.summary(),
    description: command.description(),
    options: [
      ...command.options.map(optionEntry),
      {
        short: '-h',
        long: '--help',
        flags: '-h, --help',
        doc: 'show help',
        takesValue: false,
        choices: [],
        preset: undefined,
        isRequired: false,
      },
    ],
    arguments: command.registeredArguments.map(argumentEntry),
  }));
