// `legation completion`: teaches a shell our commands.

import { UsageError, defineCommand } from './command.js';
import { commandTree } from './command-tree.js';
import { type Shell, completionScript, shells } from './completion-scripts.js';

const isShell = (name: string): name is Shell => shells.some((shell) => shell === name);

/** `legation completion`. */
export const completionCommand = defineCommand({
  name: 'completion',
  summary: 'print a completion script for a shell',
  description: ['Prints a script that completes commands, options and their values.'],
  arguments: [{ name: '<SHELL>', doc: shells.join(', '), choices: shells }],
  options: [],
  examples: [
    {
      line: 'source <(legation completion bash)',
      does: 'bash, for this session; put the line into ~/.bashrc to keep it',
    },
    { line: 'legation completion zsh > "${fpath[1]}/_legation"', does: 'zsh' },
    { line: 'legation completion fish > ~/.config/fish/completions/legation.fish', does: 'fish' },
  ],
  exitCodes: '0 printed, 2 wrong usage',
  run: ({ args, cli, root }) => {
    const [shell = ''] = args;
    if (!isShell(shell)) throw new UsageError(`'${shell}' is none of ${shells.join(', ')}`);
    cli.stdout.write(completionScript(shell, commandTree(root)));
    return Promise.resolve(0);
  },
});
