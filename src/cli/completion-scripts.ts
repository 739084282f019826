// Completion scripts for three shells, from the tree of commands: commands, options, and values of closed lists. Files are
// the shell's own business. Pure.

import type { CommandEntry, OptionEntry } from './command-tree.js';

/** Shells that are served. */
export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

const flagsOf = ({ short, long }: OptionEntry): readonly string[] => (short === undefined ? [long] : [short, long]);

/** Inside of single quotes. */
const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

const choicesOf = (command: CommandEntry): readonly string[] => command.arguments.flatMap(({ choices }) => choices);

function bash(commands: readonly CommandEntry[]): string {
  const names = commands.map(({ name }) => name).join(' ');
  const values = commands.flatMap(({ name, options }) =>
    options
      .filter(({ choices }) => choices.length > 0)
      .map((option) => {
        const patterns = flagsOf(option).map((flag) => `'${name} ${flag}'`);
        return `    ${patterns.join(' | ')}) words=${quoted(option.choices.join(' '))} ;;`;
      }),
  );
  const options = commands.map((command) => {
    const flags = command.options.flatMap(flagsOf).join(' ');
    return `      ${command.name}) words=${quoted(flags)} ;;`;
  });
  const first = commands
    .filter((command) => choicesOf(command).length > 0)
    .map((command) => `      ${command.name}) words=${quoted(choicesOf(command).join(' '))} ;;`);
  return [
    '# bash completion of legation; load it with: source <(legation completion bash)',
    '_legation() {',
    '  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} words=',
    '  if [ "$COMP_CWORD" -eq 1 ]; then',
    `    COMPREPLY=($(compgen -W '${names} --help --version' -- "$current"))`,
    '    return',
    '  fi',
    '  case "$command $previous" in',
    ...values,
    '  esac',
    '  if [ -z "$words" ] && [ "${current#-}" != "$current" ]; then',
    '    case "$command" in',
    ...options,
    '    esac',
    '  elif [ -z "$words" ] && [ "$COMP_CWORD" -eq 2 ]; then',
    '    case "$command" in',
    ...first,
    '    esac',
    '  fi',
    '  if [ -n "$words" ]; then',
    '    COMPREPLY=($(compgen -W "$words" -- "$current"))',
    '  else',
    '    compopt -o filenames 2>/dev/null',
    '    COMPREPLY=($(compgen -f -- "$current"))',
    '  fi',
    '}',
    'complete -F _legation legation',
    '',
  ].join('\n');
}

/** Text inside of the brackets of a zsh specification. */
const zshText = (text: string): string => text.replace(/[[\]:]/g, String.raw`\$&`);

function zshOption(option: OptionEntry): string {
  const flags = flagsOf(option);
  const value = option.takesValue
    ? `:value:${option.choices.length > 0 ? `(${option.choices.join(' ')})` : '_files'}`
    : '';
  const names = flags.length === 1 ? quoted(option.long).slice(1, -1) : `(${flags.join(' ')})'{${flags.join(',')}}'`;
  return `'${names}${quoted(`[${zshText(option.doc)}]${value}`).slice(1)}`;
}

function zshCommand(command: CommandEntry): readonly string[] {
  const choices = choicesOf(command);
  const first = choices.length > 0 ? [`'1:argument:(${choices.join(' ')})'`] : [];
  const rest = first.length < command.arguments.length || first.length === 0 ? ["'*:file:_files'"] : [];
  const specs = [...command.options.map(zshOption), ...first, ...rest];
  return [
    `    ${command.name})`,
    '      _arguments \\',
    ...specs.map((spec, at) => `        ${spec}${at < specs.length - 1 ? ' \\' : ''}`),
    '      ;;',
  ];
}

function zsh(commands: readonly CommandEntry[]): string {
  return [
    '#compdef legation',
    '# zsh completion of legation; put it where $fpath leads, as _legation, or: source <(legation completion zsh)',
    '_legation() {',
    '  local -a commands',
    '  commands=(',
    ...commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`),
    '  )',
    '  if (( CURRENT == 2 )); then',
    "    _describe 'command' commands",
    '    return',
    '  fi',
    '  local command=$words[2]',
    '  shift words',
    '  (( CURRENT-- ))',
    '  case $command in',
    ...commands.flatMap(zshCommand),
    '  esac',
    '}',
    'if [ "$funcstack[1]" = _legation ]; then _legation "$@"; else compdef _legation legation; fi',
    '',
  ].join('\n');
}

function fishOption(command: string, option: OptionEntry): string {
  const { short, long, takesValue, choices, doc } = option;
  const values = choices.length > 0 ? ` -x -a ${quoted(choices.join(' '))}` : takesValue ? ' -r' : '';
  const shortFlag = short === undefined ? '' : ` -s ${short.slice(1)}`;
  const condition = quoted(`__fish_seen_subcommand_from ${command}`);
  return `complete -c legation -n ${condition}${shortFlag} -l ${long.slice(2)}${values} -d ${quoted(doc)}`;
}

function fish(commands: readonly CommandEntry[]): string {
  const names = commands.map(({ name }) => name).join(' ');
  const none = quoted(`not __fish_seen_subcommand_from ${names}`);
  return [
    '# fish completion of legation; load it with: legation completion fish | source',
    ...commands.map(({ name, summary }) => `complete -c legation -n ${none} -f -a ${name} -d ${quoted(summary)}`),
    ...commands.flatMap(({ name, options }) => options.map((option) => fishOption(name, option))),
    ...commands
      .filter((command) => choicesOf(command).length > 0)
      .map((command) => {
        const isFirst = 'test (count (commandline -opc)) -eq 2';
        const condition = quoted(`__fish_seen_subcommand_from ${command.name}; and ${isFirst}`);
        return `complete -c legation -n ${condition} -f -a ${quoted(choicesOf(command).join(' '))}`;
      }),
    '',
  ].join('\n');
}

const writers = { bash, zsh, fish } as const satisfies Record<Shell, (commands: readonly CommandEntry[]) => string>;

/** The script that teaches a shell our commands. */
export const completionScript = (shell: Shell, commands: readonly CommandEntry[]): string => writers[shell](commands);
