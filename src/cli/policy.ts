// `legation policy effective`: what all policies together mean for a target, and whose word each line is.

import { Option } from 'commander';
import { type ExitCode, type Invocation, UsageError, defineCommand } from './command.js';
import { extensionsOption, type GateFlags } from './gates.js';
import { renderJson, renderYaml } from './output.js';
import type { PolicyView } from '../reconcilers/policy-view.js';

interface PolicyOptions extends GateFlags {
  readonly output: 'table' | 'json' | 'yaml';
}

async function render(
  views: readonly PolicyView[],
  target: string,
  { options, paint }: Invocation<PolicyOptions>,
): Promise<string> {
  const document = { apiVersion: 'cli.legation.dev/v1', kind: 'EffectivePolicy', target, items: views };
  if (options.output === 'json') return renderJson(document);
  if (options.output === 'yaml') return renderYaml(document);
  const { policyText } = await import('./policy-text.js');
  return policyText(views, paint);
}

async function effective(invocation: Invocation<PolicyOptions>): Promise<ExitCode> {
  const { args, options, cli, say } = invocation;
  const { enableExtensions = false } = options;
  const [, target = '', ...paths] = args;
  const { parseTarget, unknownTarget } = await import('./policy-target.js');
  const subject = parseTarget(target);
  if (!subject.ok) throw new UsageError(subject.error);
  const { readMesh } = await import('./mesh.js');
  const { remarkLine } = await import('./remarks.js');
  const { effectivePolicy } = await import('../reconcilers/policy-view.js');
  const { world, reconciled, remarks } = await readMesh({ paths, capture: 'redirect', enableExtensions }, cli);
  for (const remark of remarks) say(remarkLine(remark));
  const { policies, routes } = reconciled;
  const views = effectivePolicy(subject.value, { world, policies, routes });
  if (views.length === 0) {
    say(unknownTarget(target, subject.value, world));
    return 1;
  }
  cli.stdout.write(await render(views, target, invocation));
  return 0;
}

/** `legation policy`. */
export const policyCommand = defineCommand<PolicyOptions>({
  name: 'policy',
  summary: 'print what all policies together mean for a target',
  description: [
    'effective merges the MeshPolicies that reach a target as the control plane does, and prints each value with the policy whose word it is, or built-in. What lost is listed with the winner and the reason.',
    'Problems of the mesh go to standard error.',
  ],
  arguments: [
    { name: '<ACTION>', doc: 'effective', choices: ['effective'] },
    {
      name: '<TARGET>',
      doc: 'svc/NS/NAME[:PORT], pod/NS/NAME, deploy/NS/NAME, troute/NS/NAME[/RULE], ns/NS or mesh; long kind names work, too',
    },
    { name: '<PATH...>', doc: 'files, folders, or - for standard input' },
  ],
  options: [
    extensionsOption(),
    new Option('-o, --output <FORMAT>', 'how to print').choices(['table', 'json', 'yaml']).default('table'),
  ],
  examples: [
    {
      line: 'legation policy effective svc/levels/echo examples/policies/levels',
      does: 'how a Service is called, and how its pods are',
    },
    { line: 'legation policy effective troute/shop/reviews/main mesh/', does: 'what holds for a rule' },
    { line: 'legation policy effective ns/shop mesh/ -o json', does: 'what holds in a namespace, for scripts' },
  ],
  exitCodes: '0 printed, 1 no such target, 2 wrong usage',
  run: effective,
});
