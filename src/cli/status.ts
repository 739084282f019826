// `legation status`: is every object accepted, and live on every proxy concerned? Asks a running control plane.

import { Option } from 'commander';
import { didYouMean } from '../api/did-you-mean.js';
import { OperationalError } from '../lib/result.js';
import { type ExitCode, type Invocation, UsageError, defineCommand } from './command.js';
import { renderJson, renderYaml } from './output.js';
import type { StatusRow } from './status-rows.js';

interface StatusOptions {
  readonly admin: string;
  readonly output: 'table' | 'wide' | 'json' | 'yaml';
  readonly watch?: true;
}

/** One object as it came, and as a row. */
interface Entry {
  readonly item: unknown;
  readonly row: StatusRow;
}

const pollMs = 1000;
const smallestMessage = 40;
const clearScreen = '\u001b[H\u001b[2J';

/** The objects that the control plane at `admin` tells of. */
async function ask(admin: string): Promise<readonly Entry[]> {
  const { parseAddress } = await import('../runtime/config.js');
  const { askAdmin } = await import('../sandbox/admin-client.js');
  const { field, parsedJson } = await import('../sandbox/json-fields.js');
  const { rowOf } = await import('./status-rows.js');
  const place = parseAddress(admin);
  if (place === undefined) throw new UsageError(`--admin takes HOST:PORT; found '${admin}'`);
  const answer = await askAdmin({ address: place.host, port: place.port }, '/status');
  if (answer === undefined) {
    throw new OperationalError(
      'PeerUnreachable',
      `no control plane answers at ${admin}; is 'legation run' running there?`,
    );
  }
  const items = answer.status === 200 ? field(parsedJson(answer.body), 'items') : undefined;
  if (!Array.isArray(items)) {
    throw new OperationalError(
      'PeerUnreachable',
      `${admin} answered ${answer.status} and no status; is it Legation's admin address?`,
    );
  }
  return items.map((item: unknown) => ({ item, row: rowOf(item) }));
}

const idOfRow = ({ kind, namespace, name }: StatusRow): string => `${kind}/${namespace}/${name}`;

interface KindNames {
  readonly kind: string;
  readonly plural: string;
  readonly shortName: string;
}

const gatewayKinds: readonly KindNames[] = [
  { kind: 'HTTPRoute', plural: 'httproutes', shortName: 'httproute' },
  { kind: 'GRPCRoute', plural: 'grpcroutes', shortName: 'grpcroute' },
];

const namesOf = ({ kind, plural, shortName }: KindNames): readonly string[] =>
  [kind, plural, shortName].map((name) => name.toLowerCase());

const isKind = (row: StatusRow, wanted: string, names: readonly KindNames[]): boolean => {
  const known = [...names, ...gatewayKinds].find(({ kind }) => kind === row.kind);
  const allowed = known === undefined ? [row.kind.toLowerCase()] : namesOf(known);
  return allowed.includes(wanted.toLowerCase());
};

/** A kind of which there may well be no object. */
const isKindName = (text: string, names: readonly KindNames[]): boolean =>
  [...names, ...gatewayKinds].some((known) => namesOf(known).includes(text.toLowerCase()));

/** Those that are asked for; `missing` are the names that no object has. */
function select(
  entries: readonly Entry[],
  wanted: readonly string[],
  names: readonly KindNames[],
): { readonly entries: readonly Entry[]; readonly missing: readonly string[] } {
  if (wanted.length === 0) return { entries, missing: [] };
  const matches = ({ row }: Entry, text: string): boolean => {
    const [kind = '', namespace, name] = text.split('/');
    return (
      isKind(row, kind, names) && (namespace ?? row.namespace) === row.namespace && (name ?? row.name) === row.name
    );
  };
  return {
    entries: entries.filter((entry) => wanted.some((text) => matches(entry, text))),
    missing: wanted.filter((text) => !isKindName(text, names) && !entries.some((entry) => matches(entry, text))),
  };
}

async function render(entries: readonly Entry[], { options, cli, paint }: Invocation<StatusOptions>): Promise<string> {
  const list = { apiVersion: 'v1', kind: 'List', items: entries.map(({ item }) => item) };
  if (options.output === 'json') return renderJson(list);
  if (options.output === 'yaml') return renderYaml(list);
  if (entries.length === 0) return '';
  const { statusTable } = await import('./status-rows.js');
  const { stdout, clock } = cli;
  const messageWidth = stdout.isTerminal
    ? Math.max(smallestMessage, stdout.size().columns - 90)
    : Number.POSITIVE_INFINITY;
  const style = { wide: options.output === 'wide', paint, now: clock.now(), messageWidth };
  return statusTable(
    entries.map(({ row }) => row),
    style,
  );
}

/** What one look shows, says and means. */
interface Look {
  readonly text: string;
  readonly prose: readonly string[];
  readonly code: ExitCode;
  /** Differs where something changed, not where time has passed. */
  readonly content: string;
}

/** One look: what to print, what to say, and what it means. */
async function look(invocation: Invocation<StatusOptions>): Promise<Look> {
  const { kinds } = await import('../kinds/index.js');
  const all = await ask(invocation.options.admin);
  const { entries, missing } = select(all, invocation.args, Object.values(kinds));
  const ids = all.map(({ row }) => idOfRow(row));
  const unready = entries.filter(({ row }) => row.ready !== 'True').length;
  const absent = missing.map((text) => `no object '${text}'${didYouMean(text, ids)}`);
  const summary = entries.length === 0 ? 'no objects' : `${entries.length - unready} of ${entries.length} ready`;
  return {
    text: await render(entries, invocation),
    prose: [...absent, summary],
    code: unready + missing.length > 0 ? 1 : 0,
    content: JSON.stringify([entries.map(({ row }) => row), absent]),
  };
}

/** A look at a control plane that was there before, and may be restarting. */
async function lookAgain(invocation: Invocation<StatusOptions>): Promise<Look> {
  try {
    return await look(invocation);
  } catch (thrown) {
    if (!(thrown instanceof OperationalError)) throw thrown;
    return { text: '', prose: [thrown.message], code: 3, content: thrown.message };
  }
}

/** Looks again and again; a terminal always shows the last look, a file gets what changed. */
async function watch(invocation: Invocation<StatusOptions>, signal: AbortSignal): Promise<ExitCode> {
  const { cli, say } = invocation;
  let current = await look(invocation);
  let shown = '';
  for (;;) {
    const { text, prose, content, code } = current;
    if (cli.stdout.isTerminal || content !== shown) {
      cli.stdout.write(cli.stdout.isTerminal ? clearScreen + text : text);
      for (const line of prose) say(line);
    }
    shown = content;
    await cli.clock.sleep(pollMs, signal);
    if (signal.aborted) return code;
    current = await lookAgain(invocation);
  }
}

async function status(invocation: Invocation<StatusOptions>, signal: AbortSignal): Promise<ExitCode> {
  if (invocation.options.watch === true) return watch(invocation, signal);
  const { text, prose, code } = await look(invocation);
  invocation.cli.stdout.write(text);
  for (const line of prose) invocation.say(line);
  return code;
}

/** `legation status`. */
export const statusCommand = defineCommand<StatusOptions>({
  name: 'status',
  summary: 'show whether every object is live on every proxy',
  description: [
    'Asks a running control plane, at its admin address, how far each object has come: accepted, resolved, acknowledged by the proxies.',
  ],
  arguments: [
    { name: '[OBJECT...]', doc: 'only these: KIND, KIND/NS or KIND/NS/NAME; plural and short names work, too' },
  ],
  options: [
    new Option('--admin <HOST:PORT>', 'the admin address of the control plane').default('127.0.0.1:19000'),
    new Option('-o, --output <FORMAT>', 'how to print').choices(['table', 'wide', 'json', 'yaml']).default('table'),
    new Option('-w, --watch', 'look again each second, and print what changed'),
  ],
  examples: [
    { line: 'legation status', does: 'all objects of the control plane on this machine' },
    { line: 'legation status TrafficRoute/shop/reviews -o yaml', does: 'one object, with all its conditions' },
    { line: 'legation status troute --admin 127.0.0.1:19001 --watch', does: 'follow all TrafficRoutes of another one' },
  ],
  exitCodes: '0 all ready, 1 something is not ready or not there, 2 wrong usage, 3 no control plane answers',
  run: status,
});
