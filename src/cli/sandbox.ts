// `legation sandbox`: a folder of YAML as a running mesh on this machine, with real Envoys.

import { Option } from 'commander';
import { UsageError, defineCommand } from './command.js';
import { extensionsOption, type GateFlags } from './gates.js';

interface SandboxFlags extends GateFlags {
  readonly envoy?: string;
  readonly traffic?: string | true;
  readonly readyFile?: string;
  readonly runDir?: string;
  readonly view: boolean;
}

const fastest = 10_000;

function trafficOf(flag: SandboxFlags['traffic'], gentle: number): number | undefined {
  if (flag === undefined) return undefined;
  if (flag === true) return gentle;
  const perSecond = Number(flag);
  if (Number.isFinite(perSecond) && perSecond > 0 && perSecond <= fastest) return perSecond;
  throw new UsageError(`--traffic takes calls per second, up to ${fastest}; found '${flag}'`);
}

/** `legation sandbox`. */
export const sandboxCommand = defineCommand<SandboxFlags>({
  name: 'sandbox',
  summary: 'run a folder of YAML as a mesh on this machine',
  description: [
    'Starts a control plane, an application for each pod of the folder, and a real Envoy beside each; follows every edit.',
    'Ctrl-C stops all of it.',
  ],
  arguments: [{ name: '<FOLDER>', doc: 'folder with Services, Deployments and routes' }],
  options: [
    new Option(
      '--traffic [PER-SECOND]',
      'call the entries of the mesh steadily; 10 calls per second where nothing is said',
    ),
    new Option('--envoy <FILE>', 'the Envoy to run; else $ENVOY, else `envoy` on the path, else the project’s own'),
    new Option('--ready-file <FILE>', 'write addresses of everything here, as JSON, once all is programmed'),
    new Option('--run-dir <FOLDER>', 'keep logs and bootstraps here, instead of in a temporary folder'),
    extensionsOption(),
    new Option('--no-view', 'print lines instead of the live picture'),
  ],
  examples: [
    { line: 'legation sandbox examples/bookstore --traffic', does: 'look at the bookstore, with some traffic' },
    {
      line: 'legation sandbox mesh/ --no-view --ready-file /tmp/ready.json',
      does: 'in a script: wait for the file, then test',
    },
  ],
  exitCodes: '0 told to stop, 1 could not run, 2 wrong usage',
  run: async ({ args, options, cli, say }, signal) => {
    const { gentleTrafficPerSecond, runSandbox } = await import('../sandbox/sandbox.js');
    const [folder = ''] = args;
    const trafficPerSecond = trafficOf(options.traffic, gentleTrafficPerSecond);
    const { clock, stdout: output, program, environment, temporary } = cli;
    return runSandbox(
      {
        folder,
        view: options.view,
        enableExtensions: options.enableExtensions === true,
        ...(options.readyFile === undefined ? {} : { readyFile: options.readyFile }),
        ...(options.envoy === undefined ? {} : { envoy: options.envoy }),
        ...(options.runDir === undefined ? {} : { runFolder: options.runDir }),
        ...(trafficPerSecond === undefined ? {} : { trafficPerSecond }),
      },
      {
        clock,
        output,
        program,
        complain: say,
        environment: { path: environment['PATH'] ?? '', envoy: environment['ENVOY'], temporary },
      },
      signal,
    );
  },
});
