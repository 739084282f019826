// `legation lint`: everything that the control plane would find wrong with a mesh, with the line that is to blame, before
// anybody runs it.

import { Option } from 'commander';
import { idOf, refOf } from '../api/meta.js';
import type { WorldObject } from '../kinds/world.js';
import type { FolderContent } from '../sources/files.js';
import { type ExitCode, type Invocation, defineCommand } from './command.js';
import { extensionsOption, type GateFlags } from './gates.js';
import { count, renderJson, renderYaml } from './output.js';
import type { Remark } from './remarks.js';
import { packageVersion } from './version.js';

interface LintOptions extends GateFlags {
  readonly output: 'table' | 'json' | 'yaml' | 'github' | 'sarif';
  readonly strict?: true;
}

/** What somebody wrote to make an object: the Deployment of a pod, the Service of a slice. */
function authored(object: WorldObject): string {
  if (object.kind === 'Pod') return `${object.workload.kind}/${object.workload.namespace}/${object.workload.name}`;
  return object.kind === 'EndpointSlice' ? `Service/${object.service}` : idOf(refOf(object));
}

/** Objects that somebody wrote: not the pods that a Deployment stands for. */
function writtenObjects({ objects, malformed }: FolderContent): number {
  const good = objects.flatMap((object) => (object.meta.place === undefined ? [] : [authored(object)]));
  return new Set([...good, ...malformed.map(({ ref }) => idOf(ref))]).size;
}

const amountOf = (remarks: readonly Remark[], severity: Remark['severity']): number =>
  remarks.filter((remark) => remark.severity === severity).length;

async function render(
  remarks: readonly Remark[],
  objects: number,
  { options, paint }: Invocation<LintOptions>,
): Promise<string> {
  const formats = await import('./lint-formats.js');
  const summary = { objects, errors: amountOf(remarks, 'error'), warnings: amountOf(remarks, 'warning') };
  switch (options.output) {
    case 'table':
      return formats.lintTable(remarks, paint);
    case 'json':
      return renderJson(formats.lintReport(remarks, summary));
    case 'yaml':
      return renderYaml(formats.lintReport(remarks, summary));
    case 'github':
      return formats.lintGithub(remarks);
    case 'sarif':
      return formats.lintSarif(remarks, packageVersion());
  }
}

async function lint(invocation: Invocation<LintOptions>): Promise<ExitCode> {
  const { args, options, cli, say } = invocation;
  const { readMesh } = await import('./mesh.js');
  const { content, remarks } = await readMesh(
    { paths: args, capture: 'redirect', enableExtensions: options.enableExtensions === true },
    cli,
  );
  const objects = writtenObjects(content);
  cli.stdout.write(await render(remarks, objects, invocation));
  for (const { what, count: times } of content.skipped) say(`not read: ${times} × ${what}`);
  const errors = amountOf(remarks, 'error');
  const warnings = amountOf(remarks, 'warning');
  say([count(objects, 'object'), count(errors, 'error'), count(warnings, 'warning')].join(', '));
  const [first] = remarks;
  if (first !== undefined && options.output === 'table')
    say(`'legation explain ${first.reason}' says what a reason means`);
  return errors > 0 || (options.strict === true && warnings > 0) ? 1 : 0;
}

/** `legation lint`. */
export const lintCommand = defineCommand<LintOptions>({
  name: 'lint',
  summary: 'find what is wrong with a mesh, and where',
  description: [
    'Reads files, checks every object against its schema, compiles the whole mesh as the control plane would, and names the line of each problem.',
    'Needs neither a cluster nor an Envoy.',
  ],
  arguments: [{ name: '<PATH...>', doc: 'files, folders, or - for standard input' }],
  options: [
    new Option('-o, --output <FORMAT>', 'how to print')
      .choices(['table', 'json', 'yaml', 'github', 'sarif'])
      .default('table'),
    new Option('--strict', 'warnings count as errors'),
    extensionsOption(),
  ],
  examples: [
    { line: 'legation lint mesh/', does: 'check a folder' },
    { line: 'helm template . | legation lint -', does: 'check what Helm would apply' },
    {
      line: 'legation lint --strict -o github mesh/',
      does: 'in a workflow: remarks beside the lines of a pull request',
    },
  ],
  exitCodes: '0 clean, 1 errors (with --strict also warnings), 2 wrong usage',
  run: lint,
});
