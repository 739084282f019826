// The bench: takes every contender through the same plan and prints what it measured. `--help` lists the options.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { systemClock } from '../src/lib/clock.js';
import type { Mode } from './clients/responses.js';
import { buildPeers, CONTENDERS, isPeer, ours, peer, writeWorld, type PeerProgram } from './contenders.js';
import { measure, type Measurement } from './measure.js';
import { SIZES, type Size, type Tape } from './plan.js';
import { findCores, pinSelf, type Cores } from './processes.js';
import { buildRows, describeLeftOut, formatRows, type Row } from './report.js';
import { synthesise } from './synthetic.js';
import { canonicalise, recordTape } from './tape.js';

const HELP = `usage: bench [options]
  --size=S,M,G          XS 10x10, S 100x100, M 1,000 proxies x 1,000 services (10 endpoints each), G 10 proxies with
                        10,000 routes on 1,000 services; default S,M,G
  --mode=delta,sotw     default: M and G delta, others both
  --contenders=NAMES    of ${CONTENDERS.join(', ')}; default all
  --world=recorded      recorded from ours, or synthetic (peers only, ours is not needed)
  --repeat=1            runs of every contender; the table shows medians
  --pin=on              control plane and clients on a core each (taskset); off leaves it to the kernel
  --json                print the JSON that is written to bench/results
  --gate                exit 1 when a must figure is missed`;

const PARAMETERS = {
  size: { type: 'string', default: 'S,M,G' },
  mode: { type: 'string' },
  contenders: { type: 'string', default: CONTENDERS.join(',') },
  world: { type: 'string', default: 'recorded' },
  repeat: { type: 'string', default: '1' },
  pin: { type: 'string', default: 'on' },
  json: { type: 'boolean', default: false },
  gate: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

interface Options {
  readonly sizes: readonly Size[];
  readonly modes: readonly Mode[] | undefined;
  readonly contenders: readonly string[];
  readonly synthetic: boolean;
  readonly repeat: number;
  readonly pin: boolean;
  readonly json: boolean;
  readonly gate: boolean;
}

const MODES: readonly Mode[] = ['delta', 'sotw'];

/** The items of a comma-separated option; an unknown one is an error. */
const choose = <T>(text: string, choices: readonly T[], nameOf: (choice: T) => string): readonly T[] =>
  text.split(',').map((name) => {
    const found = choices.find((choice) => nameOf(choice) === name);
    if (found === undefined) throw new Error(`unknown ${name}; allowed: ${choices.map(nameOf).join(', ')}`);
    return found;
  });

const readOptions = (): Options | undefined => {
  const { values } = parseArgs({ options: PARAMETERS });
  if (values.help) return undefined;
  return {
    sizes: choose(values.size, SIZES, (size) => size.name),
    modes: values.mode === undefined ? undefined : choose(values.mode, MODES, (mode) => mode),
    contenders: choose(values.contenders, CONTENDERS, (name) => name),
    synthetic: choose(values.world, ['recorded', 'synthetic'], (name) => name)[0] === 'synthetic',
    repeat: Math.min(20, Math.max(1, Number(values.repeat) || 1)),
    pin: values.pin !== 'off',
    json: values.json,
    gate: values.gate,
  };
};

const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Results of one size and mode. */
interface Table {
  readonly size: string;
  readonly mode: Mode;
  readonly rows: readonly Row[];
  readonly measurements: readonly Measurement[];
  readonly failures: readonly string[];
}

interface Setting {
  readonly options: Options;
  readonly program: PeerProgram;
  readonly cores: Cores | undefined;
}

/** The resources to serve; without ours there is only the synthetic world. */
const makeTape = async (options: Options, size: Size): Promise<Tape> => {
  if (options.synthetic) return synthesise(size);
  say(`${size.name}: recording what ours serves`);
  return recordTape(ours(size), size).catch((error: unknown) => {
    throw new Error(`${messageOf(error)}\n(--world=synthetic measures the peers without ours)`, { cause: error });
  });
};

/** What all runs of one size and mode have in common. */
interface TableSpec {
  readonly size: Size;
  readonly mode: Mode;
  readonly tape: Tape;
}

/** Measures one contender by name; undefined for a peer that could not be built. */
const createRunner = ({ program, cores }: Setting, { size, mode, tape }: TableSpec) => {
  const peerTape = program.kind === 'built' ? canonicalise(tape, program.path) : tape;
  const world = writeWorld(peerTape);
  const run = async (name: string): Promise<Measurement | undefined> => {
    if (!isPeer(name)) return measure({ contender: ours(size, name), tape, mode, size, cores });
    if (program.kind === 'missing') return undefined;
    const contender = peer(name, program.path, { world: world.path, size, nodeId: tape.presentation.node.id });
    return measure({ contender, tape: peerTape, mode, size, cores });
  };
  return { run, close: world.remove };
};

const measureTable = async (setting: Setting, spec: TableSpec): Promise<Table> => {
  const { contenders, repeat, synthetic } = setting.options;
  const names = contenders.filter((name) => isPeer(name) || !synthetic);
  const runs = Array.from({ length: repeat }, (_, i) => names.map((name) => ({ name, i }))).flat();
  const runner = createRunner(setting, spec);
  const measurements: Measurement[] = [];
  const failures: string[] = [];
  for (const { name, i } of runs) {
    say(`${spec.size.name} ${spec.mode}: ${name}, run ${i + 1} of ${repeat}`);
    const measured = await runner.run(name).catch((error: unknown) => void failures.push(messageOf(error)));
    if (measured !== undefined) measurements.push(measured);
  }
  runner.close();
  failures.push(...measurements.flatMap(({ contender, faults }) => faults.map((fault) => `${contender}: ${fault}`)));
  return { size: spec.size.name, mode: spec.mode, rows: buildRows(measurements), measurements, failures };
};

const printTable = ({ size, mode, rows, measurements, failures }: Table): void => {
  say([`\n${size}, ${mode}`, formatRows(rows), ...describeLeftOut(measurements)].join('\n'));
  const isCorrect = failures.length === 0;
  say(isCorrect ? 'correct: every proxy equalled the oracle after every step' : `WRONG:\n${failures.join('\n')}`);
};

const writeResults = (result: object): string => {
  const name = new Date(systemClock.now()).toISOString().replaceAll(':', '-');
  const path = fileURLToPath(new URL(`results/${name}.json`, import.meta.url));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(result, undefined, 2)}\n`);
  return path;
};

const defaultModes = (size: Size): readonly Mode[] => (['M', 'G'].includes(size.name) ? ['delta'] : MODES);

const describePinning = (cores: Cores | undefined): string =>
  cores === undefined ? 'not pinned' : `control plane on core ${cores.server}, clients on core ${cores.clients}`;

const measureAll = async (setting: Setting): Promise<readonly Table[]> => {
  const { options } = setting;
  const tables: Table[] = [];
  for (const size of options.sizes) {
    const tape = await makeTape(options, size);
    for (const mode of options.modes ?? defaultModes(size)) {
      const table = await measureTable(setting, { size, mode, tape });
      printTable(table);
      tables.push(table);
    }
  }
  return tables;
};

const exitCodeOf = (tables: readonly Table[], gate: boolean): number => {
  const isWrong = tables.some((table) => table.failures.length > 0);
  const isMissed = tables.some((table) => table.rows.some((row) => row.met === false));
  return isWrong || (gate && isMissed) ? 1 : 0;
};

const bench = async (options: Options): Promise<number> => {
  const cores = findCores(options.pin && cpus().length > 1);
  if (cores !== undefined) pinSelf(cores);
  const pinning = describePinning(cores);
  const program = buildPeers();
  const go = program.kind === 'built' ? program.version : program.reason;
  const machine = { cpu: cpus()[0]?.model ?? '', cores: cpus().length, node: process.version, go, pinning };
  say(`${machine.cores} × ${machine.cpu}, Node ${machine.node}, ${go}; ${pinning}`);
  const tables = await measureAll({ options, program, cores });
  const result = { machine, world: options.synthetic ? 'synthetic' : 'recorded', tables };
  say(`\nwritten to ${writeResults(result)}`);
  if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  return exitCodeOf(tables, options.gate);
};

const main = async (): Promise<number> => {
  const options = readOptions();
  if (options !== undefined) return bench(options);
  say(HELP);
  return 0;
};

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    say(`bench: ${messageOf(error)}`);
    process.exitCode = 1;
  },
);
