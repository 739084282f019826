// `legation version`: which Legation this is, and on what it runs.

import { readFileSync } from 'node:fs';
import { Option } from 'commander';
import { apiVersion } from '../api/meta.js';
import { defineCommand } from './command.js';
import { renderJson, renderTable, renderYaml } from './output.js';

interface VersionOptions {
  readonly output: 'table' | 'json' | 'yaml';
}

/** The version of the package that this file belongs to. */
export function packageVersion(): string {
  const content: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const version = typeof content === 'object' && content !== null && 'version' in content ? content.version : undefined;
  return typeof version === 'string' ? version : 'unknown';
}

/** `legation version`. */
export const versionCommand = defineCommand<VersionOptions>({
  name: 'version',
  summary: 'print the version',
  description: ['Prints the version of Legation, and of the API that its objects are written in.'],
  options: [new Option('-o, --output <FORMAT>', 'how to print').choices(['table', 'json', 'yaml']).default('table')],
  examples: [
    { line: 'legation version', does: 'which version is this?' },
    { line: 'legation version -o json', does: 'the same for a script' },
  ],
  run: async ({ cli, options }) => {
    const facts = { legation: packageVersion(), api: apiVersion };
    if (options.output === 'json') cli.stdout.write(renderJson(facts));
    else if (options.output === 'yaml') cli.stdout.write(await renderYaml(facts));
    else cli.stdout.write(renderTable(Object.entries(facts)));
    return 0;
  },
});
