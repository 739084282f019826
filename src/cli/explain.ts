// `legation explain`: what a reason, a condition type, or a field of one of our kinds means.

import { Option } from 'commander';
import { conditionTypes, reasons } from '../api/conditions.js';
import { closest } from '../api/did-you-mean.js';
import { type ExitCode, type Invocation, defineCommand } from './command.js';
import type { Explanation } from './explanations.js';
import { renderJson, renderTable, renderYaml } from './output.js';

interface ExplainOptions {
  readonly output: 'table' | 'json' | 'yaml';
}

/** The words of status by this name: one may be a type and a reason. */
function words(name: string): readonly Explanation[] {
  const from = (what: string, table: Readonly<Record<string, string>>): readonly Explanation[] =>
    Object.entries(table)
      .filter(([word]) => word.toLowerCase() === name.toLowerCase())
      .map(([word, meaning]) => ({ what, name: word, meaning, facts: {}, members: {} }));
  return [...from('condition', conditionTypes), ...from('reason', reasons)];
}

function textOf({ what, name, meaning, facts, members }: Explanation): string {
  const list = Object.entries(members).map(([member, doc]) => [`  ${member}`, doc]);
  return [
    `${name} (${what}): ${meaning}\n`,
    ...Object.entries(facts).map(([fact, value]) => `  ${fact}: ${value}\n`),
    list.length === 0 ? '' : `fields:\n${renderTable(list)}`,
  ].join('');
}

async function render(found: readonly Explanation[], options: ExplainOptions): Promise<string> {
  if (options.output === 'json') return renderJson(found);
  return options.output === 'yaml' ? renderYaml(found) : found.map(textOf).join('');
}

async function explain({ args, options, cli, say }: Invocation<ExplainOptions>): Promise<ExitCode> {
  const [name] = args;
  if (name === undefined) {
    cli.stdout.write(renderTable([...Object.entries(conditionTypes), ...Object.entries(reasons)]));
    return 0;
  }
  const ofStatus = words(name);
  if (ofStatus.length > 0) {
    cli.stdout.write(await render(ofStatus, options));
    return 0;
  }
  const { explainField, kindNames } = await import('./explanations.js');
  const field = explainField(name);
  if (field.ok) {
    cli.stdout.write(await render([field.value], options));
    return 0;
  }
  const known = [...new Set([...Object.keys(conditionTypes), ...Object.keys(reasons), ...kindNames])];
  const guess = closest(name, known);
  say(field.error ?? `nothing is called '${name}'${guess === undefined ? '' : `; did you mean '${guess}'?`}`);
  return 1;
}

/** `legation explain`. */
export const explainCommand = defineCommand<ExplainOptions>({
  name: 'explain',
  summary: 'say what a reason, a condition or a field means',
  description: [
    'Explains the reasons and conditions of status, and every field of TrafficRoute, MeshPolicy and MeshIdentity.',
  ],
  arguments: [{ name: '[WORD]', doc: 'a reason, a condition type, or KIND.FIELD; nothing: all reasons' }],
  options: [new Option('-o, --output <FORMAT>', 'how to print').choices(['table', 'json', 'yaml']).default('table')],
  examples: [
    { line: 'legation explain RefNotPermitted', does: 'a reason that status or lint gave' },
    { line: 'legation explain TrafficRoute.spec.rules.retry', does: 'a field and what is in it' },
  ],
  exitCodes: '0 explained, 1 unknown word, 2 wrong usage',
  run: explain,
});
