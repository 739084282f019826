// `legation translate`: the Envoy configuration that a mesh means, as the wire would carry it.

import { Option } from 'commander';
import { didYouMean } from '../api/did-you-mean.js';
import type { ProxyModel } from '../model/mesh.js';
import { type ExitCode, type Invocation, UsageError, defineCommand } from './command.js';
import { extensionsOption, type GateFlags } from './gates.js';
import { renderJson } from './output.js';

interface TranslateOptions extends GateFlags {
  readonly proxy?: string;
  readonly capture: 'explicit' | 'redirect';
  readonly type?: string;
  readonly envoyVersion: string;
  readonly loopbackPods?: true;
  readonly output: 'yaml' | 'json';
}

const mostGroups = 20;

function typesOf(flag: string | undefined, known: readonly string[]): readonly string[] {
  const types = (flag ?? '').split(',').filter((type) => type !== '');
  const unknown = types.find((type) => !known.includes(type));
  if (unknown === undefined) return types;
  throw new UsageError(`--type '${unknown}' is none of ${known.join(', ')}${didYouMean(unknown, known)}`);
}

async function choose(
  proxies: readonly ProxyModel[],
  { options, say }: Invocation<TranslateOptions>,
): Promise<readonly ProxyModel[]> {
  const { findProxy, firstOfGroups, proxyList, unknownProxy } = await import('./proxies.js');
  if (options.proxy !== undefined) {
    const found = findProxy(proxies, options.proxy);
    if (found !== undefined) return [found];
    for (const line of unknownProxy(proxies, options.proxy)) say(line);
    return [];
  }
  const groups = firstOfGroups(proxies);
  if (groups.length === 0) say('no proxies: the mesh has no pods');
  if (groups.length <= mostGroups) return groups;
  for (const line of ['proxies:', ...proxyList(groups)]) say(line);
  throw new UsageError(`the mesh has ${groups.length} kinds of proxies; choose one with --proxy NS/NAME`);
}

async function translate(invocation: Invocation<TranslateOptions>): Promise<ExitCode> {
  const { args, options, cli, say } = invocation;
  const { shortNames, translationOf } = await import('./translation.js');
  const { readMesh } = await import('./mesh.js');
  const { remarkLine } = await import('./remarks.js');
  const { proxiesOf } = await import('./proxies.js');
  const types = typesOf(options.type, shortNames);
  const { capture, loopbackPods: loopback = false, enableExtensions = false, envoyVersion: envoy } = options;
  const { reconciled, remarks } = await readMesh({ paths: args, capture, loopback, enableExtensions }, cli);
  for (const remark of remarks) say(remarkLine(remark));
  const chosen = await choose(proxiesOf(reconciled.model), invocation);
  if (chosen.length === 0) return 1;
  const documents = chosen.map((proxy) => translationOf(reconciled.model, proxy, { types, envoy }));
  const { canonicalYaml } = await import('./canonical-yaml.js');
  const list = { apiVersion: 'cli.legation.dev/v1', kind: 'TranslationList', items: documents };
  cli.stdout.write(options.output === 'json' ? renderJson(list) : documents.map(canonicalYaml).join('---\n'));
  return 0;
}

/** `legation translate`. */
export const translateCommand = defineCommand<TranslateOptions>({
  name: 'translate',
  summary: 'print the Envoy configuration that a mesh means',
  description: [
    'Prints clusters, endpoints, listeners, scopes and routes of a proxy exactly as the control plane would serve them, as canonical YAML.',
    'Without --proxy: one document for each group of equal proxies, shown for its first pod. Problems of the mesh go to standard error.',
  ],
  arguments: [{ name: '<PATH...>', doc: 'files, folders, or - for standard input' }],
  options: [
    extensionsOption(),
    new Option('--proxy <NS/NAME>', 'a pod, or a workload, which means its first pod'),
    new Option('--capture <MODE>', 'how requests reach the proxy; redirect is what a pod of a cluster has')
      .choices(['explicit', 'redirect'])
      .default('explicit'),
    new Option('--type <TYPES>', 'only these, separated by commas: sds, cds, eds, lds, srds, rds'),
    new Option('--envoy-version <X.Y.Z>', 'the Envoy that it is for; older ones get less').default('1.40.0'),
    new Option('--loopback-pods', 'replace pod addresses that are not on loopback, as the sandbox does'),
    new Option('-o, --output <FORMAT>', 'how to print').choices(['yaml', 'json']).default('yaml'),
  ],
  examples: [
    {
      line: 'legation translate examples/bookstore --proxy bookstore/frontend',
      does: 'what the frontend’s Envoy gets',
    },
    { line: 'legation translate mesh/ --proxy shop/web --type rds', does: 'its routes alone' },
    { line: 'legation translate mesh/ --proxy shop/web --capture redirect', does: 'what it would get in a cluster' },
  ],
  exitCodes: '0 printed, 1 no such proxy, 2 wrong usage',
  run: translate,
});
