// `legation run`: the control plane itself, in the foreground, until a signal ends it.

import { Option } from 'commander';
import type { RunFlags } from '../runtime/config.js';
import { transportNames } from '../xds/transport.js';
import { UsageError, defineCommand } from './command.js';
import { extensionsOption } from './gates.js';

type RunOptions = Partial<RunFlags>;

const appended = (value: string, before: readonly string[] | undefined): readonly string[] => [
  ...(before ?? []),
  value,
];

const options = [
  new Option(
    '--source <SOURCE>',
    'where the mesh is read from: dir:PATH, a folder or a file; can be repeated',
  ).argParser(appended),
  new Option('--xds-listen <HOST:PORT>', 'where Envoys connect; port 0 picks a free one').default('127.0.0.1:18000'),
  new Option('--xds-insecure', 'serve plain text, without authentication; on loopback only'),
  new Option('--xds-transport <NAME>', 'what serves Envoys: http2, or grpc-js, which is the reference and costs more')
    .choices(transportNames)
    .default(transportNames[0])
    .env('LEGATION_XDS_TRANSPORT'),
  new Option('--admin-listen <HOST:PORT>', 'where status, metrics and health are').default('127.0.0.1:19000'),
  new Option('--capture <MODE>', 'how requests reach a proxy').choices(['explicit', 'redirect']).default('explicit'),
  new Option('--loopback-pods', 'replace pod addresses that are not on loopback, as the sandbox does'),
  new Option('--high-ports', 'move container ports below 1024 up by 20000, for who may not bind them'),
  extensionsOption(),
  new Option('--status-file <FILE>', 'also write the status of all objects here, never into the folder itself'),
  new Option('--log-level <LEVEL>', 'least severe lines to log')
    .choices(['debug', 'info', 'warn', 'error'])
    .default('info'),
  new Option('--log-format <FORMAT>', 'one line of JSON, or of text for people').choices(['json', 'text']),
];

/** `legation run`. */
export const runCommand = defineCommand<RunOptions>({
  name: 'run',
  summary: 'run the control plane over folders of YAML',
  description: [
    'Reads a mesh from folders, follows every change, and serves each Envoy its configuration over ADS.',
    'TLS and authentication of the xDS port are not there yet: --xds-insecure has to be said, and is allowed on loopback only.',
  ],
  arguments: [
    {
      name: '[PATH...]',
      doc: 'files and folders, or - for standard input, which is read once: the same as --source dir:PATH',
    },
  ],
  options,
  examples: [
    {
      line: 'legation run --source dir:examples/bookstore --xds-insecure',
      does: 'serve the bookstore to Envoys on this machine',
    },
    {
      line: 'legation run mesh/ --xds-insecure --xds-listen 127.0.0.1:0 --log-format text',
      does: 'on any free port, with lines for people',
    },
  ],
  exitCodes: '0 told to stop, 1 could not run, 2 wrong usage',
  run: async ({ args, options: flags, cli }, signal) => {
    const { parseRunConfig } = await import('../runtime/config.js');
    const source = [...(flags.source ?? []), ...args.map((path) => `dir:${path}`)];
    const logFormat = flags.logFormat ?? (cli.stderr.isTerminal ? 'text' : 'json');
    const config = parseRunConfig({ ...flags, source, logFormat });
    if (!config.ok) throw new UsageError(config.error.join('; '));
    const { createLogger } = await import('../runtime/logging.js');
    const { runControlPlane } = await import('../runtime/app.js');
    const log = createLogger({ level: config.value.logLevel, format: config.value.logFormat });
    await runControlPlane(config.value, { clock: cli.clock, log, stdin: cli.stdin }, signal);
    return 0;
  },
});
