// Takes one contender through the plan and measures it.
import { systemClock } from '../src/lib/clock.js';
import type { Mode } from './clients/responses.js';
import { startContender, type Contender, type ContenderSpec } from './contender.js';
import { startFleet, type Fleet } from './fleet.js';
import { clientOf, type Scenario, type Size, type Step, type Tape } from './plan.js';
import { cpuSeconds, memoryMib, settle, type Cores } from './processes.js';
import { monotonicMs } from './protocol.js';

/** One round: from a cause to the last client that equals the oracle. */
export interface Round {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly cpuSeconds: number;
  readonly bytes: number;
  /** CPU of the clients: where it is near the time, they are what was measured. */
  readonly clientsCpuSeconds: number;
  /** Of the resources that changed, in all clients whom they concern. */
  readonly changedBytes: number;
}

/** A scenario that a contender was not taken through. */
export interface LeftOut {
  readonly scenario: Scenario;
  readonly reason: string;
}

/** Resident memory in MiB. */
export interface Memory {
  /** Loaded, before any client. */
  readonly idle: number;
  readonly afterCold: number;
  /** Some seconds after the cold start, nothing forced. */
  readonly settled: number;
  /** After all scenarios and a forced collection. */
  readonly collected: number;
  readonly peak: number;
}

/** All that was measured of one contender. */
export interface Measurement {
  readonly contender: string;
  readonly mode: Mode;
  readonly size: Size;
  readonly cold: Round;
  readonly rounds: Readonly<Partial<Record<Scenario, readonly Round[]>>>;
  readonly memory: Memory;
  /** By scenario, where the contender says it. */
  readonly eventLoopDelayP99Ms: Readonly<Record<string, number>>;
  readonly leftOut: readonly LeftOut[];
  /** Empty when every client equalled the oracle after every step. */
  readonly faults: readonly string[];
}

/** What a run needs. */
export interface RunSpec {
  readonly contender: ContenderSpec;
  readonly tape: Tape;
  readonly mode: Mode;
  readonly size: Size;
  readonly cores: Cores | undefined;
}

const COLD_LIMIT_MS = 300_000;
const STEP_LIMIT_MS = 60_000;
const MEMORY_SETTLE_MS = 5000;

interface Running {
  readonly contender: Contender;
  readonly fleet: Fleet;
  readonly faults: string[];
}

const describeFault = async (fleet: Fleet, where: string): Promise<string> => {
  const { wrong, closed, example } = await fleet.status();
  return `${where}: ${String(wrong)} clients wrong. ${[...example, ...closed].join('; ')}`;
};

/** Does `cause`, waits for all clients, lets the contender settle. */
const measureRound = async (
  running: Running,
  cause: () => Promise<void>,
  limitMs: number,
): Promise<Omit<Round, 'changedBytes'>> => {
  const { contender, fleet } = running;
  const cpuBefore = cpuSeconds(contender.pid);
  const clientsBefore = cpuSeconds(fleet.pid);
  const begin = monotonicMs();
  await cause();
  const { times, bytes } = await fleet.untilComplete(limitMs);
  const cpuAfter = await settle(contender.pid);
  // Whom a change does not concern has had everything before.
  const sorted = times.filter((time) => time >= begin).toSorted((a, b) => a - b);
  return {
    firstMs: (sorted[0] ?? begin) - begin,
    lastMs: (sorted.at(-1) ?? begin) - begin,
    cpuSeconds: cpuAfter - cpuBefore,
    bytes,
    clientsCpuSeconds: cpuSeconds(fleet.pid) - clientsBefore,
  };
};

const applyOps = async ({ contender }: Running, step: Step): Promise<void> => {
  for (const { op, change } of step.ops) await contender.apply(op, change);
};

const bytesOf = ({ ops }: Step, proxies: number): number =>
  ops.reduce((sum, { op, change }) => {
    const concerned = clientOf(op) === undefined ? proxies : 1;
    return sum + concerned * change.upsert.reduce((bytes, { value }) => bytes + value.length, 0);
  }, 0);

const tellOracle = async ({ fleet }: Running, { ops }: Step): Promise<void> => {
  for (const { op, change } of ops) {
    const client = clientOf(op);
    await fleet.tell({ kind: 'oracle', change, ...(client === undefined ? {} : { client }) });
  }
};

const runStep = async (running: Running, step: Step): Promise<Omit<Round, 'changedBytes'>> => {
  const { fleet } = running;
  const isReconnect = step.scenario === 'reconnect';
  if (isReconnect) await fleet.tell({ kind: 'drop' });
  await tellOracle(running, step);
  if (isReconnect) {
    // The changes that happen meanwhile tell when a client is up to date again; they are not timed.
    await applyOps(running, step);
    await settle(running.contender.pid);
  }
  return measureRound(
    running,
    async () => {
      if (isReconnect) await fleet.tell({ kind: 'dial' });
      else await applyOps(running, step);
    },
    STEP_LIMIT_MS,
  );
};

const checkAll = async ({ fleet, faults }: Running, where: string): Promise<void> => {
  const { wrong, closed } = await fleet.status();
  if (wrong > 0 || closed.length > 0) faults.push(await describeFault(fleet, where));
};

const runSteps = async (
  running: Running,
  { steps, proxies }: { readonly steps: readonly Step[]; readonly proxies: number },
  delays: Record<string, number>,
): Promise<Partial<Record<Scenario, Round[]>>> => {
  const rounds: Partial<Record<Scenario, Round[]>> = {};
  for (const [i, step] of steps.entries()) {
    const list = (rounds[step.scenario] ??= []);
    list.push({ ...(await runStep(running, step)), changedBytes: bytesOf(step, proxies) });
    if (steps[i + 1]?.scenario === step.scenario) continue;
    await checkAll(running, step.scenario);
    await noteDelay(running.contender, step.scenario, delays);
  }
  return rounds;
};

const noteDelay = async (contender: Contender, scenario: string, delays: Record<string, number>): Promise<void> => {
  const { eventLoopDelayP99Ms } = await contender.stats();
  if (eventLoopDelayP99Ms !== undefined) delays[scenario] = eventLoopDelayP99Ms;
};

/** See `ContenderSpec.partialScopes`. */
const hasPartialScopes = ({ contender, mode, tape }: RunSpec): boolean =>
  mode === 'sotw' && tape.scopes && contender.partialScopes === true;

/** Why a contender cannot do a step. */
function obstacleTo({ ops, scenario }: Step, spec: RunSpec): string | undefined {
  if (scenario === 'remove' && hasPartialScopes(spec)) return 'its responses cannot take a scope away';
  const isForOne = ops.some(({ op }) => clientOf(op) !== undefined);
  return isForOne && !spec.contender.compiles ? 'it has one set of resources for all proxies' : undefined;
}

function leftOutOf(spec: RunSpec): readonly LeftOut[] {
  const all = spec.tape.steps.map((step) => [step.scenario, obstacleTo(step, spec)] as const);
  return [...new Map(all)].flatMap(([scenario, reason]) => (reason === undefined ? [] : [{ scenario, reason }]));
}

const measureRunning = async (running: Running, spec: RunSpec): Promise<Measurement> => {
  const { tape, mode, size } = spec;
  const { contender, fleet, faults } = running;
  const delays: Record<string, number> = {};
  await settle(contender.pid);
  await contender.stats();
  const idle = memoryMib(contender.pid).now;
  await fleet.tell({ kind: 'oracle', change: { upsert: tape.base, remove: [] } });
  const dial = async (): Promise<void> => {
    await fleet.tell({ kind: 'dial' });
  };
  const cold = await measureRound(running, dial, COLD_LIMIT_MS);
  await noteDelay(contender, 'cold', delays);
  await checkAll(running, 'cold start');
  const afterCold = memoryMib(contender.pid).now;
  await systemClock.sleep(MEMORY_SETTLE_MS);
  const settled = memoryMib(contender.pid).now;
  const steps = tape.steps.filter((step) => obstacleTo(step, spec) === undefined);
  const rounds = await runSteps(running, { steps, proxies: size.proxies }, delays);
  await contender.collectGarbage();
  const { now: collected, peak } = memoryMib(contender.pid);
  return {
    contender: contender.name,
    mode,
    size,
    cold: { ...cold, changedBytes: size.proxies * tape.base.reduce((sum, { value }) => sum + value.length, 0) },
    rounds,
    memory: { idle, afterCold, settled, collected, peak },
    eventLoopDelayP99Ms: delays,
    leftOut: leftOutOf(spec),
    faults,
  };
};

/** Starts a contender and its clients, measures, and ends both. A step that never ends is thrown with its cause. */
export const measure = async (spec: RunSpec): Promise<Measurement> => {
  const { cores, mode, size, tape } = spec;
  const contender = await startContender(spec.contender, cores?.server);
  try {
    const { port } = contender;
    const presentation = tape.presentation;
    const { scopes } = tape;
    const partialScopes = hasPartialScopes(spec);
    const fleet = await startFleet(
      { kind: 'init', ...presentation, mode, proxies: size.proxies, port, scopes, partialScopes },
      cores?.clients,
    );
    try {
      return await measureRunning({ contender, fleet, faults: [] }, spec);
    } catch (error) {
      const fault = await describeFault(fleet, 'stuck').catch(() => '');
      throw new Error(`${spec.contender.name}: ${error instanceof Error ? error.message : String(error)}. ${fault}`, {
        cause: error,
      });
    } finally {
      await fleet.stop();
    }
  } finally {
    await contender.stop();
  }
};
