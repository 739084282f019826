// A contender: a control plane in a child process, driven by JSON lines. See README.md for the protocol.
import { createInterface } from 'node:readline';
import type { DoneLine, Op, Presentation, ReadyLine, WireChange } from './protocol.js';
import { endProcess, spawnOn, within } from './processes.js';

/** How to start a contender. */
export interface ContenderSpec {
  readonly name: string;
  readonly command: readonly string[];
  /** Compiles for itself from ops; otherwise it is fed with the resources. */
  readonly compiles: boolean;
  /**
   * Its SotW responses hold only the scoped routes that changed. Envoy would drop the others; the clients of this
   * contender keep them, so that the rest can be measured.
   */
  readonly partialScopes?: boolean;
}

/** A running contender. */
export interface Contender {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  readonly presentation: Presentation;
  readonly apply: (op: Op, change: WireChange | undefined) => Promise<void>;
  /** Resets and returns what it measured itself. */
  readonly stats: () => Promise<DoneLine>;
  readonly collectGarbage: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

const START_LIMIT_MS = 120_000;
const ANSWER_LIMIT_MS = 60_000;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

const isReady = (value: unknown): value is ReadyLine => isObject(value) && value['ready'] === true;
const isDone = (value: unknown): value is DoneLine => isObject(value) && typeof value['done'] === 'string';

const parseLine = (line: string): unknown => {
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // a log line
  }
};

const DEFAULT_PRESENTATION: Presentation = {
  node: { id: 'proxy-{i}', cluster: 'bench', metadata: {} },
  headers: {},
  routes: [],
};

/** Answers one line at a time. */
const createConversation = (name: string) => {
  const waiting: { resolve: (value: unknown) => void; reject: (error: Error) => void }[] = [];
  let failure: Error | undefined;
  return {
    onLine: (line: string): void => {
      const value = parseLine(line);
      if (isReady(value) || isDone(value)) waiting.shift()?.resolve(value);
    },
    onEnd: (reason: string): void => {
      failure = new Error(`${name} ended: ${reason}`);
      for (const { reject } of waiting.splice(0)) reject(failure);
    },
    next: (): Promise<unknown> =>
      new Promise((resolve, reject) => {
        if (failure === undefined) waiting.push({ resolve, reject });
        else reject(failure);
      }),
  };
};

const encodeOp = (op: Op, change: WireChange | undefined): object =>
  change === undefined
    ? op
    : { ...op, upsert: change.upsert.map((r) => ({ ...r, value: r.value.toString('base64') })), remove: change.remove };

/** Starts a contender and waits until it listens. */
export const startContender = async (spec: ContenderSpec, core: number | undefined): Promise<Contender> => {
  const child = spawnOn(core, spec.command, { stdio: ['pipe', 'pipe', 'pipe'] });
  const conversation = createConversation(spec.name);
  let lastWords = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    lastWords = (lastWords + text).slice(-2000);
  });
  child.on('error', (error) => {
    conversation.onEnd(error.message);
  });
  child.on('exit', (code) => {
    conversation.onEnd(`exit code ${String(code)}\n${lastWords}`);
  });
  if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', conversation.onLine);
  const say = async (line: object): Promise<DoneLine> => {
    const answer = conversation.next();
    child.stdin?.write(`${JSON.stringify(line)}\n`);
    const value = await within(answer, ANSWER_LIMIT_MS, spec.name);
    return isDone(value) ? value : { done: '' };
  };
  try {
    const ready = await within(conversation.next(), START_LIMIT_MS, spec.name);
    if (!isReady(ready)) throw new Error(`${spec.name} did not say that it is ready`);
    return {
      name: spec.name,
      port: ready.port,
      pid: ready.pid,
      presentation: { ...DEFAULT_PRESENTATION, ...ready },
      apply: async (op, change) => {
        await say(encodeOp(op, spec.compiles ? undefined : change));
      },
      stats: () => say({ op: 'stats' }),
      collectGarbage: async () => {
        await say({ op: 'gc' });
      },
      stop: () => endProcess(child),
    };
  } catch (error) {
    await endProcess(child);
    throw error;
  }
};
