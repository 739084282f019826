// Records what our control plane serves, as one client sees it: the first state and every change of the plan.
import { spawnSync } from 'node:child_process';
import { systemClock } from '../src/lib/clock.js';
import { TYPE, TYPES } from './clients/types.js';
import { startContender, type Contender, type ContenderSpec } from './contender.js';
import { startFleet, type Fleet } from './fleet.js';
import { planSteps, type Size, type Step, type Tape } from './plan.js';
import type { ClientsStatus, Op, ResourceKey, WireChange, WireResource } from './protocol.js';

const POLL_MS = 50;
const FIRST_QUIET_MS = 1500;
const QUIET_MS = 300;
/** Removals may wait for proxies to let go. */
const REMOVE_QUIET_MS = 4000;
const LIMIT_POLLS = 600;

const keyOf = ({ type, name }: ResourceKey): string => `${type}\n${name}`;

const diff = (before: readonly WireResource[], after: readonly WireResource[]): WireChange => {
  const old = new Map(before.map((resource) => [keyOf(resource), resource]));
  const kept = new Set(after.map(keyOf));
  return {
    upsert: after.filter((resource) => old.get(keyOf(resource))?.value.equals(resource.value) !== true),
    remove: before.filter((resource) => !kept.has(keyOf(resource))).map(({ type, name }) => ({ type, name })),
  };
};

/** Waits until something has come since `bytesBefore`, and nothing more for a while. */
const untilQuiet = async (fleet: Fleet, bytesBefore: number, quietMs: number): Promise<ClientsStatus> => {
  for (let i = 0; i < LIMIT_POLLS; i += 1) {
    await systemClock.sleep(POLL_MS);
    const status = await fleet.status();
    if (status.closed.length > 0) throw new Error(`recording: ${status.closed.join(', ')}`);
    if (status.bytes > bytesBefore && status.idleMs > quietMs) return status;
  }
  throw new Error('recording: the control plane sent nothing');
};

const recordSteps = async (contender: Contender, fleet: Fleet, size: Size): Promise<readonly Step[]> => {
  let state = await fleet.dump();
  let { bytes } = await fleet.status();
  const record = async (op: Op): Promise<WireChange> => {
    await contender.apply(op, undefined);
    ({ bytes } = await untilQuiet(fleet, bytes, op.op === 'removeService' ? REMOVE_QUIET_MS : QUIET_MS));
    const next = await fleet.dump();
    const change = diff(state, next);
    state = next;
    if (change.upsert.length + change.remove.length === 0) throw new Error(`${JSON.stringify(op)} changed nothing`);
    return change;
  };
  const steps: Step[] = [];
  for (const { scenario, ops } of planSteps(size.services)) {
    const recorded: { op: Op; change: WireChange }[] = [];
    for (const op of ops) recorded.push({ op, change: await record(op) });
    steps.push({ scenario, ops: recorded });
  }
  return steps;
};

/** Runs a compiling contender with one client through the whole plan. */
export const recordTape = async (spec: ContenderSpec, size: Size): Promise<Tape> => {
  const contender = await startContender(spec, undefined);
  try {
    const { presentation, port } = contender;
    const fleet = await startFleet(
      { kind: 'init', ...presentation, mode: 'delta', proxies: 1, port, scopes: true, partialScopes: false },
      undefined,
    );
    try {
      await fleet.tell({ kind: 'dial' });
      await untilQuiet(fleet, 0, FIRST_QUIET_MS);
      const base = await fleet.dump();
      const scopes = base.some(({ type }) => type === TYPES[TYPE.scope]?.url);
      return { presentation, scopes, base, steps: await recordSteps(contender, fleet, size) };
    } finally {
      await fleet.stop();
    }
  } finally {
    await contender.stop();
  }
};

/** One line of the world file of the peers. */
export const encodeLine = (resource: WireResource): string =>
  JSON.stringify({ ...resource, value: resource.value.toString('base64') });

/** The tape with every message as the Go encoder writes it (same content, other field order). */
export const canonicalise = (tape: Tape, program: string): Tape => {
  const changes = tape.steps.flatMap((step) => step.ops.map(({ change }) => change));
  const all = [...tape.base, ...changes.flatMap((change) => change.upsert)];
  const input = all.map(encodeLine).join('\n');
  const run = spawnSync(program, ['--canonicalize'], { input, maxBuffer: 2 ** 30, encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`the peers cannot read what we serve: ${run.stderr}`);
  const lines = run.stdout.trimEnd().split('\n');
  let at = 0;
  const next = (resource: WireResource): WireResource => {
    const parsed: unknown = JSON.parse(lines[at] ?? '{}');
    at += 1;
    const value = typeof parsed === 'object' && parsed !== null && 'value' in parsed ? parsed.value : undefined;
    return { ...resource, value: Buffer.from(typeof value === 'string' ? value : '', 'base64') };
  };
  const base = tape.base.map(next);
  const steps = tape.steps.map((step) => ({
    ...step,
    ops: step.ops.map(({ op, change }) => ({ op, change: { ...change, upsert: change.upsert.map(next) } })),
  }));
  return { ...tape, base, steps };
};
